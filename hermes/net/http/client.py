"""Requests, one attempt each, with a total deadline and a phase for each failure.

A client belongs to one incarnation of an adapter and shares nothing with another one: no pool, no cookie, no resolver's
cache. Each purpose has a pool of its own, so that a long poll never takes the place of a send. There are no redirects, no
cookies, no retries, and no compression: what is packed small may be of any size.
"""

import json
import logging
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any, BinaryIO, Protocol, TypedDict, Unpack, cast
from urllib.parse import SplitResult, urlsplit

import httpx
import trio

from hermes.net.dial import CONNECT_S, Dial, open_dial, tls_context
from hermes.net.failures import CONNECT_TIMEOUT, PROTOCOL, TIMEOUT, NetError, Progress
from hermes.net.http.transport import PROGRESS, meaning, transport
from hermes.net.pool import Pool
from hermes.net.proxy import proxies
from hermes.types.errors import TOO_LARGE, SendPhase

MAX_REPLY_BYTES = 16 * 1024 * 1024
USER_AGENT = "hermes-gateway"

for _name in ("httpx", "httpcore"):
    # They log whole URLs, and a bot's token may be part of its path.
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Purpose:
    """A pool of its own: at most ``most`` requests at once, each done within ``timeout_s`` unless it says otherwise."""

    most: int
    timeout_s: float


