"""A mailbox: two lanes, one bell. It belongs to the system, so it outlives the actor that reads it.

The control lane carries the kit's signals and urgent messages: small, never refused, always read first. The user lane is
bounded; what a full one does is declared in its spec, and the default holds up the sender and nobody else. Plain data and
a bell that is rung only when the reader waits: a message costs a twentieth of a memory channel's.

    offer, put ─▶ user lane ──┐
         urge ─▶ control lane ┴─▶ take ─▶ in work ─▶ handled | dropped | given back | poison ─▶ dead letters
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, assert_never

import trio

from supervisors.letters import DeadLetters, Why
from supervisors.logs import guarded
from supervisors.reasons import ExitReason, Normal, is_clean
from supervisors.reply import ActorDownError, MailboxFullError, Reply, RestartingError
from supervisors.spec import MailboxSpec
from supervisors.tree import MailboxNode

log = guarded(__name__)

FAIRNESS_BATCH = 32
"""Messages a reader may take without a checkpoint."""


class Outcome(StrEnum):
    """What became of a message that was told. Refused for want of room it is ``FULL``; ``PARKED`` it is safe elsewhere."""

    ACCEPTED = "accepted"
    FULL = "full"
    PARKED = "parked"
    STOPPED = "stopped"


@dataclass(slots=True)
class Envelope:
    """A message on its way: the question it asks, if it asks one, and the one incarnation it is for, if not for any.

    ``attempt`` says how often it has been handed out, from 1; ``crashes`` how often that ended badly. ``came_at``, in Trio's
    time, is set when a mailbox lets it in, and never again.
    """

    body: Any
    reply: Reply[Any] | None = None
    fence: int | None = None
    attempt: int = 1
    crashes: int = 0
    came_at: float = field(init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class MailboxStats:
    """``accepted`` = ``taken`` + ``used`` + ``discarded``, always: no message is lost unaccounted (law M1).

    Those are about the user lane. ``taken`` messages were handled, are in work, or fell with a crash; ``discarded`` ones
    became dead letters, or were questions whose asker was told. The others are about both lanes: ``dropped_in_flight``
    counts what a crash cut short for good, ``redelivered`` what it gave back, ``poisoned`` what it gave back too often.
    ``overflowed`` messages were dropped for want of room, ``parked`` ones were kept elsewhere.
    """

    used: int
    control: int
    peak: int
    capacity: int
    accepted: int
    taken: int
    discarded: int
    dropped_in_flight: int
    redelivered: int
    poisoned: int
    overflowed: int
    parked: int


class Mailbox:
    """One reader, many writers. Every method but ``put`` and ``wait`` is synchronous and atomic."""

    def __init__(self, path: str, spec: MailboxSpec, letters: DeadLetters) -> None:
        self.path = path
        self.spec = spec
        self._letters = letters
        # As in ``Context``: ``trio.current_time`` would cost twice as much with every message.
        self._now = trio.lowlevel.current_clock().current_time
        self._user: deque[Envelope] = deque()
        self._control: list[Envelope] = []  # mostly empty, and a deque has room for 64, in every mailbox
        self._again: Envelope | None = None
        """Given back to the user lane, before all others: it has had its place, so it takes none from them (law M4)."""
        self._reader: trio.lowlevel.Task | None = None
        self._writers: trio.lowlevel.ParkingLot | None = None
        """Made for the first writer that has to wait: most mailboxes never have one, and it weighs on all."""
        self.suspended = False
        """While it is, the user lane is not read; writing and the control lane go on."""
        self.handed_out = 0
        """How many messages the actor has been given, of both lanes; one that came back counts again."""
        self._pause_at = FAIRNESS_BATCH
        """How far ``handed_out`` may go before the reader lets others run."""
        self._bad_ends = 0
        self._bad_end: ExitReason = Normal()
        self._peak = self._accepted = self._taken = self._discarded = 0
        self._dropped_in_flight = self._redelivered = self._poisoned = self._overflowed = self._parked = 0
        self.current: Envelope | None = None
        """The message being handled: taken, and no later one asked for yet."""
        self._current_is_urgent = False
        self.open = True
        """False while nobody will read: writers are refused."""

    @property
    def has_mail(self) -> bool:
        """True if a message waits that is not for one incarnation alone."""
        return bool(self._user) or self._again is not None or any(one.fence is None for one in self._control)

    # --- writing -------------------------------------------------------------------------------------------------------

    def offer(self, envelope: Envelope) -> Outcome:
        """Put into the user lane; a full one does what its spec says, and backpressure means ``FULL`` here."""
        if not self.open:
            return self._refuse(envelope)
        used = len(self._user)
        if used >= self.spec.capacity:
            if (outcome := self._overflow(envelope)) is not Outcome.ACCEPTED:
                return outcome
        elif used >= self._peak:
            self._peak = used + 1
        envelope.came_at = self._now()
        self._user.append(envelope)
        self._accepted += 1
        if self._reader is not None:
            self._ring()
        return Outcome.ACCEPTED

    async def put(self, envelope: Envelope) -> Outcome:
        """As ``offer``, but backpressure waits for room. If cancelled while waiting, nothing was put.

        Writers wait in order. One with a question waits no longer than for the next bad end of a reader (law Q3).
        """
        bad_ends = self._bad_ends
        while (outcome := self.offer(envelope)) is Outcome.FULL and self._holds_up:
            if self._writers is None:
                self._writers = trio.lowlevel.ParkingLot()
            await self._writers.park()
            if envelope.reply is not None and self._bad_ends != bad_ends:
                envelope.reply.fail(RestartingError(self.path, self._bad_end))
                break
        return outcome

    def urge(self, envelope: Envelope) -> Outcome:
        """Put into the control lane; never full."""
        if not self.open:
            return self._refuse(envelope)
        envelope.came_at = self._now()
        self._control.append(envelope)
        self._ring()
        return Outcome.ACCEPTED

    def refuse_new(self, reason: ExitReason) -> None:
        """Nobody reads now: refuse writers, send the waiting ones away, and tell those who asked.

        Messages that are in stay for a later reader.
        """
        self.open = False
        self._wake_writers()
        self._tell_askers(ActorDownError, reason)

    def close(self, reason: ExitReason) -> None:
        """Nobody will read again: as ``refuse_new``, and every message that waits is a dead letter."""
        self.refuse_new(reason)
        if self._again is not None:
            self._taken -= 1
            self._user.appendleft(self._again)
            self._again = None
        self._discarded += len(self._user)
        for envelope in (*self._control, *self._user):
            self._bury(envelope, Why.CLOSED)
        self._control.clear()
        self._user.clear()

    # --- reading -------------------------------------------------------------------------------------------------------

    def take(self) -> Envelope | None:
        """The next message, control lane first; None: ``wait``, and look again. That is a checkpoint every few messages."""
        if self.handed_out >= self._pause_at:
            return None
        if self._control:
            envelope = self._control.pop(0)
            self._current_is_urgent = True
        elif self.suspended:
            return None
        elif self._again is not None:
            envelope, self._again = self._again, None
            self._current_is_urgent = False
        elif self._user:
            envelope = self._user.popleft()
            self._current_is_urgent = False
            self._taken += 1
            if self._writers is not None:
                self._writers.unpark()
        else:
            return None
        self.handed_out += 1
        self.current = envelope
        return envelope

    def pass_over(self) -> None:
        """What was taken last was not for the actor, and is done with: it does not count."""
        self.current = None
        self.handed_out -= 1
        self._pause_at -= 1  # the reader has had its turn all the same (law M7)

    async def wait(self) -> None:
        """Wait until there may be something to take; always a checkpoint. Only the reader waits."""
        self._pause_at = self.handed_out + FAIRNESS_BATCH
        if self._control or (not self.suspended and (self._user or self._again is not None)):
            await trio.lowlevel.checkpoint()
            return
        if self._reader is not None:
            raise RuntimeError("a mailbox has one reader")
        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._reader_gone)

    def withdraw(self, envelope: Envelope) -> None:
        """Take ``envelope`` out of the control lane again, if it still waits there."""
        # By identity: equality would compare other people's messages.
        self._control = [other for other in self._control if other is not envelope]

    def suspend(self) -> None:
        """Leave the user lane alone until ``resume``, across restarts; what is in work goes on."""
        self.suspended = True

    def resume(self) -> None:
        """Read the user lane again."""
        self.suspended = False
        self._ring()

    def let_go(self, reason: ExitReason) -> None:
        """The reader has ended, or was given up and may still wait here: then it is woken, to find that out.

        Unless it returned, the message in work goes the way its spec says; who asked something is told. After a bad end
        that goes for all questions that wait: their askers may prefer to ask somebody else.
        """
        self._ring()
        current, self.current = self.current, None
        if current is not None and current.reply is not None:
            current.reply.fail(ActorDownError(self.path, reason))
        if current is not None and current.fence is None and not isinstance(reason, Normal):
            self._cut_short(current, bad=not is_clean(reason))
        if not is_clean(reason):
            self._bad_ends += 1
            self._bad_end = reason
            self._tell_askers(RestartingError, reason)
            self._wake_writers()

    def _cut_short(self, envelope: Envelope, *, bad: bool) -> None:
        """Decide about the message in work when its reader ended. A question is not given back: its asker was told."""
        attempts = self.spec.attempts
        envelope.crashes += bad
        if attempts is None or envelope.reply is not None:
            self._dropped_in_flight += 1
        elif envelope.crashes >= attempts:
            self._poisoned += 1
            if not self._current_is_urgent:
                self._taken -= 1
                self._discarded += 1
            self._bury(envelope, Why.POISON)
        else:
            envelope.attempt += 1
            self._redelivered += 1
            if self._current_is_urgent:
                self._control.insert(0, envelope)
            else:
                self._again = envelope

    # --- small things --------------------------------------------------------------------------------------------------

    def levels(self) -> MailboxNode:
        """How full it is."""
        user, control = self._user, self._control
        oldest_s = self._oldest_s() if user or control or self._again is not None else None
        capacity = self.spec.capacity
        return MailboxNode(len(user), self._peak, capacity, len(control), self.suspended, oldest_s)

    def _oldest_s(self) -> float:
        """A lane keeps its order, so its first came first; what came back is older than what never was taken."""
        firsts = [lane[0].came_at for lane in (self._control, self._user) if lane]
        if self._again is not None:
            firsts.append(self._again.came_at)
        return self._now() - min(firsts)

    def waiting(self) -> tuple[list[Any], list[Any]]:
        """The messages that wait: those of the control lane, and those of the user lane, in order."""
        again = [] if self._again is None else [self._again]
        return [envelope.body for envelope in self._control], [
            envelope.body for envelope in (*again, *self._user)
        ]

    def stats(self) -> MailboxStats:
        """A snapshot of the counters."""
        return MailboxStats(
            used=len(self._user),
            control=len(self._control),
            peak=self._peak,
            capacity=self.spec.capacity,
            accepted=self._accepted,
            taken=self._taken,
            discarded=self._discarded,
            dropped_in_flight=self._dropped_in_flight,
            redelivered=self._redelivered,
            poisoned=self._poisoned,
            overflowed=self._overflowed,
            parked=self._parked,
        )

    @property
    def _holds_up(self) -> bool:
        """True while a writer has to wait."""
        spec = self.spec
        return self.open and len(self._user) >= spec.capacity and spec.overflow == "backpressure"

    def _refuse(self, envelope: Envelope) -> Outcome:
        self._bury(envelope, Why.NOBODY)
        return Outcome.STOPPED

    def _overflow(self, envelope: Envelope) -> Outcome:
        """Do what the spec says about a full user lane; ``ACCEPTED`` means that there is room now."""
        match self.spec.overflow:
            case "backpressure":
                return Outcome.FULL
            case "drop_oldest":
                self._discarded += 1
                self._drop(self._user.popleft())
                return Outcome.ACCEPTED
            case "drop_newest":
                self._drop(envelope)
                return Outcome.FULL
            case "park":
                return self._park(envelope)
            case never:
                assert_never(never)

    def _park(self, envelope: Envelope) -> Outcome:
        # A question has an asker that waits: kept for later it would only be answered too late.
        if self.spec.park is None or envelope.reply is not None:
            self._drop(envelope)
            return Outcome.FULL
        try:
            self.spec.park(envelope.body)
        except Exception:  # foreign code: its fault is not the sender's
            log.exception("%s: a message could not be parked", self.path)
            self._drop(envelope)
            return Outcome.FULL
        self._parked += 1
        return Outcome.PARKED

    def _drop(self, envelope: Envelope) -> None:
        self._overflowed += 1
        if envelope.reply is not None:
            envelope.reply.fail(MailboxFullError(self.path))
        self._bury(envelope, Why.OVERFLOW)

    def _bury(self, envelope: Envelope, why: Why) -> None:
        """Make a dead letter, but neither of a question, nor of what was for one incarnation alone."""
        if envelope.reply is None and envelope.fence is None:
            self._letters.add(self.path, envelope.body, why)

    def _tell_askers(self, error: type[ActorDownError], reason: ExitReason) -> None:
        """Answer all questions that wait with an ``error`` each, and take them out."""
        before = len(self._user)
        for lane in (self._control, self._user):
            questions = [envelope for envelope in lane if envelope.reply is not None]
            if questions:
                rest = [envelope for envelope in lane if envelope.reply is None]
                lane.clear()
                lane.extend(rest)
            for question in questions:
                if question.reply is not None:
                    question.reply.fail(error(self.path, reason))
        self._discarded += before - len(self._user)

    def _wake_writers(self) -> None:
        """Have all writers that wait look again."""
        if self._writers is not None:
            self._writers.unpark_all()

    def _ring(self) -> None:
        """Wake the reader if it waits."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            trio.lowlevel.reschedule(reader)

    def _reader_gone(self, _: Callable[[], object]) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED
