"""Requests, one attempt each, with a total deadline and a phase for each failure.

A client belongs to one incarnation of an adapter and shares nothing with another one: no pool, no cookie, no resolver's
cache. Each purpose has a pool of its own, so that a long poll never takes the place of a send. There are no redirects, no
cookies, no retries, and no compression: what is packed small may be of any size.
"""

import json
import logging
import math
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Unpack
from urllib.parse import SplitResult, urlsplit

import trio

from hermes.net.connection import Patience
from hermes.net.dial import CONNECT_S, Dial, open_dial, tls_context
from hermes.net.failures import CONNECT_TIMEOUT, PROTOCOL, TIMEOUT, NetError, Progress
from hermes.net.http.content import Content, place, request
from hermes.net.http.ways import Incoming, Way, open_way
from hermes.net.pool import Pool
from hermes.net.proxy import proxies
from hermes.types.errors import TOO_LARGE

MAX_REPLY_BYTES = 16 * 1024 * 1024
USER_AGENT = "hermes-gateway"
PLACES = 64
"""So many URLs a client remembers having taken apart; a bot has fewer methods."""

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

    def __init__(self, answer: Incoming, call: "_Call") -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = _headers(answer)
        self._answer = answer
        self._call = call

    async def read(self) -> bytes:
        """The next piece; nothing at the end. Raises ``NetError`` (``unknown``)."""
        try:
            return await self._answer.read()
        except NetError as wrong:
            raise self._call.named(wrong) from wrong

    @property
    def ended(self) -> bool:
        """True if it is known that ``read`` has nothing more."""
        return self._answer.ended

    async def aclose(self) -> None:
        """Done by the block that gave it; its connection is kept if all was read."""
        await self._answer.aclose()


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
    trust = cache(tls_context) if tls is None else lambda: tls
    leading = proxies(proxy, os.environ)
    said = {"accept": "*/*", "accept-encoding": "identity", "user-agent": USER_AGENT, **(headers or {})}
    async with AsyncExitStack() as stack:
        ways = {
            name: await stack.enter_async_context(
                open_way(Pool(dial, trust, most=purpose.most), leading, trust)
            )
            for name, purpose in purposes.items()
        }
        yield Client(ways, purposes, {name.lower(): value for name, value in said.items()}, connect_s, redact)


class Client:
    """Makes one attempt at each request. Whatever the status, an answer is no failure here."""

    def __init__(
        self,
        ways: Mapping[str, Way],
        purposes: Mapping[str, Purpose],
        headers: Mapping[str, str],
        connect_s: float,
        redact: Callable[[str], str],
    ) -> None:
        self._ways = ways
        self._purposes = purposes
        self._headers = headers
        self._connect_s = connect_s
        self._redact = redact
        self._place = lru_cache(PLACES)(place)

    async def request(
        self,
        method: str,
        url: str,
        *,
        purpose: str = "send",
        timeout_s: float | None = None,
        max_bytes: int = MAX_REPLY_BYTES,
        **content: Unpack[Content],
    ) -> Reply:
        """Send a request and return the whole answer, all within ``timeout_s``.

        A cancelled request ends its connection. Raises ``NetError``; its phase says whether the request may have arrived.
        """
        limit_s = self._purposes[purpose].timeout_s if timeout_s is None else timeout_s
        call = _Call(method, url, self._redact)
        with trio.move_on_after(limit_s):
            async with aclosing(await self._ask(call, purpose, math.inf, content)) as answer:
                body = bytearray()
                while piece := await answer.read():
                    body += piece
                    if len(body) > max_bytes:
                        raise call.failed(TOO_LARGE, f"an answer of more than {max_bytes:,} bytes")
                return Reply(answer.status, answer.headers, bytes(body))
        if call.progress.step == "connecting":
            raise call.failed(CONNECT_TIMEOUT, f"no connection within {limit_s:g} s")
        raise call.failed(TIMEOUT, f"no answer within {limit_s:g} s")

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        purpose: str = "files",
        silence_s: float | None = None,
        **content: Unpack[Content],
    ) -> AsyncIterator[StreamedReply]:
        """Send a request and yield its answer once the head is there; it may go on for ever.

        ``silence_s``: the longest that the server may say nothing. Raises ``NetError``.
        """
        limit_s = self._purposes[purpose].timeout_s if silence_s is None else silence_s
        call = _Call(method, url, self._redact)
        async with aclosing(await self._ask(call, purpose, limit_s, content)) as answer:
            yield answer

    async def _ask(self, call: "_Call", purpose: str, silence_s: float, content: Content) -> StreamedReply:
        patience = Patience(connect_s=self._connect_s, pool_s=silence_s, write_s=silence_s, read_s=silence_s)
        try:
            where = self._place(call.url)
            asked = request(call.method, where, self._headers, content)
            answer = await self._ways[purpose].ask(where.origin, asked, call.progress, patience)
        except NetError as wrong:
            raise call.named(wrong) from wrong
        reply = StreamedReply(answer, call)
        if reply.headers.get("content-encoding", "identity") != "identity":
            await reply.aclose()
            raise call.failed(PROTOCOL, "its answer is packed, which nobody asked for")
        return reply


class _Call:
    """A request under way, whose failures say which one it is."""

    def __init__(self, method: str, url: str, redact: Callable[[str], str]) -> None:
        self.method = method
        self.url = url
        self.progress = Progress()
        self._redact = redact

    def failed(self, code: str, why: str) -> NetError:
        """``why``, with the host before it."""
        host = self._parts().hostname or "no host"
        return self.named(NetError(code, f"{host}: {why}", phase=self.progress.phase))

    def named(self, wrong: NetError) -> NetError:
        """``wrong``, with the request behind it."""
        asked = f"{self.method} {self._redact(self._parts().path)}"
        return NetError(wrong.code, f"{wrong.failure.detail} ({asked})", phase=wrong.phase)

    def _parts(self) -> SplitResult:
        try:
            return urlsplit(self.url)
        except ValueError:
            return urlsplit("")


def _headers(answer: Incoming) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in answer.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode(errors="replace")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
