"""Child specs: what a supervisor knows of a child, as frozen data with stated defaults.

Durations are seconds. A spec says nothing about one life of the child; that is ``core``'s business.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from supervisors.reasons import Classify, crash

Restart = Literal["permanent", "transient", "temporary"]
"""permanent: always; transient: only after an abnormal end; temporary: never."""

StartMode = Literal["sync", "eventual"]
"""sync: in list order, ready before the next one starts, and a failure at boot fails the supervisor.
eventual: started in order, but nobody waits; a slow or failed start concerns that child alone."""

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
"""Whom a failure takes down: the failed child alone; all; it and those started after it. They start again in order, after
the failed one's backoff; while a child is in backoff or disabled, those that depend on it stay down."""

AutoShutdown = Literal["never", "any_significant", "all_significant"]
"""Whether a supervisor ends when significant children have ended by themselves and for good."""

OnExceeded = Literal["disable", "escalate"]
OnStuck = Literal["abandon", "escalate"]
Kind = Literal["worker", "supervisor"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delay before the n-th restart in a row: drawn from [min, min(max, min · factor^n)] (full jitter).

    A child that has been ready for ``reset_after`` without ending counts from zero again.
    """

    min: float = 0.1
    max: float = 30.0
    factor: float = 2.0
    reset_after: float = 60.0

    def __post_init__(self) -> None:
        if not (0 <= self.min <= self.max < math.inf and self.factor >= 1 and self.reset_after >= 0):
            raise ValueError(f"backoff needs 0 <= min <= max < inf, factor >= 1 and reset_after >= 0: {self}")


@dataclass(frozen=True, slots=True)
class Intensity:
    """How often a child may end abnormally: more than ``restarts`` times within ``per`` seconds is over budget.

    A child that is then disabled is tried again after ``probe`` seconds, if given; until it has been healthy for its
    backoff's ``reset_after``, one more abnormal end disables it again.
    """

    restarts: int = 5
    per: float = 60.0
    on_exceeded: OnExceeded = "disable"
    probe: float | None = None

    def __post_init__(self) -> None:
        if self.restarts < 0 or self.per <= 0 or (self.probe is not None and self.probe <= 0):
            raise ValueError(f"intensity needs restarts >= 0, per > 0 and probe > 0: {self}")


@dataclass(frozen=True, slots=True)
class Limit:
    """How often all children of a supervisor together may end abnormally before it gives up."""

    restarts: int
    per: float

    def __post_init__(self) -> None:
        if self.restarts < 0 or self.per <= 0:
            raise ValueError(f"a limit needs restarts >= 0 and per > 0: {self}")


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. ``start(ctx, *args)`` is its whole life: an async function that returns when it is done.

    A soft stop may take ``shutdown`` seconds, then the child is cancelled; ``grace`` seconds later it is stuck.
    ``shutdown`` may be infinite (supervisors) or 0 (cancel at once). ``capacity`` bounds the mailbox's user lane.
    """

    id: str
    start: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kind: Kind = "worker"
    restart: Restart = "permanent"
    start_mode: StartMode = "eventual"
    ready_timeout: float = 30.0
    shutdown: float = 5.0
    grace: float = 2.0
    backoff: Backoff = field(default_factory=Backoff)
    intensity: Intensity = field(default_factory=Intensity)
    on_stuck: OnStuck = "abandon"
    significant: bool = False
    capacity: int = 256
    classify: Classify = crash

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a child has an id")
        if self.capacity < 1 or self.ready_timeout <= 0 or self.shutdown < 0 or self.grace < 0:
            raise ValueError(
                f"capacity and ready_timeout are positive, shutdown and grace not negative: {self.id}"
            )

    def policy(self) -> dict[str, Any]:
        """The restart policy as plain data, for people."""
        return {
            "restart": self.restart,
            "start": self.start_mode,
            "intensity": f"{self.intensity.restarts}/{self.intensity.per:g}",
            "on_exceeded": self.intensity.on_exceeded,
            "backoff": f"{self.backoff.min:g}..{self.backoff.max:g}",
            "shutdown": None if math.isinf(self.shutdown) else self.shutdown,
            "on_stuck": self.on_stuck,
        }


_ESCAPED = {ord(c): f"%{ord(c):02X}" for c in [*map(chr, range(33)), "/", "%", "\x7f"]}


def path_segment(name: str) -> str:
    """``name`` as one segment of a tree path: '/', '%', spaces and control characters percent-encoded."""
    return name.translate(_ESCAPED)
