"""Real servers on loopback for the tests of ``hermes.net``: each is a script that plays one side of one connection."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio
import trustme

Script = Callable[[trio.abc.Stream], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Server:
    port: int
    connections: int = 0

    def url(self, path: str = "/", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Play ``script`` to whoever connects, until the block is left."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    server = Server(listener.socket.getsockname()[1])

    async def play(stream: trio.abc.Stream) -> None:
        server.connections += 1
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            await script(stream)
        except* (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            pass  # the client is gone
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, play, [listener])
        try:
            yield server
        finally:
            nursery.cancel_scope.cancel()


async def head(stream: trio.abc.Stream) -> bytes:
    """A request up to the empty line, with whatever came along."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = await stream.receive_some()
        if not piece:
            return got
        got += piece
    return got


async def mute(stream: trio.abc.Stream) -> None:
    """Say nothing until the client leaves."""
    while await stream.receive_some():
        pass


def saying(*pieces: bytes, hold: bool = False) -> Script:
    """Answer every request on the connection with ``pieces``; ``hold`` keeps the line open after the first."""

    async def script(stream: trio.abc.Stream) -> None:
        while await head(stream):
            for piece in pieces:
                await stream.send_all(piece)
            if hold:
                await mute(stream)

    return script


def once(*pieces: bytes) -> Script:
    """Answer one request with ``pieces`` and hang up."""

    async def script(stream: trio.abc.Stream) -> None:
        await head(stream)
        for piece in pieces:
            await stream.send_all(piece)

    return script


def tls_pair(*names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for ``names``, and a client's that trusts it."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


async def soon(condition: Callable[[], bool]) -> None:
    """Wait for what happens at the other end of a socket."""
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.005)
