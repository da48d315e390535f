"""What a model's answer says, streamed or whole. Pure, and total: a server is foreign code, any value may stand anywhere."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hermes.types.agent import MOST_TOKENS, Usage

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A part of a call of a tool, or all of it. The parts of one call have the same ``index``; without one, of servers that say
    each call whole, ``index`` is None.
    """

    index: int | None
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer, or all of it. ``finish``: why it ends, empty if it goes on. ``error``: what the server has to say
    instead, as it says it. What the model thinks aloud is not in ``text``.
    """

    text: str = ""
    finish: str = ""
    usage: Usage | None = None
    error: Any = None
    calls: tuple[CallPiece, ...] = ()


def read(document: str | bytes) -> Piece:
    """One event of a stream, or a whole answer. Raises ``ValueError`` for what is no JSON object."""
    try:
        said = json.loads(document)
    except RecursionError as deep:
        raise ValueError("nested too deep") from deep
    if not isinstance(said, dict):
        raise ValueError("no JSON object")
    if said.get("error"):
        return Piece(error=said)
    choices = said.get("choices")
    choice = _mapping(choices[0]) if isinstance(choices, list) and choices else {}
    message = _mapping(choice.get("delta")) or _mapping(choice.get("message"))
    finish = choice.get("finish_reason")
    return Piece(
        text=_text(message.get("content")) or _text(message.get("refusal")),
        calls=_calls(message.get("tool_calls")),
        finish=finish if isinstance(finish, str) else "",
        usage=_usage(_mapping(said.get("usage"))),
    )


def _text(content: object) -> str:
    """A text, or parts of which some are texts."""
    if isinstance(content, list):
        return "".join(_text(_mapping(part).get("text")) for part in content)
    return content if isinstance(content, str) else ""


def _calls(said: object) -> tuple[CallPiece, ...]:
    found = map(_mapping, said if isinstance(said, list) else ())
    return tuple(_call(one) for one in found if one)


def _call(said: Mapping[str, Any]) -> CallPiece:
    index, function = said.get("index"), _mapping(said.get("function"))
    name, arguments = function.get("name"), function.get("arguments")
    if isinstance(arguments, dict):  # some servers say them as what they are
        arguments = json.dumps(arguments)
    return CallPiece(
        index if type(index) is int and index >= 0 else None,
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, str) else "",
    )


def _usage(said: Mapping[str, Any]) -> Usage | None:
    if not said:
        return None
    cached = _count(_mapping(said.get("prompt_tokens_details")).get("cached_tokens"))
    given = _count(said.get("prompt_tokens"))
    return Usage(
        input_tokens=max(given - cached, 0),
        output_tokens=_count(said.get("completion_tokens")),
        cache_read_tokens=cached,
    )


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else 0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
