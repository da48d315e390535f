"""Looking into one running actor, and holding it still: OTP's ``sys``, and of ``recon`` what one needs most.

Everything here is bounded, and costs the actor no more than a function of its own between two messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import trio

from supervisors.asking import whom_to_ask
from supervisors.mailbox import Envelope, MailboxStats
from supervisors.reply import AskError, Reply
from supervisors.trace import Listener, Trace
from supervisors.tree import ActorSnapshot

if TYPE_CHECKING:
    from supervisors.cell import Cell
    from supervisors.system import System


class NothingRevealedError(AskError):
    """The actor at ``path`` is up and well, and has never called ``Context.reveal``."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} reveals nothing of its state")
        self.path = path


@dataclass(frozen=True, slots=True)
class Question:
    """Kit message: what is your state? ``Context.receive`` answers it; the actor never sees it."""

    path: str
    reply: Reply[Any]

    def answer(self, reveal: Callable[[], Any] | None) -> None:
        """Answer from ``reveal``; what that raises is the asker's."""
        if reveal is None:
            self.reply.fail(NothingRevealedError(self.path))
            return
        try:
            self.reply.send(reveal())
        except Exception as error:  # foreign code, run for somebody else (law A4)
            self.reply.fail(error)


async def get_state(system: System, path: str, timeout_s: float) -> Any:
    """What the function that the actor at ``path`` gave to ``Context.reveal`` returns, called between two messages.

    An actor that is busy makes its asker wait, at most ``timeout_s`` (``trio.TooSlowError``), and nobody else. Raises
    what the function raises; ``NothingRevealedError``; ``ActorDownError`` and ``RestartingError`` as ``ActorRef.ask``.
    """
    cell = whom_to_ask(system.registry, path)
    reply: Reply[Any] = Reply(trio.current_time() + timeout_s)
    # Fenced, so that it is no mail: an actor that has left is not started again for being looked at.
    envelope = Envelope(Question(path, reply), reply, fence=cell.last_incarnation)
    cell.mailbox.urge(envelope)
    try:
        with trio.fail_at(reply.deadline):
            return await reply.wait()
    finally:
        if reply.open:
            # A page that asks every second must not fill the lane of an actor that hangs.
            cell.mailbox.withdraw(envelope)


@dataclass(frozen=True, slots=True)
class Statistics:
    """One actor in numbers. ``started_s`` and ``ready_s`` are ago, of its present life; None without one, or not ready.

    ``messages`` is how many it has been given over all its lives, signals and the one in work included; one that came back
    counts again. ``busy_s`` is from taking a message until waiting for the next, the one in work included.
    """

    path: str
    incarnation: int
    restarts: int
    started_s: float | None
    ready_s: float | None
    messages: int
    busy_s: float
    suspended: bool
    mailbox: MailboxStats


def statistics(system: System, path: str) -> Statistics:
    """The actor at ``path`` in numbers, without asking it. Raises ``LookupError``."""
    cell, now = _cell(system, path), trio.current_time()
    life, child = cell.life, system.child(path)
    return Statistics(
        path=path,
        incarnation=cell.last_incarnation,
        restarts=0 if child is None else child.restarts,
        started_s=None if life is None else now - life.started_at,
        ready_s=None if life is None or life.ready_at is None else now - life.ready_at,
        messages=cell.mailbox.handed_out,
        busy_s=cell.busy_s(now),
        suspended=cell.mailbox.suspended,
        mailbox=cell.mailbox.stats(),
    )


def trace(system: System, path: str, listener: Listener, *, limit: int, per_s: float) -> Trace:
    """Call ``listener`` for every message that the actor at ``path`` is done with, across its restarts.

    At most ``limit`` times, and not faster than ``per_s`` a second (see ``Trace``); then the trace ends by itself. It is
    called in the actor's task and must not block; if it raises, that is logged and the trace ends. An actor has one
    trace: a new one takes the place of the old. Raises ``LookupError``, and ``ValueError`` for bounds that bound nothing.
    """
    cell = _cell(system, path)
    cell.trace = Trace(cell, listener, limit=limit, per_s=per_s, now=trio.current_time())
    return cell.trace


def suspend(system: System, path: str) -> None:
    """Have the actor at ``path`` leave its user lane alone until ``resume``, across its restarts.

    It finishes what is in work, and goes on reading signals, urgent messages and timers. Writers meet a mailbox that
    fills up, with all that its spec says. Raises ``LookupError``.
    """
    _cell(system, path).mailbox.suspend()


def resume(system: System, path: str) -> None:
    """End ``suspend``; nothing that waited is lost. Raises ``LookupError``."""
    _cell(system, path).mailbox.resume()


By = Literal["mailbox", "restarts", "busy"]


def top(tree: ActorSnapshot, by: By, count: int) -> Sequence[ActorSnapshot]:
    """The ``count`` actors of ``tree`` with the most messages waiting, restarts or seconds in work; the most first."""
    keys: dict[By, Callable[[ActorSnapshot], float]] = {
        "mailbox": lambda node: 0 if node.mailbox is None else node.mailbox.used + node.mailbox.control,
        "restarts": lambda node: node.restarts,
        "busy": lambda node: node.busy_s,
    }
    return sorted(tree.walk(), key=keys[by], reverse=True)[:count]


def _cell(system: System, path: str) -> Cell:
    cell = system.registry.cell(path)
    if cell is None:
        raise LookupError(f"there is no actor at {path}")
    return cell
