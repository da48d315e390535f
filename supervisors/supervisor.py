"""The Trio shell around ``SupervisorCore``: feeds it events, carries out its actions, owns no nursery.

A supervisor is an actor like any other: its inbox is the control lane of its own mailbox, its task runs in the root
nursery, its end is an exit reason. Commands are served in the order they arrive, so they linearise (law S3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import trio

from supervisors import step
from supervisors.cell import Cell, Down, Life, Stop
from supervisors.child import Child
from supervisors.commands import (
    AdjustChild,
    ChildInfo,
    Command,
    DisableChild,
    EnableChild,
    RestartChild,
    StartChild,
    TerminateChild,
    Waiter,
    Waiters,
    WhichChildren,
)
from supervisors.context import Context
from supervisors.core import SupervisorCore
from supervisors.letters import Why
from supervisors.lint import contradictions
from supervisors.reasons import Exit, ExitReason, Shutdown
from supervisors.records import record_end
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
from supervisors.step import State, TooManyChildrenError, UnknownChildError

DOWN = frozenset({State.STOPPED, State.DISABLED})
"""Nobody lives there, and nobody will by himself."""

# --- messages: what a supervisor takes, beside the commands -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _IsReady:
    life: Life


@dataclass(frozen=True, slots=True)
class _IsFaulty:
    life: Life
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class _HasEnded:
    life: Life
    reason: ExitReason


Message = Command | _IsReady | _IsFaulty | _HasEnded


@dataclass(frozen=True, slots=True)
class Rules:
    """How a supervisor treats its children together; see ``spec`` for the words."""

    strategy: Strategy
    dynamic: bool
    max_children: int | None
    limit: Limit | None
    auto_shutdown: AutoShutdown


def supervisor(
    id: str,
    children: Sequence[ChildSpec] = (),
    *,
    strategy: Strategy = "one_for_one",
    dynamic: bool = False,
    max_children: int | None = None,
    limit: Limit | None = None,
    auto_shutdown: AutoShutdown = "never",
    intensity: Intensity = Intensity(3, per=60.0, on_exceeded="escalate"),
    backoff: Backoff = Backoff(),
    start_mode: StartMode = "sync",
) -> ChildSpec:
    """The spec of a supervisor over ``children``, or of a ``dynamic`` one, whose children come and go.

    A dynamic one refuses a child beyond ``max_children``: who asked for it gets ``TooManyChildrenError``.
    ``limit`` bounds the abnormal ends of all its children together; none: each has its own intensity only. ``intensity``
    and ``backoff`` are about the supervisor itself, as a child of its own supervisor. Raises ``ValueError`` for specs that
    contradict one another; ``lint.check_child_specs`` finds more.
    """
    problems = contradictions(children, auto_shutdown)
    if dynamic and strategy != "one_for_one":
        problems.append("the children of a dynamic supervisor do not depend on one another")
    if max_children is not None and (not dynamic or max_children < 1):
        problems.append("max_children is for a dynamic supervisor, and at least 1")
    if problems:
        raise ValueError(f"supervisor {id}: {'; '.join(problems)}")
    rules = Rules(strategy, dynamic, max_children, limit, auto_shutdown)
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

    def last_beat(child: str) -> float:
        cell = registry.cell(f"{ctx.path}/{path_segment(child)}")
        return 0.0 if cell is None or cell.life is None else cell.life.beat_at

    machine = SupervisorCore(
        children,
        rng=ctx.system.rng,
        strategy=rules.strategy,
        dynamic=rules.dynamic,
        max_children=rules.max_children,
        limit=rules.limit,
        auto_shutdown=rules.auto_shutdown,
        last_incarnation=last_incarnation,
        last_beat=last_beat,
    )
    await Supervisor(ctx, machine).run()


class Supervisor:
    """One incarnation of a supervisor; the ``Keeper`` of its children's lives."""

    def __init__(self, ctx: Context[Message], machine: SupervisorCore) -> None:
        self._ctx = ctx
        self._core = machine
        self._system = ctx.system
        self._cells: dict[str, Cell] = {}
        self._waiters = Waiters(self._path, lambda child: self._system.registry.ref(self._path(child)))
        self._end: ExitReason | None = None

    async def run(self) -> None:
        """Supervise until told to stop or over budget; ends by raising ``Exit``."""
        self._system.supervisors[self._ctx.path] = self
        try:
            self._step(step.Begin())
            while self._end is None:
                deadline = self._core.next_deadline
                message = await self._ctx.receive(by=math.inf if deadline is None else deadline)
                if message is not None:
                    self._handle(message)
                self._step(step.Tick())
            raise Exit(self._end)
        finally:
            await self._reap()  # noqa: ASYNC102 - shields itself, for as long as its children's grace
            if self._system.supervisors.get(self._ctx.path) is self:
                del self._system.supervisors[self._ctx.path]

    # --- what comes in -------------------------------------------------------------------------------------------------

    def is_ready(self, life: Life) -> None:
        """A child's life says so."""
        self._ctx.remind(_IsReady(life))

    def is_faulty(self, life: Life, reason: ExitReason) -> None:
        """A child's life is to end."""
        self._ctx.remind(_IsFaulty(life, reason))

    def has_ended(self, life: Life, reason: ExitReason) -> None:
        """The task of a child's life is over."""
        self._ctx.remind(_HasEnded(life, reason))

    def _handle(self, message: Message | Stop | Down) -> None:
        match message:
            case Stop(reason):
                self._step(step.Stop(Shutdown(reason)))
            case Down():
                pass  # a supervisor watches nobody
            case _HasEnded(life, reason):
                waiting = life.cell.mailbox.has_mail
                self._step(step.Exited(life.cell.spec.id, life.incarnation, reason, waiting))
            case _IsReady(life):
                self._step(step.Ready(life.cell.spec.id, life.incarnation))
            case _IsFaulty(life, reason):
                self._step(step.Fault(life.cell.spec.id, life.incarnation, reason))
            case StartChild(spec, reply):
                self._order(step.Add(spec), Waiter(spec.id, reply, up=True), already=True)
            case RestartChild(child, reply):
                self._order(step.Restart(child), Waiter(child, reply, up=True))
            case EnableChild(child, reply):
                self._order(step.Enable(child), Waiter(child, reply, up=True), already=True)
            case TerminateChild(child, reply):
                self._order(step.Terminate(child), Waiter(child, reply, up=False), already=True)
            case DisableChild(child, reply):
                self._order(step.Disable(child), Waiter(child, reply, up=False), already=True)
            case AdjustChild(spec, reply):
                self._adjust(spec, reply)
            case WhichChildren(reply):
                reply.send(tuple(map(_info, self._core.children.values())))
            case _:
                assert_never(message)

    def _order(self, event: step.Event, waiter: Waiter, *, already: bool = False) -> None:
        """Carry out a command; ``already``: a child that is in the wanted state now needs no change to answer."""
        self._waiters.add(waiter)
        try:
            self._step(event)
        except UnknownChildError:
            self._waiters.refuse(waiter, LookupError(f"{self._ctx.path} has no child {waiter.child!r}"))
        except TooManyChildrenError as full:
            self._waiters.refuse(waiter, full)
            if waiter.reply is None:
                self._system.letters.add(self._path(waiter.child), event, Why.REFUSED)
        else:
            child = self._core.children.get(waiter.child)
            if child is not None:
                self._waiters.settle(waiter, child.state, _last_reason(child), already=already)

    def _adjust(self, spec: ChildSpec, reply: Reply[None]) -> None:
        try:
            self._step(step.Adjust(spec))
        except UnknownChildError:
            reply.fail(LookupError(f"{self._ctx.path} has no child {spec.id!r}"))
        except ValueError as error:
            reply.fail(error)
        else:
            if spec.id in self._cells:
                self._cells[spec.id].adjust(spec)
            reply.send(None)

    # --- what goes out -------------------------------------------------------------------------------------------------

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
            case step.Record(child, incarnation, reason, decision, delay, left):
                events, cell = self._system.events, self._cells[child]
                record_end(events, cell, incarnation, reason, decision, delay_s=delay, budget_left=left)
            case step.Changed(child, state):
                self._changed(child, state)
            case step.Removed(child, reason):
                if (gone := self._cells.pop(child, None)) is not None:
                    self._system.registry.release(gone)
                self._waiters.changed(child, State.STOPPED, reason)
            case step.End(reason):
                self._end = reason
                self._waiters.fail_all(reason)
            case _:
                assert_never(action)

    def _launch(self, child: str, incarnation: int) -> None:
        cell = self._system.registry.claim(self._ctx.path, self._core.children[child].spec)
        self._cells[child] = cell
        self._system.launch(cell, incarnation, self)

    def _life(self, child: str, incarnation: int) -> Life | None:
        cell = self._cells.get(child)
        life = None if cell is None else cell.life
        return life if life is not None and life.incarnation == incarnation else None

    def _changed(self, child: str, state: State) -> None:
        cell = self._cells.get(child)
        if cell is not None:
            if state in DOWN:
                cell.refuse_new()
            elif state is State.RUNNING:
                self._system.publish("ready", cell.path, cell.last_incarnation)
        self._waiters.changed(child, state, _last_reason(self._core.children.get(child)))

    def _path(self, child: str) -> str:
        return f"{self._ctx.path}/{path_segment(child)}"

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
        self._waiters.fail_all(None)
        if self._core.dynamic:
            # Our next life starts them only when asked to: until then nobody reads.
            for cell in self._cells.values():
                cell.refuse_new()
        lives = [cell.life for cell in self._cells.values() if cell.life is not None]
        # Of their ends the core hears no more; some are over, and the notice is unread.
        unheard = [
            (cell, child.incarnation, cell.life, cell.last_reason)
            for cell, child in self.family()
            if child is not None and child.alive
        ]
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
        for cell, incarnation, last, last_reason in unheard:
            reason = last_reason if last is None else last.ended
            record_end(self._system.events, cell, incarnation, reason or Shutdown(), "stop")


def _last_reason(child: Child | None) -> ExitReason | None:
    return child.history[-1] if child is not None and child.history else None


def _info(child: Child) -> ChildInfo:
    return ChildInfo(child.spec.id, child.spec.kind, child.state, child.incarnation, child.restarts)
