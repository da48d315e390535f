"""The pure state machine of a supervisor: ``step(event, now) -> actions``. No Trio, no clock, no I/O.

    starting ──Ready──▶ running ──Exited──▶ backoff ──time──▶ starting
        │                  │                   │
        └────── stop, restart, disable ────────┘──▶ stopping ──Exited──▶ stopped | disabled | starting | removed

Law C7, the one that matters most: a permanent child that is not disabled is at every instant in exactly one of starting,
running, stopping, backoff (with a time) or stuck (with a policy); nobody is ever responsible for nothing. All deadlines
live here; the shell sleeps until ``next_deadline`` and sends ``Tick``.
"""

import heapq
import random
from collections.abc import Callable, Iterable
from typing import assert_never

from supervisors import backoff
from supervisors.child import Child, Then
from supervisors.intensity import Window
from supervisors.lint import contradictions
from supervisors.reasons import (
    Crash,
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    Shutdown,
    StartFailed,
    Stuck,
    is_clean,
    through,
)
from supervisors.siblings import dependents, held_down
from supervisors.spec import AutoShutdown, ChildSpec, Limit, Strategy
from supervisors.step import (
    Abandon,
    Action,
    Add,
    Begin,
    Booted,
    Cancel,
    Changed,
    Decision,
    Disable,
    Enable,
    End,
    Event,
    Exited,
    Phase,
    Ready,
    Record,
    Removed,
    Restart,
    SoftStop,
    Start,
    State,
    Stop,
    Terminate,
    Tick,
)


class UnknownChildError(LookupError):
    """A command named a child that is not there."""


