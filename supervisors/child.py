"""What a supervisor knows of one child, across all its incarnations."""

from dataclasses import dataclass, field
from typing import Literal

from supervisors.intensity import Window
from supervisors.reasons import ExitReason
from supervisors.spec import ChildSpec
from supervisors.step import State

HISTORY = 8
"""How many last reasons of a child are kept for ``IntensityExceeded``."""

Then = Literal["restart", "stop", "disable", "remove", "wait"]
"""What follows when a stopping incarnation has ended; ``wait``: it starts again after the sibling it was stopped for."""


@dataclass(slots=True)
class Child:
    """Everything the supervisor knows of one child, across its incarnations."""

    spec: ChildSpec
    state: State = State.STARTING
    launched: bool = False
    """False while a starting child waits for its turn."""
    incarnation: int = 0
    deadline: float | None = None
    cancelled: bool = False
    then: Then = "stop"
    doomed: bool = False
    """Alive, and to be stopped because a sibling it depends on has failed."""
    retired: bool = False
    """Stopped by order: no sibling's restart brings it back."""
    probing: bool = False
    """Tried again after it was disabled over budget: one more abnormal end disables it at once."""
    fault: ExitReason | None = None
    """Why a stopping child is stopped, if it is for a fault of its own: it is judged by this, not by ``then``."""
    restarts: int = 0
    streak: int = 0
    window: Window = field(default_factory=Window)
    ready_at: float | None = None
    history: list[ExitReason] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """True while an incarnation exists that has not ended."""
        return self.launched and self.state in {State.STARTING, State.RUNNING, State.STOPPING}

    @property
    def waiting(self) -> bool:
        """True while it is to start, and has not been started."""
        return self.state is State.STARTING and not self.launched

    @property
    def holds(self) -> bool:
        """True while siblings that depend on it must stay down."""
        return self.doomed or self.state in {State.BACKOFF, State.DISABLED}

    @property
    def comes_back(self) -> bool:
        """True if it has ended by itself, and its siblings' restart starts it again (law A2)."""
        return self.state is State.STOPPED and not self.retired and self.spec.restart != "temporary"

    def remember(self, reason: ExitReason) -> None:
        """Keep the newest reasons."""
        self.history.append(reason)
        del self.history[:-HISTORY]
