"""Fields of what came over the wire, each of the type that it should have; a JSON value of another one ends the decoding."""

from collections.abc import Mapping
from typing import Any

from hermes.types.whole import whole

Object = Mapping[str, Any]

LARGEST = 1 << 53
"""Ids have at most 52 significant bits (Bot API, "User", "Chat")."""


class Undecodable(ValueError):
    """An update is not what the Bot API says that it is; the text names the place and none of its words."""


def number(of: Object, key: str) -> int | None:
    """An id, a time or a size; None where there is none."""
    value = of.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST:
        raise Undecodable(f"{key}: no number that can be")
    return value


def name(of: Object, key: str) -> str | None:
    """An id as a text."""
    value = number(of, key)
    return None if value is None else str(value)


def text(of: Object, key: str) -> str:
    """A text, without halves of surrogate pairs; empty where there is none."""
    value = of.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Undecodable(f"{key}: no text")
    return whole(value)


def flag(of: Object, key: str) -> bool:
    """Whether it is true."""
    return of.get(key) is True


def inner(of: Object, key: str) -> Object | None:
    """An object; None where there is none."""
    value = of.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Undecodable(f"{key}: no object")
    return value


def objects(of: Object, key: str) -> list[Object]:
    """A list of objects; empty where there is none."""
    value = of.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Undecodable(f"{key}: no list of objects")
    return value


def number_of(of: Object, key: str) -> int:
    """A number that must be there."""
    if (value := number(of, key)) is None:
        raise Undecodable(f"{key}: it is missing")
    return value


def inner_of(of: Object, key: str) -> Object:
    """An object that must be there."""
    if (value := inner(of, key)) is None:
        raise Undecodable(f"{key}: it is missing")
    return value
