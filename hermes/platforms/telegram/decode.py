"""Updates as events; pure. What is not as the Bot API says raises ``Undecodable`` and nothing else.

    message, edited_message, channel_post … ─▶ message | edit       message_reaction ─▶ reaction
    callback_query with a button of ours    ─▶ command (/approve ID), by whoever has pressed it (S18)
    my_chat_member, a chat that has moved   ─▶ system

A message that nobody stands for has no user, so nobody who may speak (S14): a channel's post, an anonymous admin.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hermes.platforms.telegram.fields import (
    Object,
    Undecodable,
    flag,
    inner,
    inner_of,
    name,
    number,
    number_of,
    objects,
    text,
)
from hermes.platforms.telegram.files import attachments, in_words
from hermes.platforms.telegram.mentions import names, without
from hermes.types.events import EventKind, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import ChatType, Origin

PLATFORM = "telegram"

MESSAGES: Mapping[str, EventKind] = {
    "message": "message",
    "channel_post": "message",
    "edited_message": "edit",
    "edited_channel_post": "edit",
}
ALLOWED_UPDATES = (*MESSAGES, "callback_query", "message_reaction", "my_chat_member")
"""All that is asked for."""

_CHAT_TYPES: Mapping[str, ChatType] = {
    "private": "dm",
    "group": "group",
    "supergroup": "group",
    "channel": "channel",
}
_BUTTON = re.compile("(approve|deny):([0-9a-f]{8})")
_PRESENT = ("member", "administrator", "creator", "restricted")


@dataclass(frozen=True, slots=True)
class Bot:
    """Who we are."""

    bot_id: str
    username: str
    account: str


@dataclass(frozen=True, slots=True)
class Update:
    """An event, and what follows from it for the adapter alone.

    ``press``: the id of a pressed button, which waits for a word. ``reachable``: we may write to its chat (again).
    ``moved``: a group, and the supergroup that it has become.
    """

    event: InboundEvent
    press: str | None = None
    reachable: bool = False
    moved: tuple[str, str] | None = None


def event_id(bot: Bot, update_id: int) -> str:
    """The dedupe key: update ids are unique for one bot only."""
    return f"{bot.bot_id}:{update_id}"


def button(verdict: str, approval_id: str) -> str:
    """The data of a button, as ``decode`` reads it."""
    return f"{verdict}:{approval_id}"


def decode(update: Any, bot: Bot, now: float) -> Update:
    """``update`` as it came; ``now`` is in epoch seconds. Raises ``Undecodable``."""
    if not isinstance(update, dict):
        raise Undecodable("no object")
    named = event_id(bot, number_of(update, "update_id"))
    for key, kind in MESSAGES.items():
        if message := inner(update, key):
            return _message(message, kind, named, bot, now)
    if query := inner(update, "callback_query"):
        return _press(query, named, bot, now)
    if reaction := inner(update, "message_reaction"):
        chat = _chat(inner_of(reaction, "chat"), bot)
        origin = _by(chat, inner(reaction, "user"))
        emojis = " ".join(text(one, "emoji") for one in objects(reaction, "new_reaction"))
        event = _event(named, origin, emojis, "reaction", now)
        return Update(
            replace(event, message_id=name(reaction, "message_id"), sent_at=_time(reaction, "date"))
        )
    if change := inner(update, "my_chat_member"):
        origin = _by(_chat(inner_of(change, "chat"), bot), inner(change, "from"))
        event = _event(named, origin, "", "system", now)
        return Update(event, reachable=text(inner_of(change, "new_chat_member"), "status") in _PRESENT)
    raise Undecodable("of no kind that was asked for")


def _message(message: Object, kind: EventKind, named: str, bot: Bot, now: float) -> Update:
    origin = _origin(message, bot)
    moved = _moved(message, origin)
    said, entities = text(message, "text"), objects(message, "entities")
    if not said:
        said, entities = text(message, "caption"), objects(message, "caption_entities")
    event = InboundEvent(
        event_id=named,
        origin=origin,
        text=without(said, entities, bot.username) or in_words(message),
        received_at=now,
        trace=_trace(named),
        kind="system" if moved else kind,
        message_id=str(number_of(message, "message_id")),
        attachments=attachments(message),
        mentions_bot=any(names(entity, said, bot.bot_id, bot.username) for entity in entities),
        sent_at=_time(message, "edit_date") or _time(message, "date"),
        extra=_extra(message),
        forwarded=inner(message, "forward_origin") is not None,
    )
    return Update(_with_reply(event, message, bot), moved=moved)


def _moved(message: Object, origin: Origin) -> tuple[str, str] | None:
    """Said in both chats: in the one that was, first."""
    if moved_to := name(message, "migrate_to_chat_id"):
        return origin.chat_id, moved_to
    if moved_from := name(message, "migrate_from_chat_id"):
        return moved_from, origin.chat_id
    return None


def _with_reply(event: InboundEvent, message: Object, bot: Bot) -> InboundEvent:
    """What it answers. In a topic every message that answers nothing points at the topic's beginning."""
    quote = inner(message, "quote")
    quoted = text(quote, "text") if quote else ""
    replied = inner(message, "reply_to_message")
    if replied is None or inner(replied, "forum_topic_created") is not None:
        return replace(event, reply_to_text=quoted) if quoted else event
    author = None if inner(replied, "sender_chat") else inner(replied, "from")
    author_id = name(author, "id") if author else None
    return replace(
        event,
        reply_to=name(replied, "message_id"),
        reply_to_text=quoted or text(replied, "text") or text(replied, "caption") or None,
        reply_to_author_id=author_id,
        reply_to_author_name=(
            _person(author) if author else text(inner(replied, "sender_chat") or {}, "title")
        )
        or None,
        reply_to_is_own_message=author_id == bot.bot_id,
    )


