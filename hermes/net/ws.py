"""A web socket as a client; the only door to trio_websocket.

    connect ─▶ dial, TLS ─▶ upgrade ─▶ WebSocket ◀─ queue ◀─ pump ◀─ the library's reader
                              │                       ▲
                              └─ SocketRejected       └─ ping, and the end when no pong comes

Of the library only the protocol is used: its own deadline for connecting may never fire, a ping of its waits for ever, and
its reader, which answers pings, stands still behind a slow receiver. Here whatever ends the connection ends ``receive`` and
``send`` with a ``SocketEnded`` that says what it was.
"""

import logging
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import cast
from urllib.parse import urlsplit

import trio
import trio_websocket

from hermes.net.dial import Dial, hang_up, open_dial, tls_context
from hermes.net.dial import connect as connect_stream
from hermes.net.failures import (
    HTTP_STATUS,
    PROTOCOL,
    RECEIVER_SLOW,
    RESET,
    SOCKET_ENDED,
    TIMEOUT,
    NetError,
)
from hermes.net.proxy import proxies, tunnel
from hermes.net.retry import retry_after
from hermes.types.errors import TOO_LARGE, URL_REFUSED

DEADLINE_S = 20.0
MAX_BYTES = 16 * 1024 * 1024
PING_S = 20.0
PONG_DEADLINE_S = 20.0
CLOSE_S = 2.0
READ_BYTES = 64 * 1024
BACKLOG = 1000
BACKLOG_BYTES = 64 * 1024 * 1024

ABNORMAL = 1006
_MEANINGS = {ABNORMAL: RESET, 1002: PROTOCOL, 1007: PROTOCOL, 1009: TOO_LARGE}
"""Close codes that say what went wrong, whoever of us two has found it; any other is the peer's own affair."""

logging.getLogger("trio-websocket").setLevel(logging.WARNING)


