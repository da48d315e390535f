"""Text that every store and every platform takes: without half surrogates, which foreign code may make of a cut emoji."""

import re
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")

_HALF = re.compile("[\ud800-\udfff]")


def whole(value: T) -> T:
    """``value``, with U+FFFD for each half of a surrogate pair in any text of it, however deep in tuples, lists, dicts and
    frozen dataclasses; two halves that belong together are the character. ``value`` itself if there is none.
    """
    return cast("T", _whole(value))


def whole_so_far(text: str) -> tuple[str, str]:
    """``text`` made whole, but for a first half at its end, which comes apart: the other one may follow."""
    half = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
    return whole(text.removesuffix(half)), half


def _whole(value: Any) -> Any:
    # With each event that comes in: most of what it holds is neither text nor holds any.
    if value is None or isinstance(value, (int, float, bytes)):
        return value
    if isinstance(value, str):
        if value.isascii() or not _HALF.search(value):
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, (tuple, list)):
        made = [_whole(one) for one in value]
        changed = any(one is not before for one, before in zip(made, value, strict=True))
        return type(value)(made) if changed else value
    if isinstance(value, dict):
        pairs = {_whole(key): _whole(one) for key, one in value.items()}
        same = len(pairs) == len(value) and all(value.get(key) is one for key, one in pairs.items())
        return value if same else pairs
    mended: dict[str, Any] = {}
    kind: Any = type(value)
    for name in _names(kind):
        one = getattr(value, name)
        plain = one is None or one is False or (one.__class__ is str and one.isascii())
        if not plain and (made_of := _whole(one)) is not one:
            mended[name] = made_of
    return replace(value, **mended) if mended else value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()
