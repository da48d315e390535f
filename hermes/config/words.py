"""What is wrong with a value, in words: what may stand there, by the model, and what was found."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, get_args, get_origin

SHOWN_CHARS = 80
SHOWN_DIGITS = 30


def complaint(model: type, key: Sequence[str], value: object) -> str:
    """``expected …, not …`` for ``value``, which stands at ``key`` in ``model`` and may not."""
    kind, bounds = _at(model, key)
    near = did_you_mean(str(value), _choices(kind, bounds)) if isinstance(value, str) else ""
    return f"expected {_expected(kind, bounds)}, not {shown(value)}{near}"


def shown(value: object) -> str:
    """``value`` as it may have been written; a collection by its kind, because aliases make small files of endless values."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case Mapping():
            return "keys and values"
        case list() | tuple() | set():
            return "a list"
        case int() if abs(value) >= 10**SHOWN_DIGITS:
            return "a number of more digits than can be shown"
        case int() | float():
            return str(value)
        case str():
            return repr(value[:SHOWN_CHARS]) + ("…" if len(value) > SHOWN_CHARS else "")
        case bytes():
            return "binary data"
        case _:
            return repr(str(value))


def did_you_mean(text: str, names: Iterable[str]) -> str:
    """``; did you mean …?`` if one of ``names`` is like ``text``."""
    near = get_close_matches(text[:SHOWN_CHARS], list(names), 1)  # it takes as long as the text
    return f"; did you mean {near[0]}?" if near else ""


def is_number(kind: Any) -> bool:
    """True if only numbers may stand where the model says ``kind``."""
    return _without_none(kind) in (int, float)


def _at(kind: Any, key: Sequence[str]) -> tuple[Any, Mapping[str, Any]]:
    """What the model says stands at ``key``, and its bounds. A part that pydantic calls ``[key]`` is the key before it."""
    bounds: Mapping[str, Any] = {}
    for at, name in enumerate(key):
        if is_dataclass(kind):
            field = next(field for field in fields(kind) if field.name == name)
            kind, bounds = field.type, field.metadata
        elif get_origin(kind) is Mapping:
            kind, bounds = get_args(kind)[0 if key[at + 1 :] == ("[key]",) else 1], {}
        elif get_origin(kind) is tuple:
            kind, bounds = get_args(kind)[0], {}
    return _without_none(kind), bounds


def _without_none(kind: Any) -> Any:
    return get_args(kind)[0] if NoneType in get_args(kind) else kind


def _choices(kind: Any, bounds: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts there are to choose from; none where any may stand."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(re.findall(r"\w+", str(bounds.get("pattern", "")).partition("(?i:")[2]))


def _expected(kind: Any, bounds: Mapping[str, Any]) -> str:
    if choices := _choices(kind, bounds):
        return f"one of {', '.join(choices)}"
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return f"a {'whole ' if kind is int else ''}number{_range(bounds)}"
    if kind is str and "max_length" in bounds:
        return f"a text of at most {bounds['max_length']} characters"
    if kind is str:
        return "a name without spaces" if "pattern" in bounds else "a text"
    return "a list of texts" if get_origin(kind) is tuple else "keys and values"


def _range(bounds: Mapping[str, Any]) -> str:
    if "ge" in bounds:
        return f" from {bounds['ge']:,.15g} to {bounds['le']:,.15g}"
    return f" above 0 and up to {bounds['le']:,.15g}"
