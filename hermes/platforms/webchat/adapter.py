"""Web chat as an adapter: chats are rooms of browser tabs (``hermes.net.linkchat``), shown as safe HTML."""

import re
from collections.abc import Sequence

import trio

from hermes.net import clientlink
from hermes.net.linkchat import POLICY_VIOLATION, LinkChat
from hermes.render.html import to_html
from hermes.types.content import Capabilities, Draft
from hermes.types.ports import Mount, Request, Socket, SocketRoute

PLATFORM = "webchat"
DEFAULT_CHAT = "main"
OPERATOR = "operator"

INLINE_RENDER_CHARS = 4_000

_CHAT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class WebChat(LinkChat):
    """Implements ``ports.Adapter`` and ``ports.Drafts``. Whoever gets through the door is the operator."""

    platform = PLATFORM
    capabilities = Capabilities(
        max_length=1_000_000, authenticated=True, idempotent_send=True, history=True, draft_interval_s=0.1
    )

    def routes(self) -> Sequence[Mount]:
        """One socket; ``?chat=`` names the chat."""
        return (SocketRoute("/chat/socket", "token", self._open),)

    def user_of(self, chat_id: str) -> str:
        """Every chat is the operator's."""
        return OPERATOR

    async def html(self, text: str) -> str:
        """Safe HTML without holding up the loop: some ten milliseconds a kilobyte at worst, so long texts go to a thread."""
        if len(text) > INLINE_RENDER_CHARS:
            return await trio.to_thread.run_sync(to_html, text)
        await trio.lowlevel.checkpoint()
        return to_html(text)

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """Show the newest text in every tab that keeps up."""
        if self.room(chat_id):
            html = await self.html(draft.text)
            if room := self.room(chat_id):
                room.hint(clientlink.Draft(draft.draft_id, draft.reply_to, html))

    async def _open(self, request: Request, socket: Socket) -> None:
        chat_id = request.query.get("chat", DEFAULT_CHAT)
        if _CHAT_ID.fullmatch(chat_id):
            await self.open(chat_id, socket)
        else:
            await socket.close(POLICY_VIOLATION, "a chat's name is 1 to 64 letters, digits, _ and -")
