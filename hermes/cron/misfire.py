"""What is due after a gap: the process was down, the machine slept, the clock was set forward.

    next due ≤ now ─▶ every instant until now ─ policy ─▶ those that are run · how many are not · when it goes on

``once`` runs the last of them, however many there were and however late it is; ``skip`` too, but not if that is late beyond
``grace``; ``all`` runs each. What is not late is never a matter of policy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Literal

from hermes.cron.schedule import Cron, Interval, Once, Schedule, following

Misfire = Literal["once", "skip", "all"]

LEAST_GRACE_S = 120.0
MOST_GRACE_S = 7_200.0
MOST_CAUGHT_UP = 100
"""Of a longer row of missed instants ``all`` runs the newest."""


@dataclass(frozen=True, slots=True)
class Due:
    """``run``: instants, oldest first. ``missed``: how many were passed over. ``next``: later than now; None if there is none."""

    run: tuple[float, ...]
    missed: int
    next: float | None


def due(schedule: Schedule, next_at: float, now: float, zone: tzinfo, policy: Misfire) -> Due:
    """What is to be done at ``now`` of a schedule whose next instant is ``next_at``."""
    if next_at > now:
        return Due((), 0, next_at)
    kept = MOST_CAUGHT_UP if policy == "all" else 1
    passed: list[float] = []
    count = 0
    at: float | None = _leap(schedule, next_at, now, kept)
    if isinstance(schedule, Interval) and at is not None:
        count = round((at - next_at) / (60.0 * schedule.minutes))
    for one in _from(schedule, at, zone):
        at = one
        if one > now:
            break
        count += 1
        passed = [*passed, one][-kept:]
        at = None
    if policy == "skip" and now - passed[-1] > grace(schedule, passed[-1], zone):
        passed = []
    return Due(tuple(passed), count - len(passed), at)


def grace(schedule: Schedule, instant: float, zone: tzinfo) -> float:
    """How late ``instant`` may be run by a job that skips what it has missed: half of the time to the next, within bounds."""
    after = following(schedule, instant, zone)
    if after is None:
        return LEAST_GRACE_S
    return min(max((after - instant) / 2, LEAST_GRACE_S), MOST_GRACE_S)


def _from(schedule: Schedule, at: float | None, zone: tzinfo) -> Iterator[float]:
    while at is not None:
        yield at
        at = following(schedule, at, zone)


def _leap(schedule: Schedule, next_at: float, now: float, kept: int) -> float:
    """Where to begin to count: an interval's instants need not be gone through one by one."""
    match schedule:
        case Once() | Cron():
            return next_at
        case Interval(minutes):
            period = 60.0 * minutes
            return next_at + max(0.0, (now - next_at) // period - kept) * period
