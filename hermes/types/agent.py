"""The agent: one Protocol, never an async generator (a turn that fails between two yields would leave an open nursery
to the garbage collector and end the whole Trio run).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hermes.types.content import Media
from hermes.types.errors import Failure
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TurnId
from hermes.types.records import Note, SearchHit, TranscriptLine
from hermes.types.tools import Tool

MOST_TOKENS = 10**12
MOST_USD = 10.0**6


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened inside a turn and is committed: a restarted turn goes on after its last step.

    ``call_id``: of the tool's call whose ``result`` it is, or that is ``begun`` with it: only ``AgentIO.call`` says so.
    """

    kind: Literal["reply", "begun", "result"]
    name: str
    text: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """An attachment as it was fetched: ``path`` on this host, in the home's cache, under a name that is safe. ``event`` is the
    index of the event it came with. ``problem``: why there is no file, in words for the agent; then ``path`` is empty.
    """

    event: int
    kind: str
    path: str
    name: str
    mime: str | None = None
    size_bytes: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the agent is asked to do. ``events`` are answered together; ``history`` is what came before them, oldest first,
    in a shared conversation with ``[name] `` before what somebody said;
    ``steps`` are those of an earlier attempt at this same turn.

    ``said`` is each event in words, as a model reads it: who says it, what it answers, what came with it. ``context`` is what
    the agent should know of the place it speaks in. ``files`` are what came with the events. ``recalled`` is what is remembered
    that may help with these events.
    """

    turn_id: TurnId
    session_key: SessionKey
    generation: int
    events: tuple[InboundEvent, ...]
    history: tuple[TranscriptLine, ...] = ()
    steps: tuple[Step, ...] = ()
    said: tuple[str, ...] = ()
    context: str = ""
    files: tuple[LocalFile, ...] = ()
    recalled: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of the answer; without any, a sign of life."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent uses a tool; ``summary`` is shown as progress. Without one, a sign of life."""

    name: str
    summary: str


@dataclass(frozen=True, slots=True)
class Asking:
    """A language model is being asked."""

    model: str


@dataclass(frozen=True, slots=True)
class Answered:
    """It has answered; ``text`` without what it calls."""

    model: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A remark to the user that is not part of the answer."""

    text: str


AgentEvent = Delta | ToolCall | Asking | Answered | Notice


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer has cost: tokens, and US dollars where the price is known. ``input_tokens`` leaves out cached ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cost_usd + other.cost_usd,
        )

    @property
    def plausible(self) -> bool:
        """True if it can be counted: an agent is foreign code, and may make a figure out of anything."""
        tokens = (self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_tokens)
        return all(type(count) is int and 0 <= count <= MOST_TOKENS for count in tokens) and (
            type(self.cost_usd) in (int, float) and 0 <= self.cost_usd <= MOST_USD
        )


@dataclass(frozen=True, slots=True)
class Final:
    """The complete answer, in Markdown; ``usage`` covers the whole turn. ``media`` go with it, besides what its text names."""

    text: str
    usage: Usage | None = None
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ended without an answer; the user is told in words."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What the agent wants to do. ``action`` says it in a few words that complete "may I …?"; ``detail`` is all that it comes
    to, a command line or a list of files: the person is shown the whole of both, as they are.
    """

    action: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Approved:
    """Go ahead."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Do not; ``reason`` is what the person wrote to it, if anything. The agent may answer in words."""

    reason: str = ""


Decision = Approved | Denied


class AgentIO(Protocol):
    """What a running turn may do. Every async method is a checkpoint and raises nothing but Cancelled.

    ``tools`` are those that ``call`` knows.
    """

    @property
    def tools(self) -> Sequence[Tool]:
        """What may be called, the same for all of a turn."""

    async def emit(self, event: AgentEvent) -> None:
        """Show progress. Deltas are coalesced; none is durable."""

    async def step(self, step: Step) -> None:
        """Return when ``step`` is committed."""

    async def steered(self) -> tuple[InboundEvent, ...]:
        """What its people have written since, if the conversation is to be steered; to be asked after each step.

        What is returned belongs to this turn from then on: its answer answers it too.
        """

    def said(self, event: InboundEvent) -> str:
        """``event`` in words, as ``Turn.said`` has those that the turn began with."""

    async def approve(self, request: ApprovalRequest) -> Decision:
        """Ask the person whom the turn works for, and return what they, an admin or the owner decide.

        The request is committed before it is shown, and so is the decision before it is returned: both survive a death of
        the process. The same request (equal in both fields) in the same turn is the same approval, also side by side and in
        a turn that is run again: nobody is asked twice, and what was decided meanwhile is returned at once. A decision holds
        until the turn's next step is committed; after that, the same request is a new one. So do what was approved, commit
        its result as a step, and look for that step before asking again.

        Waits for as long as ``approvals.timeout``; neither deadline of the turn runs meanwhile, and it gives its place to
        others. Does not return once the turn has been stopped, nor when the time is up: silence is a no, and ends the turn,
        in words to the person. May be cancelled: the request then waits until the turn ends.
        """

    async def call(self, call_id: str, name: str, arguments: str) -> str:
        """Call a tool, with ``arguments`` as a JSON object, and return what it says, which is committed by then; what goes wrong
        is such a text too, and begins with ``error:``.

        ``call_id`` is unique in the turn, and to be the same in an attempt that repeats it: what has a result is not called
        again. What was begun and then cut off is not either: its result is that the outcome is unknown. Whoever is to
        approve it is asked here.
        """


class Agent(Protocol):
    """Anything that can answer. One instance serves all turns, many at once."""

    name: str
    model: str
    """The language model that it asks, for people to read; empty where it asks none."""

    async def run(self, turn: Turn, io: AgentIO) -> Final | Failed:
        """Answer ``turn``; cancelled at any checkpoint. What it raises is a crash of this turn only."""


class Memory(Protocol):
    """What the built-in agent knows of the past. ``of``: what was said and noted in that conversation; None: in all of them."""

    async def search(self, query: str, limit: int, of: SessionKey | None) -> Sequence[SearchHit]:
        """Lines that hold all words of ``query``, newest first."""

    async def notes(self, of: SessionKey | None) -> Sequence[Note]:
        """Notes, oldest first."""

    async def add_note(self, key: str, text: str) -> Note:
        """Commit a note; the same ``key`` again returns the first one."""

    async def drop_note(self, note_id: int) -> bool:
        """Forget a note; False if there is none of that number."""
