"""Commands about what is going on in the conversation they are written in."""

from collections.abc import Mapping
from functools import partial
from typing import cast, get_args

from actors.commands.reply import Ask, Handler, Prompt, Reply, misused
from actors.ports.services import Services
from hermes.hooks import events, payloads
from hermes.routing import busy
from hermes.sessions.ids import new_session_id
from hermes.store import busy_ops, ops, queries
from hermes.types import texts
from hermes.types.ids import SessionId, SessionKey
from hermes.types.quoting import one_line
from hermes.types.records import BusyMode, SessionRecord

CONFIGURED = "default"
"""What stands for the mode of the configuration."""


async def _stop(ask: Ask) -> Reply:
    return await _end(ask, anew=False)


async def _new(ask: Ask) -> Reply:
    return await _end(ask, anew=True)


async def _end(ask: Ask, *, anew: bool) -> Reply:
    """End all that has no answer yet; ``anew`` begins a new stretch too."""
    services, command, now = ask.services, ask.command, ask.services.clock.wall()
    fresh = new_session_id(now, services.ids) if anew else None
    known = await services.store.read(queries.session, command.session_key) if anew else None
    return Reply(
        _ended(await services.store.read(queries.open_count, command.session_key), anew=anew),
        ops.StopTurn(
            command.session_key, command.rule, now, fresh, title=one_line(command.args) if anew else ""
        ),
        after=partial(_after, ask, known, fresh),
    )


def _after(ask: Ask, known: SessionRecord | None, fresh: SessionId | None) -> None:
    services, key, origin = ask.services, ask.command.session_key, ask.row.event.origin
    services.conversations.interrupt(key)
    if fresh is not None and services.conversations.rests(key):
        services.conversations.revive(key)
    if fresh is not None and known is not None:
        if not known.expired:  # else it has been told of
            services.hooks.happened(events.SESSION_END, payloads.session(origin, key))
        services.hooks.happened(events.SESSION_RESET, payloads.session(origin, key))
        services.hooks.happened(events.SESSION_START, payloads.session(origin, key, fresh))


def _ended(open_rows: int, *, anew: bool) -> str:
    if not anew and not open_rows:
        return texts.NOTHING_TO_STOP
    words = texts.NEW_CONVERSATION if anew else texts.STOPPED
    return f"{words} {texts.DROPPED_TOO.format(count=open_rows - 1)}" if open_rows > 1 else words


def _queue(ask: Ask) -> Reply | Prompt:
    return Prompt(ask.command.args, busy.QUEUE) if ask.command.args else misused(ask)


def _steer(ask: Ask) -> Reply | Prompt:
    """With nothing at work to be steered it is answered as any message is."""
    return Prompt(ask.command.args, busy.STEER) if ask.command.args else misused(ask)


async def _busy(ask: Ask) -> Reply:
    services, key, wanted = ask.services, ask.command.session_key, ask.command.args.lower()
    display, platform = services.config.display, ask.row.event.origin.platform
    if not wanted:
        own = await services.store.read(queries.busy_mode, key)
        mode = busy.mode_for(display, platform, own)
        return Reply(texts.BUSY_IS.format(mode=mode, meaning=texts.BUSY_MODES[mode]))
    if wanted not in (CONFIGURED, *get_args(BusyMode)):
        return misused(ask)
    own = None if wanted == CONFIGURED else cast("BusyMode", wanted)
    mode = busy.mode_for(display, platform, own)
    words = texts.BUSY_IS.format(mode=mode, meaning=texts.BUSY_MODES[mode])
    return Reply(
        words,
        busy_ops.SetBusyMode(key, own),
        otherwise=texts.NO_CONVERSATION,
        after=partial(_look_again, services, key),
    )


def _look_again(services: Services, key: SessionKey) -> None:
    """What waits already goes by the new mode, too."""
    if services.conversations.takes_mail(key):
        services.conversations.wake(key)


HANDLERS: Mapping[str, Handler] = {
    "stop": _stop,
    "new": _new,
    "queue": _queue,
    "steer": _steer,
    "busy": _busy,
}
