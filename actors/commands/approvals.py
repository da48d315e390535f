"""Commands that decide what an agent has asked for."""

from collections.abc import Mapping

from actors.commands.reply import Handler

HANDLERS: Mapping[str, Handler] = {}
