"""A file from a URL that somebody else wrote: nothing in it, and nothing the server does, is believed.

    url ─checked─▶ guarded dial ─▶ TLS ─▶ GET ─▶ redirect? checked again, anew │ body ─counted─▶ sink

Nothing is shared between two fetches: no connection, cookie or cache. Only ``https`` and ``http`` (never down from the
former), no name and password in the URL, ports 80, 443 and from 1024 on: what else listens further down was never meant to
read a request that we were talked into.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import quote, unquote, urljoin, urlsplit

import trio

from hermes.net.connection import Connection, Headers, Request
from hermes.net.dial import Dial, connect, shared_tls_context
from hermes.net.failures import HTTP_STATUS, PROTOCOL, TIMEOUT, NetError
from hermes.net.guard import guarded_dial
from hermes.types.errors import TOO_LARGE, URL_REFUSED
from hermes.types.ports import FileSink

MAX_URL_CHARS = 8192
MAX_REDIRECTS = 5
USER_AGENT = "hermes-gateway"

_PORTS = {"http": 80, "https": 443}
_FIRST_FREE_PORT = 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\\]")
"""Parsers differ on these, so that one might check what another does not fetch."""

_MIME = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_MAX_NAME_CHARS = 255
_MAX_DISPOSITION_CHARS = 1024
"""The library that reads it takes time that grows with the square of its length."""

_LEGAL = "/%:@!$&'()*+,;=?-._~"
_OK = 200


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came. ``mime`` and ``name`` are the server's claims; ``name`` has no directories but is not safe as it is."""

    mime: str | None
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class _Place:
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


async def fetch(
    url: str,
    sink: FileSink,
    *,
    deadline_s: float,
    max_bytes: int,
    dial: Dial = guarded_dial,
    tls: ssl.SSLContext | None = None,
) -> Fetched:
    """Hand the body behind ``url`` to ``sink``, in order; one attempt.

    After a failure the sink has seen a part of it. Raises ``NetError``: ``url_refused`` for what must not be fetched,
    ``too_large`` past ``max_bytes``, ``http_status`` for anything but 200, ``timeout`` when all of it has not come by
    ``deadline_s``, and the failures of a connection; and lets through what ``sink`` raises. Details name no path.
    """
    with trio.move_on_after(deadline_s):
        return await _follow(url, sink, max_bytes, dial, tls)
    raise NetError(TIMEOUT, f"not there within {deadline_s:g} s", phase="unknown")


async def _follow(url: str, sink: FileSink, most: int, dial: Dial, tls: ssl.SSLContext | None) -> Fetched:
    scheme = ""
    for _ in range(MAX_REDIRECTS + 1):
        place = _parsed(url)
        if (scheme, place.scheme) == ("https", "http"):
            raise _refused("redirected from https to http")
        scheme = place.scheme
        context = (tls or shared_tls_context()) if scheme == "https" else None
        connection = Connection(await connect(dial, place.host, place.port, tls=context), place.host)
        try:
            answer = await connection.ask(Request(b"GET", place.target.encode(), _headers(place)))
            headers = {name.decode(): value.decode(errors="replace") for name, value in answer.headers}
            if answer.status == _OK:
                if (answer.length or 0) > most:
                    raise _too_large(place, most)
                return await _body(connection, headers, place, sink, most)
        finally:
            connection.hang_up()
        if answer.status not in _REDIRECTS or "location" not in headers:
            raise NetError(HTTP_STATUS, f"{place.host}: {answer.status}", phase="unknown")
        url = urljoin(url, headers["location"])
    raise _refused(f"more than {MAX_REDIRECTS} redirects")


def _headers(place: _Place) -> Headers:
    return [
        (b"Host", place.authority.encode()),
        (b"User-Agent", USER_AGENT.encode()),
        (b"Accept", b"*/*"),
        (b"Accept-Encoding", b"identity"),
        (b"Connection", b"close"),
    ]


async def _body(
    connection: Connection, headers: Mapping[str, str], place: _Place, sink: FileSink, most: int
) -> Fetched:
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        # Small on the wire, any size once unpacked; nobody asked for it, either.
        raise NetError(PROTOCOL, f"{place.host}: packed in a way nobody asked for", phase="unknown")
    size = 0
    while piece := await connection.read():
        size += len(piece)
        if size > most:
            raise _too_large(place, most)
        await sink.write(piece)
    return Fetched(_mime(headers), _name(headers, place), size)


def _parsed(url: str) -> _Place:
    if len(url) > MAX_URL_CHARS or _NEVER_IN_A_URL.search(url):
        raise _refused("not a URL")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        if ":" not in host:
            host = host.encode("idna").decode()  # one name for resolver, certificate and Host
        port = parts.port
        target = quote(parts.path or "/", safe=_LEGAL)
        if parts.query:
            target += "?" + quote(parts.query, safe=_LEGAL)
    except ValueError:  # also what cannot be encoded
        raise _refused("not a URL") from None
    if parts.scheme not in _PORTS:
        raise _refused("only https and http")
    if "@" in parts.netloc:
        raise _refused("a name or a password in the URL")
    if not host or "%" in host:
        raise _refused("no host")
    if port is None:
        port = _PORTS[parts.scheme]
    if port not in _PORTS.values() and port < _FIRST_FREE_PORT:
        raise _refused(f"port {port}")
    return _Place(parts.scheme, host, port, target)


def _mime(headers: Mapping[str, str]) -> str | None:
    claimed = headers.get("content-type", "").partition(";")[0].strip().lower()
    return claimed if _MIME.fullmatch(claimed) else None


def _name(headers: Mapping[str, str], place: _Place) -> str:
    message = Message()
    message["content-disposition"] = headers.get("content-disposition", "")[:_MAX_DISPOSITION_CHARS]
    claimed = message.get_filename() or unquote(place.target.partition("?")[0])
    last = claimed.replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, last))[:_MAX_NAME_CHARS]


def _too_large(place: _Place, most: int) -> NetError:
    return NetError(TOO_LARGE, f"{place.host}: more than {most:,} bytes", phase="unknown")


def _refused(why: str) -> NetError:
    return NetError(URL_REFUSED, why)
