"""What it means when there is no answer: statuses and bodies of many servers, once, in our codes. Pure.

model_unreachable   no connection, it broke, a gateway before it says so       asked again
model_busy          429, 503, 529, still loading                               asked again, not before it says
model_error         500 and what nobody knows                                  500 and above are asked again
model_refused_key   401, 402, 403, nothing left to pay with                    the operator
model_not_found     404, no such model                                         the operator
context_too_long    too much was said, in five dialects
model_filtered      it will not answer that
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hermes.net.failures import CONNECT_REFUSED, CONNECT_TIMEOUT, DNS, RESET, NetError
from hermes.net.retry import retry_after
from hermes.types.errors import (
    CONTEXT_TOO_LONG,
    MODEL_BUSY,
    MODEL_ERROR,
    MODEL_FILTERED,
    MODEL_NOT_FOUND,
    MODEL_REFUSED_KEY,
    MODEL_UNREACHABLE,
    Failure,
)

DETAIL_CHARACTERS = 300

_CONTEXT = re.compile(
    r"context[ _](?:length|size|window)|maximum (?:model|input|prompt) length|exceed_context|prompt is too long"
    r"|input length exceeds|too many (?:input )?tokens"
)
_FILTERED = re.compile(r"content_filter|content_policy|content management policy|moderation|invalid_prompt")
_PAID = re.compile(r"insufficient_quota|invalid_api_key|insufficient (?:balance|credits)")
_NO_MODEL = re.compile(
    r"model_not_found|is not a valid model|model .{0,200}(?:not found|does not exist)|provide a model|model is required"
)
_NO_TOOLS = re.compile(
    r"support (?:the )?(?:use of )?(?:tool|function)"
    r"|(?:tool|function)[ _]?(?:s|use|choice|calls|calling)? (?:is |are )?(?:not |un)supported"
    r"|tool choice requires|tools param requires|tools?\[\d+\]|schema for function"
)
_BUSY = re.compile(r"rate_limit|overloaded|unavailable_error|too_many_requests")

_PASSING = frozenset({DNS, CONNECT_REFUSED, CONNECT_TIMEOUT, RESET})
_GATEWAY = frozenset({408, 502, 504, 520, 521, 522, 523, 524})
_WAIT = frozenset({429, 503, 529})
_CHECKED = frozenset({400, 413, 422})
"""What servers say of a request that they have read and will not have."""

_OPERATOR = frozenset({MODEL_REFUSED_KEY, MODEL_NOT_FOUND})

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer. ``again``: asking once more may help. ``checked``: it was about what we asked for."""

    failure: Failure
    again: bool = False
    checked: str = ""
    """What was said of a request that is no good; empty otherwise. It may name an option."""

    no_tools: bool = False
    """It was refused for the tools that it offered."""


def of_status(status: int, headers: Mapping[str, str], body: bytes, redact: Redact) -> Refusal:
    """What an answer other than 200 means; header names are lower case."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    names, words = _said(said)
    if said is None:
        words = f"{headers.get('content-type', 'no type')}, {len(body):,} bytes"
    if status < 400:
        words = "it answers something else there; is base_url right?"
    elif status == 404 and not _NO_MODEL.search(f"{names} {words}".lower()):
        words = f"{words or 'not found'}; is base_url right? It mostly ends in /v1"
    return _refusal(status, names, words, retry_after(headers), redact)


def of_error(said: object, redact: Redact) -> Refusal:
    """What an error means that comes in place of an answer, or in the middle of one."""
    inner = said.get("error") if isinstance(said, dict) else None
    code = inner.get("code") if isinstance(inner, dict) else None
    names, words = _said(said)
    return _refusal(code if type(code) is int else 500, names, words, None, redact)


def of_network(wrong: NetError, redact: Redact) -> Refusal:
    """What a failure of the connection means."""
    return Refusal(
        Failure(MODEL_UNREACHABLE, detail=_shortened(f"{wrong.code}: {wrong.failure.detail}", redact)),
        again=wrong.code in _PASSING,
    )


def cut_off(why: str) -> Refusal:
    """The connection ended in good order, and the answer did not."""
    return Refusal(Failure(MODEL_UNREACHABLE, detail=why), again=True)


def broken(why: str) -> Refusal:
    """What came is no answer."""
    return Refusal(Failure(MODEL_ERROR, detail=why))


def filtered() -> Refusal:
    """The answer was taken away, all of it or the rest."""
    return Refusal(Failure(MODEL_FILTERED, detail="finish_reason content_filter"))


def _refusal(status: int, names: str, words: str, wait_s: float | None, redact: Redact) -> Refusal:
    code, again = _meaning(status, f"{names} {words}".lower())
    failure = Failure(
        code,
        "needs_operator" if code in _OPERATOR else "transient",
        retry_after=wait_s,
        detail=_shortened(" ".join(filter(None, (str(status), names, words))), redact),
    )
    checked = f"{names} {words}" if code == MODEL_ERROR and status in _CHECKED else ""
    # With any status: 404 of a router that has the model without them, 500 of a server that was built so.
    return Refusal(failure, again, checked, _NO_TOOLS.search(f"{names} {words}".lower()) is not None)


def _meaning(status: int, text: str) -> tuple[str, bool]:
    if status == 413 or (status in _CHECKED | {500} and _CONTEXT.search(text)):
        return CONTEXT_TOO_LONG, False
    if status < 500 and _FILTERED.search(text):
        return MODEL_FILTERED, False
    if status in (401, 402, 403) or (status < 500 and _PAID.search(text)):
        return MODEL_REFUSED_KEY, False
    if status == 404 or (status < 500 and _NO_MODEL.search(text)):
        return MODEL_NOT_FOUND, False
    if status in _WAIT or _BUSY.search(text):
        return MODEL_BUSY, True
    if status < 400:
        return MODEL_UNREACHABLE, False
    if status in _GATEWAY:
        return MODEL_UNREACHABLE, True
    return MODEL_ERROR, status >= 500


def _said(document: object) -> tuple[str, str]:
    """Names (type, code, param) and words of an error, in the forms of OpenAI, vLLM, llama.cpp, Ollama, FastAPI and Google."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return "", ""
    error: Any = document.get("error") or document
    if not isinstance(error, dict):
        return "", str(error)
    names = (error.get(key) for key in ("type", "code", "param", "status"))
    words = error.get("message") or error.get("detail") or ""
    return " ".join(name for name in names if isinstance(name, str)), _words(words)


def _words(said: object) -> str:
    """FastAPI's list of faults without the ``input`` that they quote: it may be what a person wrote (S48)."""
    if isinstance(said, list):
        faults = [fault for fault in said if isinstance(fault, dict)]
        return "; ".join(f"{fault.get('loc')}: {fault.get('msg')}" for fault in faults)
    return said if isinstance(said, str) else ""


def _shortened(text: str, redact: Redact) -> str:
    line = " ".join(redact(text).split())
    return line if len(line) <= DETAIL_CHARACTERS else f"{line[: DETAIL_CHARACTERS - 1]}…"
