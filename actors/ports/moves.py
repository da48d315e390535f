"""Chats that have become others, in memory: a group that its platform has made a supergroup has another id from then on.

adapter ── io.chat_moved ──▶ one commit ──▶ Moves ──▶ where a message goes · whose conversation it is · its former id
"""

import logging
from dataclasses import replace

from hermes.store.chat_ops import MoveChat, MovedChat, moved_chats
from hermes.store.port import Store
from hermes.types.origin import Origin

log = logging.getLogger(__name__)

Chat = tuple[str, str, str]
"""(platform, account, chat_id)."""


class Moves:
    """What the table says. Belongs to root, so it is read once; nobody else writes it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read = False
        self._by_former: dict[Chat, MovedChat] = {}
        self._by_present: dict[Chat, MovedChat] = {}

    async def known(self) -> None:
        """Return when the others may be asked. Waits for the store, the first time."""
        if not self._read:
            for moved in await self._store.read(moved_chats):
                self._note(moved)
            self._read = True

    async def move(self, platform: str, account: str, chat_id: str, moved_to: str, at: float) -> None:
        """Return when it is durable that ``chat_id`` is ``moved_to`` now, and all know; at once if they do."""
        if self.now_at(platform, account, chat_id) != moved_to:
            self._note(await self._store.write(MoveChat(platform, account, chat_id, moved_to, at)))
            log.info("%s:%s: chat %s has become %s", platform, account, ascii(chat_id), ascii(moved_to))

    def now_at(self, platform: str, account: str, chat_id: str) -> str:
        """What ``chat_id`` is by now."""
        moved = self._by_former.get((platform, account, chat_id))
        return chat_id if moved is None else moved.moved_to

    def former(self, platform: str, account: str, chat_id: str) -> str | None:
        """What ``chat_id`` was before; None if nothing else."""
        moved = self._by_present.get((platform, account, chat_id))
        return None if moved is None else moved.chat_id

    def begun(self, origin: Origin) -> Origin:
        """``origin`` where its conversation has begun: that is what the conversation is called after, for good."""
        moved = self._by_present.get((origin.platform, origin.account, origin.chat_id))
        return replace(origin, chat_id=moved.chat_id) if moved is not None and moved.goes_on else origin

    def _note(self, moved: MovedChat) -> None:
        self._by_former[moved.platform, moved.account, moved.chat_id] = moved
        self._by_present[moved.platform, moved.account, moved.moved_to] = moved
