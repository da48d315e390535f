"""People, chats, messages, files and bots. A message is kept as the object that Telegram gives out."""

import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import PurePath
from typing import Any

from hermes.testing.telegram.refusal import Refused

SUPERGROUPS = -1_000_000_000_000
GENERAL = 1
"""The topic of a forum that has no id in messages."""

Message = dict[str, Any]


@dataclass(eq=False, slots=True)
class Person:
    """Somebody with the app. ``blocked`` are the bots that may not write any more."""

    id: int
    name: str
    username: str | None = None
    blocked: set[int] = field(default_factory=set)

    @property
    def user(self) -> dict[str, Any]:
        """As ``User``."""
        named = {"username": self.username} if self.username else {}
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": "en"} | named


@dataclass(frozen=True, slots=True)
class File:
    """What lies behind a ``file_id``."""

    file_id: str
    name: str
    mime: str
    body: bytes

    @property
    def path(self) -> str:
        """Where it is downloaded; nothing of its name but the suffix."""
        return f"files/{self.file_id}{PurePath(self.name).suffix}"


@dataclass(eq=False, slots=True)
class Chat:
    """A chat: ``type`` as in ``Chat``. ``topics`` are thread ids by name, where it is a forum."""

    id: int
    type: str
    title: str
    username: str | None = None
    members: dict[int, Person] = field(default_factory=dict)
    bots: set[int] = field(default_factory=set)
    topics: dict[str, int] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    reactions: dict[int, list[str]] = field(default_factory=dict)
    deleted: list[int] = field(default_factory=list)
    moved_to: int | None = None
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def described(self) -> dict[str, Any]:
        """As ``Chat``."""
        name = {"first_name": self.title} if self.type == "private" else {"title": self.title}
        also = {"username": self.username} if self.username else {}
        return {"id": self.id, "type": self.type} | name | also | ({"is_forum": True} if self.topics else {})

    def add(self, sender: dict[str, Any] | None, thread_id: int | None = None, **content: Any) -> Message:
        """Keep a message with ``content``; None leaves a field out."""
        message: Message = {
            "message_id": next(self.numbers),
            "date": int(time.time()),
            "chat": self.described,
        }
        if sender is not None:
            message["from"] = sender
        if thread_id is not None:
            message |= {"message_thread_id": thread_id, "is_topic_message": True}
        message |= {name: value for name, value in content.items() if value is not None}
        self.messages[message["message_id"]] = message
        return message

    def quoted(self, message_id: int | None) -> Message | None:
        """A message as it stands in one that answers it."""
        if message_id is None:
            return None
        message = self.messages.get(message_id, {})
        return {name: value for name, value in message.items() if name != "reply_to_message"}


class World:
    """Everything there is, for all bots. A direct chat has the id of its person, for each bot anew."""

    def __init__(self) -> None:
        self.people: dict[int, Person] = {}
        self.groups: dict[int, Chat] = {}
        self.files: dict[str, File] = {}
        self._direct: dict[tuple[int, int], Chat] = {}
        self._people_ids = count(10_001)
        self._group_ids = count(5_001)
        self._file_ids = count(1)

    def person(self, name: str, username: str | None) -> Person:
        """Somebody new."""
        person = Person(next(self._people_ids), name, username)
        self.people[person.id] = person
        return person

    def direct(self, bot_id: int, person: Person) -> Chat:
        """The chat of one person with one bot."""
        if (bot_id, person.id) not in self._direct:
            chat = Chat(person.id, "private", person.name, person.username, {person.id: person}, {bot_id})
            self._direct[bot_id, person.id] = chat
        return self._direct[bot_id, person.id]

    def group(self, kind: str, title: str, members: dict[int, Person], bots: set[int]) -> Chat:
        """A new group, supergroup or channel."""
        number = next(self._group_ids)
        chat = Chat(-number if kind == "group" else SUPERGROUPS - number, kind, title, None, members, bots)
        self.groups[chat.id] = chat
        return chat

    def file(self, name: str, mime: str, body: bytes) -> File:
        """Keep a file."""
        file = File(f"file{next(self._file_ids):06d}", name or "file", mime, body)
        self.files[file.file_id] = file
        return file

    def find(self, bot_id: int, chat_id: Any, *, write: bool = False) -> Chat:
        """The chat that ``bot_id`` means. Raises ``Refused`` where there is none, or it may not ``write`` there."""
        if chat_id is None or chat_id == "":
            raise Refused(400, "Bad Request: chat_id is empty")
        chat: Chat | None
        if isinstance(chat_id, str) and chat_id.startswith("@"):
            chat = next((one for one in self.groups.values() if one.username == chat_id[1:]), None)
        else:
            try:
                number = int(chat_id)
            except (TypeError, ValueError):
                number = 0
            chat = self.groups.get(number) or self._direct.get((bot_id, number))
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        if write:
            _may_write(bot_id, chat)
        return chat


def _may_write(bot_id: int, chat: Chat) -> None:
    if chat.moved_to is not None:
        raise Refused(
            400,
            "Bad Request: group chat was upgraded to a supergroup chat",
            migrate_to_chat_id=chat.moved_to,
        )
    if chat.type == "private" and bot_id in chat.members[chat.id].blocked:
        raise Refused(403, "Forbidden: bot was blocked by the user")
    if bot_id not in chat.bots:
        raise Refused(403, f"Forbidden: bot was kicked from the {chat.type} chat")
