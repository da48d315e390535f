"""The protocol between a chat client and its adapter: one JSON object a text frame, its kind in ``t``.

    client                                     server
    hello{client, since?, own?}     ──▶
                                    ◀──        welcome{boot, cursor, items}   more than one after a long absence
    send{id, text}                  ──▶
                                    ◀──        accepted{id}   the message is durable │ refused{id, code, message}
                                    ◀──        typing{on}     an answer is worked on, or not any more; said again while it is
                                    ◀──        draft{draft_id, reply_to, html}       an answer while it is written
                                    ◀──        message{item}  the answer
    ack{item}                       ──▶                       the answer is on the screen: that is our receipt
                                    ◀──        said{item}     the user, in another tab of this chat
    ping                            ──▶
                                    ◀──        pong │ error{code, message}

The client names its messages itself, keeps each until it is accepted or refused, and sends it again under the same name
after a reconnect; a second copy is accepted again and does nothing. The server may send an item twice; ``item_id`` says
so. ``since`` is the cursor of the last welcome. Frames of one client are taken in order. A client that is ``own``, a
script that waits for one answer, hears the answers to what it has sent in this connection, and others only where nobody
else is there to take them.
"""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hermes.types.errors import TOO_LARGE, Failure, GatewayError
from hermes.types.whole import whole

MAX_FRAME_BYTES = 1024 * 1024
MAX_TEXT_CHARS = 100_000

BAD_FRAME = "bad_frame"

_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MAX_WORD_CHARS = 512


# --- client → server ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame of every connection. ``client`` is a name for the log; ``since`` None asks for the newest messages."""

    client: str
    since: str | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """A message of the user. ``id`` is the client's name for it, unique in its chat for ever."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Ack:
    """The answer ``item`` (a delivery id) has been shown."""

    item: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you there?"""


ClientFrame = Hello | Send | Ack | Ping


# --- server → client ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """A file of the agent's. ``ref`` is where the client finds it; ``size_bytes`` is 0 where it is not known."""

    name: str
    kind: str
    ref: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """One message of the chat. ``html`` is ``text`` rendered safely, for the agent's messages; ``cursor`` is set in history.

    ``answers`` are the ids of the messages that wait no longer: several may be answered together, a notice answers none.
    ``refusal`` is set where it says why there is no answer to them: the rule by which they ended, as the books have it. The
    agent's message without words and without ``files`` is none to be shown: they have ended, and it has nothing to say.
    """

    item_id: str
    role: Literal["user", "agent"]
    text: str
    at: float
    html: str | None = None
    reply_to: str | None = None
    cursor: str | None = None
    answers: tuple[str, ...] = ()
    refusal: str | None = None
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class Welcome:
    """What the client missed, oldest first; ``cursor`` is what to ask with the next time."""

    boot: str
    cursor: str | None
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message ``id`` is durable: the client may forget it."""

    id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The message ``id`` will never be taken; ``message`` says why, for the user."""

    id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Message:
    """An answer; wants an ack."""

    item: Item


@dataclass(frozen=True, slots=True)
class Draft:
    """The newest text of an answer that is being written; replaced by the next one and by the message itself."""

    draft_id: str
    reply_to: str | None
    html: str


@dataclass(frozen=True, slots=True)
class Typing:
    """An answer is being worked on (``on``), or not any more. Goes out by itself if it is not said again for a while."""

    on: bool


@dataclass(frozen=True, slots=True)
class Said:
    """The user's message, typed elsewhere."""

    item: Item


@dataclass(frozen=True, slots=True)
class Pong:
    """I am."""


@dataclass(frozen=True, slots=True)
class Error:
    """The last frame could not be taken; the connection goes on unless it is closed after this."""

    code: str
    message: str


ServerFrame = Welcome | Accepted | Refused | Message | Draft | Typing | Said | Pong | Error


def encode(frame: ClientFrame | ServerFrame) -> str:
    """``frame`` as the text of one web-socket message; half surrogates, which no wire can carry, become "?"."""
    # Unescaped: the longest text that is allowed fits a frame in any script.
    fields = {"t": type(frame).__name__.lower(), **asdict(frame)}
    return whole(json.dumps(fields, separators=(",", ":"), ensure_ascii=False))


