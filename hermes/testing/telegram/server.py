"""HTTP/1.1 on 127.0.0.1, kept alive, with whatever can go wrong below a method's answer.

listener ──▶ Peer, one a connection ──request──▶ answer(request, peer) ──▶ Reply | Cut | None: nothing, for ever
"""

import select
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from socket import SO_LINGER, SOL_SOCKET
from typing import Literal

import h11
import trio
import trio.testing

MOST_BODY_BYTES = 64 * 1024 * 1024
_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)

Reachable = Literal["yes", "reset", "mute", "refused"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    target: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    body: bytes
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Cut:
    """No answer: the connection ends, by a reset or in good order; ``half``: this side of it alone."""

    how: Literal["reset", "close", "half"]


Answer = Callable[[Asked, "Peer"], Awaitable[Reply | Cut]]


class Peer:
    """A connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.SERVER)
        self.scope = trio.CancelScope()

    def is_open(self) -> bool:
        """Whether the other side is still there: what it has closed counts at once, not when somebody reads."""
        if self.stream.socket.fileno() < 0:
            return False
        look = select.poll()
        look.register(self.stream.socket.fileno(), select.POLLRDHUP)
        return not look.poll(0)

    def reset(self) -> None:
        """Cut it off."""
        if self.stream.socket.fileno() >= 0:
            self.stream.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.stream.socket.close()

    async def ask(self) -> Asked | None:
        """The next request; None at the end of the connection."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self.http.next_event()
            if event is h11.NEED_DATA:
                if self.http.they_are_waiting_for_100_continue:
                    await self.say(h11.InformationalResponse(status_code=100, headers=[]))
                self.http.receive_data(await self.stream.receive_some())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MOST_BODY_BYTES:
                    return None
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                headers = dict(head.headers)
                content_type = headers.get(b"content-type", b"").decode("latin-1")
                return Asked(head.method.decode(), head.target.decode("latin-1"), content_type, bytes(body))
            else:
                return None

    async def say(self, *events: h11.Event) -> None:
        """Send."""
        await self.stream.send_all(b"".join(self.http.send(event) or b"" for event in events))

    async def reply(self, reply: Reply) -> None:
        """Answer a request."""
        headers = [("Content-Type", reply.media_type), ("Content-Length", str(len(reply.body)))]
        head = h11.Response(status_code=reply.status, headers=headers)
        await self.say(head, h11.Data(data=reply.body), h11.EndOfMessage())


class Server:
    """Listens, and tells what is open. ``plug`` changes how it can be reached, for what is open, too."""

    def __init__(self, answer: Answer) -> None:
        self.port = 0
        self.connections_ever = 0
        self._answer = answer
        self._peers: set[Peer] = set()
        self._reachable: Reachable = "yes"
        self._changed = trio.Event()
        self._accepting = trio.CancelScope()

    @property
    def connections(self) -> int:
        """How many are open."""
        return sum(peer.is_open() for peer in self._peers)

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[trio.Nursery]:
        """Serve until the block is left; the nursery is for what else is to run as long."""
        self.port = port
        async with trio.open_nursery() as nursery:
            await nursery.start(self._listen, nursery)
            yield nursery
            nursery.cancel_scope.cancel()

    async def plug(self, how: Reachable) -> None:
        """From now on connections are served, reset, taken and not read, or refused."""
        if how == self._reachable:
            return
        self._reachable = how
        self._changed.set()
        self._changed = trio.Event()
        for peer in self._peers:
            peer.scope.cancel()
        if how == "refused":
            self._accepting.cancel()
        await trio.testing.wait_all_tasks_blocked()  # all is closed that has to be

    async def _listen(
        self, nursery: trio.Nursery, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        while True:
            listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
            self.port = listeners[0].socket.getsockname()[1]
            with trio.CancelScope() as self._accepting:
                task_status.started()
                task_status = trio.TASK_STATUS_IGNORED
                await trio.serve_listeners(self._serve, listeners, handler_nursery=nursery)
            while self._reachable == "refused":
                await self._changed.wait()

    async def _serve(self, stream: trio.SocketStream) -> None:
        peer = Peer(stream)
        self._peers.add(peer)
        self.connections_ever += 1
        try:
            with peer.scope:
                if self._reachable == "yes":
                    with suppress(*_GONE, h11.ProtocolError):
                        await self._converse(peer)
                    return
            while self._reachable == "mute":
                await self._changed.wait()
            peer.reset()
        finally:
            self._peers.discard(peer)
            stream.socket.close()

    async def _converse(self, peer: Peer) -> None:
        while (asked := await peer.ask()) is not None:
            answer: Reply | Cut | None = None
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_closed, peer, nursery.cancel_scope)
                answer = await self._answer(asked, peer)
                nursery.cancel_scope.cancel()
            match answer:
                case Reply():
                    await peer.reply(answer)
                case Cut("reset"):
                    peer.reset()
                    return
                case Cut("half"):
                    await peer.stream.send_eof()
                    await trio.sleep_forever()
                case _:
                    return
            if peer.http.our_state is not h11.DONE or peer.http.their_state is not h11.DONE:
                return
            peer.http.start_next_cycle()


async def _until_closed(peer: Peer, call: trio.CancelScope) -> None:
    """Who has gone waits for no answer; who asks ahead is answered in turn."""
    with suppress(*_GONE):
        while data := await peer.stream.receive_some():
            peer.http.receive_data(data)
    call.cancel()
