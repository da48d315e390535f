"""One look at the cells and at what their supervisors know: the actor tree, at one instant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from supervisors.cell import Cell
from supervisors.child import Child
from supervisors.reasons import describe, is_clean
from supervisors.step import State
from supervisors.tree import ActorSnapshot


class Supervising(Protocol):
    """A live supervisor as the snapshot sees it."""

    def family(self) -> Sequence[tuple[Cell, Child | None]]:
        """Its children in order, each with what the supervisor knows of it."""

    def child(self, name: str) -> Child | None:
        """What it knows of one child."""


def snapshot_of(
    cell: Cell, child: Child | None, supervisors: Mapping[str, Supervising], now: float
) -> ActorSnapshot:
    """The node of ``cell`` and all below it.

    ``child`` is what the cell's supervisor knows of it; None for the root and for linked children.
    """
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
        supervisor = supervisors.get(cell.path)
        family = () if supervisor is None else supervisor.family()
        children = tuple([snapshot_of(other, record, supervisors, now) for other, record in family])
    if life is not None and life.linked:
        children += tuple([snapshot_of(other.cell, None, supervisors, now) for other in life.linked.values()])
    return ActorSnapshot(
        path=cell.path,
        name=cell.path[cell.path.rfind("/") + 1 :],
        kind=spec.kind,
        state=state,
        incarnation=cell.last_incarnation,
        restarts=restarts,
        restarts_in_window=in_window,
        uptime_s=None if ready_at is None else now - ready_at,
        busy_s=cell.busy_before_s if cell.busy_since is None else cell.busy_s(now),
        mailbox=box.levels() if spec.kind == "worker" else None,
        last_error=last_error,
        next_start_in_s=next_start,
        spec=spec,
        current=None if box.current is None else (type(box.current.body).__name__, now - cell.current_since),
        children=children,
    )
