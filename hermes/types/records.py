"""Rows as the rest of the program sees them: frozen, complete, independent of any database."""

from dataclasses import dataclass
from typing import Literal

from hermes.types.content import Media, Outbound, OutboxState
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId, SessionId, SessionKey, TurnId

InboxState = Literal[
    "accepted", "routed", "in_turn", "answered", "merged", "refused", "denied", "ignored", "stopped", "failed"
]

BusyMode = Literal["interrupt", "queue", "steer", "collect"]
"""What becomes of a message that finds its conversation at work; ``hermes.routing.busy`` says what each means."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One accepted event. ``rule`` names what decided it. ``crashes`` counts deaths of its turn or session in one boot;
    ``boots`` counts boots in a row that found it in a turn with no new step.
    """

    row_id: int
    state: InboxState
    event: InboundEvent
    rule: str = ""
    session_key: SessionKey | None = None
    session_id: SessionId | None = None
    seq: int | None = None
    turn_id: TurnId | None = None
    boot_id: BootId | None = None
    incarnation: int | None = None
    crashes: int = 0
    boots: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """What waits behind a turn: ``length`` messages, the newest of them ``last``. ``merged``: how many that turn has had
    already when it was interrupted.
    """

    length: int
    last: InboxRow
    merged: int


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message on its way out. ``parts_sent`` parts have receipts, so sending resumes at that index; of a message in several,
    ``said`` and ``files`` are how much these are (``hermes.delivery.parts``). ``undecodable``: why it cannot be read; ``message``
    is then no more than whose it is.
    """

    row_id: int
    state: OutboxState
    message: Outbound
    parts_sent: int = 0
    attempts: int = 0
    not_before: float = 0.0
    failure: str = ""
    boot_id: BootId | None = None
    created_at: float = 0.0
    said: int = 0
    files: int = 0
    undecodable: str = ""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A conversation. ``generation`` counts turns and interruptions: results of an older one are discarded.

    ``suspended``: it must begin anew before anything else. ``resume_marked_at``: it was interrupted then (epoch seconds,
    for ``resume_reason``) and waits to be taken up; None once a turn has ended well. ``expired``: its end is told already.
    """

    session_key: SessionKey
    session_id: SessionId
    generation: int
    last_seq: int
    created_at: float
    last_active_at: float
    suspended: bool = False
    resume_reason: str = ""
    resume_marked_at: float | None = None
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands before the next message. ``had_activity``: something was said in its present stretch.
    ``open_since`` is when its newest open row came in (epoch seconds); None if none is open.
    """

    record: SessionRecord
    had_activity: bool
    open_since: float | None


@dataclass(frozen=True, slots=True)
class Used:
    """A tool that was called on the way to an answer, with what it was given, as JSON, and what it said."""

    name: str
    arguments: str
    result: str


@dataclass(frozen=True, slots=True)
class TranscriptLine:
    """One line of a conversation. ``notice`` is what its people were told in place of an answer, ``system`` what the agent
    alone is told. ``used`` are the tools on the way to an answer, in order.
    """

    role: Literal["user", "assistant", "notice", "system"]
    text: str
    at: float
    turn_id: TurnId | None = None
    seq: int | None = None
    used: tuple[Used, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One message of a chat as its page shows it, the user's or ours.

    ``item_id`` is the client's message id or the delivery id; ``cursor`` is opaque: hand it back to get what came later.
    ``answers`` are the messages that wait no longer; ``refusal``: it says why they have no answer, and by which rule. One of ours
    without words and without ``files`` says only that they wait no longer.
    """

    cursor: str
    role: Literal["user", "agent"]
    item_id: str
    text: str
    at: float
    reply_to: str | None = None
    answers: tuple[str, ...] = ()
    refusal: str | None = None
    files: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A line of a past conversation that matches; ``excerpt`` marks the words with [ and ]."""

    session_key: SessionKey
    role: str
    excerpt: str
    at: float


@dataclass(frozen=True, slots=True)
class Note:
    """Something a person asked to remember."""

    note_id: int
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Counts:
    """Every message ever received, by where it ended. ``unaccounted`` is 0 or a bug."""

    received: int = 0
    answered: int = 0
    merged: int = 0
    refused: int = 0
    denied: int = 0
    ignored: int = 0
    stopped: int = 0
    failed: int = 0
    pending: int = 0

    @property
    def unaccounted(self) -> int:
        """``received`` minus everything that has an end or is still open."""
        ended = (
            self.answered
            + self.merged
            + self.refused
            + self.denied
            + self.ignored
            + self.stopped
            + self.failed
        )
        return self.received - ended - self.pending


@dataclass(frozen=True, slots=True)
class Stretch:
    """One stretch of a conversation as its people may choose it. ``number`` counts from the oldest, so that it stays; ``lines``
    without those that were taken back.
    """

    number: int
    session_id: SessionId
    title: str
    started_at: float
    lines: int
    present: bool
