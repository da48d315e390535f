"""Lets go of what is over, once a day: found beside the writer, taken away by it in commits of a few rows.

retention.over ─▶ names ─▶ Prune, a slice ─▶ a pause as long as that took ─▶ … ─▶ the next kind
"""

from collections.abc import Mapping
from functools import partial

import trio

from actors import upkeep
from actors.ports.services import Services
from actors.upkeep import Message, Task
from hermes.store.retention import Ages, over
from hermes.store.upkeep_ops import SLICE_ROWS, Kind, Name, Prune, PruneExpired
from supervisors.context import Context

DAY_S = 86_400.0
HOUR_S = 3_600.0
START_S = 120.0
"""Everybody else begins first."""

DEDUPE_DAYS = 8
"""A day more than the week in which a platform may deliver an event again."""

PAUSE_S = 0.005
"""Between two slices at least; else for as long as the last one took: others have half of the writer."""

KINDS: tuple[Kind, ...] = (
    "transcript", "journey", "words", "inbox", "outbox", "approvals", "audit", "dedupe", "forgotten",
)  # fmt: skip
"""In this order, because a message goes after what hangs on it."""


async def run(ctx: Context[Message], services: Services) -> None:
    """See ``upkeep.run``."""
    prune = Task("retention", DAY_S, START_S, partial(_prune, services))
    expired = Task("logins", HOUR_S, 0.0, partial(_expired, services))
    await upkeep.run(ctx, services, expired, prune)


def ages(services: Services) -> Ages:
    """Before when what is over may go, by the settings."""
    now, kept = services.clock.wall(), services.config.retention
    return Ages(
        messages=kept.before("messages", now),
        deliveries=kept.before("deliveries", now),
        dead_letters=kept.before("dead_letters", now),
        transcripts=kept.before("transcripts", now),
        approvals=kept.before("approvals", now),
        audit=kept.before("audit", now),
        dedupe=now - DEDUPE_DAYS * DAY_S,
    )


async def _expired(services: Services) -> Mapping[str, int | str]:
    return {"gone": await services.store.write(PruneExpired(services.clock.wall()))}


async def _prune(services: Services) -> Mapping[str, int | str]:
    before = ages(services)
    history = tuple(name for name, one in services.adapters.platforms.items() if one.history)
    gone = {kind: await _prune_kind(services, kind, before, history) for kind in KINDS}
    return {kind: count for kind, count in gone.items() if count}


async def _prune_kind(services: Services, kind: Kind, before: Ages, history: tuple[str, ...]) -> int:
    gone = 0
    after: Name | None = None
    while names := await services.store.read(over, kind, before, history, after):
        for first in range(0, len(names), SLICE_ROWS):
            begun = trio.current_time()
            gone += await services.store.write(Prune(kind, tuple(names[first : first + SLICE_ROWS])))
            await trio.sleep(max(PAUSE_S, trio.current_time() - begun))
        after = names[-1]
    return gone