class SocketRejected(NetError):
    """The server answered the upgrade with a status of its own. ``failure.retry_after`` is its wish, if it has one."""

    def __init__(self, host: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(HTTP_STATUS, f"{host}: {status}", retry_after=retry_after(headers))
        self.status = status
        self.headers = headers
        self.body = body


class SocketEnded(NetError):
    """The connection is over. ``close_code`` and ``reason`` are the peer's, 1006 where it said nothing.

    Codes: ``socket_ended`` (closed by one side), ``reset``, ``timeout`` (no pong), ``too_large``, ``receiver_slow``,
    ``protocol``.
    """

    def __init__(self, code: str, detail: str, *, close_code: int = ABNORMAL, reason: str = "") -> None:
        super().__init__(code, detail, phase="unknown")
        self.close_code = close_code
        self.reason = reason


class WebSocket:
    """One connection; made by ``connect``. One task receives, any may send."""

    def __init__(self, stream: trio.abc.Stream, host: str) -> None:
        self._stream = _Ears(stream)
        self._host = host
        self._connection: trio_websocket.WebSocketConnection | None = None
        self._opened = trio.Event()
        self._ended: NetError | None = None
        self._queue, self._next = trio.open_memory_channel[str | bytes](BACKLOG)
        self._queued_bytes = 0

    async def receive(self) -> str | bytes:
        """The next message; what came before the end is handed out first. Raises ``SocketEnded``."""
        try:
            message = await self._next.receive()
        except trio.EndOfChannel:
            raise self._end() from None
        self._queued_bytes -= len(message)
        return message

    async def send(self, message: str | bytes) -> None:
        """Hand a message to the connection; returning proves nothing about its arrival.

        Cancelling it ends the connection: a part of the message may have left, and what followed would be read as its rest.
        Raises ``SocketEnded``.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._ended is not None or self._connection is None:
            raise self._end()
        try:
            await self._connection.send_message(message)
        except trio_websocket.ConnectionClosed as closed:
            raise self._end(self._closed(closed)) from None
        except trio.Cancelled:
            self._end(self._over(RESET, "a send was cut off"))
            hang_up(self._stream.inner)
            raise

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, for a moment at most; never raises."""
        if self._ended is None and self._connection is not None:
            self._end(self._over(SOCKET_ENDED, "closed by us", code, reason))
            with trio.move_on_after(CLOSE_S), suppress(trio_websocket.ConnectionClosed):
                await self._connection.aclose(code, reason)

    def _end(self, why: NetError | None = None) -> NetError:
        """The first reason stays."""
        if self._ended is None:
            self._ended = why or self._over(RESET, "the connection is gone")
            self._queue.close()
        return self._ended

    async def _carry(self, target: str, authority: str, headers: Mapping[str, str], max_bytes: int) -> None:
        """The life of the connection: upgrade, then pump until the end. Whatever goes wrong is the reason of the end."""
        try:
            async with trio.open_nursery() as tasks:
                tasks.start_soon(self._notice_hang_up, tasks.cancel_scope)
                connection = await trio_websocket.wrap_client_stream(
                    tasks,
                    cast("trio.SocketStream", self._stream),
                    authority,
                    target,
                    extra_headers=[(name.encode(), value.encode()) for name, value in headers.items()],
                    max_message_size=max_bytes,
                    receive_buffer_size=READ_BYTES,
                )
                self._connection = connection
                self._opened.set()
                await self._pump(connection)
                tasks.cancel_scope.cancel()
        except* Exception as group:
            self._end(self._meaning(group))
        finally:
            self._end()
            self._opened.set()
            hang_up(self._stream.inner)

    async def _notice_hang_up(self, upgrade: trio.CancelScope) -> None:
        """The library waits on where its peer ends the connection in place of an answer."""
        await self._stream.deaf.wait()
        if self._connection is None:
            self._end(NetError(RESET, f"{self._host}: it hung up without an answer"))
            upgrade.cancel()

    async def _pump(self, connection: trio_websocket.WebSocketConnection) -> None:
        """Keep the library's reader going, so that pings are answered and pongs are seen whatever the receiver does."""
        try:
            while self._ended is None:
                message = await connection.get_message()
                self._queued_bytes += len(message)
                if self._queued_bytes > BACKLOG_BYTES:
                    raise trio.WouldBlock
                self._queue.send_nowait(message)
        except trio_websocket.ConnectionClosed as closed:
            self._end(self._closed(closed))
        except trio.ClosedResourceError:  # it has ended meanwhile
            pass
        except trio.WouldBlock:
            self._end(self._over(RECEIVER_SLOW, "more messages than are taken"))

    async def _ping(self, every_s: float, deadline_s: float, on_pong: Callable[[], None]) -> None:
        while self._ended is None and self._connection is not None:
            await trio.sleep(every_s)
            with trio.move_on_after(deadline_s) as waiting, suppress(trio_websocket.ConnectionClosed):
                await self._connection.ping()
                on_pong()
            if waiting.cancelled_caught:
                self._end(self._over(TIMEOUT, f"no pong within {deadline_s:g} s"))
                hang_up(self._stream.inner)

    def _meaning(self, group: ExceptionGroup[Exception]) -> NetError:
        rejected = group.subgroup(trio_websocket.ConnectionRejected)
        while rejected is not None:
            match rejected.exceptions[0]:
                case ExceptionGroup() as inner:
                    rejected = inner
                case trio_websocket.ConnectionRejected(status_code=status, headers=headers, body=body):
                    said = {name.decode().lower(): value.decode(errors="replace") for name, value in headers}
                    return SocketRejected(self._host, status, said, body or b"")
        return self._over(
            PROTOCOL, f"it does not keep to the protocol ({type(group.exceptions[0]).__name__})"
        )

    def _closed(self, closed: trio_websocket.ConnectionClosed) -> "SocketEnded":
        code = closed.reason.code if closed.reason else ABNORMAL
        reason = (closed.reason and closed.reason.reason) or ""
        return self._over(_MEANINGS.get(code, SOCKET_ENDED), f"closed with {code}", code, reason)

    def _over(self, kind: str, detail: str, code: int = ABNORMAL, reason: str = "") -> "SocketEnded":
        return SocketEnded(kind, f"{self._host}: {detail}", close_code=code, reason=reason)


@asynccontextmanager
async def connect(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    deadline_s: float = DEADLINE_S,
    max_bytes: int = MAX_BYTES,
    ping_s: float | None = PING_S,
    pong_deadline_s: float = PONG_DEADLINE_S,
    on_pong: Callable[[], None] = lambda: None,
    tls: ssl.SSLContext | None = None,
    proxy: str | None = None,
    dial: Dial = open_dial,
) -> AsyncIterator[WebSocket]:
    """A connection for as long as the block lasts; all of its set-up takes ``deadline_s`` at most.

    Each ``ping_s`` a ping goes out (None: never), and ``on_pong`` is called when its pong is there; without one the connection
    ends. A message of more than ``max_bytes``, or more messages than are received, end it, too. ``proxy`` as for
    ``http.client.open_client``, by CONNECT only. What the block raises is passed on as it is. Raises ``NetError``, of that
    ``SocketRejected`` where the server answers, but not by an upgrade.
    """
    secure, host, port, target = _parsed(url)
    deadline = trio.current_time() + deadline_s
    through = proxies(proxy, os.environ).to("https" if secure else "http", host)
    context = (tls or tls_context()) if secure else None
    way = tunnel(through, dial) if through else dial
    stream = await connect_stream(way, host, port, tls=context, within_s=deadline_s)
    socket = WebSocket(stream, host)
    wrong: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket._carry, target, _authority(secure, host, port), headers or {}, max_bytes)
        try:
            with trio.CancelScope(deadline=deadline):
                await socket._opened.wait()
            if socket._connection is None:
                raise socket._end(NetError(TIMEOUT, f"{host}: no upgrade within {deadline_s:g} s"))
            if ping_s is not None:
                nursery.start_soon(socket._ping, ping_s, pong_deadline_s, on_pong)
            yield socket
        except Exception as failed:  # the nursery would wrap it
            wrong = failed
        finally:
            await socket.close()  # noqa: ASYNC102 - when cancelled, there is no time for a goodbye
            nursery.cancel_scope.cancel()
    if wrong is not None:
        raise wrong


def _parsed(url: str) -> tuple[bool, str, int, str]:
    try:
        parts = urlsplit(url)
        secure, port = parts.scheme == "wss", parts.port
    except ValueError:
        raise NetError(URL_REFUSED, "not a URL") from None
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise NetError(URL_REFUSED, "not a ws or wss URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return secure, parts.hostname, port or (443 if secure else 80), target


def _authority(secure: bool, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == (443 if secure else 80) else f"{name}:{port}"


class _Ears(trio.abc.Stream):
    """The stream, and whether its other end has fallen silent for good."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.inner = stream
        self.deaf = trio.Event()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self.inner.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.deaf.set()
            raise
        if not data:
            self.deaf.set()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()
