"""The Trio shell around ``SupervisorCore``: feeds it events, carries out its actions, owns no nursery.

A supervisor is an actor like any other: its inbox is the control lane of its own mailbox, its task runs in the root
nursery, its end is an exit reason. Commands are served in the order they arrive, so they linearise (law S3).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import trio

from supervisors import step
from supervisors.cell import Cell, Down, Life, Stop
from supervisors.child import Child
from supervisors.context import Context
from supervisors.core import SupervisorCore, UnknownChildError
from supervisors.lint import contradictions
from supervisors.mailbox import Envelope
from supervisors.reasons import Crash, Exit, ExitReason, Shutdown, describe, exception_of, is_clean
from supervisors.ref import ActorRef
from supervisors.reply import Reply
from supervisors.spec import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    Intensity,
    Limit,
    MailboxSpec,
    StartMode,
    Strategy,
    path_segment,
)
from supervisors.step import State

log = logging.getLogger(__name__)


class ChildNotUpError(Exception):
    """A child that was started or restarted did not get ready; ``reason`` is why, if it ended."""

    def __init__(self, path: str, state: State, reason: ExitReason | None) -> None:
        super().__init__(f"{path} is {state.value}" + (f": {describe(reason)}" if reason else ""))
        self.path = path
        self.state = state
        self.reason = reason


# --- messages: what a supervisor takes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start a child, or wait for the one of that id; the reply is its ref once it is ready."""

    spec: ChildSpec
    reply: Reply[ActorRef[Any]]


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Stop a child and start it again; the reply is its ref once the new incarnation is ready."""

    child: str
    reply: Reply[ActorRef[Any]]


@dataclass(frozen=True, slots=True)
class EnableChild:
    """Start a disabled child; the reply is its ref once it is ready."""

    child: str
    reply: Reply[ActorRef[Any]]


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """Stop a child for good; the reply comes when it has ended."""

    child: str
    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class DisableChild:
    """Stop a child and keep it visible as disabled; the reply comes when it has ended."""

    child: str
    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class _Ended:
    life: Life
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class _IsReady:
    life: Life


Message = StartChild | RestartChild | EnableChild | TerminateChild | DisableChild | _Ended | _IsReady

_UP = frozenset({State.RUNNING})
_DOWN = frozenset({State.STOPPED, State.DISABLED})
_GONE = _DOWN | {State.STARTING}
"""An order to stop is carried out, and another one may have started the child again since."""
_FAILED = frozenset({State.BACKOFF, State.STOPPED, State.DISABLED})


@dataclass(slots=True)
class _Waiter:
    child: str
    reply: Reply[Any]
    up: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """How a supervisor treats its children together; see ``spec`` for the words."""

    strategy: Strategy
    dynamic: bool
    limit: Limit | None
    auto_shutdown: AutoShutdown


def supervisor(
    id: str,
    children: Sequence[ChildSpec] = (),
    *,
    strategy: Strategy = "one_for_one",
    dynamic: bool = False,
    limit: Limit | None = None,
    auto_shutdown: AutoShutdown = "never",
    intensity: Intensity = Intensity(3, per=60.0, on_exceeded="escalate"),
    backoff: Backoff = Backoff(),
    start_mode: StartMode = "sync",
) -> ChildSpec:
    """The spec of a supervisor over ``children``, or of a ``dynamic`` one, whose children come and go.

    ``limit`` bounds the abnormal ends of all its children together; none: each has its own intensity only. ``intensity``
    and ``backoff`` are about the supervisor itself, as a child of its own supervisor. Raises ``ValueError`` for specs that
    contradict one another; ``lint.check_child_specs`` finds more.
    """
    problems = contradictions(children, auto_shutdown)
    if dynamic and strategy != "one_for_one":
        problems.append("the children of a dynamic supervisor do not depend on one another")
    if problems:
        raise ValueError(f"supervisor {id}: {'; '.join(problems)}")
    rules = Rules(strategy, dynamic, limit, auto_shutdown)
    return ChildSpec(
        id=id,
        start=_run,
        args=(tuple(children), rules),
        kind="supervisor",
        start_mode=start_mode,
        ready_timeout=math.inf,
        shutdown=math.inf,
        grace=10.0,
        intensity=intensity,
        backoff=backoff,
        mailbox=MailboxSpec(1),
    )


async def _run(ctx: Context[Message], children: Sequence[ChildSpec], rules: Rules) -> None:
    registry = ctx.system.registry

    def last_incarnation(child: str) -> int:
        cell = registry.cell(f"{ctx.path}/{path_segment(child)}")
        return 0 if cell is None else cell.last_incarnation

    machine = SupervisorCore(
        children,
        rng=ctx.system.rng,
        strategy=rules.strategy,
        dynamic=rules.dynamic,
        limit=rules.limit,
        auto_shutdown=rules.auto_shutdown,
        last_incarnation=last_incarnation,
    )
    await Supervisor(ctx, machine).run()


class Supervisor:
    """One incarnation of a supervisor."""

    def __init__(self, ctx: Context[Message], machine: SupervisorCore) -> None:
        self._ctx = ctx
        self._core = machine
        self._system = ctx.system
        self._cells: dict[str, Cell] = {}
        self._waiters: dict[str, list[_Waiter]] = {}
        self._end: ExitReason | None = None

    async def run(self) -> None:
        """Supervise until told to stop or over budget; ends by raising ``Exit``."""
        self._system.supervisors[self._ctx.path] = self
        try:
            self._step(step.Begin())
            while self._end is None:
                deadline = self._core.next_deadline
                with trio.move_on_at(math.inf if deadline is None else deadline):
                    self._handle(await self._ctx.receive())
                self._step(step.Tick())
            raise Exit(self._end)
        finally:
            await self._reap()  # noqa: ASYNC102 - shields itself, for as long as its children's grace
            if self._system.supervisors.get(self._ctx.path) is self:
                del self._system.supervisors[self._ctx.path]

    def _handle(self, message: Message | Stop | Down) -> None:
        match message:
            case Stop(reason):
                self._step(step.Stop(Shutdown(reason)))
            case Down():
                pass  # a supervisor watches nobody
            case _Ended(life, reason):
                waiting = life.cell.mailbox.has_mail
                self._step(step.Exited(life.cell.spec.id, life.incarnation, reason, waiting))
            case _IsReady(life):
                self._step(step.Ready(life.cell.spec.id, life.incarnation))
            case StartChild(spec, reply):
                self._order(step.Add(spec), _Waiter(spec.id, reply, up=True), already=True)
            case RestartChild(child, reply):
                self._order(step.Restart(child), _Waiter(child, reply, up=True))
            case EnableChild(child, reply):
                self._order(step.Enable(child), _Waiter(child, reply, up=True), already=True)
            case TerminateChild(child, reply):
                self._order(step.Terminate(child), _Waiter(child, reply, up=False), already=True)
            case DisableChild(child, reply):
                self._order(step.Disable(child), _Waiter(child, reply, up=False), already=True)
            case _:
                assert_never(message)

    def _order(self, event: step.Event, waiter: _Waiter, *, already: bool = False) -> None:
        """Carry out a command; ``already``: a child that is in the wanted state now needs no change to answer."""
        self._waiters.setdefault(waiter.child, []).append(waiter)
        try:
            self._step(event)
        except UnknownChildError:
            self._forget(waiter)
            waiter.reply.fail(LookupError(f"{self._ctx.path} has no child {waiter.child!r}"))
            return
        child = self._core.children.get(waiter.child)
        if child is None or waiter not in self._waiting_for(waiter.child):
            return
        if already and child.state in (_UP if waiter.up else _DOWN):
            self._answer(waiter, child.state)
        elif waiter.up and child.state in _DOWN:
            self._fail(waiter, child.state, self._last_reason(waiter.child))

    def _step(self, event: step.Event) -> None:
        for action in self._core.step(event, trio.current_time()):
            self._act(action)

    def _act(self, action: step.Action) -> None:
        match action:
            case step.Start(child, incarnation):
                self._launch(child, incarnation)
            case step.SoftStop(child, incarnation):
                if (life := self._life(child, incarnation)) is not None:
                    life.cell.notify(life, Stop())
            case step.Cancel(child, incarnation):
                if (life := self._life(child, incarnation)) is not None:
                    life.scope.cancel()
            case step.Abandon(child, incarnation):
                if (life := self._life(child, incarnation)) is not None:
                    self._system.abandon(life)
            case step.Booted():
                self._ctx.ready()
            case step.Record():
                self._record(action)
            case step.Changed(child, state):
                self._changed(child, state)
            case step.Removed(child, reason):
                cell = self._cells.pop(child, None)
                if cell is not None:
                    self._system.registry.release(cell)
                for waiter in self._waiting_for(child):
                    if waiter.up:
                        self._fail(waiter, State.STOPPED, reason)
                    else:
                        self._answer(waiter, State.STOPPED)
            case step.End(reason):
                self._end = reason
                self._fail_all(reason)
            case _:
                assert_never(action)

    def _launch(self, child: str, incarnation: int) -> None:
        spec = self._core.children[child].spec
        cell = self._system.registry.claim(self._ctx.path, spec)
        self._cells[child] = cell
        inbox = self._system.registry.cell(self._ctx.path)
        me = self._ctx.incarnation

        def post(message: Message) -> None:
            if inbox is not None:
                inbox.mailbox.urge(Envelope(message, fence=me))

        self._system.launch(
            cell,
            incarnation,
            lambda life: post(_IsReady(life)),
            lambda life, reason: post(_Ended(life, reason)),
        )

    def _life(self, child: str, incarnation: int) -> Life | None:
        cell = self._cells.get(child)
        life = None if cell is None else cell.life
        return life if life is not None and life.incarnation == incarnation else None

    def _changed(self, child: str, state: State) -> None:
        cell = self._cells.get(child)
        if cell is not None:
            if state in _DOWN:
                cell.refuse_new()
            elif state is State.RUNNING:
                self._system.publish("ready", cell.path, cell.last_incarnation)
        for waiter in self._waiting_for(child):
            if state in (_UP if waiter.up else _GONE):
                self._answer(waiter, state)
            elif waiter.up and state in _FAILED:
                self._fail(waiter, state, self._last_reason(child))

    def _waiting_for(self, child: str) -> list[_Waiter]:
        return list(self._waiters.get(child, ()))

    def _forget(self, waiter: _Waiter) -> None:
        others = self._waiters[waiter.child]
        others.remove(waiter)
        if not others:
            del self._waiters[waiter.child]

    def _fail_all(self, reason: ExitReason | None) -> None:
        for waiter in [waiter for waiters in self._waiters.values() for waiter in waiters]:
            self._fail(waiter, State.STOPPED, reason)

    def _answer(self, waiter: _Waiter, state: State) -> None:
        self._forget(waiter)
        waiter.reply.send(
            self._system.registry.ref(self._cells[waiter.child].path) if state is State.RUNNING else None
        )

    def _fail(self, waiter: _Waiter, state: State, reason: ExitReason | None) -> None:
        self._forget(waiter)
        waiter.reply.fail(ChildNotUpError(f"{self._ctx.path}/{path_segment(waiter.child)}", state, reason))

    def _last_reason(self, child: str) -> ExitReason | None:
        history = self._core.children[child].history
        return history[-1] if history else None

    def _record(self, record: step.Record) -> None:
        """Law O1: exactly one structured record for every exit."""
        path = f"{self._ctx.path}/{path_segment(record.child)}"
        wait = "" if record.delay is None else f" in {record.delay:.1f} s"
        level = logging.DEBUG if is_clean(record.reason) else logging.WARNING
        exc = exception_of(record.reason) if isinstance(record.reason, Crash) else None
        log.log(
            level,
            "%s#%d %s: %s%s",
            path,
            record.incarnation,
            describe(record.reason),
            record.decision,
            wait,
            exc_info=exc,
        )
        self._system.publish(
            "exited",
            path,
            record.incarnation,
            reason=describe(record.reason),
            decision=record.decision,
            delay_s=record.delay,
            budget_left=record.budget_left,
        )

    def family(self) -> list[tuple[Cell, Child | None]]:
        """The children that have been started, in order."""
        return [
            (self._cells[name], child) for name, child in self._core.children.items() if name in self._cells
        ]

    def child(self, name: str) -> Child | None:
        """What is known of one child."""
        return self._core.children.get(name)

    async def _reap(self) -> None:
        """However this supervisor ends, its children end with it; those that do not are given up."""
        self._fail_all(None)
        if self._core.dynamic:
            # Our next life starts them only when asked to: until then nobody reads.
            for cell in self._cells.values():
                cell.refuse_new()
        lives = [cell.life for cell in self._cells.values() if cell.life is not None]
        for life in lives:
            life.scope.cancel()
        if lives:
            with (
                trio.CancelScope(shield=True),
                trio.move_on_after(max(life.cell.spec.grace for life in lives)),
            ):
                for life in lives:
                    await life.done.wait()
        for life in lives:
            if not life.done.is_set():
                self._system.abandon(life)
