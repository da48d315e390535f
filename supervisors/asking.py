"""A question on its way to one actor and back, and the search for questions that wait for each other in a circle."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from supervisors.mailbox import Envelope, Outcome
from supervisors.reasons import Shutdown, is_clean
from supervisors.reply import ActorDownError, DeadlockError, Reply, RestartingError

if TYPE_CHECKING:
    from supervisors.cell import Cell, Life
    from supervisors.registry import Registry

R = TypeVar("R")


async def ask(
    registry: Registry,
    path: str,
    build: Callable[[Reply[R]], Any],
    deadline: float,
    *,
    urgent: bool = False,
    asker: Life | None = None,
) -> R:
    """Send ``build(reply)`` to ``path`` and wait until ``deadline`` for what is put into ``reply``.

    ``asker`` is the actor whose only task waits here: who asks it meanwhile, over however many others, gets a
    ``DeadlockError``. Raises ``trio.TooSlowError`` and the ``AskError``s.
    """
    cell = whom_to_ask(registry, path)
    if deadline <= trio.current_time():
        raise trio.TooSlowError  # whoever asked us has left
    reply: Reply[R] = Reply(deadline)
    if asker is not None:
        circle = _circle(registry, asker.cell.path, path)
        if circle is not None:
            raise DeadlockError(circle)
        asker.asking = (path, reply)
    try:
        with trio.fail_at(deadline):
            envelope = Envelope(build(reply), reply)
            outcome = cell.mailbox.urge(envelope) if urgent else await cell.mailbox.put(envelope)
            if outcome is Outcome.STOPPED:
                raise ActorDownError(path, cell.last_reason or Shutdown())
            return await reply.wait()
    finally:
        if asker is not None:
            asker.asking = None


def whom_to_ask(registry: Registry, path: str) -> Cell:
    """Who answers at ``path``. Raises ``ActorDownError`` where nobody will, ``RestartingError`` between two lives."""
    cell = registry.cell(path)
    if cell is None:
        raise ActorDownError(path, Shutdown("there is no such actor"))
    if not cell.mailbox.open:
        raise ActorDownError(path, cell.last_reason or Shutdown())
    if cell.life is None and cell.last_reason is not None and not is_clean(cell.last_reason):
        raise RestartingError(path, cell.last_reason)
    return cell


def _circle(registry: Registry, asker: str, asked: str) -> tuple[str, ...] | None:
    """The way from ``asker`` over ``asked`` back to ``asker``, if each on it waits for the next one."""
    way = [asker, asked]
    while way[-1] != asker:
        cell = registry.cell(way[-1])
        asking = None if cell is None or cell.life is None else cell.life.asking
        # An answered question holds nobody up, even if its asker has not come to run since.
        if asking is None or not asking[1].open:
            return None
        way.append(asking[0])
    return tuple(way)
