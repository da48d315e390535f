"""What it means that a child has ended by itself: one verdict, from its spec, its reason and what is left of its budgets."""

from collections.abc import Callable
from dataclasses import dataclass

from supervisors.child import Child
from supervisors.reasons import (
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    StartFailed,
    is_clean,
    through,
)


@dataclass(frozen=True, slots=True)
class BackOff:
    """Start it again; ``wait``: after so many seconds, as a peer has said."""

    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Disable:
    """Leave it down, visibly; try it again after ``probe`` seconds, if given."""

    probe: float | None = None


@dataclass(frozen=True, slots=True)
class LetGo:
    """That was its end."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Its supervisor ends with it, for the reason ``end``."""

    end: ExitReason


Verdict = BackOff | Disable | LetGo | GiveUp


def judge(
    child: Child,
    reason: ExitReason,
    now: float,
    *,
    booting: bool,
    waiting: bool,
    within_limit: Callable[[], bool],
) -> Verdict:
    """Decide, and charge the budgets: the one of all children together by ``within_limit``, then the child's own.

    ``booting``: it was the first start of a sync child. ``waiting``: it has mail that nobody has read.
    """
    spec = child.spec
    if child.probing and child.was_healthy(now):
        child.probing = False
        child.window.clear()
    match reason:
        case Failed(verdict="disable"):
            return Disable()
        case _ if booting:
            return GiveUp(StartFailed(spec.id, reason))
        case Failed(verdict="escalate"):
            return GiveUp(through(spec.id, reason))
        case Normal() if waiting and spec.restart == "transient":
            return (
                BackOff()
            )  # it left while a message came in; with a delay, else one that never reads would spin
    clean = is_clean(reason)
    if spec.restart == "temporary" or (spec.restart == "transient" and clean):
        return LetGo()
    if isinstance(reason, Failed):
        return BackOff(reason.retry_after)
    if clean:
        return BackOff()
    if not within_limit():
        return GiveUp(IntensityExceeded(spec.id, tuple(child.history)))
    if child.window.spend(spec.intensity, now) and not child.probing:
        return BackOff()
    match spec.intensity.on_exceeded:
        case "disable":
            return Disable(spec.intensity.probe)
        case "escalate":
            return GiveUp(IntensityExceeded(spec.id, tuple(child.history)))
