"""Takes over the conversations of the original, once, at the first start on a home of its: beside everything else, in a thread.

    never done? ─▶ the home is saved ─▶ steps (hermes.importing) ─▶ the store, one by one ─▶ noted ─▶ platforms connect

A start that is broken off in between is no loss: the next one goes on. What cannot be read is in the log, and in ``hermes import
--check``; later, ``hermes import`` adds what is new.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path

import trio

from actors.ports.arrival import Arrival
from actors.ports.services import Services
from actors.upkeep import Message, until_stopped
from hermes.importing.old_home import old_home
from hermes.importing.takeover import Sum, is_new, noted, steps
from hermes.ops.archive import Advance
from hermes.store import imports, saving
from hermes.store.ops import Op
from hermes.types.errors import GatewayError
from supervisors.context import Context

log = logging.getLogger(__name__)

LONGEST_S = 300.0
"""Then the platforms connect all the same, and what is missing comes beside them."""


async def run(ctx: Context[Message], services: Services, home: Path, arrival: Arrival) -> None:
    """Ready at once; done, it has nothing more to do. Whatever becomes of it, the platforms are not held up for ever."""
    try:
        await until_stopped(ctx, partial(_once, services, home, arrival))
    finally:
        arrival.arrived()


async def _once(services: Services, home: Path, arrival: Arrival) -> None:
    if await services.store.read(imports.is_due):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_let_go, arrival)
            await _take_over(services, home)
            nursery.cancel_scope.cancel()
    arrival.arrived()


async def _let_go(arrival: Arrival) -> None:
    await trio.sleep(LONGEST_S)
    arrival.arrived()


async def _take_over(services: Services, home: Path) -> None:
    """Not abandoned when it is cancelled: it ends at its next step, and leaves no copies behind."""
    begun = services.clock.mono()
    taken = await services.store.read(imports.taken)
    saved = await services.store.read(imports.is_broken_off)
    total = await trio.to_thread.run_sync(_in_thread, home, dict(taken), saved, services.store.write)
    if total is None:
        log.warning("not all of the original's conversations could be read: the next start tries again")
        return
    await services.store.write(noted(total, services.clock.wall(), services.clock.mono() - begun))
    log.info("taken over from the original: %d lines in %d stretches", total.lines, total.stretches)


def _in_thread(
    home: Path, taken: dict[str, int], saved: bool, write: Callable[[Op[int]], Awaitable[int]]
) -> Sum | None:
    """None if there is more, and it could not be read. Nothing that stands there is of any harm to the gateway."""
    total = Sum()
    try:
        with old_home(home) as old:
            for one in old.findings:
                log.log(logging.INFO if one.level == "remark" else logging.WARNING, "%s", one)
            for step in steps(old, taken):
                trio.from_thread.check_cancelled()
                if step.op is not None:
                    if not saved and is_new(step.op, taken):
                        _save(home)
                        saved = True
                    total = total.plus(step.op, trio.from_thread.run(write, step.op))
            return total if old.whole else None
    except (OSError, GatewayError) as wrong:
        log.warning("%s", wrong)
        return None


def _save(home: Path) -> None:
    """The conversations are only read, so a home that cannot be saved is no reason to begin without them."""

    def unseen(_size: int) -> nullcontext[Advance]:
        return nullcontext(lambda _more: trio.from_thread.check_cancelled())

    try:
        saved = saving.save(
            saving.new_file(home), home, f"hermes {version('hermes-trio')}", unseen, quick=True
        )
        log.info("the home as it was before is in %s", saved.file)
    except (OSError, GatewayError) as wrong:
        log.warning("the home could not be saved before its conversations are taken over: %s", wrong)
