"""A mailbox: two lanes, one bell. It belongs to the system, so it outlives the actor that reads it.

The control lane carries the kit's signals and urgent messages: small, never refused, always read first. The user lane is
bounded; a full one holds up the sender and nobody else. Plain deques and a bell that is rung only when the reader waits:
a message costs a twentieth of a memory channel's.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast

import trio

from supervisors.reasons import ExitReason

M = TypeVar("M")
R = TypeVar("R")

FAIRNESS_BATCH = 32
"""Messages a reader may take without a checkpoint."""


class Outcome(StrEnum):
    """What became of a message that was told."""

    ACCEPTED = "accepted"
    FULL = "full"
    STOPPED = "stopped"


class ActorDownError(Exception):
    """The actor that was asked ended before it answered; ``reason`` says how."""

    def __init__(self, path: str, reason: ExitReason) -> None:
        super().__init__(f"{path} ended before it answered")
        self.path = path
        self.reason = reason


class Reply(Generic[R]):
    """Where the answer to one question goes; sent once, later ones vanish, a caller that has left is no trouble."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._done = trio.Event()
        self._value: R | None = None
        self._error: BaseException | None = None

    @property
    def open(self) -> bool:
        """True until the first answer."""
        return not self._done.is_set()

    def send(self, value: R) -> None:
        """Answer."""
        if self.open:
            self._value = value
            self._done.set()

    def fail(self, error: BaseException) -> None:
        """Answer with an exception, raised at the asker."""
        if self.open:
            self._error = error
            self._done.set()

    async def wait(self) -> R:
        """The answer; cancelling the asker harms nobody."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return cast("R", self._value)


@dataclass(slots=True)
class Envelope:
    """A message on its way: the question it asks, if it asks one, and the one incarnation it is for, if not for any."""

    body: Any
    reply: Reply[Any] | None = None
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class MailboxStats:
    """``accepted`` = ``taken`` + ``used`` + ``discarded``, always: no message is lost unaccounted (law M1).

    Those are about the user lane. ``dropped_in_flight`` counts the messages of both lanes that a crash cut short.
    """

    used: int
    control: int
    peak: int
    capacity: int
    accepted: int
    taken: int
    discarded: int
    dropped_in_flight: int


class Mailbox:
    """One reader, many writers. Every method but ``put`` and ``take`` is synchronous and atomic."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._user: deque[Envelope] = deque()
        self._control: deque[Envelope] = deque()
        self._reader: trio.lowlevel.Task | None = None
        self._writers = trio.lowlevel.ParkingLot()
        self._since_checkpoint = 0
        self._peak = self._accepted = self._taken = self._discarded = self._dropped_in_flight = 0
        self.current: Envelope | None = None
        """The message being handled: taken, and no later one asked for yet."""
        self.open = True
        """False while nobody will read: writers are refused."""

    @property
    def has_mail(self) -> bool:
        """True if a message waits that is not for one incarnation alone."""
        return bool(self._user) or any(envelope.fence is None for envelope in self._control)

    # --- writing -------------------------------------------------------------------------------------------------------

    def offer(self, envelope: Envelope) -> Outcome:
        """Put into the user lane if there is room."""
        if not self.open:
            return Outcome.STOPPED
        if len(self._user) >= self._capacity:
            return Outcome.FULL
        self._user.append(envelope)
        self._accepted += 1
        self._peak = max(self._peak, len(self._user))
        self._ring()
        return Outcome.ACCEPTED

    async def put(self, envelope: Envelope) -> Outcome:
        """Put into the user lane, waiting for room. If cancelled while waiting, nothing was put. Writers wait in order."""
        while (outcome := self.offer(envelope)) is Outcome.FULL:
            await self._writers.park()
        return outcome

    def urge(self, envelope: Envelope) -> Outcome:
        """Put into the control lane; never full."""
        if not self.open:
            return Outcome.STOPPED
        self._control.append(envelope)
        self._ring()
        return Outcome.ACCEPTED

    def refuse_new(self) -> None:
        """Nobody reads now: refuse writers and send the waiting ones away; what is in stays for a later reader."""
        self.open = False
        self._writers.unpark_all()

    def close(self, refuse: Callable[[Envelope], None]) -> None:
        """Nobody will read again: refuse writers and hand every waiting message to ``refuse``."""
        self.refuse_new()
        self._discarded += len(self._user)
        waiting = [*self._control, *self._user]
        self._control.clear()
        self._user.clear()
        for envelope in waiting:
            refuse(envelope)

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
        while not self._control and not self._user:
            if self._reader is not None:
                raise RuntimeError("a mailbox has one reader")
            self._reader = trio.lowlevel.current_task()
            self._since_checkpoint = 0
            await trio.lowlevel.wait_task_rescheduled(self._reader_gone)
            check()
        if self._control:
            self.current = self._control.popleft()
            return self.current
        self.current = self._user.popleft()
        self._taken += 1
        self._writers.unpark()
        return self.current

    def let_go(self, reason_for_asker: BaseException, *, handled: bool) -> None:
        """The reader has ended, or was given up and may still wait here: then its ``check`` turns it away.

        What it was handling is dropped unless it is ``handled``; who asked for it is told.
        """
        self._ring()
        if self.current is not None:
            if not handled and self.current.fence is None:
                self._dropped_in_flight += 1
            if self.current.reply is not None:
                self.current.reply.fail(reason_for_asker)
            self.current = None

    def stats(self) -> MailboxStats:
        """A snapshot of the counters."""
        return MailboxStats(
            used=len(self._user),
            control=len(self._control),
            peak=self._peak,
            capacity=self._capacity,
            accepted=self._accepted,
            taken=self._taken,
            discarded=self._discarded,
            dropped_in_flight=self._dropped_in_flight,
        )

    def _ring(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            trio.lowlevel.reschedule(reader)

    def _reader_gone(self, _: Callable[[], object]) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED
