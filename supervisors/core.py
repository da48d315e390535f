"""The pure state machine of a supervisor: ``step(event, now) -> actions``. No Trio, no clock, no I/O.

    starting ──Ready──▶ running ──Exited──▶ backoff ──time──▶ starting
        │                  │                   │
        └────── stop, restart, disable ────────┘──▶ stopping ──Exited──▶ stopped | disabled | starting | removed

Law C7, the one that matters most: a permanent child that is not disabled is at every instant in exactly one of starting,
running, stopping, backoff (with a time) or stuck (with a policy); nobody is ever responsible for nothing. All deadlines
live here; the shell sleeps until ``next_deadline`` and sends ``Tick``.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from supervisors import step
from supervisors.child import Child, Outbox, Then
from supervisors.intensity import Window
from supervisors.judgement import BackOff, Disable, GiveUp, LetGo, judge
from supervisors.lint import contradictions
from supervisors.reasons import Crash, ExitReason, Failed, Shutdown, Stuck
from supervisors.siblings import dependents, held_down
from supervisors.spec import AutoShutdown, ChildSpec, Limit, Strategy
from supervisors.step import Phase, State, TooManyChildrenError, UnknownChildError


class SupervisorCore:
    """Decides; the shell acts. Feed it every event in the order it happened.

    ``dynamic``: children come and go by ``Add``, at most ``max_children`` at a time, stop all at once, and are forgotten
    when they end for good; each is on its own (one_for_one). ``limit`` bounds the abnormal ends of all children together.
    ``last_incarnation`` of a child id is where an earlier life of this supervisor left off, ``last_beat`` when its present
    incarnation last showed progress. Raises ``ValueError`` for specs that contradict one another.
    """

    def __init__(
        self,
        specs: Sequence[ChildSpec],
        *,
        rng: random.Random,
        strategy: Strategy = "one_for_one",
        dynamic: bool = False,
        max_children: int | None = None,
        limit: Limit | None = None,
        auto_shutdown: AutoShutdown = "never",
        last_incarnation: Callable[[str], int] = lambda _: 0,
        last_beat: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        self.dynamic = dynamic
        self.strategy = strategy
        self.phase = Phase.NEW
        self.children: dict[str, Child] = {}
        self._out = Outbox()
        self._last_incarnation = last_incarnation
        self._last_beat = last_beat
        self._rng = rng
        self._max_children = max_children
        self._limit = limit
        self._all_ends = Window()
        self._auto_shutdown = auto_shutdown
        self._end: ExitReason = Shutdown()
        self._living: list[Child] = []
        """While stopping: who was alive when it began, in start order; the last ones leave the list first."""
        self._refuse_contradictions(specs)
        for spec in specs:
            self._new(spec)

    @property
    def next_deadline(self) -> float | None:
        """When the next ``Tick`` is due."""
        child = self._out.due()
        return None if child is None else child.deadline

    @property
    def ending(self) -> bool:
        """True once the supervisor stops: from then on no child is started (law S3)."""
        return self.phase in {Phase.STOPPING, Phase.DONE}

    def step(self, event: step.Event, now: float) -> list[step.Action]:
        """Take one event; return what to do, in order.

        ``UnknownChildError``, ``TooManyChildrenError`` and ``ValueError`` leave everything as it was.
        """
        match event:
            case step.Begin():
                self.phase = Phase.BOOTING
                self._advance(now)
            case step.Ready(name, incarnation):
                self._ready(name, incarnation, now)
            case step.Fault(name, incarnation, reason):
                child = self._present(name, incarnation)
                if child is not None and child.state is not State.STOPPING:
                    child.fail(reason, now)
            case step.Exited(name, incarnation, reason, waiting):
                child = self._present(name, incarnation)
                if child is not None:  # else an abandoned incarnation came home late
                    self._exited(child, reason, waiting, now)
            case step.Tick():
                while (child := self._out.due(now)) is not None:
                    self._due(child, now)
            case step.Add(spec):
                self._add(spec, now)
            case step.Adjust(spec):
                self._adjust(spec, now)
            case step.Terminate(name):
                self._command(self._child(name), "remove" if self.dynamic else "stop", now)
            case step.Restart(name):
                self._restart(self._child(name), now)
            case step.Disable(name):
                self._command(self._child(name), "disable", now)
            case step.Enable(name):
                if (child := self._child(name)).state is State.DISABLED and not self.ending:
                    child.forgive()
                    self._bring_up(child, now)
            case step.Stop(reason):
                self._shut_down(reason, now)
            case _:
                assert_never(event)
        return self._out.take()

    # --- starting ------------------------------------------------------------------------------------------------------

    def _advance(self, now: float) -> None:
        """Launch waiting children in order, up to the first sync one that is not ready or the first that holds the rest.

        One that holds the others down (in backoff, disabled) does not hold up the boot: they start when it is up.
        """
        for child in self.children.values():
            if held_down(self.strategy, self.children.values(), child):
                break
            if child.waiting:
                child.launch(now)
            if child.spec.start_mode == "sync" and child.alive and child.ready_at is None:
                return
        if self.phase is Phase.BOOTING:
            self.phase = Phase.RUNNING
            self._out.actions.append(step.Booted())

    def _bring_up(self, child: Child, now: float) -> None:
        """Start a child that is down: at once, or in its turn where it depends on others."""
        if self.strategy == "one_for_one":
            child.launch(now)
        else:
            child.wait()
            self._advance(now)

    def _ready(self, name: str, incarnation: int, now: float) -> None:
        child = self._present(name, incarnation)
        if child is None or child.state is not State.STARTING:
            return
        child.run(now)
        if self.phase is Phase.BOOTING or self.strategy != "one_for_one":
            self._advance(now)

    def _add(self, spec: ChildSpec, now: float) -> None:
        child = self.children.get(spec.id)
        if child is None:
            if self._max_children is not None and len(self.children) >= self._max_children:
                raise TooManyChildrenError(self._max_children)
            child = self._new(spec)
        elif child.state is not State.STOPPED:
            return
        if self.phase is Phase.RUNNING:
            self._bring_up(child, now)
        elif self.ending:
            self._forget(child, Shutdown())

    def _adjust(self, spec: ChildSpec, now: float) -> None:
        """The next decision about the child follows ``spec``; its incarnation goes on."""
        child = self._child(spec.id)
        self._refuse_contradictions((spec,))
        child.adjust(spec, now)
        if self.phase is Phase.BOOTING:
            self._advance(now)

    # --- ends, and what they mean for the siblings ---------------------------------------------------------------------

    def _exited(self, child: Child, reason: ExitReason, waiting: bool, now: float) -> None:
        if child.state is State.STOPPING or self.phase is Phase.STOPPING:
            self._after_stop(child, child.fault or reason, now)
        elif child.doomed and not (isinstance(reason, Failed) and reason.verdict != "backoff"):
            child.then = "wait"  # it went before it was told to: its end counts once, as its sibling's
            self._after_stop(child, reason, now)
        else:
            self._judge(child, reason, waiting, now)

    def _judge(self, child: Child, reason: ExitReason, waiting: bool, now: float) -> None:
        """A child ended by itself: restart it, let it go, disable it, or give up."""
        # A first start only: a failed restart is an end like any other, also while later children still boot.
        first = child.ready_at is None and not child.history
        booting = first and self.phase is Phase.BOOTING and child.spec.start_mode == "sync"
        child.doomed = False
        child.remember(reason)
        verdict = judge(
            child,
            reason,
            now,
            booting=booting,
            waiting=waiting,
            within_limit=partial(self._within_limit, now),
        )
        match verdict:
            case BackOff(wait):
                child.back_off(reason, now, self._rng, wait)
            case Disable(probe):
                child.record(reason, "disable", now)
                child.enter(State.DISABLED)
                if probe is not None:
                    self._out.arm(child, now + probe)
            case LetGo():
                child.record(reason, "remove" if self.dynamic else "stop", now)
                self._let_go(child, reason, now)
            case GiveUp(end):
                self._give_up(child, reason, end, now)
            case _:
                assert_never(verdict)
        if child.holds and not self.ending:
            self._take_down_with(child)
        self._go_on(now)

    def _within_limit(self, now: float) -> bool:
        return self._limit is None or self._all_ends.spend(self._limit, now)

    def _give_up(self, child: Child, reason: ExitReason, end: ExitReason, now: float) -> None:
        """The end of ``child`` is the end of the supervisor, with ``end``."""
        child.record(reason, "escalate", now)
        child.enter(State.STOPPED)
        self._shut_down(end, now)

    def _let_go(self, child: Child, reason: ExitReason, now: float) -> None:
        """A child has ended by itself and for good: perhaps the others have lost their purpose."""
        if self.dynamic:
            self._forget(child, reason)
        else:
            child.enter(State.STOPPED)
        if child.spec.significant:
            others = [c for c in self.children.values() if c.spec.significant and c is not child]
            if self._auto_shutdown == "any_significant" or all(c.state is State.STOPPED for c in others):
                self._shut_down(Shutdown("auto_shutdown"), now)

    def _take_down_with(self, failed: Child) -> None:
        """Those that depend on ``failed`` go down, last one first, and wait for it."""
        for child in dependents(self.strategy, self.children.values(), failed):
            if child.alive:
                child.doomed = True
            elif child.state is State.BACKOFF or child.comes_back:
                child.wait()

    def _go_on(self, now: float) -> None:
        """Somebody has come to rest: whatever waited for that goes on."""
        if self.phase is Phase.STOPPING:
            self._stop_next(now)
        elif self.phase is Phase.BOOTING or self.strategy != "one_for_one":
            doomed = [child for child in self.children.values() if child.doomed]
            if doomed and doomed[-1].state is not State.STOPPING:
                doomed[-1].stop("wait", now)
            self._advance(now)

    # --- orders and deadlines ------------------------------------------------------------------------------------------

    def _command(self, child: Child, then: Then, now: float) -> None:
        """Stop ``child`` by order, now or as soon as it has ended."""
        if child.alive:
            if not self.ending:  # else its turn comes, in order
                child.stop(then, now)
        elif child.state is not State.STOPPED or then != "stop":
            self._settle(child, then, Shutdown(), now)
        else:
            child.retired = True

    def _restart(self, child: Child, now: float) -> None:
        if self.ending:
            return
        if child.alive:
            child.stop("restart", now)
        elif not child.waiting:
            if child.state is State.DISABLED:
                child.forgive()
            self._bring_up(child, now)

    def _due(self, child: Child, now: float) -> None:
        """A deadline has passed."""
        match child.state:
            case State.BACKOFF:
                self._bring_up(child, now)
            case State.DISABLED:
                child.probing = True
                self._bring_up(child, now)
            case State.STARTING:
                late = f"not ready within {child.spec.ready_timeout:g} s"
                child.fail(Crash(TimeoutError(late)), now)
            case State.RUNNING:
                child.mind_progress(self._last_beat(child.spec.id), now)
            case State.STOPPING if not child.cancelled:
                child.cancel(now)
            case State.STOPPING:
                self._stuck(child, now)
            case State.STUCK | State.STOPPED:
                raise AssertionError(f"{child.spec.id} has a deadline while {child.state}")

    def _stuck(self, child: Child, now: float) -> None:
        """Nothing more can be done to an incarnation; the supervisor goes on without it."""
        self._out.actions.append(step.Abandon(child.spec.id, child.incarnation))
        child.enter(State.STUCK)
        if child.spec.on_stuck == "escalate" and self.phase is Phase.RUNNING:
            child.remember(Stuck())
            self._give_up(child, Stuck(), Stuck((child.spec.id,)), now)
        else:
            self._after_stop(child, child.fault or Stuck(), now)

    def _after_stop(self, child: Child, reason: ExitReason, now: float) -> None:
        """A stopping incarnation is out of the way, dead or abandoned."""
        if child.fault is not None and self.phase is not Phase.STOPPING:
            self._judge(child, reason, waiting=False, now=now)
            return
        then: Then = "stop" if self.phase is Phase.STOPPING else child.then
        if then == "wait" and child.spec.restart == "temporary":
            then = "stop"
        child.doomed, child.ordered = False, child.then != "wait"
        child.remember(reason)
        child.record(reason, "restart" if then == "wait" else then, now, 0.0 if then == "restart" else None)
        self._settle(child, then, reason, now)

    def _settle(self, child: Child, then: Then, reason: ExitReason, now: float) -> None:
        """Do what the order said, now that no incarnation lives."""
        match then:
            case "restart":
                self._bring_up(child, now)
            case "disable":
                child.enter(State.DISABLED)
                if not self.ending:
                    self._take_down_with(child)
            case "remove":
                self._forget(child, reason)
            case "stop":
                child.retired = True
                child.enter(State.STOPPED)
            case "wait":
                child.wait()
        self._go_on(now)

    # --- stopping everything -------------------------------------------------------------------------------------------

    def _shut_down(self, reason: ExitReason, now: float) -> None:
        if self.ending:
            return
        self.phase = Phase.STOPPING
        self._end = reason
        self._living = [child for child in self.children.values() if child.alive]
        for child in self.children.values():
            if not child.alive:
                child.deadline = None  # a backoff or a probe
                if child.state in {State.BACKOFF, State.STARTING}:
                    child.enter(State.STOPPED)
            elif self.dynamic and child.state is not State.STOPPING:
                child.stop("stop", now)
        self._stop_next(now)

    def _stop_next(self, now: float) -> None:
        """Stop the last child that still lives; end when none does."""
        while self._living and not self._living[-1].alive:
            self._living.pop()
        if not self._living:
            if self.phase is not Phase.DONE:
                self.phase = Phase.DONE
                self._out.actions.append(step.End(self._end))
        elif self._living[-1].state is not State.STOPPING:
            self._living[-1].stop("stop", now)

    # --- who is there --------------------------------------------------------------------------------------------------

    def _child(self, name: str) -> Child:
        if name not in self.children:
            raise UnknownChildError(name)
        return self.children[name]

    def _present(self, name: str, incarnation: int) -> Child | None:
        """The child if ``incarnation`` is its present one and has not ended."""
        child = self.children.get(name)
        return child if child is not None and child.incarnation == incarnation and child.alive else None

    def _new(self, spec: ChildSpec) -> Child:
        child = self.children[spec.id] = Child(spec, self._out, self._last_incarnation(spec.id))
        return child

    def _forget(self, child: Child, reason: ExitReason) -> None:
        child.deadline = None
        del self.children[child.spec.id]
        self._out.actions.append(step.Removed(child.spec.id, reason))

    def _refuse_contradictions(self, specs: Sequence[ChildSpec]) -> None:
        problems = contradictions(specs, self._auto_shutdown)
        if problems:
            raise ValueError("; ".join(problems))
