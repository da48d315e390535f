"""Commands about the gateway itself."""

from collections.abc import Mapping

from actors.commands.reply import Ask, Handler, Reply
from hermes.routing import answers
from hermes.routing.commands import commands_text, help_text


async def _help(_ask: Ask) -> Reply:
    return Reply(help_text())


async def _commands(_ask: Ask) -> Reply:
    return Reply(commands_text())


async def _status(ask: Ask) -> Reply:
    return Reply(answers.status_text(await ask.services.overview.status()))


async def _version(ask: Ask) -> Reply:
    return Reply(f"hermes {ask.services.overview.version}")


HANDLERS: Mapping[str, Handler] = {
    "help": _help,
    "commands": _commands,
    "status": _status,
    "version": _version,
}
