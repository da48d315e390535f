"""Web chat as an adapter: chats are rooms of browser tabs (``hermes.net.linkchat``), shown as safe HTML."""

import re
from collections.abc import Sequence
from urllib.parse import quote

import trio

from hermes.net import clientlink
from hermes.net.linkchat import POLICY_VIOLATION, LinkChat
from hermes.ops.inbound_files import HEAD_BYTES, sniffed
from hermes.ops.media_files import read_copy
from hermes.platforms.webchat.entry import ENTRY
from hermes.render.html import to_html
from hermes.types.content import Draft, Media
from hermes.types.ports import Mount, Request, Response, Route, Socket, SocketRoute

PLATFORM = ENTRY.name
DEFAULT_CHAT = "main"
OPERATOR = "operator"

INLINE_RENDER_CHARS = 4_000

FILES = "/chat/media"
SHOWN = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a browser may show from our own address: nothing of it can hold a script."""

_NOT_FOUND = Response(
    404, b'{"error": {"code": "not_found", "message": "There is no such file, or it is not kept any more."}}'
)
_NUMBER = re.compile("[0-9]{1,3}")
_CHAT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class WebChat(LinkChat):
    """Implements ``ports.Adapter`` and ``ports.Drafts``. Whoever gets through the door is the operator."""

    platform = PLATFORM
    capabilities = ENTRY.capabilities

    def routes(self) -> Sequence[Mount]:
        """One socket; ``?chat=`` names the chat. And the files that its messages name."""
        return (
            SocketRoute("/chat/socket", "token", self._open),
            Route(f"{FILES}/*", "token", self._file),
        )

    def place(self, delivery_id: str, index: int, media: Media) -> str:
        """A path on this server; the address of what lies elsewhere."""
        return (
            media.ref
            if media.ref.startswith("https://")
            else f"{FILES}/{quote(delivery_id, safe='')}/{index}"
        )

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

    async def _file(self, request: Request) -> Response:
        """A file that a message of ours names. Pictures are shown, by what is in them; all else is saved."""
        delivery_id, _, number = request.path.removeprefix(f"{FILES}/").rpartition("/")
        files: Sequence[Media] = ()
        if self._io is not None and _NUMBER.fullmatch(number) and delivery_id.isprintable():
            files = await self._io.attachments(delivery_id)
        media = files[int(number)] if files and int(number) < len(files) else None
        if media is None or not media.ref.startswith("/"):
            return _NOT_FOUND
        try:
            most = self.capabilities.max_media_bytes
            body = await trio.to_thread.run_sync(read_copy, media.ref, most, abandon_on_cancel=True)
        except OSError:
            return _NOT_FOUND  # it is not kept any more
        kind = sniffed(body[:HEAD_BYTES])
        shown = kind in SHOWN
        name = quote(media.name, safe="", errors="replace")
        return Response(
            body=body,
            media_type=kind if kind and shown else "application/octet-stream",
            headers={
                "content-disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{name}",
                "cache-control": "private, no-store",
            },
        )

    async def _open(self, request: Request, socket: Socket) -> None:
        chat_id = request.query.get("chat", DEFAULT_CHAT)
        if _CHAT_ID.fullmatch(chat_id):
            await self.open(chat_id, socket)
        else:
            await socket.close(POLICY_VIOLATION, "a chat's name is 1 to 64 letters, digits, _ and -")
