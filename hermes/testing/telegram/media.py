"""Files that go out and come in: sent, put into albums, looked up."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from hermes.ops.inbound_files import HEAD_BYTES, sniffed
from hermes.testing.telegram.bot import Bot
from hermes.testing.telegram.forms import Params
from hermes.testing.telegram.methods import SEND, caption_of, method, post
from hermes.testing.telegram.refusal import Refused
from hermes.testing.telegram.world import File, Message, World

PHOTO_BYTES = 10 * 1024 * 1024
UPLOAD_BYTES = 50 * 1024 * 1024
DOWNLOAD_BYTES = 20 * 1024 * 1024

_albums = count(1)


def described(kind: str, file: File) -> Any:
    """A file as it stands in a message, under the name ``kind``."""
    told = {"file_id": file.file_id, "file_unique_id": f"u{file.file_id}", "file_size": len(file.body)}
    if kind == "photo":
        small = {
            "file_id": f"{file.file_id}s",
            "file_unique_id": f"u{file.file_id}s",
            "width": 90,
            "height": 90,
        }
        return [small, told | {"width": 800, "height": 800}]
    if kind == "sticker":
        return told | {
            "type": "regular",
            "width": 512,
            "height": 512,
            "is_animated": False,
            "is_video": False,
        }
    told |= {"mime_type": file.mime}
    if kind != "voice":
        told |= {"file_name": file.name}
    if kind in ("voice", "audio", "video", "animation"):
        told |= {"duration": 1}
    if kind in ("video", "animation"):
        told |= {"width": 640, "height": 480}
    return told


def outgoing(world: World, params: Params, kind: str, given: Any) -> File:
    """The file that ``given`` means: an upload's name, a ``file_id``, or an address that Telegram would fetch."""
    upload = params.files.get(str(given).removeprefix("attach://"))
    if upload is not None:
        if not upload.body:
            raise Refused(400, "Bad Request: file must be non-empty")
        if len(upload.body) > (PHOTO_BYTES if kind == "photo" else UPLOAD_BYTES):
            raise Refused(413)
        if kind == "photo" and not (sniffed(upload.body[:HEAD_BYTES]) or "").startswith("image/"):
            raise Refused(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return world.file(upload.name, upload.mime, upload.body)
    if not given:
        raise Refused(400, f"Bad Request: there is no {kind} in the request")
    if str(given).startswith(("https://", "http://")):
        return world.file(str(given).rpartition("/")[2], "application/octet-stream", str(given).encode())
    if given in world.files:
        return world.files[given]
    raise Refused(400, "Bad Request: wrong remote file identifier specified: Wrong string length")


def _register(name: str, kind: str, names: str) -> None:
    def send(world: World, bot: Bot, params: Params) -> Message:
        given = params.given.get(kind) or (f"attach://{kind}" if kind in params.files else None)
        caption = caption_of(params)
        file = outgoing(world, params, kind, given)
        also = {"document": described("document", file)} if kind == "animation" else {}
        return post(world, bot, params, **caption, **{kind: described(kind, file)}, **also)

    method(name, f"{SEND} caption parse_mode caption_entities {kind} {names}")(send)


_register("sendPhoto", "photo", "show_caption_above_media has_spoiler")
_register("sendDocument", "document", "thumbnail disable_content_type_detection")
_register("sendVoice", "voice", "duration")
_register("sendAudio", "audio", "duration performer title thumbnail")
_register(
    "sendVideo",
    "video",
    "duration width height thumbnail cover start_timestamp show_caption_above_media has_spoiler supports_streaming",
)
_register(
    "sendAnimation", "animation", "duration width height thumbnail show_caption_above_media has_spoiler"
)


@method(
    "sendMediaGroup",
    "business_connection_id chat_id message_thread_id direct_messages_topic_id media disable_notification protect_content "
    "allow_paid_broadcast message_effect_id reply_parameters",
)
def _send_album(world: World, bot: Bot, params: Params) -> list[Message]:
    items = params.items("media")
    if not 2 <= len(items) <= 10:
        raise Refused(400, "Bad Request: an album has 2 to 10 items")
    kinds = {item.get("type") for item in items if isinstance(item, Mapping)}
    if not (kinds <= {"photo", "video"} or kinds in ({"document"}, {"audio"})):
        raise Refused(400, "Bad Request: documents and audio can't be mixed with other media types")
    prepared: list[tuple[dict[str, Any], str, File]] = []
    for item in items:
        caption = caption_of(Params(item))
        prepared.append((caption, item["type"], outgoing(world, params, item["type"], item.get("media"))))
    album = str(next(_albums))
    return [
        post(world, bot, params, album=album, **caption, **{kind: described(kind, file)})
        for caption, kind, file in prepared
    ]


@method("getFile", "file_id")
def _file(world: World, bot: Bot, params: Params) -> dict[str, Any]:
    file = world.files.get(params.text("file_id").removesuffix("s"))
    if file is None:
        raise Refused(400, "Bad Request: invalid file_id")
    if len(file.body) > DOWNLOAD_BYTES:
        raise Refused(400, "Bad Request: file is too big")
    told = {"file_id": file.file_id, "file_unique_id": f"u{file.file_id}", "file_size": len(file.body)}
    return told | {"file_path": file.path}
