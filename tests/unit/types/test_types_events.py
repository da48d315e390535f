"""Every field that the original knows of a message has a place here, or a reason why it has none."""

from dataclasses import fields

import pytest

from hermes.types.events import Attachment, InboundEvent
from hermes.types.origin import Origin

SOURCE = {
    "platform": "platform",
    "chat_id": "chat_id",
    "chat_name": "chat_name",
    "chat_type": "chat_type",
    "user_id": "user_id",
    "user_name": "user_name",
    "thread_id": "thread_id",
    "chat_topic": "chat_topic",
    "user_id_alt": "user_id_alt",
    "chat_id_alt": "chat_id_alt",
    "is_bot": "is_bot",
    "scope_id": "scope_id",
    "parent_chat_id": "parent_chat_id",
    "role_authorized": "role_authorized",
    "auto_thread_created": "auto_thread_created",
    "auto_thread_initial_name": "auto_thread_initial_name",
}
SOURCE_ELSEWHERE = {"message_id", "profile", "delivered_via_upstream_relay"}

MESSAGE = {
    "text": "text",
    "message_type": "kind",
    "source": "origin",
    "message_id": "message_id",
    "platform_update_id": "event_id",
    "media_urls": "attachments",
    "media_types": "attachments",
    "reply_to_message_id": "reply_to",
    "reply_to_text": "reply_to_text",
    "reply_to_author_id": "reply_to_author_id",
    "reply_to_author_name": "reply_to_author_name",
    "reply_to_is_own_message": "reply_to_is_own_message",
    "channel_context": "channel_context",
    "internal": "internal",
    "metadata": "extra",
    "timestamp": "sent_at",
}
MESSAGE_ELSEWHERE = {"auto_skill", "channel_prompt", "raw_message"}


@pytest.mark.parametrize(
    ("kind", "places", "elsewhere"),
    [(Origin, SOURCE, SOURCE_ELSEWHERE), (InboundEvent, MESSAGE, MESSAGE_ELSEWHERE)],
)
def test_every_field_of_the_original_has_a_place(
    kind: type, places: dict[str, str], elsewhere: set[str]
) -> None:
    ours = {field.name for field in fields(kind)}

    assert set(places.values()) <= ours
    for name in elsewhere:
        assert f"``{name}``" in (kind.__doc__ or "")
        assert name not in ours or name == "message_id"


def test_what_came_in_by_a_relay_can_never_be_stored() -> None:
    assert not any("relay" in field.name for kind in (Origin, InboundEvent) for field in fields(kind))


@pytest.mark.parametrize("chat_type", ["dm", "group", "channel", "thread", "forum"])
def test_kinds_of_chats(chat_type: str) -> None:
    assert Origin("p", "c").chat_type == "dm"
    assert Origin("p", "c", chat_type=chat_type).chat_type == chat_type  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("message_type", "kind"),
    [
        ("location", "location"),
        ("photo", "image"),
        ("video", "video"),
        ("audio", "audio"),
        ("voice", "voice"),
        ("document", "document"),
        ("sticker", "sticker"),
    ],
)
def test_types_of_messages_are_kinds_of_attachments(message_type: str, kind: str) -> None:
    assert kind in Attachment.__annotations__["kind"].__args__, message_type
