"""The one door to anycorn: a bound socket, and serving on it until told to stop.

    listening socket ─▶ Trio's accept loop ─▶ one task a connection ─▶ anycorn's TCPServer ─▶ app

anycorn speaks HTTP; accepting, containing and ending connections is ours. Rejected: anycorn's own ``serve``, where one
peer that never reads holds up the stop for ever (its writes are shielded from cancellation), where what one connection
raises ends all of them, and which wants a lifespan. Rejected: Hypercorn, whose Trio worker dies of a stray byte.
"""

import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import anyio
import anyio.abc
import trio
from starlette.types import ASGIApp

from hermes.types.errors import PORT_TAKEN, Failure, GatewayError

DEFAULT_PORT = 8642
PORTS_TO_TRY = 21
BACKLOG = 128

GRACE_S = 1.0
WRITE_DEADLINE_S = 10.0
KEEP_ALIVE_S = 15.0

_log = logging.getLogger("hermes.web.server")


def bind(host: str, port: int | None) -> socket.socket:
    """A listening socket. ``port`` None: 8642, or the next free one of the twenty after it; 0: any.

    Raises ``GatewayError`` (``port_taken``, ``needs_operator``) naming the address if a port that was asked for is taken,
    or the host is no address of this machine.
    """
    candidates = range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TO_TRY) if port is None else (port,)
    for candidate in candidates:
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _unusable(f"cannot listen on {host}:{candidate}: {error.strerror or error}") from error
    asked = f"{host}:{candidates[0]}" + (f" to {candidates[-1]}" if len(candidates) > 1 else "")
    raise _unusable(
        f"{asked} is taken by another program; end it and run `hermes restart root/gateway/web`, or set web.port"
    )


async def serve(
    app: ASGIApp,
    sock: socket.socket,
    *,
    stop: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` on ``sock``, which is closed at the end, until ``stop`` is set or the caller is cancelled.

    After ``stop`` nothing new is accepted, idle connections end, and what runs has ``GRACE_S``; a cancellation leaves no
    grace. Nothing a peer sends, and nothing that goes wrong in one connection, raises here.
    """
    peers: set[_Peer] = set()

    async def connection(stream: trio.SocketStream) -> None:
        peer = _Peer(await anyio.abc.SocketStream.from_socket(stream.socket.detach()))
        peers.add(peer)
        try:
            await speak(peer)
        except Exception:
            _log.exception("a connection failed")
        finally:
            peers.discard(peer)

    async def end_all() -> None:
        try:
            await trio.sleep(GRACE_S)
        finally:
            for peer in peers:
                peer.cut()
            connections.cancel_scope.cancel()

    with sock:
        # a third of a second of imports: not before somebody serves, and not on the loop
        await trio.to_thread.run_sync(import_module, "anycorn.tcp_server")
        speak, drain = _http(app)
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        async with trio.open_nursery() as last_call:
            async with trio.open_nursery() as connections:
                try:
                    async with trio.open_nursery() as accepting:
                        accept = partial(trio.serve_listeners, handler_nursery=connections)
                        await accepting.start(accept, connection, [listener])
                        task_status.started()
                        await stop.wait()
                        accepting.cancel_scope.cancel()
                    await drain()
                finally:
                    last_call.start_soon(end_all)
            last_call.cancel_scope.cancel()


class _Peer:
    """A connection as anycorn wants it, except that no write outlasts ``WRITE_DEADLINE_S`` and it can be cut at once.

    anycorn shields its writes from cancellation, so a deadline has to be inside and a way to end them outside.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream
        self.extra = stream.extra
        self.receive = stream.receive
        self.send_eof = stream.send_eof
        self.aclose = stream.aclose

    async def send(self, data: bytes) -> None:
        with trio.move_on_after(WRITE_DEADLINE_S) as deadline:
            await self._stream.send(data)
        if deadline.cancelled_caught:
            self.cut()
            raise anyio.BrokenResourceError

    def cut(self) -> None:
        """Make every read and write, running or to come, fail now."""
        with suppress(OSError):
            raw: socket.socket = self.extra(anyio.abc.SocketAttribute.raw_socket)  # noqa: S610 - not Django's
            raw.shutdown(socket.SHUT_RDWR)


def _http(app: ASGIApp) -> tuple[Callable[[_Peer], Awaitable[None]], Callable[[], Awaitable[None]]]:
    """What speaks HTTP with one peer, and what makes all of them stop keeping connections alive."""
    from anycorn.config import Config
    from anycorn.tcp_server import TCPServer
    from anycorn.typing import ConnectionState
    from anycorn.utils import wrap_app
    from anycorn.worker_context import WorkerContext

    config = Config()
    config.errorlog = logging.getLogger("hermes.web.anycorn")
    config.accesslog = None
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.websocket_permessage_deflate = False
    context = WorkerContext(None)
    typed: Any = app  # two libraries' spellings of one specification
    wrapped = wrap_app(typed, 0, "asgi")

    async def speak(peer: Any) -> None:
        await TCPServer(wrapped, config, context, ConnectionState({}), peer).run()

    return speak, context.terminated.set


def _listen(host: str, port: int) -> socket.socket:
    """Close on exec, so no child keeps the port after us; REUSEADDR, so connections of a killed run do not hold it."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def _unusable(detail: str) -> GatewayError:
    return GatewayError(Failure(PORT_TAKEN, severity="needs_operator", scope="adapter", detail=detail))
