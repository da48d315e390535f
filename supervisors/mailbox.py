"""A mailbox: two lanes, one bell. It belongs to the system, so it outlives the actor that reads it.

The control lane carries the kit's signals and urgent messages: small, never refused, always read first. The user lane is
bounded; what a full one does is declared in its spec, and the default holds up the sender and nobody else. Plain deques
and a bell that is rung only when the reader waits: a message costs a twentieth of a memory channel's.

    offer, put ─▶ user lane ──┐
         urge ─▶ control lane ┴─▶ take ─▶ in work ─▶ handled | dropped | given back | poison ─▶ dead letters
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

import trio

from supervisors.letters import DeadLetters, Why
from supervisors.reasons import ExitReason, Normal, is_clean
from supervisors.reply import ActorDownError, MailboxFullError, Reply, RestartingError
from supervisors.spec import MailboxSpec

log = logging.getLogger(__name__)

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

    ``attempt`` says how often it has been handed out, from 1; ``crashes`` how often that ended badly.
    """

    body: Any
    reply: Reply[Any] | None = None
    fence: int | None = None
    attempt: int = 1
    crashes: int = 0


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
    """One reader, many writers. Every method but ``put`` and ``take`` is synchronous and atomic."""

    def __init__(self, path: str, spec: MailboxSpec, letters: DeadLetters) -> None:
        self.path = path
        self.spec = spec
        self._letters = letters
        self._user: deque[Envelope] = deque()
        self._control: deque[Envelope] = deque()
        self._again: Envelope | None = None
        """Given back to the user lane, before all others: it has had its place, so it takes none from them (law M4)."""
        self._reader: trio.lowlevel.Task | None = None
        self._writers: trio.lowlevel.ParkingLot | None = None
        """Made for the first writer that has to wait: most mailboxes never have one, and it weighs on all."""
        self._since_checkpoint = 0
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
        return (
            bool(self._user)
            or self._again is not None
            or any(envelope.fence is None for envelope in self._control)
        )

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
        while self._holds_up:
            if self._writers is None:
                self._writers = trio.lowlevel.ParkingLot()
            await self._writers.park()
            if envelope.reply is not None and self._bad_ends != bad_ends:
                envelope.reply.fail(RestartingError(self.path, self._bad_end))
                return Outcome.FULL
        return self.offer(envelope)

    def urge(self, envelope: Envelope) -> Outcome:
        """Put into the control lane; never full."""
        if not self.open:
            return self._refuse(envelope)
        self._control.append(envelope)
        self._ring()
        return Outcome.ACCEPTED

    def refuse_new(self, reason: ExitReason) -> None:
        """Nobody reads now: refuse writers, send the waiting ones away, and tell those who asked.

        Messages that are in stay for a later reader.
        """
        self.open = False
        self._wake_writers()
        self._tell_askers(ActorDownError(self.path, reason))

    def close(self, reason: ExitReason) -> None:
        """Nobody will read again: as ``refuse_new``, and every message that waits is a dead letter."""
        self.refuse_new(reason)
        if self._again is not None:
            self._taken -= 1
            self._user.appendleft(self._again)
            self._again = None
        self._discarded += len(self._user)
        for lane in (self._control, self._user):
            while lane:
                self._bury(lane.popleft(), Why.CLOSED)

    # --- reading -------------------------------------------------------------------------------------------------------

    async def take(self, check: Callable[[], None]) -> Envelope:
        """The next message, control lane first. A checkpoint when it has to wait, and at least every few messages.

        ``check`` is called before every look into the lanes; it raises if the reader may no longer read. If it did, or
        if the reader is cancelled, no message was taken.
        """
        check()
        self.current = None
        # Without this a cancelled reader would go on for as long as mail comes in.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._since_checkpoint += 1
        if self._since_checkpoint >= FAIRNESS_BATCH:
            self._since_checkpoint = 0
            await trio.lowlevel.checkpoint()
        while not self._control and not self._user and self._again is None:
            if self._reader is not None:
                raise RuntimeError("a mailbox has one reader")
            self._reader = trio.lowlevel.current_task()
            self._since_checkpoint = 0
            await trio.lowlevel.wait_task_rescheduled(self._reader_gone)
            check()
        if self._control:
            self.current = self._control.popleft()
            self._current_is_urgent = True
            return self.current
        self._current_is_urgent = False
        if self._again is not None:
            self.current, self._again = self._again, None
            return self.current
        self.current = self._user.popleft()
        self._taken += 1
        if self._writers is not None:
            self._writers.unpark()
        return self.current

    def let_go(self, reason: ExitReason) -> None:
        """The reader has ended, or was given up and may still wait here: then its ``check`` turns it away.

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
            self._tell_askers(RestartingError(self.path, reason))
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
                self._control.appendleft(envelope)
            else:
                self._again = envelope

    # --- small things --------------------------------------------------------------------------------------------------

    def levels(self) -> tuple[int, int, int, int]:
        """How full it is: messages in the user lane, the most there ever were, its capacity, the control lane's."""
        return len(self._user), self._peak, self.spec.capacity, len(self._control)

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

    def _tell_askers(self, error: ActorDownError) -> None:
        """Answer all questions that wait with ``error`` and take them out."""
        before = len(self._user)
        for lane in (self._control, self._user):
            questions = [envelope for envelope in lane if envelope.reply is not None]
            if questions:
                rest = [envelope for envelope in lane if envelope.reply is None]
                lane.clear()
                lane.extend(rest)
            for question in questions:
                if question.reply is not None:
                    question.reply.fail(error)
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
