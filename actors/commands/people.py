"""Commands about who somebody is."""

from collections.abc import Mapping

from actors.commands.reply import Handler

HANDLERS: Mapping[str, Handler] = {}
