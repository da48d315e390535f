"""All actors in figures, by what they run: for monitors, which must not be given a series for each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from supervisors.cell import Cell
    from supervisors.child import Child
    from supervisors.step import State
    from supervisors.system import System


@dataclass(slots=True)
class Group:
    """The actors of a kind. ``waiting`` messages in all their mailboxes, both lanes; ``fullest`` is the most
    that one user lane is used, 0 to 1; ``in_work_s`` is for how long the message that has been in work longest is, ``oldest_s``
    for how long the one waits that has waited longest.
    """

    states: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    fullest: float = 0.0
    in_work_s: float = 0.0
    oldest_s: float = 0.0


def census(system: System, kind_of: Callable[[Callable[..., Any]], str]) -> dict[str, Group]:
    """A group for each kind, which is told from the function that an actor runs. A look at the whole tree costs several times as
    much.
    """
    groups: dict[str, Group] = {}
    now = trio.current_time()
    for cell, child in _everybody(system):
        kind = kind_of(cell.spec.start)
        group = groups.get(kind)
        if group is None:
            group = groups[kind] = Group()
        group.states["running" if child is None else child.state.value] += 1
        box = cell.mailbox.levels()
        if box.oldest_s is not None:
            group.waiting += box.used + box.control
            group.fullest = max(group.fullest, box.used / box.capacity)
            group.oldest_s = max(group.oldest_s, box.oldest_s)
        if cell.mailbox.current is not None:
            group.in_work_s = max(group.in_work_s, now - cell.current_since)
    return groups


def in_states(system: System, states: Collection[State]) -> list[tuple[str, State]]:
    """Path and state of each child that is in one of ``states``; at a fraction of a look, too."""
    return [
        (cell.path, child.state)
        for supervisor in system.supervisors.values()
        for cell, child in supervisor.family()
        if child is not None and child.state in states
    ]


def _everybody(system: System) -> Iterator[tuple[Cell, Child | None]]:
    for supervisor in system.supervisors.values():
        for cell, child in supervisor.family():
            yield cell, child
            if cell.life is not None and cell.life.linked:
                yield from _linked(cell)


def _linked(cell: Cell) -> Iterator[tuple[Cell, Child | None]]:
    life = cell.life
    for other in () if life is None else life.linked.values():
        yield other.cell, None
        yield from _linked(other.cell)
