"""What the system keeps of an actor (``Cell``) and of one of its lives (``Life``).

Cell   path, spec, mailbox, who watches it        outlives every incarnation; a ref points here
Life   incarnation number, cancel scope, "done"   ends with the task; fenced off when it is given up
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import trio

from supervisors.mailbox import Envelope, Mailbox
from supervisors.reasons import Crash, ExitReason, Normal, Shutdown, describe, is_clean
from supervisors.reply import Reply
from supervisors.spec import ChildSpec
from supervisors.trace import Trace


@dataclass(frozen=True, slots=True)
class Stop:
    """Kit signal: end soon, in good order. Then the task is cancelled."""

    reason: str = "shutdown"


@dataclass(frozen=True, slots=True)
class Down:
    """Kit signal: incarnation ``incarnation`` of the actor at ``path``, which we watch or spawned, has ended."""

    path: str
    incarnation: int
    reason: ExitReason


class FencedError(Exception):
    """An incarnation that was given up tried to act. Its successor may be at work already."""


class LinkDownError(Exception):
    """The actor at ``path``, linked with this one, ended badly, and this one with it; ``reason`` is the other's."""

    def __init__(self, path: str, reason: ExitReason) -> None:
        super().__init__(f"{path}, linked with it, ended: {describe(reason)}")
        self.path = path
        self.reason = reason


class Keeper(Protocol):
    """Whoever is responsible for a life is told of it: synchronously, from any task, also after his own end."""

    def is_ready(self, life: "Life") -> None:
        """Said once."""

    def is_faulty(self, life: "Life", reason: ExitReason) -> None:
        """Something outside of it has gone wrong, and it is cancelled; it may be deaf to that."""

    def has_ended(self, life: "Life", reason: ExitReason) -> None:
        """Said once, when its task is over; never of a life that was given up."""


@dataclass(eq=False, slots=True)
class Life:
    """One incarnation."""

    cell: "Cell"
    incarnation: int
    keeper: Keeper
    started_at: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    done: trio.Event = field(default_factory=trio.Event)
    ready_at: float | None = None
    ended: ExitReason | None = None
    fenced: bool = False
    task: trio.lowlevel.Task | None = None
    linked: dict[str, "Life"] = field(default_factory=dict)
    """Children of its own, by name; they end with it."""
    watching: dict["Watch", None] = field(default_factory=dict)
    """Whom it watches; they forget it when it ends first."""
    asking: tuple[str, Reply[Any]] | None = None
    """The question its only task waits for, and whom it asked."""
    fault: ExitReason | None = None
    """Why it was cancelled, if a linked actor took it down."""
    beat_at: float = 0.0
    """When it last showed progress, for a spec with ``stall_s``."""

    def fail(self, reason: ExitReason) -> None:
        """End it for something that has gone wrong outside of it."""
        self.fault = reason
        self.keeper.is_faulty(self, reason)
        self.scope.cancel()

    def check_fence(self) -> None:
        """Raise ``FencedError`` if this life has been given up."""
        if self.fenced:
            raise FencedError(f"{self.cell.path}#{self.incarnation} was given up")


@dataclass(eq=False, slots=True)
class Watch:
    """``watcher`` wants one ``Down`` when the present incarnation of ``target`` ends; a ``link`` ends with a bad end of it."""

    watcher: Life
    target: "Cell"
    link: bool = False

    def begin(self) -> None:
        """Both sides know of it."""
        self.target.watches[self] = None
        self.watcher.watching[self] = None


@dataclass(eq=False, slots=True)
class Cell:
    """An actor as the rest of the world knows it."""

    path: str
    spec: ChildSpec
    mailbox: Mailbox
    life: Life | None = None
    last_incarnation: int = 0
    last_reason: ExitReason | None = None
    watches: dict[Watch, None] = field(default_factory=dict)
    current_since: float = 0.0
    """When the message in work was taken."""
    busy_since: float | None = None
    """When it took the first of the messages it has handled since it last waited; None while it waits."""
    busy_before_s: float = 0.0
    """How long it was busy before that."""
    trace: Trace | None = None
    last_work: tuple[str, int] | None = None
    """What the last life had in work when it ended: the type of the message and its attempt."""

    def notify(self, life: Life, signal: Stop | Down) -> None:
        """Put a kit signal into the control lane, for ``life`` alone."""
        if not life.fenced and life.ended is None:
            self.mailbox.urge(Envelope(signal, fence=life.incarnation))

    def busy_s(self, now: float) -> float:
        """Seconds it has been busy with messages, over all its lives."""
        return self.busy_before_s + (0.0 if self.busy_since is None else now - self.busy_since)

    def rest(self, now: float) -> None:
        """It is busy no longer. Counted here, not with every message: a wait costs more than this by far."""
        self.busy_before_s, self.busy_since = self.busy_s(now), None

    def ended(self, life: Life, reason: ExitReason) -> None:
        """Book the end of a life: its mailbox lets it go, its watchers are told, once, in the order they came."""
        life.ended = reason
        if self.life is life:
            self.life = None
            self.last_reason = reason
            now = trio.current_time()
            if self.trace is not None:
                self.trace.done(life.incarnation, now, handled=isinstance(reason, Normal))
            self.rest(now)
            current = self.mailbox.current
            self.last_work = None if current is None else (type(current.body).__name__, current.attempt)
            self.mailbox.let_go(reason)
        for watch in life.watching:
            del watch.target.watches[watch]
        life.watching.clear()
        watches, self.watches = self.watches, {}
        for watch in watches:
            del watch.watcher.watching[watch]
            if not watch.link:
                watch.watcher.cell.notify(watch.watcher, Down(self.path, life.incarnation, reason))
            elif not is_clean(reason):
                watch.watcher.fail(Crash(LinkDownError(self.path, reason)))

    def adjust(self, spec: ChildSpec) -> None:
        """From now on ``spec`` holds."""
        self.spec = spec
        self.mailbox.spec = spec.mailbox

    def refuse_new(self) -> None:
        """Nobody lives here until further notice."""
        self.mailbox.refuse_new(self.last_reason or Shutdown())

    def close(self) -> None:
        """Nobody will live here again."""
        self.mailbox.close(self.last_reason or Shutdown())
