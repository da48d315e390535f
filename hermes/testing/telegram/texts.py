"""What Telegram takes as a text, a caption, a keyboard; lengths and offsets are in UTF-16 units."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hermes.testing.telegram.refusal import Refused

TEXT_UNITS = 4096
CAPTION_UNITS = 1024
CALLBACK_BYTES = 64

_ENTITIES = frozenset(
    "mention hashtag cashtag bot_command url email phone_number bold italic underline strikethrough spoiler blockquote "
    "expandable_blockquote code pre text_link text_mention custom_emoji date_time".split()
)
_FOUND = re.compile(
    r"(?P<bot_command>(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?)|(?P<mention>(?<!\w)@[A-Za-z0-9_]{3,32})"
    r"|(?P<url>https?://[^\s<>\"]+)"
)

Entities = list[dict[str, Any]]


def units(text: str) -> int:
    """How long ``text`` is."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def found(text: str) -> Entities:
    """What Telegram finds in a text by itself: commands, mentions and addresses."""
    return [
        {"type": match.lastgroup, "offset": units(text[: match.start()]), "length": units(match.group())}
        for match in _FOUND.finditer(text)
    ]


def checked(text: str, entities: Sequence[Any], most: int, *, name: str = "message") -> tuple[str, Entities]:
    """A text as Telegram keeps it, without the space around it; raises ``Refused`` for what it does not take."""
    if text.encode("utf-8", "replace").decode() != text:
        raise Refused(400, "Bad Request: strings must be encoded in UTF-8")
    kept = [_entity(entity) for entity in entities]
    _fit(text, kept)
    if units(text) > most:
        raise Refused(400, f"Bad Request: {name} is too long")
    end = units(text.rstrip())
    begin = min([units(text) - units(text.lstrip()), *(entity["offset"] for entity in kept)])
    text = text.rstrip()[begin:]  # what is cut off in front is space, so one unit each
    placed = []
    for entity in kept:
        length = min(entity["offset"] + entity["length"], end) - entity["offset"]
        if length > 0:
            placed.append(entity | {"offset": entity["offset"] - begin, "length": length})
    taken = {(entity["offset"], entity["length"]) for entity in placed}
    return text, placed + [one for one in found(text) if (one["offset"], one["length"]) not in taken]


def _entity(entity: Any) -> dict[str, Any]:
    """One that is well formed, by itself."""
    if not isinstance(entity, Mapping):
        raise Refused(400, "Bad Request: can't parse MessageEntity: expected an Object")
    if entity.get("type") not in _ENTITIES:
        raise Refused(400, "Bad Request: can't parse MessageEntity: unsupported type specified")
    for number in ("offset", "length"):
        if not isinstance(entity.get(number), int) or isinstance(entity[number], bool):
            raise Refused(
                400, f'Bad Request: can\'t parse MessageEntity: field "{number}" must be of type Number'
            )
    if entity["offset"] < 0 or entity["length"] < 0:
        raise Refused(400, "Bad Request: receive an entity with incorrect offset or length")
    if entity["type"] == "text_link" and not re.match(
        r"(https?|tg|ftp)://.|[\w-]+\.\w", entity.get("url") or ""
    ):
        raise Refused(400, f"Bad Request: entity URL '{entity.get('url', '')}' is invalid: Wrong HTTP URL")
    return dict(entity)


def _fit(text: str, entities: Entities) -> None:
    """Each lies within the text, and splits no character."""
    starts, length = {0}, 0
    for character in text:
        length += units(character)
        starts.add(length)
    for entity in entities:
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if end > length:
            raise Refused(
                400,
                f"Bad Request: entity beginning at UTF-16 offset {begin} ends after the end of the text at UTF-16 offset {end}",
            )
        if begin not in starts:
            raise Refused(400, "Bad Request: entity begins in a middle of a UTF-16 symbol at byte offset 0")
        if end not in starts:
            raise Refused(
                400,
                f"Bad Request: entity beginning at UTF-16 offset {begin} ends in a middle of a UTF-16 symbol at byte offset 0",
            )


def keyboard(markup: Any) -> dict[str, Any] | None:
    """An inline keyboard that Telegram takes; other kinds are kept as they are."""
    if markup is None:
        return None
    if not isinstance(markup, Mapping):
        raise Refused(400, "Bad Request: object expected as reply markup")
    for row in markup.get("inline_keyboard", ()):
        for button in row:
            if not button.get("text"):
                raise Refused(400, "Bad Request: text buttons are unallowed in the inline keyboard")
            data = button.get("callback_data")
            if data is None and not button.keys() - {"text"}:
                raise Refused(400, "Bad Request: inline keyboard button must have an action")
            if data is not None and not 1 <= len(data.encode()) <= CALLBACK_BYTES:
                raise Refused(400, "Bad Request: BUTTON_DATA_INVALID")
    return dict(markup)
