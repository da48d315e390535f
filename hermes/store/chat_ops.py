"""Chats that become others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op
from hermes.store.port import Reader


@dataclass(frozen=True, slots=True)
class MovedChat:
    """``chat_id`` is ``moved_to`` now. ``goes_on``: in the conversations that began in ``chat_id``."""

    platform: str
    account: str
    chat_id: str
    moved_to: str
    goes_on: bool


@dataclass(frozen=True, slots=True)
class MoveChat(Op[MovedChat]):
    """Chat ``chat_id`` has become ``moved_to``: its conversations are there now, and the home that was set in it.

    If a conversation had begun there before, that one stays what goes on there. A second time changes nothing.
    """

    rank: ClassVar[int] = 5
    platform: str
    account: str
    chat_id: str
    moved_to: str
    at: float


def moved_chats(reader: Reader) -> Sequence[MovedChat]:
    """All of them."""
    rows = reader.execute("SELECT platform, account, chat_id, moved_to, goes_on FROM moved_chats")
    return [
        MovedChat(platform, account, chat_id, moved_to, bool(goes_on))
        for platform, account, chat_id, moved_to, goes_on in rows
    ]
