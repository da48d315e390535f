"""Notices that the machine has slept, or that somebody has set its clock (AC-49).

    wall − monotonic, every 2 s ─▶ another than before by more than 5 s ─▶ who holds a connection makes a new one, all at once
                                                                       ├▶ cron looks, and follows the misfire policy of its jobs
                                                                       └▶ what people were asked waits as long as it would have

A monotonic clock stands still while the machine sleeps, so sockets look alive that have long been dead. Deadlines of our own run
on that clock and need nothing.
"""

import logging
from functools import partial

import trio

from actors import upkeep
from actors.ports.services import Services
from actors.upkeep import Message
from hermes.store.approval_ops import ShiftApprovals
from hermes.store.upkeep_ops import NoteUpkeep
from hermes.types.ids import Clock
from supervisors.context import Context

log = logging.getLogger(__name__)

LOOK_S = 2.0
JUMP_S = 5.0
HOLDING = frozenset({"starting", "connected", "stale", "backoff"})
"""The states of adapters that hold a connection, or wait to have one; who is only called upon holds none."""


async def run(ctx: Context[Message], services: Services) -> None:
    """Ready at once; looks every two seconds."""
    await upkeep.until_stopped(ctx, partial(_watch, services))


async def _watch(services: Services) -> None:
    gap_s = _gap_s(services.clock)
    while True:
        await trio.sleep(LOOK_S)
        before_s, gap_s = gap_s, _gap_s(services.clock)
        if abs(gap_s - before_s) > JUMP_S:
            await _jumped(services, gap_s - before_s)


def _gap_s(clock: Clock) -> float:
    return clock.wall() - clock.mono()


async def _jumped(services: Services, by_s: float) -> None:
    begun = services.clock.mono()
    log.warning("the clock was set by %+.0f s, or the machine has slept: connections are made anew", by_s)
    services.store.post(ShiftApprovals(by_s))
    services.jobs.wake()
    _, adapters = services.overview.health()
    holding = [one for one in adapters if one["state"] in HOLDING]
    async with trio.open_nursery() as nursery:
        for one in holding:
            nursery.start_soon(services.overview.renew, one["platform"], one["account"])
    took_s = round(services.clock.mono() - begun, 3)
    came_to = {"jumped_s": round(by_s), "adapters": len(holding)}
    services.store.post(NoteUpkeep("clock", services.clock.wall(), took_s, came_to))
