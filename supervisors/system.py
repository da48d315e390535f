"""The root: one nursery that holds every incarnation of every actor, the run function, signals, the hard exit.

run ─▶ nursery ─▶ one task per incarnation            (supervisors own scopes and exit events, never nurseries,
  ├─▶ stopper: stop request → drain → stop the root     so a stuck child can hold up the end of the process only)
  └─▶ watchdog thread: loop lag; past the deadline: stacks, then os._exit
"""

from __future__ import annotations

import logging
import random
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, Protocol

import trio

from supervisors.cell import Cell, Life
from supervisors.child import Child
from supervisors.context import Context
from supervisors.dump import stack_of
from supervisors.escalation import GIVE_UP, ExitTable
from supervisors.events import EventLog, SupervisionEvent
from supervisors.letters import DeadLetters
from supervisors.reasons import (
    Cancelled,
    Crash,
    ExitReason,
    Normal,
    Stuck,
    describe,
    flatten,
    is_clean,
    reason_for,
)
from supervisors.registry import Registry
from supervisors.spec import ChildSpec
from supervisors.step import State
from supervisors.tree import ActorSnapshot, MailboxNode
from supervisors.watchdog import Watchdog

log = logging.getLogger(__name__)

LINKED_GRACE_S = 2.0
"""How long the end of an actor waits for its cancelled linked children before it gives them up."""

ZOMBIE_GRACE_S = 2.0
"""How long the end of the process waits for tasks that were given up, before the hard exit."""

FORCED_EXIT = 130


class Supervising(Protocol):
    """A live supervisor as the snapshot sees it."""

    def family(self) -> Sequence[tuple[Cell, Child | None]]:
        """Its children in order, each with what the supervisor knows of it."""

    def child(self, name: str) -> Child | None:
        """What it knows of one child."""


