"""Writes of keeping house: what is over goes in small batches, what has ended is marked once, and what was done is noted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from hermes.store.ops import Op
from hermes.types.ids import SessionId, SessionKey

Kind = Literal[
    "journey", "transcript", "words", "inbox", "outbox", "approvals", "audit", "dedupe", "forgotten"
]
"""What is pruned by age. ``words``: a message loses its words and its files' names, and stays as a row, because other things
that are kept hang on it.
"""

Name = int | str | bytes | tuple[str, str, str]
"""By which a row of a kind is found: its number, its id, its digest, or (platform, account, event_id)."""

SLICE_ROWS = 50
"""Of one commit: 1 to 2 ms of the writer's time, measured on 200,000 rows."""

MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class Prune(Op[int]):
    """Let go of rows that ``retention.over`` has named; those that are open by now stay. How many went.

    Hand in ``SLICE_ROWS`` at most: everybody else's commit waits behind it.
    """

    rank: ClassVar[int] = 90
    kind: Kind
    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class PruneExpired(Op[int]):
    """Delete browser sessions, codes and floods that are over. How many rows."""

    rank: ClassVar[int] = 90
    at: float


@dataclass(frozen=True, slots=True)
class ExpireSession(Op[bool]):
    """The present stretch of a session is over by its policy; the next message begins another.

    Holds only if the session is still what it was seen as, and nothing is open in it. False also if it was marked before.
    """

    rank: ClassVar[int] = 42
    session_key: SessionKey
    session_id: SessionId
    last_active_at: float


@dataclass(frozen=True, slots=True)
class Remembered(Op[None]):
    """Memory was told of a stretch up to line ``line_id``; ``kept``: it has it. What it was told of ``MOST_TRIES`` times in vain,
    it is not told of again.
    """

    rank: ClassVar[int] = 43
    session_key: SessionKey
    session_id: SessionId
    line_id: int
    kept: bool


@dataclass(frozen=True, slots=True)
class NoteUpkeep(Op[None]):
    """A task of keeping house was done: at ``at`` (epoch seconds), in ``took_s``; ``done`` is what it came to."""

    rank: ClassVar[int] = 91
    task: str
    at: float
    took_s: float
    done: Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class GiveBack(Op[int]):
    """Give up to ``pages`` free pages of the file back to the disk; how many are free still."""

    rank: ClassVar[int] = 92
    pages: int
