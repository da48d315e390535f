"""The root: one nursery that holds every incarnation of every actor, the run function, signals, the hard exit.

run ─▶ nursery ─▶ one task per incarnation            (supervisors own scopes and exit events, never nurseries,
  ├─▶ stopper: stop request → drain → stop the root     so a stuck child can hold up the end of the process only)
  └─▶ watchdog thread: loop lag; past the deadline: stacks, then os._exit
"""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import trio

from supervisors.cell import Cell, Keeper, Life
from supervisors.child import Child
from supervisors.context import Context
from supervisors.current import about, current_actor
from supervisors.dump import stack_of
from supervisors.escalation import GIVE_UP, ExitTable
from supervisors.events import EventLog, SupervisionEvent
from supervisors.letters import DeadLetters
from supervisors.logs import guarded
from supervisors.reasons import (
    Cancelled,
    Crash,
    ExitReason,
    Normal,
    Stuck,
    flatten,
    is_clean,
    reason_for,
)
from supervisors.records import record_end
from supervisors.registry import Registry
from supervisors.snapshot import Supervising, snapshot_of
from supervisors.spec import ChildSpec
from supervisors.step import State
from supervisors.tree import ActorSnapshot
from supervisors.watchdog import Watchdog

log = guarded(__name__)

LINKED_GRACE_S = 2.0
"""How long the end of an actor waits for its cancelled linked children before it gives them up."""

ZOMBIE_GRACE_S = 2.0
"""How long the end of the process waits for tasks that were given up, before the hard exit."""

