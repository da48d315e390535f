"""What the system keeps of an actor (``Cell``) and of one of its lives (``Life``).

Cell   path, spec, mailbox, who watches it        outlives every incarnation; a ref points here
Life   incarnation number, cancel scope, "done"   ends with the task; fenced off when it is given up
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from supervisors.mailbox import ActorDownError, Envelope, Mailbox
from supervisors.reasons import ExitReason, Normal, Shutdown
from supervisors.spec import ChildSpec


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


@dataclass(eq=False, slots=True)
class Life:
    """One incarnation. ``on_ready`` and ``on_end`` tell whoever is responsible; both are called at most once."""

    cell: "Cell"
    incarnation: int
    on_ready: Callable[["Life"], None]
    on_end: Callable[["Life", ExitReason], None]
    started_at: float
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    done: trio.Event = field(default_factory=trio.Event)
    ready_at: float | None = None
    ended: ExitReason | None = None
    fenced: bool = False
    task: trio.lowlevel.Task | None = None
    linked: dict[str, "Life"] = field(default_factory=dict)
    """Children of its own, by name; they end with it."""

    def check_fence(self) -> None:
        """Raise ``FencedError`` if this life has been given up."""
        if self.fenced:
            raise FencedError(f"{self.cell.path}#{self.incarnation} was given up")


@dataclass(eq=False, slots=True)
class Watch:
    """Somebody wants one ``Down`` when the present incarnation ends."""

    watcher: Life


@dataclass(eq=False, slots=True)
class Cell:
    """An actor as the rest of the world knows it."""

    path: str
    spec: ChildSpec
    mailbox: Mailbox
    life: Life | None = None
    last_incarnation: int = 0
    last_reason: ExitReason | None = None
    watches: list[Watch] = field(default_factory=list)
    current_since: float = 0.0

    def notify(self, life: Life, signal: Stop | Down) -> None:
        """Put a kit signal into the control lane, for ``life`` alone."""
        if not life.fenced and life.ended is None:
            self.mailbox.urge(Envelope(signal, fence=life.incarnation))

    def ended(self, life: Life, reason: ExitReason) -> None:
        """Book the end of a life: what it handled is dropped, its watchers are told."""
        life.ended = reason
        if self.life is life:
            self.life = None
            self.last_reason = reason
            self.mailbox.let_go(ActorDownError(self.path, reason), handled=isinstance(reason, Normal))
        watches, self.watches = self.watches, []
        for watch in watches:
            watch.watcher.cell.notify(watch.watcher, Down(self.path, life.incarnation, reason))

    def close(self) -> None:
        """Nobody will live here again."""
        error = ActorDownError(self.path, self.last_reason or Shutdown())
        self.mailbox.close(lambda envelope: envelope.reply.fail(error) if envelope.reply else None)
