"""Child specs: what a supervisor knows of a child, as frozen data with stated defaults.

Durations are seconds. A spec says nothing about one life of the child; that is ``core``'s business.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
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
Overflow = Literal["backpressure", "drop_oldest", "drop_newest", "park"]
Kind = Literal["worker", "supervisor"]

_REDELIVER = re.compile("redeliver:[1-9][0-9]*")


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
class MailboxSpec:
    """The mailbox of a child: ``capacity`` bounds its user lane, ``overflow`` says what a full one does.

    ``backpressure`` holds up the sender; ``drop_oldest`` and ``drop_newest`` make dead letters; ``park`` hands the message
    to ``park``, which puts it where it is safe, without blocking. ``in_flight`` is about the message in work when the
    child ends other than by returning: ``drop`` it (at most once), or ``redeliver:n``, first of all, until it has ended
    the child badly ``n`` times; then it is a dead letter, and the child goes on with the next.
    """

    capacity: int = 256
    overflow: Overflow = "backpressure"
    in_flight: str = "drop"
    park: Callable[[Any], None] | None = None

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"a mailbox has room for a message: {self}")
        if (self.overflow == "park") != (self.park is not None):
            raise ValueError(f"park says where to, and nothing else does: {self}")
        if self.in_flight != "drop" and not _REDELIVER.fullmatch(self.in_flight):
            raise ValueError(f"in_flight is drop or redeliver:n, n from 1: {self}")

    @property
    def attempts(self) -> int | None:
        """How many bad ends a message may cause before it is a dead letter; None: it is dropped at once."""
        return None if self.in_flight == "drop" else int(self.in_flight.removeprefix("redeliver:"))


DEFAULT_BACKOFF = Backoff()
DEFAULT_INTENSITY = Intensity()
DEFAULT_MAILBOX = MailboxSpec()


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. ``start(ctx, *args)`` is its whole life: an async function that returns when it is done.

    A soft stop may take ``shutdown`` seconds, then the child is cancelled; ``grace`` seconds later it is stuck.
    ``shutdown`` may be infinite (supervisors) or 0 (cancel at once). A child with ``stall_s`` calls ``ctx.beat()`` with
    every sign of progress; a running one that has not for so long is ended, and that counts as a crash.
    """

    id: str
    start: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kind: Kind = "worker"
    restart: Restart = "permanent"
    start_mode: StartMode = "eventual"
    ready_timeout: float = 30.0
    stall_s: float | None = None
    shutdown: float = 5.0
    grace: float = 2.0
    backoff: Backoff = DEFAULT_BACKOFF
    intensity: Intensity = DEFAULT_INTENSITY
    on_stuck: OnStuck = "abandon"
    significant: bool = False
    mailbox: MailboxSpec = DEFAULT_MAILBOX
    classify: Classify = crash
    overridden: tuple[str, ...] = ()
    """Which keys of ``policy()`` somebody has set in place of what is built in; for people, the kit does not look at it."""

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("a child has an id")
        if self.ready_timeout <= 0 or self.shutdown < 0 or self.grace < 0:
            raise ValueError(f"ready_timeout is positive, shutdown and grace not negative: {self.id}")
        if self.stall_s is not None and self.stall_s <= 0:
            raise ValueError(f"stall_s is positive: {self.id}")

    def policy(self) -> dict[str, Any]:
        """The restart policy as plain data, for people."""
        return {
            "restart": self.restart,
            "start": self.start_mode,
            "intensity": f"{self.intensity.restarts}/{self.intensity.per:g}",
            "on_exceeded": self.intensity.on_exceeded,
            "backoff": f"{self.backoff.min:g}..{self.backoff.max:g}",
            "factor": self.backoff.factor,
            "reset_after": self.backoff.reset_after,
            "stall_s": self.stall_s,
            "shutdown": None if math.isinf(self.shutdown) else self.shutdown,
            "on_stuck": self.on_stuck,
            "overridden": list(self.overridden),
        }


_ESCAPED = {ord(c): f"%{ord(c):02X}" for c in [*map(chr, range(33)), "/", "%", "\x7f"]}


@lru_cache(1024)
def path_segment(name: str) -> str:
    """``name`` as one segment of a tree path: '/', '%', spaces and control characters percent-encoded."""
    return name.translate(_ESCAPED)
