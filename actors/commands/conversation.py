"""Commands about the conversation they are written in."""

from collections.abc import Mapping
from functools import partial

from actors.commands.reply import Ask, Handler, Reply
from actors.ports.services import Services
from hermes.sessions.ids import new_session_id
from hermes.store import ops, queries
from hermes.types import texts
from hermes.types.ids import SessionKey


async def _stop(ask: Ask) -> Reply:
    return await _end(ask, anew=False)


async def _new(ask: Ask) -> Reply:
    return await _end(ask, anew=True)


async def _end(ask: Ask, *, anew: bool) -> Reply:
    """End all that has no answer yet; ``anew`` begins a new stretch too."""
    services, command, now = ask.services, ask.command, ask.services.clock.wall()
    fresh = new_session_id(now, services.ids) if anew else None
    return Reply(
        _ended(await services.store.read(queries.open_count, command.session_key), anew=anew),
        ops.StopTurn(command.session_key, command.rule, now, fresh),
        after=partial(_interrupt, services, command.session_key, revive=anew),
    )


def _interrupt(services: Services, key: SessionKey, *, revive: bool) -> None:
    services.conversations.interrupt(key)
    if revive and services.conversations.rests(key):
        services.conversations.revive(key)


def _ended(open_rows: int, *, anew: bool) -> str:
    if not anew and not open_rows:
        return texts.NOTHING_TO_STOP
    words = texts.NEW_CONVERSATION if anew else texts.STOPPED
    return f"{words} {texts.DROPPED_TOO.format(count=open_rows - 1)}" if open_rows > 1 else words


HANDLERS: Mapping[str, Handler] = {"stop": _stop, "new": _new}
