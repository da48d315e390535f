"""Clears the home's cache once an hour: files that people have sent, and copies of those that went with answers.

Never what a message brings that is not answered yet: its keys are asked for, and what was wanted since the look stays.
"""

from collections.abc import Mapping
from functools import partial

from actors import upkeep
from actors.ports.files import HomeFiles
from actors.ports.services import Services
from actors.upkeep import Message, Task
from hermes.ops import cache_files
from hermes.ops.disk import MB
from hermes.ops.inbound_files import file_key
from hermes.store.retention import open_events
from supervisors.context import Context

HOUR_S = 3_600.0
START_S = 120.0
CALL_DEADLINE_S = 60.0
SLICE_FILES = 200
"""Removed in one call: a disk that is slow is waited for in pieces."""


async def run(ctx: Context[Message], services: Services, files: HomeFiles) -> None:
    """See ``upkeep.run``."""
    within = files.within(CALL_DEADLINE_S)
    await upkeep.run(ctx, services, Task("cache", HOUR_S, START_S, partial(_clean, services, within)))


async def _clean(services: Services, files: HomeFiles) -> Mapping[str, int | str]:
    history = frozenset(name for name, one in services.adapters.platforms.items() if one.history)
    await services.outgoing.sweep(history)
    kept, now = services.config.retention, services.clock.wall()
    found = await files.run(cache_files.cached)
    # After the look at the files: a message that came before it is among these, and a file that came after is in no list.
    events = await services.store.read(open_events)
    wanted = {file_key(event, index) for event in events for index in range(len(event.attachments))}
    before, most_bytes = kept.before("files", now), kept.files_max_mb * MB
    gone = await files.run(lambda _: cache_files.outlived(found, now, before, most_bytes, wanted))
    freed = 0
    for first in range(0, len(gone), SLICE_FILES):
        freed += await files.run(cache_files.drop, gone[first : first + SLICE_FILES])
    return {"files": len(gone), "freed_mb": freed // MB}
