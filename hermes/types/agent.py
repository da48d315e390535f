"""The agent: one Protocol, never an async generator (a turn that fails between two yields would leave an open nursery
to the garbage collector and end the whole Trio run).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hermes.types.errors import Failure
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TurnId
from hermes.types.records import Note, SearchHit, TranscriptLine


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened inside a turn and is committed: a restarted turn goes on after its last step."""

    kind: Literal["reply", "result"]
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What the agent is asked to do. ``events`` are answered together; ``history`` is what came before them, oldest first;
    ``steps`` are those of an earlier attempt at this same turn.
    """

    turn_id: TurnId
    session_key: SessionKey
    generation: int
    events: tuple[InboundEvent, ...]
    history: tuple[TranscriptLine, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent uses a tool; shown as progress."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark to the user that is not part of the answer."""

    text: str


AgentEvent = Delta | ToolCall | Notice


@dataclass(frozen=True, slots=True)
class Final:
    """The complete answer, in Markdown."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ended without an answer; the user is told in words."""

    failure: Failure


class AgentIO(Protocol):
    """What a running turn may do. Every method is a checkpoint and raises nothing but Cancelled."""

    async def emit(self, event: AgentEvent) -> None:
        """Show progress. Deltas are coalesced; none is durable."""

    async def step(self, step: Step) -> None:
        """Return when ``step`` is committed."""


class Agent(Protocol):
    """Anything that can answer. One instance serves all turns, many at once."""

    name: str

    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        """Answer ``turn``; cancelled at any checkpoint. What it raises is a crash of this turn only."""


class Memory(Protocol):
    """What the built-in agent knows of the past."""

    async def search(self, query: str, limit: int) -> Sequence[SearchHit]:
        """Lines of past conversations that hold all words of ``query``, newest first."""

    async def notes(self) -> Sequence[Note]:
        """All notes, oldest first."""

    async def add_note(self, key: str, text: str) -> Note:
        """Commit a note; the same ``key`` again returns the first one."""

    async def drop_note(self, note_id: int) -> bool:
        """Forget a note; False if there is none of that number."""
