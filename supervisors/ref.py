"""A reference to an actor: valid across its restarts, harmless after its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio

from supervisors.asking import ask
from supervisors.letters import Why
from supervisors.mailbox import Envelope, Outcome
from supervisors.reply import Reply

if TYPE_CHECKING:
    from supervisors.registry import Registry

M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")


class ActorRef(Generic[M_contra]):
    """Names the actor at ``path``, whichever incarnation lives there. Messages to nobody are dead letters, never an error."""

    __slots__ = ("_registry", "path")

    def __init__(self, path: str, registry: Registry) -> None:
        self.path = path
        self._registry = registry

    def __repr__(self) -> str:
        return f"<ref {self.path}>"

    def tell_nowait(self, message: M_contra) -> Outcome:
        """Put ``message`` into the user lane if there is room; else what the mailbox's ``overflow`` says happens."""
        cell = self._registry.cell(self.path)
        return self._nobody(message) if cell is None else cell.mailbox.offer(Envelope(message))

    async def tell(self, message: M_contra) -> Outcome:
        """Put ``message`` into the user lane, waiting for room if the mailbox has backpressure; that holds up nobody else.

        Cancelled while waiting: the message was not put.
        """
        cell = self._registry.cell(self.path)
        return self._nobody(message) if cell is None else await cell.mailbox.put(Envelope(message))

    def urge(self, message: M_contra) -> Outcome:
        """Put ``message`` into the control lane, before everything in the user lane; never full."""
        cell = self._registry.cell(self.path)
        return self._nobody(message) if cell is None else cell.mailbox.urge(Envelope(message))

    async def ask(
        self, build: Callable[[Reply[R]], M_contra], timeout_s: float, *, urgent: bool = False
    ) -> R:
        """Send ``build(reply)`` and wait for what the actor puts into ``reply``.

        ``timeout_s`` covers waiting for room, the handling and the answer; late answers vanish. Raises
        ``trio.TooSlowError``; ``ActorDownError`` as soon as the actor ends without having answered, ``RestartingError``
        where it had ended before it saw the question; ``MailboxFullError``. An actor asks by ``Context.ask``.
        """
        return await ask(self._registry, self.path, build, trio.current_time() + timeout_s, urgent=urgent)

    def stop(self, reason: str = "shutdown") -> None:
        """Ask the present incarnation to end; what follows is its supervisor's decision."""
        from supervisors.cell import Stop

        cell = self._registry.cell(self.path)
        if cell is not None and cell.life is not None:
            cell.notify(cell.life, Stop(reason))

    @property
    def takes_mail(self) -> bool:
        """True if somebody lives there or will again; False after a final end and while disabled."""
        cell = self._registry.cell(self.path)
        return cell is not None and cell.mailbox.open

    @property
    def incarnation(self) -> int | None:
        """The number of the life that is live now, if one is."""
        cell = self._registry.cell(self.path)
        return None if cell is None or cell.life is None else cell.life.incarnation

    def _nobody(self, message: M_contra) -> Outcome:
        self._registry.letters.add(self.path, message, Why.NOBODY)
        return Outcome.STOPPED


AnyRef = ActorRef[Any]
