"""What httpx stands on: our pool, or its own transport where there is a proxy; and what failures mean on either side."""

import math
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Self

import httpx
import trio

from hermes.net.connection import PIECE_BYTES, Body, Patience, Request
from hermes.net.failures import (
    CONNECT_REFUSED,
    CONNECT_TIMEOUT,
    POOL_FULL,
    PROTOCOL,
    PROXY_UNUSABLE,
    RESET,
    TIMEOUT,
    NetError,
    Progress,
)
from hermes.net.pool import Answer, Origin, Pool
from hermes.net.proxy import Proxies
from hermes.types.errors import URL_REFUSED, SendPhase

_MEANINGS: tuple[tuple[type[Exception], str, SendPhase], ...] = (
    (httpx.InvalidURL, URL_REFUSED, "not_sent"),
    (httpx.UnsupportedProtocol, URL_REFUSED, "not_sent"),
    (httpx.LocalProtocolError, PROTOCOL, "not_sent"),
    (httpx.PoolTimeout, POOL_FULL, "not_sent"),
    (httpx.ConnectTimeout, CONNECT_TIMEOUT, "not_sent"),
    (httpx.ConnectError, CONNECT_REFUSED, "not_sent"),
    (httpx.ProxyError, CONNECT_REFUSED, "not_sent"),
    (httpx.TimeoutException, TIMEOUT, "unknown"),
    (httpx.NetworkError, RESET, "unknown"),
    (httpx.HTTPError, PROTOCOL, "unknown"),
)
"""What httpx's own transport raises → code and phase; the first that fits. Ours says both itself."""

_RAISED: Mapping[str, type[httpx.TransportError]] = {
    POOL_FULL: httpx.PoolTimeout,
    CONNECT_TIMEOUT: httpx.ConnectTimeout,
    TIMEOUT: httpx.ReadTimeout,
    RESET: httpx.ReadError,
    PROTOCOL: httpx.RemoteProtocolError,
}
"""What our transport raises so that a bare httpx client understands it; ``ConnectError`` for the rest."""

PROGRESS = "progress"
"""The extension of a request under which our transport notes how far it has come."""


def meaning(wrong: Exception) -> tuple[str, SendPhase]:
    """Code and phase of what httpx has raised of its own."""
    return next((code, phase) for kind, code, phase in _MEANINGS if isinstance(wrong, kind))


def transport(pool: Pool, leading: Proxies, tls: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """Ours, and httpx's own for the hosts that a proxy leads to. Raises ``NetError`` (``proxy_unusable``)."""
    direct = Transport(pool)
    if not leading.by_scheme:
        return direct
    limits = httpx.Limits(max_connections=pool.most)
    try:
        through = {
            proxy: httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=limits)
            for proxy in leading.by_scheme.values()
        }
    except (ImportError, ValueError, httpx.InvalidURL):
        # Its text would show the proxy's password.
        raise NetError(
            PROXY_UNUSABLE, "a proxy is http://…, https://…, or with httpx[socks] installed socks5://…"
        ) from None
    return _Routed(direct, leading, through)


class Transport(httpx.AsyncBaseTransport):
    """httpx's way to our pool; fits a bare ``httpx.AsyncClient``, too."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One attempt; the answer's body comes as it is read."""
        url = request.url
        if url.scheme not in _PORTS:
            raise httpx.UnsupportedProtocol("only http and https")
        origin = Origin(url.scheme, url.raw_host.decode(), url.port or _PORTS[url.scheme])
        asked = Request(request.method.encode(), url.raw_path, request.headers.raw, _body(request))
        progress = request.extensions.setdefault(PROGRESS, Progress())
        timeouts = {
            f"{name}_s": math.inf if limit is None else limit
            for name, limit in request.extensions.get("timeout", {}).items()
        }
        try:
            answer = await self._pool.ask(origin, asked, progress, Patience(**timeouts))
        except NetError as wrong:
            raise _as_httpx(wrong) from wrong
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": answer.reason}
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Incoming(answer), extensions=extensions
        )

    async def aclose(self) -> None:
        """End what is idle."""
        self._pool.close()


_PORTS = {"http": 80, "https": 443}


class _Incoming(httpx.AsyncByteStream):
    """Not a generator: one that is left half way would hold its connection until it is collected."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._answer)
        except NetError as wrong:
            raise _as_httpx(wrong) from wrong

    async def aclose(self) -> None:
        self._answer.close()


def _as_httpx(wrong: NetError) -> httpx.TransportError:
    return _RAISED.get(wrong.code, httpx.ConnectError)(wrong.failure.detail)


def _body(request: httpx.Request) -> Body:
    stream = request.stream
    if not isinstance(stream, httpx.SyncByteStream):
        return stream
    if isinstance(stream, httpx.ByteStream) or int(request.headers["content-length"]) <= PIECE_BYTES:
        return b"".join(stream)
    return _read_in_threads(iter(stream))


async def _read_in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await trio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece


class _Routed(httpx.AsyncBaseTransport):
    def __init__(
        self, direct: Transport, leading: Proxies, through: Mapping[str, httpx.AsyncBaseTransport]
    ) -> None:
        self._direct = direct
        self._leading = leading
        self._through = through

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        proxy = self._leading.to(request.url.scheme, request.url.host)
        if proxy is None:
            return await self._direct.handle_async_request(request)
        # From here on nothing is known: what is cut off by a deadline may have been sent.
        request.extensions[PROGRESS].step = "written"
        return await self._through[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        await self._direct.aclose()
        for transport in self._through.values():
            await transport.aclose()