def _press(query: Object, named: str, bot: Bot, now: float) -> Update:
    """A button. One of ours says what its presser could have typed, and is judged like that; all else is nothing to us."""
    presser, message = inner_of(query, "from"), inner(query, "message")
    # Without a message it comes from what somebody has shared from elsewhere: no chat of ours.
    chat = Origin(PLATFORM, str(number_of(presser, "id")), account=bot.account)
    if message is not None:
        chat = _origin(message, bot)
    ours = _BUTTON.fullmatch(text(query, "data")) if message is not None else None
    said = f"/{ours[1]} {ours[2]}" if ours else ""
    event = _event(named, _by(chat, presser), said, "command" if ours else "callback", now)
    message_id = name(message, "message_id") if message else None
    return Update(replace(event, message_id=message_id), press=text(query, "id") or None)


# --- places and people ----------------------------------------------------------------------------------------------------


def _origin(message: Object, bot: Bot) -> Origin:
    chat = _chat(inner_of(message, "chat"), bot)
    if flag(message, "is_topic_message"):
        created = inner(inner(message, "reply_to_message") or {}, "forum_topic_created")
        topic = text(created, "name") if created else ""
        chat = replace(chat, thread_id=name(message, "message_thread_id"), chat_topic=topic or None)
    if sender_chat := inner(message, "sender_chat"):
        return replace(chat, user_name=text(sender_chat, "title") or None)
    return _by(chat, inner(message, "from"))


def _chat(chat: Object, bot: Bot) -> Origin:
    kind = _CHAT_TYPES.get(text(chat, "type"))
    if kind is None:
        raise Undecodable("type: no such kind of chat")
    return Origin(
        PLATFORM,
        str(number_of(chat, "id")),
        account=bot.account,
        chat_type=kind,
        chat_name=text(chat, "title") or _person(chat) or None,
    )


def _by(origin: Origin, user: Object | None) -> Origin:
    if user is None:
        return replace(origin, user_id=None, user_name=None)
    return replace(
        origin,
        user_id=str(number_of(user, "id")),
        user_name=_person(user) or None,
        is_bot=flag(user, "is_bot"),
    )


def _person(user: Object) -> str:
    full = " ".join(filter(None, (text(user, "first_name"), text(user, "last_name"))))
    return full or text(user, "username")


# --- small words -----------------------------------------------------------------------------------------------------------


def _event(named: str, origin: Origin, said: str, kind: EventKind, now: float) -> InboundEvent:
    return InboundEvent(named, origin, said, now, _trace(named), kind)


def _extra(message: Object) -> dict[str, str]:
    album = text(message, "media_group_id")
    return {"media_group_id": album} if album else {}


def _time(of: Object, key: str) -> float | None:
    at = number(of, key)
    return float(at) if at else None


def _trace(named: str) -> TraceId:
    return TraceId(f"{PLATFORM}-{named}")