PURPOSES: Mapping[str, Purpose] = {
    "poll": Purpose(most=2, timeout_s=90.0),
    "send": Purpose(most=32, timeout_s=30.0),
    "files": Purpose(most=4, timeout_s=300.0),
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form; one that is open on disk is read in a thread."""

    name: str
    content: bytes | BinaryIO
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status. Header names are lower case; one that came twice is joined with a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded. Raises ``NetError`` (``protocol``, ``unknown``) if it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as wrong:
            raise NetError(
                PROTOCOL, f"an answer of status {self.status} is no JSON", phase="unknown"
            ) from wrong


class StreamedReply:
    """An answer whose body is read piece by piece."""

    def __init__(self, response: httpx.Response, pieces: AsyncIterator[bytes], calling: "_Calling") -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._pieces = pieces
        self._calling = calling

    async def read(self) -> bytes:
        """The next piece; nothing at the end. Raises ``NetError`` (``unknown``)."""
        with self._calling:
            return await anext(self._pieces, b"")


@asynccontextmanager
async def open_client(
    *,
    purposes: Mapping[str, Purpose] = PURPOSES,
    headers: Mapping[str, str] | None = None,
    connect_s: float = CONNECT_S,
    proxy: str | None = None,
    tls: ssl.SSLContext | None = None,
    redact: Callable[[str], str] = lambda _path: "/…",
    dial: Dial = open_dial,
) -> AsyncIterator["Client"]:
    """A client for as long as the block lasts.

    ``headers`` go with every request. ``proxy`` is a URL, empty for none; None: what the environment says (``HTTPS_PROXY``,
    ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``). ``tls`` verifies servers in place of the system's certificates. ``redact``
    makes of a path what errors may show of it. Raises ``NetError`` (``proxy_unusable``).
    """
    context = tls or tls_context()
    leading = proxies(proxy, os.environ)
    said = {"accept": "*/*", "accept-encoding": "identity", "user-agent": USER_AGENT, **(headers or {})}
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(
                httpx.AsyncClient(
                    transport=transport(Pool(dial, context, most=purpose.most), leading, context),
                    headers=said,
                    cookies=_NoCookies(),
                    trust_env=False,
                    timeout=httpx.Timeout(None, connect=connect_s),
                )
            )
            for name, purpose in purposes.items()
        }
        yield Client(clients, purposes, connect_s, redact)


class Client:
    """Makes one attempt at each request. Whatever the status, an answer is no failure here."""

    def __init__(
        self,
        clients: Mapping[str, httpx.AsyncClient],
        purposes: Mapping[str, Purpose],
        connect_s: float,
        redact: Callable[[str], str],
    ) -> None:
        self._clients = clients
        self._purposes = purposes
        self._connect_s = connect_s
        self._redact = redact

    async def request(
        self,
        method: str,
        url: str,
        *,
        purpose: str = "send",
        timeout_s: float | None = None,
        max_bytes: int = MAX_REPLY_BYTES,
        **content: Unpack["Content"],
    ) -> Reply:
        """Send a request and return the whole answer, all within ``timeout_s``.

        A cancelled request ends its connection. Raises ``NetError``; its phase says whether the request may have arrived.
        """
        limit_s = self._purposes[purpose].timeout_s if timeout_s is None else timeout_s
        calling = _Calling(method, url, self._redact)
        with trio.move_on_after(limit_s):
            async with self._open(calling, purpose, None, content) as answer:
                body = bytearray()
                while piece := await answer.read():
                    body += piece
                    if len(body) > max_bytes:
                        raise calling.failed(TOO_LARGE, f"an answer of more than {max_bytes:,} bytes")
                return Reply(answer.status, answer.headers, bytes(body))
        if calling.progress.step == "connecting":
            raise calling.failed(CONNECT_TIMEOUT, f"no connection within {limit_s:g} s")
        raise calling.failed(TIMEOUT, f"no answer within {limit_s:g} s")

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        purpose: str = "files",
        silence_s: float | None = None,
        **content: Unpack["Content"],
    ) -> AsyncIterator[StreamedReply]:
        """Send a request and yield its answer once the head is there; it may go on for ever.

        ``silence_s``: the longest that the server may say nothing. Raises ``NetError``.
        """
        limit_s = self._purposes[purpose].timeout_s if silence_s is None else silence_s
        async with self._open(_Calling(method, url, self._redact), purpose, limit_s, content) as answer:
            yield answer

    @asynccontextmanager
    async def _open(
        self, calling: "_Calling", purpose: str, silence_s: float | None, content: "Content"
    ) -> AsyncIterator[StreamedReply]:
        client = self._clients[purpose]
        timeout = httpx.Timeout(silence_s, connect=self._connect_s)
        parts: dict[str, Any] = {**content}
        if "files" in content:
            parts["files"] = {
                field: (file.name, file.content, file.mime) for field, file in content["files"].items()
            }
        with calling:
            request = client.build_request(
                calling.method,
                calling.url,
                timeout=timeout,
                extensions={PROGRESS: calling.progress},
                **parts,
            )
            response = await client.send(request, stream=True)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise calling.failed(PROTOCOL, "its answer is packed, which nobody asked for")
            # Not ``aiter_raw``: a generator over this one, which only the garbage collector would end.
            async with aclosing(aiter(cast("_Stream", response.stream))) as pieces:
                yield StreamedReply(response, pieces, calling)
        finally:
            await response.aclose()


class Content(TypedDict, total=False):
    """What a request may carry; ``json``, ``content``, and ``data`` with ``files`` (a form) exclude one another."""

    headers: Mapping[str, str]
    params: Mapping[str, str | int]
    json: Any
    data: Mapping[str, str]
    files: Mapping[str, Upload]
    content: bytes | AsyncIterable[bytes]


class _Calling:
    """A request under way. As a context it turns what httpx raises into ours; it may be entered again."""

    def __init__(self, method: str, url: str, redact: Callable[[str], str]) -> None:
        self.method = method
        self.url = url
        self.progress = Progress()
        self._redact = redact

    def failed(self, code: str, why: str) -> NetError:
        """``why``, with the host before it."""
        return self._told(code, f"{self._parts().hostname or 'no host'}: {why}", self.progress.phase)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, wrong: BaseException | None, _trace: object) -> None:
        if isinstance(wrong, httpx.HTTPError | httpx.InvalidURL):
            cause = wrong.__cause__
            if isinstance(cause, NetError):
                raise self._told(cause.code, cause.failure.detail, cause.phase) from cause
            # httpx's own words may quote a URL or a header.
            code, phase = meaning(wrong)
            raise self._told(code, f"{self._parts().hostname or 'no host'}: {code}", phase) from None

    def _told(self, code: str, detail: str, phase: SendPhase) -> NetError:
        return NetError(code, f"{detail} ({self.method} {self._redact(self._parts().path)})", phase=phase)

    def _parts(self) -> SplitResult:
        try:
            return urlsplit(self.url)
        except ValueError:
            return urlsplit("")


class _Stream(Protocol):
    """How httpx hands us the body: by a generator."""

    def __aiter__(self) -> AsyncGenerator[bytes]: ...


class _NoCookies(CookieJar):
    """Keeps none and sends none."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass

    def add_cookie_header(self, request: object) -> None:
        pass
