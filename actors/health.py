"""Keeps ``gateway_state.json``, which other tools read, and notes that this start has lasted.

tree ─every second, or as often as a look is cheap─▶ still our home? changed? ─▶ file
"""

import time
from collections.abc import Callable

import trio

from actors.ports.services import Services
from hermes.ops.health_file import Health, HealthFile
from hermes.ops.starts import STABLE_S
from supervisors.cell import Down, Stop
from supervisors.context import Context

Message = Stop | Down

LOOK_S = 1.0
LOOK_SHARE = 0.05
"""How much of the time may go into looking; a tree of 10,000 actors is not looked at every second."""


async def run(
    ctx: Context[Message], services: Services, file: HealthFile, lasted: Callable[[], None]
) -> None:
    """Ready at once. The end is written by whoever has opened the home: this actor ends before it is known.

    A home that was moved or removed is the end of the gateway (``home_unusable``): nobody could reach it any more, and another
    one may run in that place, on the same bots.
    """
    ctx.ready()
    overview = services.overview
    lasts_at: float | None = trio.current_time() + overview.held_for_s + STABLE_S
    wait_s = 0.0
    while True:
        with trio.move_on_after(wait_s):
            await ctx.stopping()
            return
        began = time.perf_counter()
        state, adapters = overview.health()
        wait_s = max(LOOK_S, (time.perf_counter() - began) / LOOK_SHARE)
        now = Health(state, services.turns.borrowed_tokens, tuple(adapters))
        await trio.to_thread.run_sync(file.write, now, services.clock.wall())
        if lasts_at is not None and trio.current_time() >= lasts_at:
            lasts_at = None
            await trio.to_thread.run_sync(lasted)
