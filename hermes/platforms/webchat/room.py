"""A chat as the browser tabs that show it, and the answers that wait for one of them to say "shown".

lane ──post──▶ Room ──┬─▶ Tab ──pump──▶ socket
                      └─▶ Tab ──pump──▶ socket
"""

import trio

from hermes.net import clientlink
from hermes.types.errors import SocketClosed
from hermes.types.ports import Socket

QUEUE_FRAMES = 64
DRAFT_FRAMES = QUEUE_FRAMES // 4
WRITE_DEADLINE_S = 20.0


class Tab:
    """One socket and what still has to be written to it. ``pump`` is the only writer, so frames stay in order.

    A client that does not read costs at most ``QUEUE_FRAMES`` frames, then its own connection and nobody else's.
    """

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.scope = trio.CancelScope()
        self._write, self._read = trio.open_memory_channel[str | None](QUEUE_FRAMES)

    async def reply(self, frame: clientlink.ServerFrame) -> None:
        """Queue an answer to this client's own frame; waits when the client does not read."""
        await self._write.send(clientlink.encode(frame))

    def push(self, text: str) -> None:
        """Queue an encoded frame that must arrive; a full queue ends the connection, and the client asks again."""
        try:
            self._write.send_nowait(text)
        except trio.WouldBlock:
            self.scope.cancel()

    def hint(self, text: str) -> None:
        """Queue an encoded frame that may be lost."""
        if self._write.statistics().current_buffer_used < DRAFT_FRAMES:
            self._write.send_nowait(text)

    async def finish(self) -> None:
        """Let ``pump`` end once everything queued so far is written."""
        await self._write.send(None)

    async def write(self, text: str) -> None:
        """Write past the queue; only before ``pump`` runs. A client that is gone or does not read cancels ``scope``."""
        try:
            with trio.fail_after(WRITE_DEADLINE_S):
                await self.socket.send(text)
        except (SocketClosed, trio.TooSlowError):
            self.scope.cancel()

    async def pump(self) -> None:
        """Write what is queued, until ``finish``."""
        async for text in self._read:
            if text is None:
                return
            await self.write(text)


class Receipt:
    """An answer on its way. ``settled`` when a tab has shown it, or when nobody is left who could."""

    def __init__(self) -> None:
        self.shown = False
        self.settled = trio.Event()


class Room:
    """The tabs of one chat; exists only while there is one."""

    def __init__(self) -> None:
        self._tabs: set[Tab] = set()
        self._receipts: dict[str, Receipt] = {}

    @property
    def empty(self) -> bool:
        """Nobody looks at this chat."""
        return not self._tabs

    def join(self, tab: Tab) -> None:
        """From now on ``tab`` gets everything."""
        self._tabs.add(tab)

    def leave(self, tab: Tab) -> None:
        """``tab`` is gone; the last one leaves every open answer unconfirmed."""
        self._tabs.discard(tab)
        if self.empty:
            for receipt in self._receipts.values():
                receipt.settled.set()

    def close(self) -> None:
        """End every connection of this chat."""
        for tab in self._tabs:
            tab.scope.cancel()

    def tell(self, frame: clientlink.ServerFrame, besides: Tab | None = None) -> None:
        """Push ``frame`` to all tabs, or to all but one."""
        text = clientlink.encode(frame)
        for tab in self._tabs:
            if tab is not besides:
                tab.push(text)

    def hint(self, frame: clientlink.Draft) -> None:
        """Show a draft wherever there is room for it."""
        text = clientlink.encode(frame)
        for tab in self._tabs:
            tab.hint(text)

    async def deliver(self, item: clientlink.Item, deadline_s: float) -> bool:
        """Push an answer and wait for the first tab that has shown it. False: none said so in time."""
        receipt = self._receipts[item.item_id] = Receipt()
        try:
            self.tell(clientlink.Message(item))
            with trio.move_on_after(deadline_s):
                await receipt.settled.wait()
            return receipt.shown
        finally:
            del self._receipts[item.item_id]

    def acked(self, item_id: str) -> None:
        """A tab has shown ``item_id``; late and unknown ones are ignored."""
        if receipt := self._receipts.get(item_id):
            receipt.shown = True
            receipt.settled.set()
