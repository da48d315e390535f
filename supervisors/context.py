"""What an actor sees of the system: its lanes, its own children, its watches, its timers. Useless once its life is given up."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import trio

from supervisors.asking import ask
from supervisors.cell import Cell, Down, Life, Stop, Watch
from supervisors.introspect import Question
from supervisors.mailbox import Envelope
from supervisors.reasons import ExitReason, Normal, Shutdown, reason_for
from supervisors.records import record_end
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError, Reply
from supervisors.spec import ChildSpec
from supervisors.timers import Timer, Timers

if TYPE_CHECKING:
    from supervisors.system import System

M = TypeVar("M")
R = TypeVar("R")


class Context(Generic[M]):
    """Handed to ``ChildSpec.start`` as its first argument; ``M`` is the union of messages the actor takes."""

    __slots__ = ("_cell", "_life", "_now", "_reveal", "_timers", "system")

    def __init__(self, system: System, life: Life) -> None:
        self.system = system
        self._life = life
        self._cell: Cell = life.cell
        self._timers: Timers | None = None
        self._reveal: Callable[[], Any] | None = None
        # Not ``trio.current_time``, which looks for the clock with every message: a twentieth of what one costs.
        self._now = trio.lowlevel.current_clock().current_time

    @property
    def path(self) -> str:
        """This actor's path in the tree."""
        return self._cell.path

    @property
    def incarnation(self) -> int:
        """Which life this is, from 1."""
        return self._life.incarnation

    @property
    def me(self) -> ActorRef[M]:
        """A reference to this actor."""
        return self.system.registry.ref(self.path)

    def ready(self) -> None:
        """Say that this actor has started; its supervisor goes on with the next one."""
        self._life.check_fence()
        if self._life.ready_at is None:
            self._life.ready_at = trio.current_time()
            self._life.beat_at = self._life.ready_at
            self._life.keeper.is_ready(self._life)

    def beat(self) -> None:
        """Show progress, from any task of this actor; one with ``stall_s`` in its spec owes it."""
        self._life.beat_at = trio.current_time()

    def fail(self, error: BaseException) -> None:
        """End this life for ``error``, from any task of it: cancelled now, and given up after its grace if it is deaf to that.

        Where raising it would have to wait for tasks beside the actor's own, which may never end.
        """
        self._life.check_fence()
        self._life.fail(reason_for(error, self._cell.spec.classify))

    def remind(self, message: M) -> None:
        """Put ``message`` into this life's own control lane; a later life never sees it."""
        self._cell.mailbox.urge(Envelope(message, fence=self.incarnation))

    def send_after(self, seconds: float, message: M) -> Timer:
        """Have ``receive`` return ``message`` in ``seconds``, before what waits in the user lane; it dies with this life."""
        self._life.check_fence()
        if self._timers is None:
            self._timers = Timers()
        timer = self._timers.add(trio.current_time() + seconds, message)
        if trio.lowlevel.current_task() is not self._life.task:
            # The actor may wait in ``receive`` for something later: what is over already makes it look again.
            over = Timer(timer.at, message, pending=False)
            self._cell.mailbox.urge(Envelope(over, fence=self.incarnation))
        return timer

    @overload
    async def receive(self) -> M | Stop | Down: ...

    @overload
    async def receive(self, by: float) -> M | Stop | Down | None: ...

    async def receive(self, by: float = math.inf) -> M | Stop | Down | None:
        """The next message: kit signals, urgent messages and timers first, then the user lane in order. None once it is ``by``,
        in Trio's time: also where mail waits, so that mail without end holds up no clock.

        Having asked for the next one, the actor has handled the one before. Cancelled: no message was taken.
        """
        life, cell, mailbox, timed = self._life, self._cell, self._cell.mailbox, by < math.inf
        life.check_fence()
        if cell.trace is not None:
            cell.trace.done(life.incarnation, self._now(), handled=True)
        mailbox.current = None
        while True:
            # Without this a cancelled reader would go on for as long as mail comes in.
            await trio.lowlevel.checkpoint_if_cancelled()
            if timed and by <= self._now():
                await trio.lowlevel.checkpoint()
                return None
            if self._timers is not None:
                self._hand_over_due(self._timers)
            while (envelope := mailbox.take()) is None:
                if not timed:
                    await self._wait()
                    continue
                if by <= self._now():
                    return None
                with trio.move_on_at(by):
                    await self._wait()
            if envelope.fence is not None and not self._is_for_actor(envelope):
                mailbox.pass_over()
                continue
            cell.current_since = now = self._now()
            if cell.busy_since is None:
                cell.busy_since = now
            return envelope.body  # type: ignore[no-any-return]

    def reveal(self, state: Callable[[], Any]) -> None:
        """Have ``introspect.get_state`` return ``state()``, for as long as this life lasts; the last call holds.

        It is called between two messages, never while one is in work; it must not block. Let it return what does not
        change under the hands of whoever looks: frozen data, or a copy.
        """
        self._life.check_fence()
        self._reveal = state

    @property
    def attempt(self) -> int:
        """How often the message in work has been handed out, from 1; above 1 only with ``in_flight="redeliver:n"``."""
        current = self._cell.mailbox.current
        return 1 if current is None else current.attempt

    @property
    def deadline(self) -> float:
        """When whoever asked the question in work leaves, in Trio's time; infinite for a message that was told."""
        current = self._cell.mailbox.current
        return math.inf if current is None or current.reply is None else current.reply.deadline

    async def ask(
        self, ref: ActorRef[Any], build: Callable[[Reply[R]], Any], timeout_s: float, *, urgent: bool = False
    ) -> R:
        """As ``ActorRef.ask``, for the message in work: no longer than its own asker waits, and never in a circle.

        Raises ``DeadlockError`` at once where ``ref`` waits, over however many others, for this actor. What an actor asks
        in the background, not for the message in work, it asks by ``ref.ask``.
        """
        self._life.check_fence()
        deadline = min(trio.current_time() + timeout_s, self.deadline)
        # A task beside the actor's own may wait for long: the actor goes on reading its mail.
        asker = self._life if trio.lowlevel.current_task() is self._life.task else None
        return await ask(self.system.registry, ref.path, build, deadline, urgent=urgent, asker=asker)

    async def stopping(self) -> Stop:
        """Wait for the stop signal; for actors that take no messages. Others' ``Down`` signals are passed over."""
        while True:
            match await self.receive():
                case Stop() as stop:
                    return stop
                case _:
                    pass

    def spawn_child(self, spec: ChildSpec) -> ActorRef[Any]:
        """Start a linked child at ``<path>/<id>``: this life's end cancels it, its own end is a ``Down`` to this life.

        Never restarted. Raises ``ValueError`` if a child of that name lives.
        """
        self._life.check_fence()
        if spec.id in self._life.linked:
            raise ValueError(f"{self.path} has a child {spec.id!r} already")
        cell = self.system.registry.claim(self.path, spec)
        keeper = _Owner(self.system, self._life)
        self._life.linked[spec.id] = self.system.launch(cell, cell.last_incarnation + 1, keeper)
        return self.system.registry.ref(cell.path)

    def cancel_child(self, name: str) -> None:
        """Cancel a linked child now; its ``Down`` follows."""
        life = self._life.linked.get(name)
        if life is not None:
            life.scope.cancel()

    def abandon_child(self, name: str) -> None:
        """Give up a linked child that does not end: it may run on, but it can no longer act. No ``Down`` follows."""
        life = self._life.linked.pop(name, None)
        if life is not None:
            self.system.abandon_linked(life)

    def monitor(self, ref: ActorRef[Any]) -> None:
        """Ask for exactly one ``Down`` for the present incarnation of ``ref``; at once if it has none."""
        self._life.check_fence()
        cell = self.system.registry.cell(ref.path)
        if cell is None or cell.life is None:
            reason = Normal() if cell is None or cell.last_reason is None else cell.last_reason
            number = 0 if cell is None else cell.last_incarnation
            self._cell.notify(self._life, Down(ref.path, number, reason))
        else:
            Watch(self._life, cell).begin()

    def link(self, ref: ActorRef[Any]) -> None:
        """Bind this life and the present one of ``ref``: a bad end of one ends the other with ``Crash(LinkDownError)``.

        An end in good order does not. Raises ``ActorDownError`` if nobody lives there.
        """
        self._life.check_fence()
        cell = self.system.registry.cell(ref.path)
        if cell is None or cell.life is None:
            raise ActorDownError(ref.path, Shutdown() if cell is None else cell.last_reason or Shutdown())
        Watch(self._life, cell, link=True).begin()
        Watch(cell.life, self._cell, link=True).begin()

    async def _wait(self) -> None:
        """Wait for mail, or for the next timer."""
        self._cell.rest(self._now())
        if self._timers is None:
            await self._cell.mailbox.wait()
            self._life.check_fence()
        else:
            with trio.move_on_at(self._timers.next_at):
                await self._cell.mailbox.wait()
            self._life.check_fence()
            self._hand_over_due(self._timers)

    def _hand_over_due(self, timers: Timers) -> None:
        """Timers come in through the control lane when they fall due."""
        for timer in timers.due(self._now()):
            self._cell.mailbox.urge(Envelope(timer, fence=self.incarnation))

    def _is_for_actor(self, envelope: Envelope) -> bool:
        """True unless what came is for the kit, for another life, or a timer that was cancelled since."""
        match envelope.body:
            case Question() as question:
                question.answer(self._reveal)
                return False
            case Timer() as timer:
                envelope.body = timer.message
                return envelope.fence == self.incarnation and timer.cancel()
            case _:
                return envelope.fence == self.incarnation


class _Owner:
    """Keeps the lives of an actor's linked children: their end is a ``Down`` to it."""

    __slots__ = ("_life", "_system")

    def __init__(self, system: System, life: Life) -> None:
        self._system = system
        self._life = life

    def is_ready(self, life: Life) -> None:
        """Nobody waits for it."""

    def is_faulty(self, life: Life, reason: ExitReason) -> None:
        """It is cancelled; one that is deaf to that is given up when its owner ends."""

    def has_ended(self, life: Life, reason: ExitReason) -> None:
        record_end(self._system.events, life.cell, life.incarnation, reason, "remove")
        self._life.linked.pop(life.cell.spec.id, None)
        self._system.registry.release(life.cell)
        self._life.cell.notify(self._life, Down(life.cell.path, life.incarnation, reason))