FORCED_EXIT = 130


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

    async def run(
        self,
        root: ChildSpec,
        *,
        signals: Mapping[int, int] | None = None,
        calls: Mapping[int, Callable[[], None]] | None = None,
    ) -> Outcome:
        """Run the tree until it ends. ``signals`` maps signal numbers to exit codes of the stop they ask for, ``calls``
        others to what they are answered with, on the loop; what is called must not raise.

        A KeyboardInterrupt that landed in an actor is raised again at the end.
        """
        with self._signals(signals or {}, calls or {}):
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                cell = self.registry.claim(None, root)
                self._root = self.launch(cell, 1, _Run(self.events))
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

    def overrule(self, request: StopRequest) -> None:
        """As ``request_stop``; a stop that is under way goes on, and ends as this one."""
        self.request_stop(request)
        self._request = request

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

    def launch(self, cell: Cell, incarnation: int, keeper: Keeper) -> Life:
        """Start incarnation ``incarnation`` of ``cell``; ``keeper`` is responsible for its end."""
        assert self._nursery is not None  # noqa: S101 - nothing is launched before run
        life = Life(cell, incarnation, keeper, trio.current_time())
        cell.life = life
        cell.last_incarnation = incarnation
        self.publish("started", cell.path, incarnation)
        self._nursery.start_soon(self._live, life, name=f"{cell.path}#{incarnation}")
        return life

    async def _live(self, life: Life) -> None:
        """The task of one incarnation: lets nothing out but Trio's own cancellation of the whole run."""
        life.task = trio.lowlevel.current_task()
        current_actor.set((life.cell.path, life.incarnation))
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
        if life.fault is not None and is_clean(reason):
            reason = life.fault
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
            reason: object = reason_for(failure, spec.classify)
            if isinstance(reason, ExitReason):
                return reason
            raise TypeError(f"classify made {reason!r} of it")
        except Exception as exc:  # foreign code
            exc.__cause__ = failure
            return Crash(exc)

    def _book_end(self, life: Life, reason: ExitReason) -> None:
        life.done.set()
        if life.fenced:
            self.zombies.discard(life)
            log.warning("%s#%d, given up as stuck, has ended after all", life.cell.path, life.incarnation)
            return
        life.cell.ended(life, reason)
        life.keeper.has_ended(life, reason)

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
                self.abandon_linked(child)

    def abandon_linked(self, life: Life) -> None:
        """As ``abandon``, for a linked child: its name is free again, and its owner hears no more of it."""
        if not life.fenced:
            self.abandon(life)
            record_end(self.events, life.cell, life.incarnation, Stuck(), "remove")
            self.registry.release(life.cell)

    def abandon(self, life: Life) -> None:
        """Give a life up, with all that lives below it: it may run on, but it can no longer act, and nobody waits for it."""
        if life.fenced:
            return
        life.fenced = True
        life.scope.cancel()
        self.zombies.add(life)
        life.cell.ended(life, Stuck())
        stack = "" if life.task is None else "\n  ".join(["", *stack_of(life.task)])
        path, incarnation = life.cell.path, life.incarnation
        log.error(
            "%s#%d is stuck and has been given up%s", path, incarnation, stack, extra=about(path, incarnation)
        )
        self.publish("stuck", life.cell.path, life.incarnation)
        for child in life.linked.values():
            self.abandon_linked(child)
        life.linked.clear()
        supervisor = self.supervisors.get(life.cell.path)
        for cell, _ in [] if supervisor is None else supervisor.family():
            if cell.life is not None:
                self.abandon(cell.life)

    # --- looking at it -------------------------------------------------------------------------------------------------

    def publish(
        self, kind: str, path: str, incarnation: int, cause: ExitReason | None = None, **detail: Any
    ) -> None:
        """Write a supervision event."""
        self.events.publish(SupervisionEvent(trio.current_time(), kind, path, incarnation, detail, cause))

    def child(self, path: str) -> Child | None:
        """What the supervisor of the child at ``path`` knows of it; None if no live one does."""
        cell, supervisor = self.registry.cell(path), self.supervisors.get(path.rpartition("/")[0])
        return None if cell is None or supervisor is None else supervisor.child(cell.spec.id)

    def state(self, path: str) -> State | None:
        """The state of the child at ``path`` as its supervisor sees it; None if no live supervisor knows it."""
        child = self.child(path)
        return None if child is None else child.state

    def snapshot(self, path: str | None = None) -> ActorSnapshot | None:
        """The whole tree, or its part at ``path``: consistent, without a checkpoint in any actor; None where there is none."""
        root = None if self._root is None else self._root.cell
        cell = root if path is None else self.registry.cell(path)
        if cell is None:
            return None
        return snapshot_of(cell, self.child(cell.path), self.supervisors, trio.current_time())

    # --- signals -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _signals(self, codes: Mapping[int, int], calls: Mapping[int, Callable[[], None]]) -> Iterator[None]:
        """First signal: drain and stop. Second: cancel now. Third: ``os._exit`` from the handler itself, because a Trio
        receiver cannot act while an actor loops in synchronous code.
        """
        if not (codes or calls) or threading.current_thread() is not threading.main_thread():
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
                token.run_sync_soon(self.overrule, StopRequest(codes[number], name))

        def call(number: int, _frame: FrameType | None) -> None:
            token.run_sync_soon(calls[number], idempotent=True)

        before = {number: signal.signal(number, handle) for number in codes}
        before |= {number: signal.signal(number, call) for number in calls}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Run:
    """Keeps the root's life: its end is the end of the run, which ``run`` waits for."""

    def __init__(self, events: EventLog) -> None:
        self._events = events

    def is_ready(self, life: Life) -> None:
        pass

    def is_faulty(self, life: Life, reason: ExitReason) -> None:
        pass

    def has_ended(self, life: Life, reason: ExitReason) -> None:
        record_end(self._events, life.cell, life.incarnation, reason, "stop")


def _only(kind: type[BaseException], exc: BaseException) -> BaseException | None:
    """The part of ``exc`` that is of ``kind``."""
    if isinstance(exc, kind):
        return exc
    if isinstance(exc, BaseExceptionGroup):
        return exc.split(kind)[0]
    return None
