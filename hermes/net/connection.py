"""One HTTP/1.1 connection: h11 says what the bytes mean, Trio carries them.

    ask(request) ─▶ Head      read() ─▶ bytes … b""      then, if ``reusable``, ask again

Each failure is a ``NetError`` whose phase is known exactly; after one, and after a cancellation, the connection is good for
nothing but ``hang_up``.
"""

import math
import select
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass

import h11
import trio

from hermes.net.dial import CONNECT_S, hang_up, socket_below
from hermes.net.failures import PROTOCOL, RESET, TIMEOUT, NetError, Progress

MAX_HEAD_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
"""What is read at once; and a body up to here is written before anybody looks for the answer: the peer's buffers take it."""

LAST_WORDS_S = 5.0
"""A peer that takes no more of a request may have said why; how long that is waited for."""

REFUSALS = 300
"""From this status on the rest of a request is not wanted."""

_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})
"""Methods that are expected to say how long their body is, also where there is none."""

_ENDED = frozenset({h11.DONE, h11.MUST_CLOSE, h11.CLOSED})

Headers = Sequence[tuple[bytes, bytes]]
Body = bytes | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class Request:
    """As it goes on the wire. ``headers`` do not say how long the body is: ``length`` does for one that comes in pieces, None
    if that is not known.
    """

    method: bytes
    target: bytes
    headers: Headers
    body: Body = b""
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer. Header names are lower case."""

    status: int
    headers: Headers

    @property
    def length(self) -> int | None:
        """Of the body, as far as that is said."""
        return next((int(value) for name, value in self.headers if name == b"content-length"), None)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: for a place in a pool, for a connection, until the peer takes or says anything more."""

    pool_s: float = math.inf
    connect_s: float = CONNECT_S
    write_s: float = math.inf
    read_s: float = math.inf


