"""Chat completions on the wire: what a request asks, and what is answered; pure.

bytes ─ read ─▶ Order          Answer ─▶ completion, or chunks: role · content … · finish_reason · usage? · [DONE]
            └▶ Refused         a failure of the turn ─▶ an error with its status
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from hermes.types import errors
from hermes.types.content import REFUSAL, USAGE
from hermes.types.events import Attachment, Earlier
from hermes.types.http import error_body
from hermes.types.ports import Request, Response
from hermes.types.whole import whole

MODEL = "hermes-agent"
"""The model where nobody names one."""

SESSION_HEADER = "x-hermes-session-id"
NO_RETRY: Mapping[str, str] = {"x-should-retry": "false"}
"""The turn has been worked on: having it all again is for a person to decide, not for a library."""

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
STREAM = Response(
    media_type="text/event-stream", headers={"cache-control": "no-store", "x-accel-buffering": "no"}
)

_SESSION = re.compile(r"[!-~]{1,256}")
_SYSTEM = ("system", "developer")
_TOOLS = ("tool", "function")
_TEXTS = ("text", "refusal")

_FAILURES: Mapping[str, tuple[int, str]] = {
    "refused:turns": (429, "too_many_requests"),
    "refused:sessions": (429, "too_many_requests"),
    "refused:waiting": (429, "too_many_requests"),
    "refused:too_long": (400, "message_too_long"),
    errors.CONTEXT_TOO_LONG: (400, "context_length_exceeded"),
    errors.TURN_DEADLINE: (504, errors.TURN_DEADLINE),
    errors.APPROVAL_EXPIRED: (504, errors.APPROVAL_EXPIRED),
    errors.MODEL_BUSY: (503, errors.MODEL_BUSY),
    errors.MODEL_UNREACHABLE: (502, errors.MODEL_UNREACHABLE),
    errors.MODEL_REFUSED_KEY: (502, errors.MODEL_REFUSED_KEY),
    errors.MODEL_NOT_FOUND: (502, errors.MODEL_NOT_FOUND),
    errors.MODEL_ERROR: (502, errors.MODEL_ERROR),
    "session_disabled": (503, "session_disabled"),
    "stopped": (409, "stopped"),
}
"""By the rule with which a message has ended. Of the others, ``kind:…`` are words for the person who reads the answer (an unknown
command, say), and all else is a 500.
"""


class Refused(Exception):
    """A request that cannot be answered, in the API's words."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.response = error(status, code, message, param)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked: ``text`` with its pictures, and what was said before it. ``session_id``: of the conversation that we keep
    ourselves. ``usage``: a stream is to end with the figures.
    """

    text: str
    earlier: tuple[Earlier, ...] = ()
    images: tuple[Attachment, ...] = ()
    session_id: str | None = None
    model: str = MODEL
    stream: bool = False
    usage: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How a message has ended: ``text``, and what is known beside it (``Outbound.metadata``)."""

    text: str
    metadata: Mapping[str, str]

    @property
    def failure(self) -> Response | None:
        """The error that it is to a program; None for an answer."""
        rule = self.metadata.get(REFUSAL, "")
        if not rule or rule == errors.MODEL_FILTERED or (":" in rule and rule not in _FAILURES):
            return None
        status, code = _FAILURES.get(rule, (500, rule))
        if rule.startswith("refused:") and status == 429:
            return error(status, code, self.text, headers={"Retry-After": "30"})
        return error(status, code, self.text, headers=NO_RETRY)

    @property
    def finish_reason(self) -> str:
        """Why it ends where it ends."""
        return "content_filter" if self.metadata.get(REFUSAL) == errors.MODEL_FILTERED else "stop"

    @property
    def usage(self) -> Mapping[str, Any]:
        """What it has cost; zeros if the agent has not counted, because clients add them up unasked."""
        read, written, cached, stored = map(int, self.metadata.get(USAGE, "0 0 0 0").split())
        prompt = read + cached + stored
        return {
            "prompt_tokens": prompt,
            "completion_tokens": written,
            "total_tokens": prompt + written,
            "prompt_tokens_details": {"cached_tokens": cached},
        }


NO_ANSWER = Answer("This was stopped, or taken away, before there was an answer.", {REFUSAL: "stopped"})
"""A message has ended without a word."""


# --- what is asked --------------------------------------------------------------------------------------------------------


def read(request: Request) -> Order:
    """What ``request`` asks. Raises ``Refused``."""
    session_id = request.headers.get(SESSION_HEADER)
    if session_id is not None and not _SESSION.fullmatch(session_id):
        words = f"{SESSION_HEADER} has to be 1 to 256 visible ASCII characters"
        raise Refused(400, "invalid_session_id", words)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or "content-encoding" in request.headers:
        raise Refused(
            415, "unsupported_media_type", "the body has to be plain JSON: content-type: application/json"
        )
    body = _json(request.body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise _bad("messages", "has to be a list with at least one message")
    said = [_message(message, f"messages[{n}]") for n, message in enumerate(messages)]
    asked = next((n for n in reversed(range(len(said))) if said[n].role == "user"), None)
    if asked is None:
        raise _bad("messages", "has no message of role user")
    last = said[asked]
    if not last.text.strip() and not last.images:
        raise _bad(f"messages[{asked}].content", "is empty")
    if not all(one.ref.startswith(("http://", "https://")) for one in last.images):
        words = "an image has to be named by its http or https address"
        raise Refused(400, "unsupported_content_type", words, f"messages[{asked}].content")
    if body.get("n") not in (None, 1):
        raise _bad("n", "can only be 1")
    options = body.get("stream_options")
    return Order(
        text=last.text,
        earlier=tuple(_earlier(said[:asked], kept_here=session_id is not None)),
        images=last.images,
        session_id=session_id,
        model=_text(body, "model") or MODEL,
        stream=_flag(body, "stream"),
        usage=_flag(options, "include_usage") if isinstance(options, dict) else False,
    )


@dataclass(frozen=True, slots=True)
class _Said:
    role: str
    text: str
    images: tuple[Attachment, ...]


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "invalid_json", "the body is no JSON object")
    return found


