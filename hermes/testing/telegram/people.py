"""What people do with bots, and what they see of them."""

import json
import time
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from hermes.testing.telegram import media
from hermes.testing.telegram.bot import Bot
from hermes.testing.telegram.texts import found
from hermes.testing.telegram.world import Chat, Message, Person, World

Place = Chat | Person | int
"""What names a chat."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of a bot's as people see it by now. ``buttons`` are texts and callback data; ``files`` the bytes."""

    message_id: int
    text: str
    reply_to: int | None
    thread_id: int | None
    entities: tuple[Mapping[str, Any], ...]
    buttons: tuple[tuple[str, str], ...]
    files: tuple[bytes, ...]
    album: str | None
    reactions: tuple[str, ...]
    edited: bool


class People(ABC):
    """Moves the people of a ``World``. ``bot`` is the one that is meant where none is named."""

    bot: Bot

    def __init__(self) -> None:
        self.world = World()
        self.bots: dict[str, Bot] = {}
        self._queries = count(1)

    def person(self, name: str, username: str | None = None) -> Person:
        """Somebody who has pressed Start: there is a direct chat with each bot."""
        person = self.world.person(name, username)
        for bot in self.bots.values():
            self.world.direct(bot.id, person)
        return person

    def group(
        self,
        title: str,
        *members: Person,
        topics: Sequence[str] = (),
        kind: str = "group",
        bot: Bot | None = None,
    ) -> Chat:
        """A group with ``members`` and ``bot``, or every bot; ``kind`` as in ``Chat.type``. With ``topics`` it is a forum."""
        bots = {one.id for one in self.bots.values()} if bot is None else {bot.id}
        kind = "supergroup" if topics and kind == "group" else kind
        chat = self.world.group(kind, title, {person.id: person for person in members}, bots)
        if topics:
            chat.add(None, supergroup_chat_created=True)  # so that no topic has the number of the general one
        for topic in topics:
            made = chat.add(None, forum_topic_created={"name": topic, "icon_color": 7322096})
            chat.topics[topic] = made["message_id"]
        return chat

    def chat(self, place: Place | None, person: Person | None = None, bot: Bot | None = None) -> Chat:
        """The chat that ``place`` names; without one, the direct chat of ``person``."""
        bot = bot or self.bot
        match place or person:
            case Chat() as chat:
                return chat
            case Person() as somebody:
                return self.world.direct(bot.id, somebody)
            case chat_id:
                return self.world.find(bot.id, chat_id)

    def say(
        self,
        person: Person,
        text: str = "",
        *,
        chat: Place | None = None,
        bot: Bot | None = None,
        reply_to: int | None = None,
        thread: int | None = None,
        entities: Sequence[Mapping[str, Any]] | None = None,
        files: Mapping[str, bytes] | None = None,
        album: str | None = None,
        name: str = "",
        mime: str = "application/octet-stream",
        **content: Any,
    ) -> int:
        """Write; returns the message's id. ``files`` are contents by kind (photo, voice, document …), ``text`` then is their
        caption; ``content`` are further fields of the message.
        """
        where = self.chat(chat, person, bot)
        worded = "caption" if files else "text"
        placed = [dict(entity) for entity in entities] if entities is not None else found(text)
        kept = {
            kind: media.described(kind, self.world.file(name or kind, mime, body))
            for kind, body in (files or {}).items()
        }
        message = where.add(
            None if where.type == "channel" else person.user,
            thread,
            **{worded: text or None, f"{'caption_' if files else ''}entities": placed or None},
            reply_to_message=where.quoted(reply_to),
            media_group_id=album,
            **kept,
            **content,
        )
        if where.type == "channel":
            message |= {"sender_chat": where.described}
        self._tell(where, "channel_post" if where.type == "channel" else "message", message)
        return int(message["message_id"])

    def album(
        self, person: Person, photos: Sequence[bytes], caption: str = "", *, chat: Place | None = None
    ) -> list[int]:
        """Send several pictures as one; the caption is the first one's."""
        name = f"{time.monotonic_ns()}"
        return [
            self.say(
                person,
                caption if not n else "",
                chat=chat,
                files={"photo": photo},
                album=name,
                mime="image/png",
            )
            for n, photo in enumerate(photos)
        ]

    def edit(self, person: Person, message_id: int, text: str, *, chat: Place | None = None) -> None:
        """Change what was said."""
        where = self.chat(chat, person)
        message = where.messages[message_id]
        message |= {"text": text, "edit_date": message["date"] + 1}
        message.pop("entities", None)
        if entities := found(text):
            message["entities"] = entities
        self._tell(where, "edited_channel_post" if where.type == "channel" else "edited_message", message)

    def react(self, person: Person, message_id: int, emoji: str, *, chat: Place | None = None) -> None:
        """Put an emoji to a message; "" takes it away."""
        where = self.chat(chat, person)
        reaction = [{"type": "emoji", "emoji": emoji}] if emoji else []
        said = {
            "chat": where.described,
            "message_id": message_id,
            "user": person.user,
            "date": int(time.time()),
        }
        self._tell(where, "message_reaction", said | {"old_reaction": [], "new_reaction": reaction})

    def press(
        self, person: Person, message_id: int, data: str, *, chat: Place | None = None, bot: Bot | None = None
    ) -> str:
        """Press the button with ``data`` under a bot's message; returns the query's id. Raises ``KeyError`` if there is none."""
        where, bot = self.chat(chat, person, bot), bot or self.bot
        message = where.messages[message_id]
        if data not in [known for _, known in _buttons(message)]:
            raise KeyError(f"message {message_id} has no button {data!r}")
        query = f"query{next(self._queries)}"
        bot.queries.add(query)
        said = {
            "id": query,
            "from": person.user,
            "message": message,
            "chat_instance": str(where.id),
            "data": data,
        }
        bot.updates.add("callback_query", said)
        return query

    def forward(self, person: Person, text: str, of: Person, *, chat: Place | None = None) -> int:
        """Pass on what somebody else has said."""
        origin = {"type": "user", "date": int(time.time()), "sender_user": of.user}
        return self.say(person, text, chat=chat, forward_origin=origin)

    def block(self, person: Person, *, bot: Bot | None = None) -> None:
        """The bot may not write to this person any more."""
        bot = bot or self.bot
        person.blocked.add(bot.id)
        self._member(self.world.direct(bot.id, person), person, bot, "member", "kicked")

    def unblock(self, person: Person, *, bot: Bot | None = None) -> None:
        """It may again."""
        bot = bot or self.bot
        person.blocked.discard(bot.id)
        self._member(self.world.direct(bot.id, person), person, bot, "kicked", "member")

    def join(self, chat: Chat, person: Person, *, bot: Bot | None = None) -> None:
        """``person`` adds the bot to a group."""
        bot = bot or self.bot
        chat.bots.add(bot.id)
        self._member(chat, person, bot, "left", "member")

    def kick(self, chat: Chat, person: Person, *, bot: Bot | None = None) -> None:
        """``person`` puts the bot out of a group."""
        bot = bot or self.bot
        self._member(chat, person, bot, "member", "kicked")
        chat.bots.discard(bot.id)

    def migrate(self, chat: Chat) -> Chat:
        """A group becomes a supergroup, with another id; the old one takes nothing any more."""
        grown = self.world.group("supergroup", chat.title, chat.members, set(chat.bots))
        sender = next(iter(chat.members.values())).user if chat.members else None
        self._tell(chat, "message", chat.add(sender, migrate_to_chat_id=grown.id))
        chat.moved_to = grown.id
        self._tell(grown, "message", grown.add(sender, migrate_from_chat_id=chat.id))
        return grown

    def garble(self, bot: Bot | None = None, content: Any = 7) -> None:
        """An update whose message is none."""
        (bot or self.bot).updates.add("message", content)

    def repeat(self, bot: Bot | None = None) -> None:
        """The last update comes once more."""
        (bot or self.bot).updates.repeat()

    def _member(self, chat: Chat, person: Person, bot: Bot, before: str, after: str) -> None:
        def state(status: str) -> dict[str, Any]:
            return {"user": bot.user, "status": status} | ({"until_date": 0} if status == "kicked" else {})

        said = {"chat": chat.described, "from": person.user, "date": int(time.time())}
        bot.updates.add(
            "my_chat_member", said | {"old_chat_member": state(before), "new_chat_member": state(after)}
        )

    def _tell(self, chat: Chat, kind: str, content: Message) -> None:
        for bot in self.bots.values():
            if bot.id in chat.bots and (chat.type != "group" or bot.is_told(content)):
                bot.updates.add(kind, json.loads(json.dumps(content)))

    # --- what they see -------------------------------------------------------------------------------------------------

    def seen(self, place: Place, bot: Bot | None = None) -> list[Seen]:
        """The bot's messages in a chat, oldest first, edits applied and without what was taken back."""
        bot = bot or self.bot
        chat = self.chat(place, bot=bot)
        mine = [message for message in chat.messages.values() if message.get("from", {}).get("id") == bot.id]
        return [
            Seen(
                message["message_id"],
                message.get("text") or message.get("caption", ""),
                message.get("reply_to_message", {}).get("message_id"),
                message.get("message_thread_id"),
                tuple(message.get("entities") or message.get("caption_entities", ())),
                _buttons(message),
                tuple(self._bodies(message)),
                message.get("media_group_id"),
                tuple(chat.reactions.get(message["message_id"], ())),
                "edit_date" in message,
            )
            for message in mine
        ]

    def _bodies(self, message: Message) -> list[bytes]:
        told = [message[kind] for kind in ("voice", "audio", "video", "document") if kind in message]
        told += [message["photo"][-1]] if "photo" in message else []
        return [self.world.files[one["file_id"]].body for one in told]


def _buttons(message: Message) -> tuple[tuple[str, str], ...]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", ())
    return tuple((button["text"], button.get("callback_data", "")) for row in rows for button in row)
