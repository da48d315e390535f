"""The bot's own name in what people say: it addresses a message, and is no word of it. Pure."""

import re
from collections.abc import Sequence
from functools import reduce

from hermes.platforms.telegram.fields import Object, inner, name, number_of, text

_APART = re.compile(r"\A[,:;]?(?:[ \t]+|(?=\n)|\Z)")
"""What sets a name at the beginning of a line apart from the words behind it."""


def names(entity: Object, said: str, bot_id: str, username: str) -> bool:
    """Does this entity of ``said`` mean the bot? Raises ``Undecodable``."""
    match text(entity, "type"):
        case "text_mention":
            return name(inner(entity, "user") or {}, "id") == bot_id
        case "mention":
            return bool(username) and _stretch(entity, said).casefold() == f"@{username}".casefold()
        case _:
            return False


def without(said: str, entities: Sequence[Object], username: str) -> str:
    """``said`` without ``@username``, wherever Telegram has seen that name in it, and without what set it apart; as it is, if
    nothing would be left. Raises ``Undecodable``.
    """
    ours = [one for one in entities if text(one, "type") == "mention" and names(one, said, "", username)]
    units, pieces, last = said.encode("utf-16-le"), [], 0
    for entity in sorted(ours, key=lambda one: number_of(one, "offset")):
        begin = 2 * number_of(entity, "offset")
        pieces.append(_text(units[last:begin]))
        last = begin + 2 * number_of(entity, "length")
    kept = reduce(_joined, [*pieces, _text(units[last:])])
    return kept if kept.strip() else said


def _joined(before: str, after: str) -> str:
    """The words on both sides of a name."""
    if not before.strip():
        return _APART.sub("", after, count=1).lstrip()
    if before.endswith("\n"):
        return before + _APART.sub("", after, count=1)
    if before.endswith((" ", "\t")) and not after[:1].isalnum():
        return before.rstrip(" \t") + after
    return before + after


def _stretch(entity: Object, said: str) -> str:
    begin = 2 * number_of(entity, "offset")
    return _text(said.encode("utf-16-le")[begin : begin + 2 * number_of(entity, "length")])


def _text(units: bytes) -> str:
    return units.decode("utf-16-le", "replace")
