"""Every write there is, as data.

An operation is atomic and conditional: it says what must still be true, and its result says whether it was. Operations
that nobody awaited one after the other may be executed in any order; inside a batch they run by ``rank``, which follows
a message's way, so that an operation posted without waiting is seen by the next one of the same message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from hermes.types.agent import Step, Usage
from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId, SessionId, SessionKey, TurnId
from hermes.types.origin import Origin
from hermes.types.ports import Accepted
from hermes.types.records import InboxState, OutboxRow, SessionRecord, TranscriptLine

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
S = TypeVar("S")
Made = TypeVar("Made", bound="Op[Any]")


class Op(Generic[R_co]):
    """A write whose result is an ``R_co``."""

    rank: ClassVar[int] = 50
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Then(Op[tuple[R, S]], Generic[R, S]):
    """``op``, and what ``look`` finds right after it, in the same transaction: a read that needs no thread of its own.

    ``look`` is a query, given the connection and what ``op`` came to; it writes nothing, and what it raises undoes ``op``.
    """

    op: Op[R]
    look: Callable[[Any, R], S]

    @property
    def rank(self) -> int:  # type: ignore[override]
        """As of ``op``."""
        return self.op.rank


@dataclass(frozen=True, slots=True)
class Upon(Op[tuple[Made, Any]], Generic[S, Made]):
    """The operation, of type ``kind``, that ``make`` makes of what ``look`` finds, in the same transaction: nothing comes in
    between. Returns it, and what it came to.

    ``look`` is a query. ``make`` runs in the writer's thread, and again if its batch is run again: it has no effect, and what it
    knows besides does not change. What they raise refuses the operation.
    """

    kind: type[Made]
    look: Callable[[Any], S]
    make: Callable[[S], Made]

    @property
    def rank(self) -> int:  # type: ignore[override]
        """As of ``kind``."""
        return self.kind.rank


@dataclass(frozen=True, slots=True)
class Accept(Op[tuple[Accepted, ...]]):
    """Commit events to the inbox (state ``accepted``), dropping those whose (platform, account, event_id) is known.

    One ``Accepted`` per event, in order. Counts ``received`` for each that is new.
    """

    rank: ClassVar[int] = 10
    events: tuple[InboundEvent, ...]


@dataclass(frozen=True, slots=True)
class Undecodable(Op[Accepted]):
    """Commit an event that could not be decoded as ``failed:undecodable`` with its raw bytes, so that it never holds a cursor."""

    rank: ClassVar[int] = 10
    platform: str
    account: str
    event_id: str
    raw: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Renewal:
    """A new stretch, decided from the record ``seen``; ``note`` is its first line and ``outbound`` what its people are told."""

    reason: str
    seen: SessionRecord
    note: str
    outbound: tuple[Outbound, ...] = ()


@dataclass(frozen=True, slots=True)
class Suspension:
    """The session is not to go on as it is. If a message waits already, stretch ``session_id`` begins with it, and ``note``."""

    session_id: SessionId
    note: str


NotRouted = Literal["decided", "full", "changed"]
"""Somebody has decided the row; the session has all the open rows it may have; the session is not what it was taken for."""


@dataclass(frozen=True, slots=True)
class Route(Op[int | NotRouted]):
    """Inbox row ``accepted`` → ``routed`` into a session, which is made if there is none (as ``new_session_id``).

    ``renewal`` begins a new stretch (as ``new_session_id``) with this row: only if the session's id and last activity are
    still those of the record it was decided from. Without it, only if the session is not suspended. The row belongs to
    that stretch from then on. ``at`` is when its words came, and the session's last activity. ``text`` stands in for
    them from now on, if a hook has rewritten them. ``user_id`` is the canonical id of whose direct chat it is; None in a group.
    ``effect`` is what a command does that the turn is to answer; if it comes to nothing, the row stays where it is:
    ``changed``. ``once``: unless something else is said in it, that was all of the conversation. Returns the row's ``seq``.
    """

    rank: ClassVar[int] = 20
    row_id: int
    session_key: SessionKey
    new_session_id: SessionId
    rule: str
    at: float
    origin: Origin
    most: int | None = None
    renewal: Renewal | None = None
    text: str | None = None
    user_id: str | None = None
    effect: Op[Any] | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Close(Op[bool]):
    """Inbox row ``accepted`` → a terminal state, together with what is said about it. False if it was not ``accepted``.

    ``keep_text`` False erases the text and what it quotes (a message that was not meant for us). ``effect`` is what the
    row, a command, does; it happens with the row's end or not at all. If it comes to nothing (its result is falsy),
    ``otherwise`` is said in place of ``outbound``; None: the same. ``missed``: its chat is to be told, by ``TellMissed``.
    """

    rank: ClassVar[int] = 20
    row_id: int
    state: InboxState
    rule: str
    at: float
    outbound: tuple[Outbound, ...] = ()
    keep_text: bool = True
    effect: Op[Any] | None = None
    otherwise: tuple[Outbound, ...] | None = None
    missed: bool = False


@dataclass(frozen=True, slots=True)
class TellMissed(Op[bool]):
    """Put out the notice about rows that were closed as ``missed``. False (nothing written) if one was told of before."""

    rank: ClassVar[int] = 40
    row_ids: tuple[int, ...]
    notice: Outbound
    at: float


@dataclass(frozen=True, slots=True)
class Take(Op[SessionRecord | None]):
    """Rows ``routed`` → ``in_turn`` of ``turn_id``, or ``in_turn`` of that same turn again after a death.

    Raises the session's generation by one and returns its record, with the stretch that the newest row belongs to; None
    (and nothing changed) unless every row is still ``routed``, or ``in_turn`` of this turn. A row taken again counts
    ``crashes`` + 1 if its last owner lived in this boot, else ``boots`` + 1 and marks the session as interrupted.
    """

    rank: ClassVar[int] = 30
    session_key: SessionKey
    row_ids: tuple[int, ...]
    turn_id: TurnId
    boot_id: BootId
    incarnation: int
    at: float


@dataclass(frozen=True, slots=True)
class AddStep(Op[bool]):
    """Append step ``n`` of a turn; clears ``boots`` of its rows. False (counted as late, nothing else written) if the
    generation has moved on.
    """

    rank: ClassVar[int] = 35
    session_key: SessionKey
    generation: int
    turn_id: TurnId
    n: int
    step: Step
    at: float


@dataclass(frozen=True, slots=True)
class FinishTurn(Op[bool]):
    """End a turn in one transaction: transcript, outbox rows, inbox rows terminal, session row, counts.

    Holds only if the session's generation is still ``generation`` and every row is ``in_turn`` of ``turn_id``; else False,
    it is counted as late, and nothing else is written. Outbox rows whose delivery id exists already are skipped. The
    transcript goes into stretch ``session_id``. ``active_at`` is what the end counts as activity for. ``answered`` clears
    the mark of an interruption.

    ``suspend``: the stretch ends with this turn, and the next message begins a new one; unless one has begun already.
    ``lighten``: rows whose event forgets what was said ``earlier``.
    """

    rank: ClassVar[int] = 40
    session_key: SessionKey
    session_id: SessionId
    generation: int
    turn_id: TurnId
    row_ids: tuple[int, ...]
    state: InboxState
    rule: str
    transcript: tuple[TranscriptLine, ...]
    outbound: tuple[Outbound, ...]
    at: float
    active_at: float
    usage: Usage | None = None
    suspend: Suspension | None = None
    lighten: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CountLate(Op[None]):
    """A turn that is over has shown something that no other operation counts as late: a draft."""

    rank: ClassVar[int] = 90


@dataclass(frozen=True, slots=True)
class Release(Op[int]):
    """Rows ``in_turn`` of ``turn_id`` → ``routed``, keeping the turn's name and steps; returns how many rows that were.

    For a turn that was ended on purpose (a stop, an operator's restart) and is to go on later: that counts as no crash
    and no boot. The session is marked as interrupted for ``reason``.
    """

    rank: ClassVar[int] = 41
    session_key: SessionKey
    turn_id: TurnId
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class StopTurn(Op[int]):
    """Raise the session's generation and end its open rows as ``stopped``; returns how many rows that were.

    Those that wait too: a turn that is just beginning has not taken its own yet, and who says stop does not want the next
    one instead. Whichever of this and ``FinishTurn`` commits first wins. ``new_session_id`` also begins a new stretch of
    the conversation (history before it is no longer shown to the agent), which is called ``title``.
    """

    rank: ClassVar[int] = 40
    session_key: SessionKey
    rule: str
    at: float
    new_session_id: SessionId | None = None
    outbound: tuple[Outbound, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Resume(Op[SessionId | None]):
    """Go on with an earlier stretch of a session, as if ``StopTurn`` had begun it; returns its id.

    ``session_id`` None: the present one if it was suspended, else the last one before it. Returns None, and nothing is
    changed, if there is no such stretch.
    """

    rank: ClassVar[int] = 40
    session_key: SessionKey
    session_id: SessionId | None
    rule: str
    at: float
    outbound: tuple[Outbound, ...] = ()


@dataclass(frozen=True, slots=True)
class Enqueue(Op[bool]):
    """Put a message into the outbox on its own (a notice). False if its delivery id was there already."""

    rank: ClassVar[int] = 40
    message: Outbound
    at: float


@dataclass(frozen=True, slots=True)
class Sending(Op[bool]):
    """Outbox row ``prepared``/``retry``/``unknown``/``sending`` → ``sending``, attempts + 1. False if it is terminal."""

    rank: ClassVar[int] = 60
    row_id: int
    boot_id: BootId
    incarnation: int
    at: float


@dataclass(frozen=True, slots=True)
class Receipt(Op[bool]):
    """Part ``part`` of a ``sending`` row has arrived as ``message_id``; the last part makes the row ``sent``. ``said`` and
    ``files``: how much of a message in several parts it was (``hermes.delivery.parts``).

    False if the row is not ``sending`` or that part has its receipt already.
    """

    rank: ClassVar[int] = 1
    row_id: int
    part: int
    total: int
    message_id: str
    at: float
    said: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Unsent(Op[bool]):
    """A ``sending`` row that did not get through: → ``prepared`` (not an attempt), ``retry``, ``unknown`` or ``dead``; or
    ``sent``, which nobody had to be told of.

    ``flood`` is the window that the platform has named with it. ``dead_chat``: nobody is reached in its chat any more; that
    is remembered until a receipt comes from there. ``told`` is put out with it: what its chat is to hear of it.
    """

    rank: ClassVar[int] = 1
    row_id: int
    state: str
    not_before: float
    failure: str
    at: float
    flood: "Flood | None" = None
    dead_chat: bool = False
    told: Outbound | None = None


@dataclass(frozen=True, slots=True)
class Flood(Op[None]):
    """No call of any kind goes to ``scope`` (``hermes.delivery.limits``) before ``until``; a later one stays."""

    rank: ClassVar[int] = 1
    scope: str
    until: float


@dataclass(frozen=True, slots=True)
class Expire(Op[tuple[OutboxRow, ...]]):
    """Rows past their ``expires_at``: → ``sent`` (failure ``stored``) on the platforms of ``stored``, else ``dead``, also where
    their platform is not configured any more. The rows as they are now; as many as ``most``, and there may be more.
    """

    rank: ClassVar[int] = 70
    stored: tuple[str, ...]
    at: float
    most: int = 500


@dataclass(frozen=True, slots=True)
class LogEvents(Op[None]):
    """Append supervision events (mappings with at, boot_id, path, incarnation, kind); keeps the newest ``keep``."""

    rank: ClassVar[int] = 80
    events: tuple[dict[str, object], ...]
    keep: int = 10_000


@dataclass(frozen=True, slots=True)
class Probe(Op[None]):
    """Write something small and commit: proves that the disk takes writes."""

    rank: ClassVar[int] = 0
    at: float
