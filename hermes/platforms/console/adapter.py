"""The console as an adapter: chats are terminals on the control socket (``hermes.net.linkchat``).

The socket has proved that its peer is the operator's own user; ``user`` names which of that user's conversations it is,
and ``session`` one beside it: ``agent:main:console:dm:<user>[:<session>]``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hermes.net.linkchat import POLICY_VIOLATION, LinkChat
from hermes.platforms.console.entry import ENTRY
from hermes.types.ports import ControlVerb, Mount, Socket

PLATFORM = ENTRY.name

_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")


class Console(LinkChat):
    """Implements ``ports.Adapter``. Terminals render Markdown themselves, so nothing is rendered here."""

    platform = PLATFORM
    capabilities = ENTRY.capabilities
    history_items = 20

    def routes(self) -> Sequence[Mount]:
        """One verb, with ``user`` and perhaps ``session``."""
        return (ControlVerb(PLATFORM, self._open),)

    def user_of(self, chat_id: str) -> str:
        """Whom the chat is named after."""
        return chat_id.partition(":")[0]

    async def _open(self, args: Mapping[str, Any], socket: Socket) -> None:
        names = [str(args.get("user", ""))]
        if args.get("session") is not None:
            names.append(str(args["session"]))
        if all(map(_NAME.fullmatch, names)):
            await self.open(":".join(names), socket)
        else:
            words = "names of users and sessions are 1 to 64 letters, digits and . _ @ + -"
            await socket.close(POLICY_VIOLATION, words)
