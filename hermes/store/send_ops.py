"""Writes of what is sent on its own: by cron, by ``hermes send``, by whoever has something to say."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from hermes.store.ops import Op
from hermes.types.content import Outbound


@dataclass(frozen=True, slots=True)
class Mirror:
    """The line by which the agent of the target chat knows what was said there: ``assistant`` for what it might have said
    itself, ``user`` for what was put before it. ``user_id`` says whose conversation, where a chat has several.
    """

    role: Literal["assistant", "user"]
    text: str
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Send(Op[bool]):
    """Put a message into the outbox, and its mirror into the one conversation of its chat and thread. False, and nothing is
    written, if its delivery id was there already. Without such a conversation, or with several, there is no mirror. It is
    nobody's activity, and wakes nobody.
    """

    rank: ClassVar[int] = 40
    message: Outbound
    at: float
    mirror: Mirror | None = None
