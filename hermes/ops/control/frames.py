"""Frames of the control socket: 4 bytes of length, big-endian, then one CBOR map.

A verb of an adapter turns its connection into a stream: from its answer on, frames of both sides are ``{"text": str}``,
and the gateway's last one may be ``{"close": int, "reason": str}``.

Whoever can connect may send anything, so a frame is proved harmless before the CBOR decoder sees it: one
linear scan over the item headers bounds nesting, the number of items and every declared length, and refuses
tags and indefinite lengths. Nothing in our messages needs those, and every known way to make a decoder
recurse, allocate or loop does.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2

from hermes.types.errors import Failure, GatewayError

BAD_FRAME = "bad_frame"
HEADER_BYTES = 4
DEPTH = 32

_BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = 2, 3, 4, 5, 6, 7
_ARGUMENT_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one frame may cost. ``items`` bounds the scan's time: 5 ms for 10,000, on the gateway's own loop."""

    frame_bytes: int
    items: int


REQUEST = Limits(frame_bytes=1 << 20, items=10_000)
REPLY = Limits(frame_bytes=64 << 20, items=10_000_000)


class FrameError(GatewayError):
    """The peer broke the protocol; the only sane answer is to close the connection."""

    def __init__(self, detail: str) -> None:
        super().__init__(Failure(BAD_FRAME, detail=detail))


@dataclass(frozen=True, slots=True)
class Request:
    """A question to the gateway. ``id`` is the client's, and comes back with the reply."""

    id: int
    verb: str
    args: Mapping[str, Any]


def encode(message: Mapping[str, Any]) -> bytes:
    """``message`` as one frame. Raises ``FrameError`` if it is longer than a reply may be."""
    body = cbor2.dumps(message)
    if len(body) > REPLY.frame_bytes:
        raise FrameError(f"a frame of {len(body):,} bytes is too long")
    return struct.pack(">I", len(body)) + body


def ok(request_id: int, result: object) -> bytes:
    """The frame that answers a request."""
    return encode({"id": request_id, "ok": True, "result": result})


def error(request_id: int, kind: str, message: str, hint: str = "") -> bytes:
    """The frame that refuses a request."""
    return encode({"id": request_id, "ok": False, "error": {"type": kind, "message": message, "hint": hint}})


def request(frame: Mapping[str, Any]) -> Request:
    """``frame`` as a request. Raises ``FrameError`` if it is none."""
    match frame:
        case {"id": int(number), "verb": str(verb), "args": dict(args)} if all(
            isinstance(key, str) for key in args
        ):
            return Request(number, verb, args)
        case _:
            raise FrameError('a request is {"id": int, "verb": str, "args": map}')


def text(frame: Mapping[str, Any]) -> str:
    """The text that ``frame`` of a stream carries. Raises ``FrameError`` if it is no such frame."""
    match frame:
        case {"text": str(words)}:
            return words
        case _:
            raise FrameError('a frame of a stream is {"text": str}')


class FrameDecoder:
    """Bytes in, whole frames out, in order; keeps at most one unfinished frame.

    A declared length over the limit is refused from its header, before anything of the body is kept.
    """

    def __init__(self, limits: Limits = REQUEST) -> None:
        self._limits = limits
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The frames that ``data`` completes. Raises ``FrameError``; the decoder is then of no further use."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEADER_BYTES:
            (size,) = struct.unpack_from(">I", self._buffer)
            if size > self._limits.frame_bytes:
                raise FrameError(
                    f"a frame of {size:,} bytes is over the limit of {self._limits.frame_bytes:,}"
                )
            end = HEADER_BYTES + size
            if len(self._buffer) < end:
                break
            frames.append(_decode(bytes(self._buffer[HEADER_BYTES:end]), self._limits))
            del self._buffer[:end]
        return frames


def _decode(body: bytes, limits: Limits) -> dict[str, Any]:
    _scan(body, limits)
    try:
        value = cbor2.loads(body)
    except (cbor2.CBORError, ValueError, TypeError) as wrong:
        raise FrameError(f"not CBOR: {wrong}") from wrong
    if not isinstance(value, dict):
        raise FrameError("a frame holds one map")
    return value


def _scan(body: bytes, limits: Limits) -> None:
    """Raise ``FrameError`` unless ``body`` is exactly one plain CBOR item within ``limits``; builds nothing."""
    at, items, size = 0, 0, len(body)
    open_items = [1]
    while open_items:
        if open_items[-1] == 0:
            open_items.pop()
            continue
        open_items[-1] -= 1
        items += 1
        if items > limits.items:
            raise FrameError(f"more than {limits.items:,} items")
        if at >= size:
            raise FrameError("ends in the middle of an item")
        major, info = body[at] >> 5, body[at] & 31
        at += 1
        argument = info
        if info >= 24:
            width = _ARGUMENT_BYTES.get(info)
            if width is None:
                raise FrameError("indefinite lengths and reserved values are not spoken here")
            argument = int.from_bytes(body[at : at + width], "big")
            at += width
            if at > size:
                raise FrameError("ends in the middle of an item")
        if major == _TAG:
            raise FrameError("tags are not spoken here")
        if major in (_BYTES, _TEXT):
            if argument > size - at:
                raise FrameError("a string is longer than its frame")
            at += argument
        elif major in (_ARRAY, _MAP):
            children = argument * 2 if major == _MAP else argument
            if children > size - at:
                raise FrameError("a collection is longer than its frame")
            if len(open_items) > DEPTH:
                raise FrameError(f"nested deeper than {DEPTH}")
            open_items.append(children)
    if at != size:
        raise FrameError("bytes after the end of the item")
