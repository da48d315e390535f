"""Work that is done again and again, when it is due and nobody waits for it: ``run`` is the loop of each of its actors.

    last time (a row) ─▶ due ─▶ work ─▶ what it came to, and when (a row) ─▶ due …

A restart does nothing sooner, but for what was never done. What ``work`` raises ends the actor, as it should: its next life tries
again after its backoff, and ``hermes status --deep`` shows how old the last success is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import trio

from actors.ports.services import Services
from hermes.store.upkeep import done_at
from hermes.store.upkeep_ops import NoteUpkeep
from supervisors.cell import Down, Stop
from supervisors.context import Context

Message = Stop | Down

LOOK_S = 300.0
"""The clock may be set while nobody looks."""

Work = Callable[[], Awaitable[Mapping[str, int | str]]]


@dataclass(frozen=True, slots=True)
class Task:
    """``every_s`` after it was last done, and never sooner than ``after_s`` after the start."""

    name: str
    every_s: float
    after_s: float
    work: Work


async def run(ctx: Context[Message], services: Services, *tasks: Task) -> None:
    """Ready at once; does each task when it is due, one after the other, until told to stop."""
    await until_stopped(ctx, partial(_work, services, tasks))


async def until_stopped(ctx: Context[Message], work: Callable[[], Awaitable[None]]) -> None:
    """Ready at once; ``work`` is cancelled by the stop. What it raises is raised."""
    ctx.ready()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        await ctx.stopping()
        nursery.cancel_scope.cancel()


async def _work(services: Services, tasks: tuple[Task, ...]) -> None:
    begun = services.clock.wall()
    done = await services.store.read(done_at)
    due = {task: _due(task, begun, done.get(task.name)) for task in tasks}
    while True:
        for task in tasks:
            if due[task] <= services.clock.wall():
                await once(services, task)
                due[task] = services.clock.wall() + task.every_s
        left_s = min(due.values()) - services.clock.wall()
        await trio.sleep(max(0.0, min(LOOK_S, left_s)))


async def once(services: Services, task: Task) -> None:
    """Do it now, and note what it came to."""
    begun = services.clock.mono()
    came_to = await task.work()
    took_s = round(services.clock.mono() - begun, 3)
    services.store.post(NoteUpkeep(task.name, services.clock.wall(), took_s, came_to))


def _due(task: Task, begun: float, done: float | None) -> float:
    """A last time that lies ahead of us was written by a clock that was wrong."""
    soonest = begun + task.after_s
    return soonest if done is None or done > begun else max(soonest, done + task.every_s)
