"""Conversations that another program began, as they are taken over; what was taken is never taken twice."""

from dataclasses import dataclass
from typing import ClassVar

from hermes.store.ops import Op
from hermes.types.agent import Usage
from hermes.types.ids import SessionId, SessionKey
from hermes.types.records import TranscriptLine


@dataclass(frozen=True, slots=True)
class OldConversation:
    """A conversation as it stood there. ``present`` is the stretch that goes on; None: it is over. Times are epoch seconds.

    Without a ``platform`` nobody can go on with it: it is there to be read and searched. ``finalized``: its end is told already.
    """

    session_key: SessionKey
    present: SessionId | None
    created_at: float
    active_at: float
    platform: str = ""
    account: str = ""
    chat_type: str = ""
    chat_id: str = ""
    thread_id: str | None = None
    title: str = ""
    user_id: str | None = None
    suspended: bool = False
    resume_reason: str = ""
    resume_marked_at: float | None = None
    finalized: bool = False


@dataclass(frozen=True, slots=True)
class OldStretch:
    """A stretch of ``conversation``, without what was said in it."""

    conversation: OldConversation
    session_id: SessionId
    started_at: float
    ended_at: float
    end_reason: str = ""
    title: str = ""
    usage: Usage = Usage()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class TakeStretches(Op[int]):
    """Make the sessions and stretches that are not there yet; how many stretches that were.

    A session that is there goes on with the stretch that is present there only if that was active after it, and nothing of it
    is worked on or waits. Memory is told of none that is over.
    """

    rank: ClassVar[int] = 90
    stretches: tuple[OldStretch, ...]


@dataclass(frozen=True, slots=True)
class OldLine:
    """``undone``: it was taken back there."""

    session_key: SessionKey
    session_id: SessionId
    line: TranscriptLine
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """Of this stretch ``before`` messages had been taken, and then ``now`` have."""

    session_id: SessionId
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class TakeLines(Op[bool]):
    """Append lines to their stretches, in order. False, and nothing is changed, if somebody has taken some of them meanwhile."""

    rank: ClassVar[int] = 90
    taken: tuple[Taken, ...]
    lines: tuple[OldLine, ...]
