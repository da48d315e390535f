"""What the system keeps of an actor (``Cell``) and of one of its lives (``Life``).

Cell   path, spec, mailbox, who watches it        outlives every incarnation; a ref points here
Life   incarnation number, cancel scope, "done"   ends with the task; fenced off when it is given up
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from supervisors.mailbox import Envelope, Mailbox
from supervisors.reasons import Crash, ExitReason, Shutdown, describe, is_clean
from supervisors.reply import Reply
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


class LinkDownError(Exception):
    """The actor at ``path``, linked with this one, ended badly, and this one with it; ``reason`` is the other's."""

    def __init__(self, path: str, reason: ExitReason) -> None:
        super().__init__(f"{path}, linked with it, ended: {describe(reason)}")
        self.path = path
        self.reason = reason


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
    watching: dict["Watch", None] = field(default_factory=dict)
    """Whom it watches; they forget it when it ends first."""
    asking: tuple[str, Reply[Any]] | None = None
    """The question its only task waits for, and whom it asked."""
    felled: ExitReason | None = None
    """Why it was cancelled, if a linked actor took it down."""

    def fell(self, path: str, reason: ExitReason) -> None:
        """Cancel it, because the actor at ``path``, linked with it, ended badly."""
        self.felled = Crash(LinkDownError(path, reason))
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

    def notify(self, life: Life, signal: Stop | Down) -> None:
        """Put a kit signal into the control lane, for ``life`` alone."""
        if not life.fenced and life.ended is None:
            self.mailbox.urge(Envelope(signal, fence=life.incarnation))

    def ended(self, life: Life, reason: ExitReason) -> None:
        """Book the end of a life: its mailbox lets it go, its watchers are told, once, in the order they came."""
        life.ended = reason
        if self.life is life:
            self.life = None
            self.last_reason = reason
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
                watch.watcher.fell(self.path, reason)

    def refuse_new(self) -> None:
        """Nobody lives here until further notice."""
        self.mailbox.refuse_new(self.last_reason or Shutdown())

    def close(self) -> None:
        """Nobody will live here again."""
        self.mailbox.close(self.last_reason or Shutdown())
