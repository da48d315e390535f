"""The store's actor: one incarnation of the only SQLite writer. It takes no messages; its work comes through the port.

A store that gives up over a damaged file leaves a marker; only then does the next start check the whole file, set it
aside if it is damaged, and begin a new one, loudly.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import trio

from actors.ports.store import StorePort
from hermes.ops.files import write_private
from hermes.store.schema import check_and_set_aside
from hermes.types.errors import STORE_CORRUPT, GatewayError
from supervisors.cell import Down, Stop
from supervisors.context import Context

log = logging.getLogger(__name__)

Message = Stop | Down

MARKER = "store-corrupt"


SetAside = Callable[[Path], None]
"""Told where a damaged database is kept, once, before the new one opens."""


async def run(ctx: Context[Message], port: StorePort, path: Path, run_dir: Path, set_aside: SetAside) -> None:
    """Write until told to stop; raises what the writer died of."""
    marker = run_dir / MARKER
    aside = await trio.to_thread.run_sync(_heal, path, marker)
    if aside is not None:
        set_aside(aside)
    async with trio.open_nursery() as nursery:
        await nursery.start(_serve, port, path, marker)
        ctx.ready()
        await ctx.stopping()
        nursery.cancel_scope.cancel()


def _heal(path: Path, marker: Path) -> Path | None:
    if not marker.exists():
        return None
    aside = check_and_set_aside(path, time.strftime(".damaged-%Y%m%d-%H%M%S"))
    if aside is not None:
        log.error("the database was damaged; it is kept as %s and a new one begins", aside)
    marker.unlink()
    return aside


async def _serve(port: StorePort, path: Path, marker: Path, *, task_status: trio.TaskStatus[None]) -> None:
    try:
        await port.serve(path, task_status=task_status)
    except GatewayError as error:
        if error.failure.code == STORE_CORRUPT:
            log.error("%s is damaged; the next start keeps it aside and begins a new one", path)
            write_private(marker, b"")
        raise