class SupervisorCore:
    """Decides; the shell acts. Feed it every event in the order it happened.

    ``dynamic``: children come and go by ``Add``, stop all at once, and are forgotten when they end for good; each is on
    its own (one_for_one). ``limit`` bounds the abnormal ends of all children together. ``last_incarnation`` of a child id
    is where an earlier life of this supervisor left off. Raises ``ValueError`` for specs that contradict one another.
    """

    def __init__(
        self,
        specs: Iterable[ChildSpec],
        *,
        rng: random.Random,
        strategy: Strategy = "one_for_one",
        dynamic: bool = False,
        limit: Limit | None = None,
        auto_shutdown: AutoShutdown = "never",
        last_incarnation: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self.dynamic = dynamic
        self.strategy = strategy
        self.phase = Phase.NEW
        self.children: dict[str, Child] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._last_incarnation = last_incarnation
        self._rng = rng
        self._limit = limit
        self._all_ends = Window()
        self._auto_shutdown = auto_shutdown
        self._end: ExitReason = Shutdown()
        self._living: list[Child] = []
        """While stopping: who was alive when it began, in start order; the last ones leave the list first."""
        self._actions: list[Action] = []
        specs = tuple(specs)
        problems = contradictions(specs, auto_shutdown)
        if problems:
            raise ValueError("; ".join(problems))
        for spec in specs:
            self.children[spec.id] = Child(spec, incarnation=last_incarnation(spec.id))

    @property
    def next_deadline(self) -> float | None:
        """When the next ``Tick`` is due."""
        while self._deadlines:
            at, name = self._deadlines[0]
            child = self.children.get(name)
            if child is not None and child.deadline == at:
                return at
            heapq.heappop(self._deadlines)
        return None

    @property
    def ending(self) -> bool:
        """True once the supervisor stops: from then on no child is started (law S3)."""
        return self.phase in {Phase.STOPPING, Phase.DONE}

    def step(self, event: Event, now: float) -> list[Action]:
        """Take one event; return what to do, in order. ``UnknownChildError`` leaves everything as it was."""
        self._actions = []
        match event:
            case Begin():
                self.phase = Phase.BOOTING
                self._advance(now)
            case Ready(name, incarnation):
                self._ready(name, incarnation, now)
            case Exited(name, incarnation, reason, waiting):
                self._exited(name, incarnation, reason, waiting, now)
            case Tick():
                while (at := self.next_deadline) is not None and at <= now:
                    self._due(self.children[self._deadlines[0][1]], now)
            case Add(spec):
                self._add(spec, now)
            case Terminate(name):
                self._command(self._child(name), "remove" if self.dynamic else "stop", now)
            case Restart(name):
                self._restart(self._child(name), now)
            case Disable(name):
                self._command(self._child(name), "disable", now)
            case Enable(name):
                if (child := self._child(name)).state is State.DISABLED and not self.ending:
                    self._bring_up(self._fresh(child), now)
            case Stop(reason):
                self._shut_down(reason, now)
            case _:
                assert_never(event)
        actions, self._actions = self._actions, []
        return actions

    # --- starting ------------------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        """Launch waiting children in order, up to the first sync one that is not ready or the first that holds the rest.

        One that holds the others down (in backoff, disabled) does not hold up the boot: they start when it is up.
        """
        for child in self.children.values():
            if held_down(self.strategy, self.children.values(), child):
                break
            if child.waiting:
                child.restarts += bool(child.history)
                self._launch(child, now)
            if child.spec.start_mode == "sync" and child.alive and child.ready_at is None:
                return
        if self.phase is Phase.BOOTING:
            self.phase = Phase.RUNNING
            self._actions.append(Booted())

    def _bring_up(self, child: Child, now: float) -> None:
        """Start a child that is down: at once, or in its turn where it depends on others."""
        if self.strategy == "one_for_one":
            child.restarts += child.state is State.BACKOFF
            self._launch(child, now)
        else:
            self._wait(child)
            self._advance(now)

    def _wait(self, child: Child) -> None:
        child.deadline = None
        child.launched = False
        self._enter(child, State.STARTING)

    def _launch(self, child: Child, now: float) -> None:
        child.incarnation += 1
        child.launched = True
        child.cancelled = False
        child.doomed = False
        child.retired = False
        child.fault = None
        child.ready_at = None
        self._arm(child, now + child.spec.ready_timeout)
        self._actions.append(Start(child.spec.id, child.incarnation))
        self._enter(child, State.STARTING)

    def _ready(self, name: str, incarnation: int, now: float) -> None:
        child = self.children.get(name)
        if child is None or child.incarnation != incarnation or child.state is not State.STARTING:
            return
        if not child.launched:
            return  # a life from before this supervisor's own
        child.ready_at = now
        child.deadline = None
        self._enter(child, State.RUNNING)
        if self.phase is Phase.BOOTING or self.strategy != "one_for_one":
            self._advance(now)

    def _add(self, spec: ChildSpec, now: float) -> None:
        child = self.children.get(spec.id)
        if child is None:
            child = self.children[spec.id] = Child(spec, incarnation=self._last_incarnation(spec.id))
        elif child.state is not State.STOPPED:
            return
        if self.phase is Phase.RUNNING:
            self._bring_up(child, now)
        elif self.ending:
            self._forget(child, Shutdown())

    # --- ends ----------------------------------------------------------------------------------------------------------

    def _exited(self, name: str, incarnation: int, reason: ExitReason, waiting: bool, now: float) -> None:
        child = self.children.get(name)
        if child is None or child.incarnation != incarnation or not child.alive:
            return  # an abandoned incarnation came home late
        child.deadline = None
        if child.state is State.STOPPING:
            self._after_stop(child, child.fault or reason, now)
        elif self.phase is Phase.STOPPING:
            self._after_stop(child, reason, now)
        elif child.doomed and not (isinstance(reason, Failed) and reason.verdict != "backoff"):
            child.then = "wait"  # it went before it was told to: its end counts once, as its sibling's
            self._after_stop(child, reason, now)
        else:
            self._judge(child, reason, waiting, now)

    def _judge(self, child: Child, reason: ExitReason, waiting: bool, now: float) -> None:
        """A child ended by itself: restart it, let it go, disable it, or give up."""
        # A first start only: a failed restart is an end like any other, also while later children still boot.
        booting = (
            self.phase is Phase.BOOTING
            and child.spec.start_mode == "sync"
            and child.ready_at is None
            and not child.history
        )
        child.launched = False
        child.doomed = False
        child.remember(reason)
        if child.probing and self._was_healthy(child, now):
            child.probing = False
            child.window.clear()
        match reason:
            case Failed(verdict="escalate"):
                self._record(child, reason, "escalate", now)
                self._enter(child, State.STOPPED)
                self._shut_down(
                    StartFailed(child.spec.id, reason) if booting else through(child.spec.id, reason), now
                )
            case Failed(verdict="disable"):
                self._record(child, reason, "disable", now)
                self._enter(child, State.DISABLED)
            case _ if booting:
                self._record(child, reason, "escalate", now)
                self._enter(child, State.STOPPED)
                self._shut_down(StartFailed(child.spec.id, reason), now)
            case Normal() if waiting and child.spec.restart == "transient":
                # It left while a message came in. With a delay: one that never reads would otherwise spin.
                self._back_off(child, reason, now)
            case _ if child.spec.restart == "temporary" or (
                child.spec.restart == "transient" and is_clean(reason)
            ):
                self._record(child, reason, "remove" if self.dynamic else "stop", now)
                self._rest(child, reason)
                self._mind_significance(child, now)
            case Failed(retry_after=retry_after):
                self._back_off(child, reason, now, retry_after)
            case _ if is_clean(reason):
                self._back_off(child, reason, now)
            case _ if self._limit is not None and not self._all_ends.spend(self._limit, now):
                self._record(child, reason, "escalate", now)
                self._enter(child, State.STOPPED)
                self._shut_down(IntensityExceeded(child.spec.id, tuple(child.history)), now)
            case _ if child.window.spend(child.spec.intensity, now) and not child.probing:
                self._back_off(child, reason, now)
            case _:
                self._over_budget(child, reason, now)
        if child.holds and not self.ending:
            self._take_down_with(child)
        self._go_on(now)

    def _back_off(self, child: Child, reason: ExitReason, now: float, at_least: float | None = None) -> None:
        if self._was_healthy(child, now):
            child.streak = 0
        wait = backoff.delay(child.spec.backoff, child.streak, self._rng, at_least)
        child.streak += 1
        self._arm(child, now + wait)
        self._record(child, reason, "restart", now, delay=wait)
        self._enter(child, State.BACKOFF)

    def _over_budget(self, child: Child, reason: ExitReason, now: float) -> None:
        policy = child.spec.intensity.on_exceeded
        self._record(child, reason, policy, now)
        match policy:
            case "disable":
                if child.spec.intensity.probe is not None:
                    self._arm(child, now + child.spec.intensity.probe)
                self._enter(child, State.DISABLED)
            case "escalate":
                self._enter(child, State.STOPPED)
                self._shut_down(IntensityExceeded(child.spec.id, tuple(child.history)), now)

    def _was_healthy(self, child: Child, now: float) -> bool:
        return child.ready_at is not None and now - child.ready_at >= child.spec.backoff.reset_after

    def _mind_significance(self, child: Child, now: float) -> None:
        """A child has ended by itself and for good: perhaps the others have lost their purpose."""
        if not child.spec.significant:
            return
        others = [other for other in self.children.values() if other.spec.significant and other is not child]
        if self._auto_shutdown == "any_significant" or all(other.state is State.STOPPED for other in others):
            self._shut_down(Shutdown("auto_shutdown"), now)

    def _rest(self, child: Child, reason: ExitReason) -> None:
        if self.dynamic:
            self._forget(child, reason)
        else:
            self._enter(child, State.STOPPED)

    def _forget(self, child: Child, reason: ExitReason) -> None:
        del self.children[child.spec.id]
        self._actions.append(Removed(child.spec.id, reason))

    # --- siblings ------------------------------------------------------------------------------------------------------

    def _take_down_with(self, failed: Child) -> None:
        """Those that depend on ``failed`` go down, last one first, and wait for it."""
        for child in dependents(self.strategy, self.children.values(), failed):
            if child.alive:
                child.doomed = True
            elif child.state is State.BACKOFF or child.comes_back:
                self._wait(child)

    def _go_on(self, now: float) -> None:
        """Somebody has come to rest: whatever waited for that goes on."""
        if self.phase is Phase.STOPPING:
            self._stop_next(now)
        elif self.phase is Phase.BOOTING or self.strategy != "one_for_one":
            doomed = [child for child in self.children.values() if child.doomed]
            if doomed and doomed[-1].state is not State.STOPPING:
                self._stop(doomed[-1], "wait", now)
            self._advance(now)

    # --- stopping one child --------------------------------------------------------------------------------------------

    def _command(self, child: Child, then: Then, now: float) -> None:
        """Stop ``child`` by order, now or as soon as it has ended."""
        if child.alive:
            if not self.ending:  # else its turn comes, in order
                self._stop(child, then, now)
        elif child.state is not State.STOPPED or then != "stop":
            child.deadline = None
            self._settle(child, then, Shutdown(), now)
        else:
            child.retired = True

    def _restart(self, child: Child, now: float) -> None:
        if self.ending:
            return
        if child.alive:
            self._stop(child, "restart", now)
        elif not child.waiting:
            child.restarts += 1
            self._launch(self._fresh(child) if child.state is State.DISABLED else child, now)
            self._go_on(now)

    def _stop(self, child: Child, then: Then, now: float) -> None:
        """Begin to stop a live child; a later order changes what follows, not the deadline."""
        child.then = then
        child.fault = None
        if child.state is State.STOPPING:
            return
        # A worker that is not ready does not read its lanes yet: asking first would only wait out a deadline. A
        # supervisor reads from its first moment, and only it can stop its own children in order.
        deaf = child.state is State.STARTING and child.spec.kind == "worker"
        self._enter(child, State.STOPPING)
        if deaf or child.spec.shutdown == 0:
            self._cancel(child, now)
        else:
            self._arm(child, now + child.spec.shutdown)
            self._actions.append(SoftStop(child.spec.id, child.incarnation))

    def _cancel(self, child: Child, now: float) -> None:
        child.cancelled = True
        self._arm(child, now + child.spec.grace)
        self._actions.append(Cancel(child.spec.id, child.incarnation))

    def _due(self, child: Child, now: float) -> None:
        """A deadline has passed."""
        child.deadline = None
        match child.state:
            case State.BACKOFF:
                self._bring_up(child, now)
            case State.DISABLED:
                child.probing = True
                self._bring_up(child, now)
            case State.STARTING:
                child.fault = Crash(TimeoutError(f"not ready within {child.spec.ready_timeout:g} s"))
                self._enter(child, State.STOPPING)
                self._cancel(child, now)
            case State.STOPPING if not child.cancelled:
                self._cancel(child, now)
            case State.STOPPING:
                self._stuck(child, now)
            case State.RUNNING | State.STUCK | State.STOPPED:
                raise AssertionError(f"{child.spec.id} has a deadline while {child.state}")

    def _stuck(self, child: Child, now: float) -> None:
        """Nothing more can be done to an incarnation; the supervisor goes on without it."""
        self._actions.append(Abandon(child.spec.id, child.incarnation))
        self._enter(child, State.STUCK)
        if child.spec.on_stuck == "escalate" and self.phase is Phase.RUNNING:
            child.launched = False
            child.remember(Stuck())
            self._record(child, Stuck(), "escalate", now)
            self._enter(child, State.STOPPED)
            self._shut_down(Stuck((child.spec.id,)), now)
        else:
            self._after_stop(child, child.fault or Stuck(), now)

    def _after_stop(self, child: Child, reason: ExitReason, now: float) -> None:
        """A stopping incarnation is out of the way, dead or abandoned."""
        if child.fault is not None and self.phase is not Phase.STOPPING:
            self._judge(child, reason, waiting=False, now=now)
            return
        then: Then = "stop" if self.phase is Phase.STOPPING else child.then
        child.launched = False
        child.doomed = False
        child.remember(reason)
        if then == "wait" and child.spec.restart == "temporary":
            then = "stop"
        self._record(
            child, reason, "restart" if then == "wait" else then, now, 0.0 if then == "restart" else None
        )
        self._settle(child, then, reason, now)

    def _settle(self, child: Child, then: Then, reason: ExitReason, now: float) -> None:
        """Do what the order said, now that no incarnation lives."""
        match then:
            case "restart":
                child.restarts += 1
                self._launch(child, now)
            case "disable":
                self._enter(child, State.DISABLED)
                if not self.ending:
                    self._take_down_with(child)
            case "remove":
                self._forget(child, reason)
            case "stop":
                child.retired = True
                self._enter(child, State.STOPPED)
            case "wait":
                self._wait(child)
        self._go_on(now)

    # --- stopping everything -------------------------------------------------------------------------------------------

    def _shut_down(self, reason: ExitReason, now: float) -> None:
        if self.ending:
            return
        self.phase = Phase.STOPPING
        self._end = reason
        for child in self.children.values():
            child.doomed = False
            if not child.alive and child.deadline is not None:
                child.deadline = None  # a backoff or a probe
            if not child.alive and child.state in {State.BACKOFF, State.STARTING}:
                self._enter(child, State.STOPPED)
        self._living = [child for child in self.children.values() if child.alive]
        for child in self._living if self.dynamic else ():
            if child.state is not State.STOPPING:
                self._stop(child, "stop", now)
        self._stop_next(now)

    def _stop_next(self, now: float) -> None:
        """Stop the last child that still lives; end when none does."""
        while self._living and not self._living[-1].alive:
            self._living.pop()
        if not self._living:
            if self.phase is not Phase.DONE:
                self.phase = Phase.DONE
                self._actions.append(End(self._end))
        elif self._living[-1].state is not State.STOPPING:
            self._stop(self._living[-1], "stop", now)

    # --- small things --------------------------------------------------------------------------------------------------

    def _child(self, name: str) -> Child:
        try:
            return self.children[name]
        except KeyError:
            raise UnknownChildError(name) from None

    def _arm(self, child: Child, at: float) -> None:
        child.deadline = at
        heapq.heappush(self._deadlines, (at, child.spec.id))

    def _fresh(self, child: Child) -> Child:
        child.streak = 0
        child.probing = False
        child.window.clear()
        return child

    def _enter(self, child: Child, state: State) -> None:
        child.state = state
        self._actions.append(Changed(child.spec.id, state))

    def _record(
        self,
        child: Child,
        reason: ExitReason,
        decision: Decision,
        now: float,
        delay: float | None = None,
    ) -> None:
        used = child.window.count(child.spec.intensity, now)
        left = max(0, child.spec.intensity.restarts - used)
        self._actions.append(Record(child.spec.id, child.incarnation, reason, decision, delay, left))
