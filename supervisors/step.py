"""The words a supervisor's state machine takes and gives: states, events, actions, refusals; frozen data.

Begin · Ready · Fault · Exited · Tick · commands  ──core.step──▶  Start · SoftStop · Cancel · Abandon · records · End
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from supervisors.reasons import ExitReason, Shutdown
from supervisors.spec import ChildSpec


class State(StrEnum):
    """Where a child is."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    BACKOFF = "backoff"
    DISABLED = "disabled"
    STUCK = "stuck"
    STOPPED = "stopped"


class Phase(StrEnum):
    """Where the supervisor itself is."""

    NEW = "new"
    BOOTING = "booting"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"


# --- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """Start the children that the supervisor was made with."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Incarnation ``incarnation`` of a child says that it is ready."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is wrong with an incarnation from outside (a linked actor ended badly): end it, for this reason."""

    child: str
    incarnation: int
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Exited:
    """The task of an incarnation has ended. ``waiting``: its mailbox holds messages that nobody has handled."""

    child: str
    incarnation: int
    reason: ExitReason
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Add:
    """A new child; one of that id that is there already stays as it is, or starts again if it has ended."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class Adjust:
    """A new spec for the child of that id. Its incarnation goes on; the next decision about it follows the new spec."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class Terminate:
    """Stop a child and keep it stopped (a dynamic one is forgotten)."""

    child: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Stop a child and start it again: no backoff, no budget."""

    child: str


@dataclass(frozen=True, slots=True)
class Disable:
    """Stop a child and leave it down, visibly, until it is enabled."""

    child: str


@dataclass(frozen=True, slots=True)
class Enable:
    """Start a disabled child with a fresh budget."""

    child: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop all children, then end."""

    reason: ExitReason = field(default_factory=Shutdown)


Event = Begin | Ready | Fault | Exited | Tick | Add | Adjust | Terminate | Restart | Disable | Enable | Stop

Decision = Literal["restart", "stop", "disable", "escalate", "remove"]

# --- actions -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Start an incarnation."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class SoftStop:
    """Ask an incarnation to stop."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an incarnation's scope."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give an incarnation up: fence it, count it as stuck, go on without it."""

    child: str
    incarnation: int


@dataclass(frozen=True, slots=True)
class Booted:
    """All children that had to be ready are."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one end led to: the structured record that every exit gets exactly once."""

    child: str
    incarnation: int
    reason: ExitReason
    decision: Decision
    delay: float | None
    budget_left: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A child is in a new state."""

    child: str
    state: State


@dataclass(frozen=True, slots=True)
class Removed:
    """A child is forgotten."""

    child: str
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class End:
    """All children have ended; the supervisor ends with ``reason``. Always the last action, and only once."""

    reason: ExitReason


Action = Start | SoftStop | Cancel | Abandon | Booted | Record | Changed | Removed | End

# --- errors ------------------------------------------------------------------------------------------------------------


class UnknownChildError(LookupError):
    """A command named a child that is not there."""


class TooManyChildrenError(Exception):
    """One more child than ``limit`` was to be started."""

    def __init__(self, limit: int) -> None:
        there = "is 1 child" if limit == 1 else f"are {limit:,} children"
        super().__init__(f"there {there}, and no more may be")
        self.limit = limit
