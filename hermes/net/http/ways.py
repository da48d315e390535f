"""The ways out: directly by our pool, and through a proxy by httpx's own transport.

Through a proxy nobody knows how far a request has come: the kind of error tells no more than it can, and what was cut off by
a deadline may have been sent.
"""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol, cast

from hermes.net.connection import Headers, Patience, Request
from hermes.net.dial import Trust
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
from hermes.net.http.lean import httpx
from hermes.net.pool import Origin, Pool
from hermes.net.proxy import Proxies
from hermes.types.errors import SendPhase

_MEANINGS: tuple[tuple[type[Exception], str, SendPhase], ...] = (
    (httpx.LocalProtocolError, PROTOCOL, "not_sent"),
    (httpx.PoolTimeout, POOL_FULL, "not_sent"),
    (httpx.ConnectTimeout, CONNECT_TIMEOUT, "not_sent"),
    (httpx.ConnectError, CONNECT_REFUSED, "not_sent"),
    (httpx.ProxyError, CONNECT_REFUSED, "not_sent"),
    (httpx.TimeoutException, TIMEOUT, "unknown"),
    (httpx.NetworkError, RESET, "unknown"),
    (httpx.HTTPError, PROTOCOL, "unknown"),
)
"""What httpx raises → code and phase; the first that fits."""


class Incoming(Protocol):
    """An answer whose head is there; ``aclose`` it in any case."""

    @property
    def status(self) -> int:
        """100 to 999."""
        ...

    @property
    def headers(self) -> Headers:
        """As they came, names in lower case."""
        ...

    async def read(self) -> bytes:
        """The next piece of the body; nothing at its end. Raises ``NetError`` (``unknown``)."""
        ...

    @property
    def ended(self) -> bool:
        """True if it is known that ``read`` has nothing more."""
        ...

    async def aclose(self) -> None:
        """Done with it, whether or not it was read to its end. No checkpoint where nothing has to be said."""
        ...


class Way(Protocol):
    """One attempt at a request. Raises ``NetError``; ``progress`` says how far it has come, also where it is cancelled."""

    async def ask(self, origin: Origin, request: Request, progress: Progress, patience: Patience) -> Incoming:
        """Send ``request`` and return its answer as soon as the head is there."""
        ...


@asynccontextmanager
async def open_way(pool: Pool, leading: Proxies, trust: Trust) -> AsyncIterator[Way]:
    """By ``pool``, which is closed with the block; by a proxy to where one leads. Raises ``NetError`` (``proxy_unusable``)."""
    async with AsyncExitStack() as stack:
        stack.callback(pool.close)
        if not leading.by_scheme:
            yield pool
            return
        limits = httpx.Limits(max_connections=pool.most)
        through: dict[str, Way] = {}
        for proxy in leading.by_scheme.values():
            try:
                transport = httpx.AsyncHTTPTransport(verify=trust(), proxy=proxy, limits=limits)
            except (ImportError, ValueError, httpx.InvalidURL):
                # Its text would show the proxy's password.
                raise NetError(
                    PROXY_UNUSABLE,
                    "a proxy is http://…, https://…, or with httpx[socks] installed socks5://…",
                ) from None
            through[proxy] = _Through(await stack.enter_async_context(transport))
        yield _Parted(pool, leading, through)


class _Parted:
    """A way each, by where it leads."""

    def __init__(self, direct: Way, leading: Proxies, through: Mapping[str, Way]) -> None:
        self._direct = direct
        self._leading = leading
        self._through = through

    async def ask(self, origin: Origin, request: Request, progress: Progress, patience: Patience) -> Incoming:
        proxy = self._leading.to(origin.scheme, origin.host)
        way = self._direct if proxy is None else self._through[proxy]
        return await way.ask(origin, request, progress, patience)


class _Through:
    def __init__(self, transport: httpx.AsyncHTTPTransport) -> None:
        self._transport = transport

    async def ask(self, origin: Origin, request: Request, progress: Progress, patience: Patience) -> Incoming:
        progress.step = "written"
        limits = {
            name: None if limit == math.inf else limit
            for name, limit in (
                ("pool", patience.pool_s),
                ("connect", patience.connect_s),
                ("write", patience.write_s),
                ("read", patience.read_s),
            )
        }
        length = [] if request.length is None else [(b"content-length", b"%d" % request.length)]
        asked = httpx.Request(
            request.method.decode(),
            httpx.URL(scheme=origin.scheme, host=origin.host, port=origin.port, raw_path=request.target),
            headers=[*request.headers, *length],
            content=request.body,
            extensions={"timeout": limits},
        )
        with _named(origin.host):
            return _Answer(await self._transport.handle_async_request(asked), origin.host)


class _Answer:
    def __init__(self, response: httpx.Response, host: str) -> None:
        self.status = response.status_code
        self.headers = [(name.lower(), value) for name, value in response.headers.raw]
        self.ended = False
        self._response = response
        self._host = host
        # Not ``aiter_raw``: a generator over this one, which only the garbage collector would end.
        self._pieces = cast("AsyncGenerator[bytes]", aiter(cast("httpx.AsyncByteStream", response.stream)))

    async def read(self) -> bytes:
        with _named(self._host):
            piece = await anext(self._pieces, b"")
        self.ended = not piece
        return piece

    async def aclose(self) -> None:
        try:
            await self._pieces.aclose()
        finally:
            await self._response.aclose()


@contextmanager
def _named(host: str) -> Iterator[None]:
    """What httpx raises becomes ours, without its own words: they may quote a URL or a header."""
    try:
        yield
    except httpx.HTTPError as wrong:
        code, phase = next((code, phase) for kind, code, phase in _MEANINGS if isinstance(wrong, kind))
        raise NetError(code, f"{host}: {code}", phase=phase) from None
