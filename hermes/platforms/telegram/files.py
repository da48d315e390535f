"""What comes with a message besides its words: references to files, and places and people as words."""

from hermes.platforms.telegram.fields import Object, Undecodable, inner, number, objects, text
from hermes.types.events import Attachment

_KINDS = {
    "animation": "video",
    "voice": "voice",
    "audio": "audio",
    "video": "video",
    "video_note": "video",
    "document": "document",
}
_TYPES = {"voice": "audio/ogg", "video_note": "video/mp4"}
"""What these are where nothing is said."""


def attachments(message: Object) -> tuple[Attachment, ...]:
    """The files of ``message``, and the place that it shows; of a picture the largest size alone. Raises ``Undecodable``."""
    return (*_photo(message), *_file(message), *_sticker(message), *_location(message))


def in_words(message: Object) -> str:
    """What the people of a chat see of a contact, a venue, a poll or a die. Raises ``Undecodable``."""
    if contact := inner(message, "contact"):
        who = _joined(text(contact, "first_name"), text(contact, "last_name"))
        return f"[contact] {_joined(who, text(contact, 'phone_number'))}"
    if venue := inner(message, "venue"):
        return f"[place] {_joined(text(venue, 'title'), text(venue, 'address'))}"
    if poll := inner(message, "poll"):
        options = "".join(f"\n- {text(option, 'text')}" for option in objects(poll, "options"))
        return f"[poll] {text(poll, 'question')}{options}"
    if dice := inner(message, "dice"):
        return f"{text(dice, 'emoji')} {number(dice, 'value') or ''}".strip()
    if sticker := inner(message, "sticker"):
        return text(sticker, "emoji")
    return ""


def _photo(message: Object) -> list[Attachment]:
    sizes = objects(message, "photo")
    if not sizes:
        return []
    largest = max(sizes, key=lambda size: (number(size, "width") or 0) * (number(size, "height") or 0))
    return [Attachment("image", _id(largest), mime="image/jpeg", size_bytes=_size(largest))]


def _file(message: Object) -> list[Attachment]:
    for key, kind in _KINDS.items():
        if file := inner(message, key):
            mime = text(file, "mime_type") or _TYPES.get(key)
            name = text(file, "file_name") or None
            return [Attachment(kind, _id(file), name, mime, _size(file))]  # type: ignore[arg-type]
    return []


def _sticker(message: Object) -> list[Attachment]:
    if not (sticker := inner(message, "sticker")):
        return []
    if sticker.get("is_animated") is True:
        mime = "application/x-tgsticker"
    else:
        mime = "video/webm" if sticker.get("is_video") is True else "image/webp"
    return [Attachment("sticker", _id(sticker), mime=mime, size_bytes=_size(sticker))]


def _location(message: Object) -> list[Attachment]:
    if not (location := inner(message, "location")):
        return []
    place = [location.get("latitude"), location.get("longitude")]
    if not all(isinstance(part, int | float) and abs(part) <= 180 for part in place):
        raise Undecodable("location: no place on Earth")
    return [Attachment("location", f"{place[0]},{place[1]}")]


def _id(file: Object) -> str:
    if not (ref := text(file, "file_id")):
        raise Undecodable("file_id: it is missing")
    return ref


def _size(file: Object) -> int | None:
    return number(file, "file_size")


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
