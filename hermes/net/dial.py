"""The way out: a name and a port become a stream, under a deadline.

    connect ──▶ dial(host, port) ──▶ TCP ──▶ TLS, for https and wss

A ``Dial`` decides which addresses may be reached: ``open_dial`` any, ``guard.guarded_dial`` none of our own network.
"""

import os
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from socket import gaierror

import trio

from hermes.net.failures import CONNECT_REFUSED, CONNECT_TIMEOUT, DNS, TLS, NetError

CONNECT_S = 10.0

Dial = Callable[[str, int], Awaitable[trio.abc.Stream]]
"""Gives a stream over a socket to host and port. Raises ``OSError``, ``UnicodeError`` (that is no name), or ``NetError``."""


async def open_dial(host: str, port: int) -> trio.abc.Stream:
    """Connect to wherever the name leads; the fastest of its addresses wins."""
    return await trio.open_tcp_stream(host, port)


async def connect(
    dial: Dial, host: str, port: int, *, tls: ssl.SSLContext | None, within_s: float = CONNECT_S
) -> trio.abc.Stream:
    """A stream to ``host``, encrypted if there is ``tls``.

    Cancelling, or a failure, leaves no socket behind. Raises ``NetError`` (``dns``, ``connect_refused``, ``connect_timeout``,
    ``tls``; ``not_sent``) and what ``dial`` says of its own.
    """
    with trio.move_on_after(within_s):
        stream = await _dialled(dial, host, port)
        return stream if tls is None else await _encrypted(stream, host, tls)
    raise NetError(CONNECT_TIMEOUT, f"{host}: no connection within {within_s:g} s")


async def _dialled(dial: Dial, host: str, port: int) -> trio.abc.Stream:
    try:
        return await dial(host, port)
    except gaierror as wrong:
        raise NetError(DNS, f"{host}: {wrong.strerror or 'no such host'}") from wrong
    except UnicodeError as wrong:
        raise NetError(DNS, f"{host}: not a name of a host") from wrong
    except OSError as wrong:
        raise NetError(CONNECT_REFUSED, f"{host}, port {port}: {_said(wrong)}") from wrong


def _said(wrong: OSError) -> str:
    """What the system has said; Trio has that in a group below, one for each address."""
    below = wrong.__cause__
    each = below.exceptions if isinstance(below, BaseExceptionGroup) else (wrong,)
    said = {os.strerror(one.errno) for one in each if isinstance(one, OSError) and one.errno}
    return ", ".join(sorted(said)) or "no address of it can be reached"


async def _encrypted(stream: trio.abc.Stream, host: str, tls: ssl.SSLContext) -> trio.abc.Stream:
    # A server that closes without a goodbye is how HTTP ends; where an end matters, the protocol above says so.
    secure = trio.SSLStream(stream, tls, server_hostname=host, https_compatible=True)
    try:
        await secure.do_handshake()
    except trio.BrokenResourceError as wrong:
        hang_up(stream)
        match wrong.__cause__:
            case ssl.SSLCertVerificationError(verify_message=why):
                detail = f"{host}: its certificate is not valid: {why}"
            case ssl.SSLError(reason=why):
                detail = f"{host}: no encryption: {why or 'the connection ended'}"
            case _:
                detail = f"{host}: the connection ended before it was encrypted"
        raise NetError(TLS, detail) from wrong
    except BaseException:
        hang_up(stream)
        raise
    return secure


def tls_context() -> ssl.SSLContext:
    """Verifies against the system's certificates (``SSL_CERT_FILE`` names others) and speaks HTTP/1.1."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


shared_tls_context = cache(tls_context)
"""One for all who need nothing of their own: reading the certificates takes longer than a handshake."""

Trust = Callable[[], ssl.SSLContext]
"""Called where a connection is to be encrypted, and not before: what stays on this machine needs no certificates."""


def hang_up(stream: trio.abc.Stream) -> None:
    """Close it here and now: no goodbye, no waiting. Who is at it meanwhile gets ``trio.ClosedResourceError``."""
    socket_below(stream).close()


def socket_below(stream: trio.abc.Stream) -> trio.socket.SocketType:
    """What carries it in the end, however often it is encrypted."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    if not isinstance(stream, trio.SocketStream):
        raise TypeError(f"a Dial gives a stream over a socket, not {type(stream).__name__}")
    return stream.socket
