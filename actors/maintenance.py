"""The journal: supervision events into the store; the tree onto disk, for `hermes tree` after a crash."""

import json
import logging
import math
from collections import deque
from pathlib import Path

import trio

from actors.ports.overview import TreeOverview
from actors.ports.services import Services
from hermes.ops.files import write_private
from hermes.store import ops
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.events import SupervisionEvent

log = logging.getLogger(__name__)

Message = Stop | Down

JOURNAL_S = 1.0
TREE_SHARE = 0.05
"""How much of the time may go into keeping the tree; one of 10,000 actors is not written every second."""

BACKLOG_EVENTS = 1_000


class EventQueue:
    """Supervision events that are not in the store yet; belongs to root, so that a crash of the journal loses none."""

    def __init__(self) -> None:
        self.waiting: deque[SupervisionEvent] = deque(maxlen=BACKLOG_EVENTS)


async def journal(
    ctx: Context[Message], services: Services, events: EventQueue, overview: TreeOverview, tree_file: Path
) -> None:
    """Write down what has happened since the last look, every second in which something has; and once at the end."""
    ctx.ready()
    stopping = stale = False
    keep_at = -math.inf
    while not stopping:
        with trio.move_on_after(JOURNAL_S):
            await ctx.stopping()
            stopping = True
        if events.waiting:
            _post(services, events)
            stale = True
        begun = trio.current_time()
        if stale and (stopping or begun >= keep_at):
            await _keep_tree(overview, tree_file)
            stale = False
            keep_at = begun + (trio.current_time() - begun) / TREE_SHARE


async def _keep_tree(overview: TreeOverview, tree_file: Path) -> None:
    """A disk that takes no tree must not cost the journal its life: the next event tries again."""
    seen = overview.seen()
    try:
        await trio.to_thread.run_sync(lambda: write_private(tree_file, json.dumps(seen()).encode()))
    except OSError as error:
        log.warning("the tree could not be kept: %s", error)


def _post(services: Services, events: EventQueue) -> None:
    offset = services.clock.wall() - trio.current_time()
    batch = tuple(
        {
            "at": event.at + offset,
            "boot_id": services.boot_id,
            "path": event.path,
            "incarnation": event.incarnation,
            "kind": event.kind,
            **event.detail,
        }
        for event in events.waiting
    )
    events.waiting.clear()
    services.store.post(ops.LogEvents(batch))