def _message(message: object, place: str) -> _Said:
    if not isinstance(message, dict):
        raise _bad(place, "has to be an object with role and content")
    role = message.get("role")
    if role not in ("user", "assistant", *_SYSTEM, *_TOOLS):
        raise _bad(f"{place}.role", f"{role!r:.40} is no role: user, assistant, system or developer")
    match message.get("content"):
        case str(text):
            return _Said(role, whole(text), ())
        case None if role in ("assistant", *_TOOLS):
            return _Said(role, "", ())
        case list(parts):
            return _of_parts(role, parts, f"{place}.content")
        case _:
            raise _bad(f"{place}.content", "has to be a text, or a list of parts")


def _of_parts(role: str, parts: Sequence[object], place: str) -> _Said:
    words, images = [], []
    for n, part in enumerate(parts):
        match part:
            case {"type": str(kind), **fields} if kind in _TEXTS and isinstance(
                text := fields.get(kind), str
            ):
                words.append(whole(text))
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                images.append(whole(url))
            case {"type": str(kind)} if kind not in (*_TEXTS, "image_url"):
                words_ = f"content of type {kind!r:.40} is not taken: text and image_url are"
                raise Refused(400, "unsupported_content_type", words_, f"{place}[{n}]")
            case _:
                raise _bad(f"{place}[{n}]", "is no part of a message")
    return _Said(role, "\n".join(words), tuple(Attachment("image", url) for url in images))


def _earlier(said: Sequence[_Said], *, kept_here: bool) -> Iterator[Earlier]:
    """What goes with the message. Where we keep the conversation, of that nothing but how it is to be answered."""
    for one in said:
        text = "\n".join((one.text, *("[image]" for _ in one.images))).strip()
        if not text or one.role in _TOOLS:
            continue
        if one.role in _SYSTEM:
            yield Earlier("system", text)
        elif not kept_here:
            yield Earlier("user" if one.role == "user" else "assistant", text)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise _bad(name, "has to be a text")
    return whole(value or "")


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise _bad(name, "has to be true or false")
    return bool(value)


def _bad(param: str, what: str) -> Refused:
    return Refused(400, "invalid_value", f"{param} {what}", param)


# --- what is answered -----------------------------------------------------------------------------------------------------


def error(
    status: int,
    code: str,
    message: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in the API's shape."""
    return Response(
        status, json.dumps(error_body(status, code, message, param)).encode(), headers=headers or {}
    )


def _document(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    return Response(status, json.dumps(body).encode(), headers={"cache-control": "no-store", **headers})


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """``response`` and these ``headers`` too."""
    return replace(response, headers={**response.headers, **headers})


def models(name: str, created: float) -> Response:
    """The one model there is."""
    one = {"id": name, "object": "model", "created": int(created), "owned_by": "hermes"}
    return _document({"object": "list", "data": [one]})


@dataclass(frozen=True, slots=True)
class Completion:
    """What all that is said about one order has in common."""

    completion_id: str
    created: float
    order: Order

    def whole(self, answer: Answer) -> Response:
        """The answer at once."""
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        return _document(self._head("chat.completion", [choice]) | {"usage": answer.usage})

    def role(self) -> bytes:
        """The first chunk."""
        return self._delta({"role": "assistant", "content": "", "refusal": None})

    def content(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._delta({"content": text})

    def end(self, answer: Answer) -> bytes:
        """All that follows the answer's last piece."""
        usage = self._event([], usage=answer.usage) if self.order.usage else b""
        return self._delta({}, answer.finish_reason) + usage + DONE

    def _delta(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        return self._event([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])

    def _event(self, choices: Sequence[Any], usage: Mapping[str, Any] | None = None) -> bytes:
        figures = {"usage": usage} if self.order.usage else {}
        return event(self._head("chat.completion.chunk", choices) | figures)

    def _head(self, kind: str, choices: Sequence[Any]) -> dict[str, Any]:
        return {
            "id": self.completion_id,
            "object": kind,
            "created": int(self.created),
            "model": self.order.model,
            "choices": choices,
        }


def event(data: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: %b\n\n" % json.dumps(data, separators=(",", ":")).encode()


def failed(response: Response) -> bytes:
    """An error in a stream that has begun."""
    return b"data: %b\n\n%b" % (response.body, DONE)


def addition(sent: str, text: str) -> str:
    """What to say after ``sent`` so that ``text`` has been said. Nothing that was sent can be taken back: where the one does not
    begin with the other, all of ``text`` follows as a paragraph of its own.
    """
    if text.startswith(sent):
        return text[len(sent) :]
    return "" if sent.startswith(text) else f"\n\n{text}"


def growth(sent: str, draft: str) -> str:
    """What of an answer that is being written may be said after ``sent``. Space at its end may yet go, so it waits."""
    draft = draft.rstrip()
    return draft[len(sent) :] if draft.startswith(sent) else ""