@dataclass(frozen=True, slots=True)
class StopRequest:
    """Somebody wants the process to end: with this exit code, for this reason."""

    code: int
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run ended: ``reason`` is the root supervisor's, ``code`` the process's."""

    code: int
    reason: ExitReason


class System:
    """Everything that outlives the actors. One per run; every method but ``run`` is synchronous.

    ``drain`` runs between a stop request and the structural stop; both together get ``stop_deadline`` seconds, then the
    watchdog thread dumps all stacks and ends the process with the request's code, or 70 where that is 0.
    """

    def __init__(
        self,
        *,
        rng: random.Random,
        exits: ExitTable = ExitTable(),
        drain: Callable[[StopRequest], Awaitable[None]] | None = None,
        stop_deadline: float = 60.0,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.letters = DeadLetters()
        self.registry = Registry(self.letters)
        self.events = EventLog()
        self.supervisors: dict[str, Supervising] = {}
        """The live supervisors, by path."""
        self.rng = rng
        self.zombies: set[Life] = set()
        self._exits = exits
        self._drain = drain
        self._stop_deadline = stop_deadline
        self._watchdog = watchdog
        self._request: StopRequest | None = None
        self._requested = trio.Event()
        self._hurry = trio.CancelScope()
        self._interrupted: BaseException | None = None
        self._nursery: trio.Nursery | None = None
        self._root: Life | None = None

    # --- running -------------------------------------------------------------------------------------------------------

    async def run(self, root: ChildSpec, *, signals: Mapping[int, int] | None = None) -> Outcome:
        """Run the tree until it ends. ``signals`` maps signal numbers to exit codes of the stop they ask for.

        A KeyboardInterrupt that landed in an actor is raised again at the end.
        """
        with self._signals(signals or {}):
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                cell = self.registry.claim(None, root)
                self._root = self.launch(cell, 1, lambda _: None, lambda _life, _reason: None)
                nursery.start_soon(self._stopper, name="system/stopper")
                await self._root.done.wait()
                if self._watchdog is not None:
                    self._watchdog.arm_exit(ZOMBIE_GRACE_S, self._exit_code() or GIVE_UP)
                nursery.cancel_scope.cancel()
        self.registry.close()
        if self._watchdog is not None:
            self._watchdog.disarm_exit()
        if self._interrupted is not None:
            raise self._interrupted
        return Outcome(self._exit_code(), self._root.ended or Normal())

    def _exit_code(self) -> int:
        reason = self._root.ended if self._root is not None else None
        if self._request is not None and (reason is None or is_clean(reason)):
            return self._request.code
        return GIVE_UP if reason is None else self._exits.code(reason)

    def request_stop(self, request: StopRequest) -> None:
        """Drain and stop, once; a second request changes nothing."""
        if self._request is None:
            self._request = request
            self._requested.set()
            if self._watchdog is not None:
                self._watchdog.arm_exit(self._stop_deadline, request.code or GIVE_UP)

    def hurry(self, code: int) -> None:
        """Stop without drain: cancel it if it runs, and cancel the whole tree."""
        self.request_stop(StopRequest(code, "hurry"))
        self._request = replace(self._request or StopRequest(code, "hurry"), code=code)
        self._hurry.cancel()
        if self._root is not None:
            self._root.scope.cancel()

    @property
    def ready(self) -> bool:
        """True once every sync child has been ready."""
        return self._root is not None and self._root.ready_at is not None

    @property
    def stopping(self) -> StopRequest | None:
        """The stop that is under way."""
        return self._request

    async def _stopper(self) -> None:
        await self._requested.wait()
        request = self._request
        assert request is not None  # noqa: S101 - set before the event
        if self._drain is not None:
            try:
                with self._hurry:
                    await self._drain(request)
            except Exception:
                log.exception("the drain failed; stopping without it")
        if self._root is not None:
            self.registry.ref(self._root.cell.path).stop(request.why)

    # --- lives ---------------------------------------------------------------------------------------------------------

    def launch(
        self,
        cell: Cell,
        incarnation: int,
        on_ready: Callable[[Life], None],
        on_end: Callable[[Life, ExitReason], None],
    ) -> Life:
        """Start incarnation ``incarnation`` of ``cell``. Whoever calls is responsible for its end."""
        assert self._nursery is not None  # noqa: S101 - nothing is launched before run
        life = Life(cell, incarnation, on_ready, on_end, trio.current_time())
        cell.life = life
        cell.last_incarnation = incarnation
        self.publish("started", cell.path, incarnation)
        self._nursery.start_soon(self._live, life, name=f"{cell.path}#{incarnation}")
        return life

    async def _live(self, life: Life) -> None:
        """The task of one incarnation: lets nothing out but Trio's own cancellation of the whole run."""
        life.task = trio.lowlevel.current_task()
        spec = life.cell.spec
        reason: ExitReason = Normal()
        outer: BaseException | None = None
        try:
            with life.scope:
                await spec.start(Context[Any](self, life), *spec.args)
            if life.scope.cancelled_caught:
                reason = Cancelled(life.cell.path)
        except BaseException as exc:  # noqa: ASYNC103 - every way to end becomes an exit reason; Cancelled is raised below
            outer = _only(trio.Cancelled, exc)
            failure = flatten(exc, trio.Cancelled)
            reason = Cancelled("the run") if failure is None else self._reason(failure, spec)
        if life.felled is not None and is_clean(reason):
            reason = life.felled
        try:
            await self._end_linked(life)
        finally:
            self._book_end(life, reason)
        if outer is not None:
            raise outer

    def _reason(self, failure: BaseException, spec: ChildSpec) -> ExitReason:
        interrupt = _only(KeyboardInterrupt, failure)
        if interrupt is not None:
            self._interrupted = interrupt
            self.request_stop(StopRequest(FORCED_EXIT, "keyboard interrupt"))
            return Cancelled("keyboard interrupt")
        try:
            return reason_for(failure, spec.classify)
        except Exception as exc:
            exc.__cause__ = failure
            return Crash(exc)

    def _book_end(self, life: Life, reason: ExitReason) -> None:
        life.done.set()
        if life.fenced:
            self.zombies.discard(life)
            log.warning("%s#%d, given up as stuck, has ended after all", life.cell.path, life.incarnation)
            return
        life.cell.ended(life, reason)
        life.on_end(life, reason)

    async def _end_linked(self, life: Life) -> None:
        """Cancel the linked children and wait for them, briefly: the next incarnation must not meet them."""
        linked = list(life.linked.values())
        if not linked:
            return
        for child in linked:
            child.scope.cancel()
        # Sooner than our own grace, else we were given up for what is theirs.
        within = min(LINKED_GRACE_S, life.cell.spec.grace / 2)
        with trio.CancelScope(shield=True), trio.move_on_after(within):
            for child in linked:
                await child.done.wait()
        for child in linked:
            if not child.done.is_set():
                self.abandon(child)
                self.registry.release(child.cell)

    def abandon(self, life: Life) -> None:
        """Give a life up, with all that lives below it: it may run on, but it can no longer act, and nobody waits for it."""
        if life.fenced:
            return
        life.fenced = True
        life.scope.cancel()
        self.zombies.add(life)
        life.cell.ended(life, Stuck())
        stack = "" if life.task is None else "\n  ".join(["", *stack_of(life.task)])
        log.error("%s#%d is stuck and has been given up%s", life.cell.path, life.incarnation, stack)
        self.publish("stuck", life.cell.path, life.incarnation)
        for child in life.linked.values():
            self.abandon(child)
            self.registry.release(child.cell)
        life.linked.clear()
        supervisor = self.supervisors.get(life.cell.path)
        for cell, _ in [] if supervisor is None else supervisor.family():
            if cell.life is not None:
                self.abandon(cell.life)

    # --- looking at it -------------------------------------------------------------------------------------------------

    def publish(self, kind: str, path: str, incarnation: int, **detail: Any) -> None:
        """Write a supervision event."""
        self.events.publish(SupervisionEvent(trio.current_time(), kind, path, incarnation, detail))

    def state(self, path: str) -> State | None:
        """The state of the child at ``path`` as its supervisor sees it; None if no live supervisor knows it."""
        cell, supervisor = self.registry.cell(path), self.supervisors.get(path.rpartition("/")[0])
        child = None if cell is None or supervisor is None else supervisor.child(cell.spec.id)
        return None if child is None else child.state

    def snapshot(self) -> ActorSnapshot | None:
        """The whole tree, consistent, without a checkpoint in any actor; None before the start."""
        return None if self._root is None else self._node(self._root.cell, None, trio.current_time())

    def _node(self, cell: Cell, child: Child | None, now: float) -> ActorSnapshot:
        """``child`` is what the cell's supervisor knows of it; None for the root and for linked children."""
        # Plain statements and few calls: a tree may have tens of thousands of these.
        life, spec, box = cell.life, cell.spec, cell.mailbox
        ready_at = None if life is None else life.ready_at
        restarts = in_window = 0
        last_error = next_start = None
        if child is not None:
            state = child.state.value
            restarts = child.restarts
            if child.history:
                in_window = child.window.count(spec.intensity, now)
                last_error = next((describe(r) for r in reversed(child.history) if not is_clean(r)), None)
            if child.state is State.BACKOFF and child.deadline is not None:
                next_start = max(0.0, child.deadline - now)
        else:
            state = "stopped" if life is None else "starting" if ready_at is None else "running"
        children: tuple[ActorSnapshot, ...] = ()
        if spec.kind == "supervisor":
            supervisor = self.supervisors.get(cell.path)
            family = () if supervisor is None else supervisor.family()
            children = tuple([self._node(other, record, now) for other, record in family])
        if life is not None and life.linked:
            children += tuple([self._node(other.cell, None, now) for other in life.linked.values()])
        return ActorSnapshot(
            path=cell.path,
            name=cell.path[cell.path.rfind("/") + 1 :],
            kind=spec.kind,
            state=state,
            incarnation=cell.last_incarnation,
            restarts=restarts,
            restarts_in_window=in_window,
            uptime_s=None if ready_at is None else now - ready_at,
            mailbox=MailboxNode(*box.levels()) if spec.kind == "worker" else None,
            last_error=last_error,
            next_start_in_s=next_start,
            spec=spec,
            current=None
            if box.current is None
            else (type(box.current.body).__name__, now - cell.current_since),
            children=children,
        )

    # --- signals -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _signals(self, codes: Mapping[int, int]) -> Iterator[None]:
        """First signal: drain and stop. Second: cancel now. Third: ``os._exit`` from the handler itself, because a Trio
        receiver cannot act while an actor loops in synchronous code.
        """
        if not codes or threading.current_thread() is not threading.main_thread():
            yield
            return
        token = trio.lowlevel.current_trio_token()
        count = 0

        def handle(number: int, _frame: FrameType | None) -> None:
            nonlocal count
            count += 1
            if count >= 3:
                Watchdog.exit_now(FORCED_EXIT)
            elif count == 2:
                token.run_sync_soon(self.hurry, FORCED_EXIT)
            else:
                if self._watchdog is not None:  # from here: a frozen loop never comes to the request
                    self._watchdog.arm_exit(self._stop_deadline, codes[number] or GIVE_UP)
                name = signal.Signals(number).name
                token.run_sync_soon(self.request_stop, StopRequest(codes[number], name))

        before = {number: signal.signal(number, handle) for number in codes}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _only(kind: type[BaseException], exc: BaseException) -> BaseException | None:
    """The part of ``exc`` that is of ``kind``."""
    if isinstance(exc, kind):
        return exc
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(kind)[0]
    return None
