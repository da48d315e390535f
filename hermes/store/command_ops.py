"""What commands change, as data; see ``hermes.store.ops``."""

from dataclasses import dataclass
from typing import Any, ClassVar

from hermes.store.ops import Op
from hermes.types.ids import SessionId, SessionKey, TurnId


@dataclass(frozen=True, slots=True)
class IfAtRest(Op[Any]):
    """``op``, unless something of the session is worked on or waits: then False, and nothing is changed."""

    rank: ClassVar[int] = 40
    session_key: SessionKey
    op: Op[Any]


@dataclass(frozen=True, slots=True)
class Undo(Op[bool]):
    """Take back the exchanges ``turn_ids`` of the stretch ``session_id``: the agent and search see them no more.

    Holds only if that is the present stretch, and the last of them is still its last; else False and nothing is changed.
    """

    rank: ClassVar[int] = 40
    session_key: SessionKey
    session_id: SessionId
    turn_ids: tuple[TurnId, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Branch(Op[bool]):
    """Begin stretch ``session_id`` with all that was said in ``source_id``, of this or another conversation, and go on there.

    What was taken back is left behind. The present stretch ends for ``reason``. False, and nothing is changed, if nothing was
    said in the source, or there is no such session.
    """

    rank: ClassVar[int] = 40
    session_key: SessionKey
    source_key: SessionKey
    source_id: SessionId
    session_id: SessionId
    title: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class SetTitle(Op[bool]):
    """Name the present stretch; False if there is no such session."""

    rank: ClassVar[int] = 41
    session_key: SessionKey
    title: str


@dataclass(frozen=True, slots=True)
class SetHome(Op[bool]):
    """The chat becomes its account's home."""

    rank: ClassVar[int] = 40
    platform: str
    account: str
    chat_id: str
    thread_id: str | None
    name: str
    at: float