class Connection:
    """One request at a time, from the task that uses it."""

    def __init__(self, stream: trio.abc.Stream, host: str) -> None:
        self._stream = stream
        self._host = host
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._progress = Progress()
        self._patience = Patience()
        self._ended_early = False

    async def ask(
        self, request: Request, progress: Progress | None = None, patience: Patience = Patience()
    ) -> Head:
        """Send a request and return the head of its answer, which may come before the request is all sent.

        What an iterable body raises is passed on. Raises ``NetError`` (``timeout``, ``reset``, ``protocol``).
        """
        self._progress = progress or Progress()
        self._progress.step = "connected"
        self._patience = patience
        body = request.body
        try:
            if self.reusable:
                self._h11.start_next_cycle()
            headers = [*request.headers, *_length(request)]
            begin = self._h11.send(h11.Request(method=request.method, target=request.target, headers=headers))
            if not isinstance(body, bytes) or len(body) > PIECE_BYTES:
                return await self._ask_at_length(begin, body)
            whole = begin + self._framed(body) + self._ended()
        except h11.LocalProtocolError:
            # Its text quotes the header, which may be the one with the token.
            raise self._failed(PROTOCOL, "the request cannot be sent as it is") from None
        # The peer's buffers take it: what is waited for is the answer.
        with trio.move_on_after(patience.read_s) if patience.read_s < math.inf else nullcontext() as silence:
            await self._send(whole)
            return await self._head(silence)
        raise self._failed(TIMEOUT, f"silent for {patience.read_s:g} s")

    async def read(self) -> bytes:
        """What has come of the answer's body, all at once; nothing at its end. A fault behind it is the next call's."""
        pieces: list[bytes] = []
        while not self.ended:
            try:
                event = self._next()
            except NetError:
                if pieces:
                    break
                raise
            if isinstance(event, h11.Data):
                pieces.append(event.data)
            elif event is None and pieces:
                break
            elif event is None:
                self._take(await self._receive(self._patience.read_s))
        return b"".join(pieces)

    @property
    def ended(self) -> bool:
        """The answer's body has been read to its end."""
        return self._h11.their_state in _ENDED

    @property
    def reusable(self) -> bool:
        """Both sides have said all, and the server nothing beyond that."""
        done = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        return done and self._h11.trailing_data == (b"", False)

    @property
    def gone(self) -> bool:
        """An idle connection on which something has come: the end, or what nobody asked for."""
        look = select.poll()
        look.register(socket_below(self._stream).fileno(), select.POLLIN)
        return bool(look.poll(0))

    def hang_up(self) -> None:
        """Close it at once."""
        hang_up(self._stream)

    async def _ask_at_length(self, begin: bytes, body: Body) -> Head:
        """A peer that has seen enough answers, and may read no further: so listen while writing."""
        answer: Head | None = None
        wrong: Exception | None = None

        async def write() -> None:
            nonlocal wrong
            try:
                await self._write_all(begin, body)
                listening.deadline = trio.current_time() + self._patience.read_s
            except Exception as failed:  # raised below, outside of the nursery
                wrong = failed
                patience_s = LAST_WORDS_S if isinstance(failed, NetError) and failed.code == RESET else 0.0
                listening.deadline = trio.current_time() + patience_s

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            with trio.CancelScope() as listening:
                try:
                    answer = await self._head()
                except NetError as failed:
                    wrong = wrong or failed
            if answer is None or answer.status >= REFUSALS:
                nursery.cancel_scope.cancel()
        if answer is not None and (wrong is None or isinstance(wrong, NetError)):
            return answer
        raise wrong or self._failed(TIMEOUT, f"no answer within {self._patience.read_s:g} s")

    async def _write_all(self, begin: bytes, body: Body) -> None:
        await self._write(begin)
        try:
            if isinstance(body, bytes):
                for at in range(0, len(body), PIECE_BYTES):
                    await self._write(self._framed(body[at : at + PIECE_BYTES]))
            else:
                pieces = aiter(body)
                async with aclosing(pieces) if isinstance(pieces, AsyncGenerator) else nullcontext():
                    async for piece in pieces:
                        if piece:
                            await self._write(self._framed(piece))
            if end := self._ended():
                await self._write(end)
        except h11.LocalProtocolError:
            raise self._failed(PROTOCOL, "the request is not as long as it was said to be") from None

    async def _head(self, silence: trio.CancelScope | None = None) -> Head:
        """``silence`` is moved with whatever comes of it."""
        come = False
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                self._progress.step = "answered"
                return Head(event.status_code, event.headers)
            # 100 and 103 announce an answer, and are none.
            if event is None:
                if come and silence is not None:
                    silence.deadline = trio.current_time() + self._patience.read_s
                self._take(await self._receive(math.inf))
                come = True

    def _next(self) -> h11.Event | None:
        """What the bytes that have come say; None: they do not say it yet."""
        try:
            event = self._h11.next_event()
        except h11.RemoteProtocolError as wrong:
            if self._ended_early:
                raise self._failed(RESET, "it hung up in the middle of its answer") from wrong
            raise self._failed(PROTOCOL, "what it answers is no HTTP/1.1") from wrong
        if event is h11.NEED_DATA:
            return None
        if isinstance(event, type):
            raise self._failed(PROTOCOL, "it has stopped speaking HTTP/1.1")
        return event

    def _take(self, data: bytes) -> None:
        if not data and self._progress.step != "answered":
            raise self._failed(RESET, "it hung up without an answer")
        self._ended_early = not data
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError as wrong:
            raise self._failed(PROTOCOL, "what it answers is no HTTP/1.1") from wrong

    async def _receive(self, read_s: float) -> bytes:
        try:
            with trio.move_on_after(read_s) if read_s < math.inf else nullcontext():
                return bytes(await self._stream.receive_some(PIECE_BYTES))
        except trio.BrokenResourceError as wrong:
            raise self._failed(RESET, "the connection broke") from wrong
        raise self._failed(TIMEOUT, f"silent for {read_s:g} s")

    async def _write(self, data: bytes) -> None:
        write_s = self._patience.write_s
        with trio.move_on_after(write_s) if write_s < math.inf else nullcontext():
            return await self._send(data)
        raise self._failed(TIMEOUT, f"took nothing for {write_s:g} s")

    async def _send(self, data: bytes) -> None:
        self._progress.step = "written"
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as wrong:
            raise self._failed(RESET, "the connection broke") from wrong

    def _framed(self, data: bytes) -> bytes:
        return (data and self._h11.send(h11.Data(data=data))) or b""

    def _ended(self) -> bytes:
        return self._h11.send(h11.EndOfMessage()) or b""

    def _failed(self, code: str, detail: str) -> NetError:
        return NetError(code, f"{self._host}: {detail}", phase=self._progress.phase)


def _length(request: Request) -> Headers:
    length = len(request.body) if isinstance(request.body, bytes) else request.length
    if length is None:
        return ((b"transfer-encoding", b"chunked"),)
    if length or request.method in _WITH_BODY:
        return ((b"content-length", b"%d" % length),)
    return ()
