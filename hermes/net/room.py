"""A chat as the clients that show it, and the answers that wait for one of them to say "shown".

lane ──deliver──▶ Room ──┬─▶ Client ──pump──▶ socket
                         └─▶ Client ──pump──▶ socket
"""

import trio

from hermes.net import clientlink
from hermes.types.errors import SocketClosed
from hermes.types.ports import Socket

QUEUE_FRAMES = 64
DRAFT_FRAMES = QUEUE_FRAMES // 4
WRITE_DEADLINE_S = 20.0


class Client:
    """One socket and what still has to be written to it. ``pump`` is the only writer, so frames stay in order.

    A client that does not read costs at most ``QUEUE_FRAMES`` frames, then its own connection and nobody else's.
    One with ``own`` set waits for the answers to what it has asked; others come to it only where nobody else takes them.
    """

    def __init__(self, socket: Socket, *, own: bool = False) -> None:
        self.socket = socket
        self.own = own
        self.asked: set[str] = set()
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
    """An answer on its way to ``audience``. ``settled`` when one has shown it, or when nobody is left who could."""

    def __init__(self, audience: set[Client]) -> None:
        self.audience = audience
        self.shown = False
        self.settled = trio.Event()


class Room:
    """The clients of one chat; exists only while there is one."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()
        self._receipts: dict[str, Receipt] = {}

    @property
    def empty(self) -> bool:
        """Nobody looks at this chat."""
        return not self._clients

    def join(self, client: Client) -> None:
        """From now on ``client`` gets everything that is for it."""
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        """``client`` is gone; the last one of an open answer's audience leaves it unconfirmed."""
        self._clients.discard(client)
        for receipt in self._receipts.values():
            receipt.audience.discard(client)
            if not receipt.audience:
                receipt.settled.set()

    def close(self) -> None:
        """End every connection of this chat."""
        for client in self._clients:
            client.scope.cancel()

    def tell(self, frame: clientlink.ServerFrame, besides: Client) -> None:
        """Push ``frame`` to everybody but one."""
        text = clientlink.encode(frame)
        for client in self._clients - {besides}:
            client.push(text)

    def hint(self, frame: clientlink.Draft | clientlink.Typing) -> None:
        """Show a draft, or that one is worked on, wherever there is room for it."""
        text = clientlink.encode(frame)
        for client in self._clients:
            client.hint(text)

    async def deliver(self, item: clientlink.Item, deadline_s: float) -> bool:
        """Push an answer and wait for the first client that has shown it. False: none said so in time."""
        audience = {one for one in self._clients if not one.own or not one.asked.isdisjoint(item.answers)}
        receipt = self._receipts[item.item_id] = Receipt(audience or set(self._clients))
        text = clientlink.encode(clientlink.Message(item))
        try:
            for client in receipt.audience:
                client.push(text)
            with trio.move_on_after(deadline_s):
                await receipt.settled.wait()
            return receipt.shown
        finally:
            del self._receipts[item.item_id]

    def acked(self, item_id: str) -> None:
        """A client has shown ``item_id``; late and unknown ones are ignored."""
        if receipt := self._receipts.get(item_id):
            receipt.shown = True
            receipt.settled.set()
