"""Writes of what the gateway says of itself, and of what it knows of its own lives."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from hermes.delivery.dead_targets import DeadTarget
from hermes.delivery.notices import Notice
from hermes.delivery.targets import Place
from hermes.store.ops import Op
from hermes.types.ids import BootId

Ended = Literal["", "stop", "restart", "none"]
"""How a life of the process ended: unasked (killed, crashed, given up), in good order, to be started again; ``none``: there
was none before.
"""


@dataclass(frozen=True, slots=True)
class Notify(Op[bool]):
    """Put a notice into the outbox. False, and nothing is written, if it is there already or its time has not come."""

    rank: ClassVar[int] = 40
    notice: Notice
    at: float


@dataclass(frozen=True, slots=True)
class Before:
    """How the last life ended, and who asked for that, if they want to hear of the next."""

    ended: Ended
    asked_by: Place | None = None


@dataclass(frozen=True, slots=True)
class Begin(Op[Before]):
    """A life of the process has begun; how the one before it ended. The same again gives the same."""

    rank: ClassVar[int] = 55
    boot_id: BootId
    at: float


@dataclass(frozen=True, slots=True)
class End(Op[None]):
    """It ends in good order."""

    rank: ClassVar[int] = 56
    boot_id: BootId
    ended: Literal["stop", "restart"]
    asked_by: Place | None = None


@dataclass(frozen=True, slots=True)
class AdoptDeadTargets(Op[int]):
    """Take over what another program knows of dead chats; of those that we know something of, nothing. How many."""

    rank: ClassVar[int] = 57
    targets: tuple[DeadTarget, ...]
    at: float
