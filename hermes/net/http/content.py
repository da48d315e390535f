"""What a request says, as it goes on the wire: where to, its headers, its body."""

import json
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypedDict, cast
from urllib.parse import unquote_to_bytes

import trio

from hermes.net.connection import PIECE_BYTES, Body, Request
from hermes.net.failures import PROTOCOL, NetError
from hermes.net.http.lean import httpx
from hermes.net.pool import Origin
from hermes.types.errors import URL_REFUSED

_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a form; one that is open on disk is read in a thread."""

    name: str
    content: bytes | BinaryIO
    mime: str = "application/octet-stream"


class Content(TypedDict, total=False):
    """What a request may carry; ``json``, ``content``, and ``data`` with ``files`` (a form) exclude one another."""

    headers: Mapping[str, str]
    json: Any
    data: Mapping[str, str]
    files: Mapping[str, Upload]
    content: bytes | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads to. ``headers``: the host, and who asks if the URL says so."""

    origin: Origin
    target: bytes
    headers: Mapping[str, str]


def place(url: str) -> Place:
    """Raises ``NetError`` (``url_refused``)."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        raise NetError(URL_REFUSED, "not a URL") from None  # its text quotes it
    if parts.scheme not in _PORTS:
        raise NetError(URL_REFUSED, "only http and https")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    if not parts.host or port > _MAX_PORT:
        raise NetError(URL_REFUSED, "not a URL")
    headers = {"host": parts.netloc.decode()}
    if parts.userinfo:
        name, _, word = parts.userinfo.partition(b":")
        who = unquote_to_bytes(name) + b":" + unquote_to_bytes(word)
        headers["authorization"] = f"Basic {b64encode(who).decode()}"
    return Place(Origin(parts.scheme, parts.raw_host.decode(), port), parts.raw_path, headers)


def request(method: str, where: Place, always: Mapping[str, str], content: Content) -> Request:
    """``always`` are headers of every request, names in lower case; the request's own win.

    Raises ``NetError`` (``protocol``) for what no header may say, and what ``json`` raises.
    """
    body, said, length = _body(content)
    own = {name.lower(): value for name, value in content.get("headers", {}).items()}
    # The host stands first, and nobody may say another one.
    headers = {**where.headers, **always, **said, **own, **where.headers}
    try:
        lines = [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
    except UnicodeEncodeError:
        # Not with its cause, which may quote the one with the token.
        raise NetError(PROTOCOL, "a header that is not ASCII") from None
    return Request(method.encode(), where.target, lines, body, length)


def _body(content: Content) -> tuple[Body, Mapping[str, str], int | None]:
    """The body, headers that say what it is, and its length where it comes in pieces and that is known."""
    if "json" in content:
        text = json.dumps(content["json"], ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(), {"content-type": "application/json"}, None
    if "data" in content or "files" in content:
        return _form(content)
    return content.get("content", b""), {}, None


def _form(content: Content) -> tuple[Body, Mapping[str, str], int]:
    files = {field: (file.name, file.content, file.mime) for field, file in content.get("files", {}).items()}
    form = httpx.Request("POST", "http://form", data=content.get("data"), files=files)
    said = {name: form.headers[name] for name in ("content-type",) if name in form.headers}
    length = int(form.headers["content-length"])
    pieces = cast("httpx.SyncByteStream", form.stream)
    if length <= PIECE_BYTES:
        return b"".join(pieces), said, length
    return _read_in_threads(iter(pieces)), said, length


async def _read_in_threads(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await trio.to_thread.run_sync(next, pieces, None)) is not None:
        yield piece
