"""One child across all its incarnations: what its supervisor knows of it, and the moves that concern it alone.

Whose turn it is and what an end means for others is decided in ``core``; here a child only changes its own state, says so,
and says when it wants to be looked at again.
"""

import heapq
import math
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from supervisors import backoff
from supervisors.intensity import Window
from supervisors.reasons import Crash, ExitReason, Failed
from supervisors.spec import ChildSpec
from supervisors.step import Action, Cancel, Changed, Decision, Record, SoftStop, Start, State

HISTORY = 8
"""How many last reasons of a child are kept for ``IntensityExceeded``."""

Then = Literal["restart", "stop", "disable", "remove", "wait"]
"""What follows when a stopping incarnation has ended; ``wait``: it starts again after the sibling it was stopped for."""


class Outbox:
    """What the children of one supervisor want done, in order, and when each wants to be looked at again."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self._deadlines: list[tuple[float, int, Child]] = []
        self._numbers = count()

    def take(self) -> list[Action]:
        """The actions since the last time."""
        actions, self.actions = self.actions, []
        return actions

    def arm(self, child: "Child", at: float) -> None:
        """Have ``child`` come up at ``at``; a child has one deadline, a later one replaces it."""
        child.deadline = at
        heapq.heappush(self._deadlines, (at, next(self._numbers), child))

    def due(self, now: float = math.inf) -> "Child | None":
        """The child with the nearest deadline, if that is ``now`` or was before; of equal ones the one armed first."""
        while self._deadlines:
            at, _, child = self._deadlines[0]
            if child.deadline == at:
                return child if at <= now else None
            heapq.heappop(self._deadlines)
        return None


@dataclass(slots=True, eq=False)
class Child:
    """A deadline belongs to the state it was armed in: to enter another one disarms it."""

    spec: ChildSpec
    out: Outbox
    incarnation: int
    state: State = State.STARTING
    launched: bool = False
    """False while a starting child waits for its turn."""
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
    ordered: bool = False
    """Its last incarnation was ended by an order to it alone."""
    restarts: int = 0
    """How often it was started again after an end that nobody had ordered."""
    streak: int = 0
    """How often in a row it has ended."""
    growth: int = 0
    """For how many of these ends no peer has named a wait: by those alone the delay grows."""
    window: Window = field(default_factory=Window)
    ready_at: float | None = None
    history: list[ExitReason] = field(default_factory=list)

    # --- what it is ----------------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """True while an incarnation exists that has not ended."""
        return self.state in {State.RUNNING, State.STOPPING} or (
            self.state is State.STARTING and self.launched
        )

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

    def was_healthy(self, now: float) -> bool:
        """True if this incarnation has been ready for so long that earlier ends count no more."""
        return self.ready_at is not None and now - self.ready_at >= self.spec.backoff.reset_after

    # --- its moves -----------------------------------------------------------------------------------------------------

    def enter(self, state: State) -> None:
        """Be in ``state`` from now on, without a deadline."""
        self.state = state
        self.deadline = None
        self.out.actions.append(Changed(self.spec.id, state))

    def launch(self, now: float) -> None:
        """Begin the next incarnation; it has ``ready_timeout`` to say that it is ready."""
        self.restarts += bool(self.history) and not self.ordered
        self.ordered = False
        self.incarnation += 1
        self.launched = True
        self.cancelled = self.retired = False
        self.fault = self.ready_at = None
        self.out.actions.append(Start(self.spec.id, self.incarnation))
        self.enter(State.STARTING)
        self.out.arm(self, now + self.spec.ready_timeout)

    def wait(self) -> None:
        """Start in its turn."""
        self.launched = False
        self.enter(State.STARTING)

    def run(self, now: float) -> None:
        """It is ready."""
        self.ready_at = now
        self.enter(State.RUNNING)
        self.watch(now)

    def watch(self, since: float) -> None:
        """It owes a sign of progress within ``stall_s`` of ``since``, if its spec says so."""
        if self.spec.stall_s is not None:
            self.out.arm(self, since + self.spec.stall_s)

    def mind_progress(self, last_beat: float, now: float) -> None:
        """Law K3: running is who shows progress, not who has a task."""
        self.watch(last_beat)
        if self.deadline is not None and self.deadline <= now:
            self.fail(Crash(TimeoutError(f"no progress within {self.spec.stall_s:g} s")), now)

    def stop(self, then: Then, now: float) -> None:
        """Begin to stop it; a later order changes what follows, not the deadline."""
        self.then = then
        self.fault = None
        if self.state is State.STOPPING:
            return
        # A worker that is not ready does not read its lanes yet: asking first would only wait out a deadline. A
        # supervisor reads from its first moment, and only it can stop its own children in order.
        deaf = self.state is State.STARTING and self.spec.kind == "worker"
        self.enter(State.STOPPING)
        if deaf or self.spec.shutdown == 0:
            self.cancel(now)
        else:
            self.out.actions.append(SoftStop(self.spec.id, self.incarnation))
            self.out.arm(self, now + self.spec.shutdown)

    def fail(self, fault: ExitReason, now: float) -> None:
        """End it for ``fault``, without asking first; it is judged by that, whatever its task says at its end."""
        self.fault = fault
        self.enter(State.STOPPING)
        self.cancel(now)

    def cancel(self, now: float) -> None:
        """Cancel it; it has ``grace`` to end."""
        self.cancelled = True
        self.out.actions.append(Cancel(self.spec.id, self.incarnation))
        self.out.arm(self, now + self.spec.grace)

    def adjust(self, spec: ChildSpec, now: float) -> None:
        """Follow ``spec`` from now on. A wait that has begun goes on, at most for the new maximum; a peer's wish holds."""
        self.spec = spec
        if self.state is State.RUNNING:
            self.deadline = None
            self.watch(now)
        elif self.state is State.BACKOFF and self.deadline is not None:
            last = self.history[-1]
            if not (isinstance(last, Failed) and last.retry_after is not None):
                self.out.arm(self, min(self.deadline, now + spec.backoff.max))

    def back_off(self, reason: ExitReason, now: float, rng: random.Random, wait: float | None) -> None:
        """Start it again after ``wait``, which a peer has named, or else after a delay that grows with each end in a row."""
        if self.was_healthy(now):
            self.streak = self.growth = 0
        if wait is None:
            delay = backoff.delay(self.spec.backoff, self.growth, rng)
            self.growth += 1
        else:
            delay = backoff.named_delay(self.spec.backoff, wait, rng)
        self.streak += 1
        self.record(reason, "restart", now, delay)
        self.enter(State.BACKOFF)
        self.out.arm(self, now + delay)

    def forgive(self) -> None:
        """Its earlier ends count no more."""
        self.streak = self.growth = 0
        self.probing = False
        self.window.clear()

    def remember(self, reason: ExitReason) -> None:
        """Keep the newest reasons."""
        self.history.append(reason)
        del self.history[:-HISTORY]

    def record(self, reason: ExitReason, decision: Decision, now: float, delay: float | None = None) -> None:
        """Law O1: an end has led to ``decision``."""
        intensity = self.spec.intensity
        left = max(0, intensity.restarts - self.window.count(intensity, now))
        self.out.actions.append(Record(self.spec.id, self.incarnation, reason, decision, delay, left))
