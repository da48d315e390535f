"""What an actor sees of the system: its lanes, its own children, its watches. Useless once its life has been given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from supervisors.cell import Cell, Down, Life, Stop, Watch
from supervisors.mailbox import Envelope
from supervisors.reasons import ExitReason, Normal
from supervisors.ref import ActorRef
from supervisors.spec import ChildSpec

if TYPE_CHECKING:
    from supervisors.system import System

M = TypeVar("M")


class Context(Generic[M]):
    """Handed to ``ChildSpec.start`` as its first argument; ``M`` is the union of messages the actor takes."""

    __slots__ = ("_cell", "_life", "system")

    def __init__(self, system: System, life: Life) -> None:
        self.system = system
        self._life = life
        self._cell: Cell = life.cell

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
            self._life.on_ready(self._life)

    def remind(self, message: M) -> None:
        """Put ``message`` into this life's own control lane; a later life never sees it."""
        self._cell.mailbox.urge(Envelope(message, fence=self.incarnation))

    async def receive(self) -> M | Stop | Down:
        """The next message: kit signals and urgent messages first, then the user lane in order.

        Having asked for the next one, the actor has handled the one before. Cancelled: no message was taken.
        """
        while True:
            envelope = await self._cell.mailbox.take(self._life.check_fence)
            if envelope.fence is None or envelope.fence == self.incarnation:
                self._cell.current_since = trio.current_time()
                return envelope.body  # type: ignore[no-any-return]

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
        owner = self._life

        def ended(life: Life, reason: ExitReason) -> None:
            owner.linked.pop(spec.id, None)
            self.system.registry.release(life.cell)
            owner.cell.notify(owner, Down(life.cell.path, life.incarnation, reason))

        owner.linked[spec.id] = self.system.launch(cell, cell.last_incarnation + 1, lambda _: None, ended)
        return self.system.registry.ref(cell.path)

    def cancel_child(self, name: str) -> None:
        """Cancel a linked child now; its ``Down`` follows."""
        life = self._life.linked.get(name)
        if life is not None:
            life.scope.cancel()

    def monitor(self, ref: ActorRef[Any]) -> None:
        """Ask for exactly one ``Down`` for the present incarnation of ``ref``; at once if it has none."""
        cell = self.system.registry.cell(ref.path)
        if cell is None or cell.life is None:
            reason = Normal() if cell is None or cell.last_reason is None else cell.last_reason
            number = 0 if cell is None else cell.last_incarnation
            self._cell.notify(self._life, Down(ref.path, number, reason))
        else:
            cell.watches.append(Watch(self._life))
