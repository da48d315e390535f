"""Parts as calls of the Bot API; pure. Text goes with entities and never with ``parse_mode``: nothing in it can be malformed."""

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from hermes.platforms.telegram.decode import button
from hermes.platforms.telegram.settings import Settings
from hermes.render.ir import Body
from hermes.render.measure import boundary, length
from hermes.types import texts
from hermes.types.approvals import APPROVAL_ID
from hermes.types.content import Entity, Media, Part

PHOTO_BYTES = 10_000_000
"""A larger picture goes as a document (Bot API, sendPhoto)."""

CAPTION_UNITS = 1024
GENERAL = "1"
"""The topic that every forum has. A message to it names none."""

_NUMBER = re.compile("-?[0-9]{1,19}")

_PHOTOS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", "")
_VOICES = (".ogg", ".oga", ".opus", ".mp3", ".m4a")
_SONGS = (".mp3", ".m4a")
_VIDEOS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", "")

REACTIONS: Mapping[str, str] = {"✅": "👍", "❌": "👎", "⏳": "👀", "❤️": "❤"}
"""What bots may not put to a message, and what is said instead (Bot API, ReactionTypeEmoji)."""


@dataclass(frozen=True, slots=True)
class Call:
    """``files``: by field, what is read from this host and goes with it."""

    method: str
    parameters: Mapping[str, Any]
    files: Mapping[str, Media] = field(default_factory=dict)


def chat(chat_id: str) -> int | str:
    """A chat as the API wants it."""
    return int(chat_id) if _NUMBER.fullmatch(chat_id) else chat_id


def send(
    chat_id: str, part: Part, reply_to: str | None, metadata: Mapping[str, str], settings: Settings
) -> Call:
    """The call that sends ``part``."""
    where = _where(chat_id, part, reply_to, metadata, settings)
    if part.media:
        return _media(part.media, where)
    asked = metadata.get(APPROVAL_ID)
    markup = {"reply_markup": _buttons(asked)} if asked and part.index == part.total - 1 else {}
    return Call("sendMessage", where | _text(part.text, part.entities, settings) | markup)


def edit(chat_id: str, message_id: str, part: Part, settings: Settings) -> Call:
    """The call that has a message say ``part``."""
    which = {"chat_id": chat(chat_id), "message_id": int(message_id)}
    return Call("editMessageText", which | _text(part.text, part.entities, settings))


def as_document(call: Call) -> Call:
    """The same picture as a file, which Telegram does not look into."""
    parameters = {("document" if key == "photo" else key): value for key, value in call.parameters.items()}
    files = {("document" if key == "photo" else key): value for key, value in call.files.items()}
    return Call("sendDocument", parameters, files)


def elsewhere(call: Call, chat_id: str) -> Call:
    """The same call in another chat, where what it answers has another id."""
    parameters = {key: value for key, value in call.parameters.items() if key != "reply_parameters"}
    return Call(call.method, parameters | {"chat_id": chat(chat_id)}, call.files)


def draft(chat_id: str, draft_id: str, thread_id: str | None, body: Body) -> Call:
    """The call that shows an answer which is being written. The id only has to be the same for the same answer, and not 0."""
    shown = {"draft_id": zlib.crc32(draft_id.encode()) >> 1 or 1, "text": body.text}
    marks = {"entities": _entities(body.entities)} if body.entities else {}
    return Call("sendMessageDraft", {"chat_id": chat(chat_id)} | thread(thread_id) | shown | marks)


def thread(thread_id: str | None) -> dict[str, Any]:
    """The topic, if it has to be named."""
    if thread_id is None or thread_id == GENERAL or not _NUMBER.fullmatch(thread_id):
        return {}
    return {"message_thread_id": int(thread_id)}


def _where(
    chat_id: str, part: Part, reply_to: str | None, metadata: Mapping[str, str], settings: Settings
) -> dict[str, Any]:
    where = {"chat_id": chat(chat_id), **thread(metadata.get("thread_id"))}
    wanted = settings.reply_to_mode == "all" or (settings.reply_to_mode == "first" and part.index == 0)
    if wanted and reply_to is not None and _NUMBER.fullmatch(reply_to):
        where["reply_parameters"] = {"message_id": int(reply_to), "allow_sending_without_reply": True}
    return where


def _text(text: str, entities: Sequence[Entity], settings: Settings) -> dict[str, Any]:
    said: dict[str, Any] = {"text": text}
    if entities:
        said["entities"] = _entities(entities)
    if not settings.link_previews:
        said["link_preview_options"] = {"is_disabled": True}
    return said


def _entities(entities: Sequence[Entity]) -> list[dict[str, Any]]:
    return [
        {"type": one.kind, "offset": one.offset, "length": one.length}
        | ({"url": one.url} if one.url else {})
        | ({"language": one.language} if one.language else {})
        for one in entities
    ]


def _buttons(approval_id: str) -> dict[str, Any]:
    words = (("approve", texts.BUTTON_APPROVE), ("deny", texts.BUTTON_DENY))
    return {
        "inline_keyboard": [
            [{"text": said, "callback_data": button(verdict, approval_id)} for verdict, said in words]
        ]
    }


# --- files ----------------------------------------------------------------------------------------------------------------


def _media(media: Sequence[Media], where: Mapping[str, Any]) -> Call:
    if len(media) > 1:
        return _album(media, where)
    (one,) = media
    kind = _kind(one)
    said = {**where, **_caption(one)}
    method = f"send{kind.capitalize()}"
    if _is_address(one):
        return Call(method, {**said, kind: one.ref})
    return Call(method, said, {kind: one})


def _album(media: Sequence[Media], where: Mapping[str, Any]) -> Call:
    kinds = [_kind(one) for one in media]
    if not set(kinds) <= {"photo", "video"}:
        kinds = ["document"] * len(media)  # documents go with documents alone
    files = {f"file{index}": one for index, one in enumerate(media) if not _is_address(one)}
    listed = [
        {
            "type": kind,
            "media": one.ref if _is_address(one) else f"attach://file{index}",
            **_caption(one),
        }
        for index, (kind, one) in enumerate(zip(kinds, media, strict=True))
    ]
    return Call("sendMediaGroup", {**where, "media": listed}, files)


def _kind(media: Media) -> str:
    """As what it goes: what Telegram would not take as such goes as a document."""
    suffix = PurePath((media.name or media.ref).partition("?")[0]).suffix.lower()
    match media.kind:
        case "image" if suffix == ".gif":
            return "animation"
        case "image" if suffix in _PHOTOS and media.size_bytes <= PHOTO_BYTES:
            return "photo"
        case "voice" if suffix in _VOICES:
            return "voice"
        case "voice" | "audio" if suffix in _SONGS:
            return "audio"
        case "video" if suffix in _VIDEOS:
            return "video"
        case _:
            return "document"


def _caption(media: Media) -> dict[str, str]:
    return {"caption": _cut(media.caption)} if media.caption else {}


def _cut(caption: str) -> str:
    if length(caption, "utf16") <= CAPTION_UNITS:
        return caption
    at = CAPTION_UNITS - 1
    while length(caption[:at], "utf16") >= CAPTION_UNITS:
        at -= 1
    return caption[: boundary(caption, at)] + "…"


def _is_address(media: Media) -> bool:
    return media.ref.startswith("https://")