def decode_client(text: str) -> ClientFrame:
    """The frame a client sent. Unknown keys are ignored; half surrogates, which no store can hold, become "?".

    Raises ``GatewayError``: ``too_large`` above ``MAX_FRAME_BYTES`` (close the connection: nobody sends that by mistake
    twice), ``bad_frame`` for everything else that is not a frame.
    """
    if len(text) > MAX_FRAME_BYTES or len(text.encode("utf-8", "replace")) > MAX_FRAME_BYTES:
        raise GatewayError(Failure(TOO_LARGE, detail=f"a frame may have {MAX_FRAME_BYTES:,} bytes"))
    fields = _fields(text)
    match fields.get("t"):
        case "hello":
            since = fields.get("since")
            cursor = None if since is None else _word(fields, "since")
            return Hello(_word(fields, "client"), cursor, fields.get("own") is True)
        case "send":
            return Send(_id(fields, "id"), _text(fields, "text"))
        case "ack":
            return Ack(_word(fields, "item"))
        case "ping":
            return Ping()
        case _:
            raise _bad("'t' names no frame of a client")


def decode_server(text: str) -> ServerFrame:
    """The frame the server sent. Unknown keys are ignored. Raises ``GatewayError`` (``bad_frame``) for what is none."""
    fields = _fields(text)
    match fields.get("t"):
        case "welcome":
            items = fields.get("items")
            if not isinstance(items, list):
                raise _bad("'items' is not a list")
            return Welcome(_string(fields, "boot"), _maybe(fields, "cursor"), tuple(map(_item, items)))
        case "accepted":
            return Accepted(_string(fields, "id"))
        case "refused":
            return Refused(_string(fields, "id"), _string(fields, "code"), _string(fields, "message"))
        case "message":
            return Message(_item(fields.get("item")))
        case "draft":
            return Draft(_string(fields, "draft_id"), _maybe(fields, "reply_to"), _string(fields, "html"))
        case "typing":
            return Typing(fields.get("on") is True)
        case "said":
            return Said(_item(fields.get("item")))
        case "pong":
            return Pong()
        case "error":
            return Error(_string(fields, "code"), _string(fields, "message"))
        case _:
            raise _bad("'t' names no frame of a server")


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad("not a JSON document") from None
    if not isinstance(fields, dict):
        raise _bad("not a JSON object")
    return fields


def _item(value: object) -> Item:
    if not isinstance(value, dict):
        raise _bad("'item' is not an object")
    role, at = value.get("role"), value.get("at")
    if role not in ("user", "agent") or not isinstance(at, int | float):
        raise _bad("'item' is not a message")
    answers = value.get("answers", [])
    if not isinstance(answers, list) or not all(isinstance(one, str) for one in answers):
        raise _bad("'answers' is no list of ids")
    files = value.get("files", [])
    if not isinstance(files, list):
        raise _bad("'files' is not a list")
    return Item(
        item_id=_string(value, "item_id"),
        role=role,
        text=_string(value, "text"),
        at=at,
        html=_maybe(value, "html"),
        reply_to=_maybe(value, "reply_to"),
        cursor=_maybe(value, "cursor"),
        answers=tuple(answers),
        refusal=_maybe(value, "refusal"),
        files=tuple(map(_file, files)),
    )


def _file(value: object) -> File:
    if not isinstance(value, dict):
        raise _bad("a file is not an object")
    size = value.get("size_bytes", 0)
    return File(
        _string(value, "name"),
        _string(value, "kind"),
        _string(value, "ref"),
        size if isinstance(size, int) else 0,
    )


def _maybe(fields: dict[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else _string(fields, name)


def _string(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _bad(f"'{name}' is not a string")
    return whole(value)


def _id(fields: dict[str, Any], name: str) -> str:
    value = _string(fields, name)
    if not _ID.fullmatch(value):
        raise _bad(f"'{name}' is not 1 to 128 letters, digits and . _ : -")
    return value


def _word(fields: dict[str, Any], name: str) -> str:
    value = _string(fields, name)
    if len(value) > _MAX_WORD_CHARS:
        raise _bad(f"'{name}' has more than {_MAX_WORD_CHARS} characters")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = _string(fields, name)
    if not value.strip():
        raise _bad(f"'{name}' is empty")
    return value


def _bad(detail: str) -> GatewayError:
    return GatewayError(Failure(BAD_FRAME, detail=detail))
