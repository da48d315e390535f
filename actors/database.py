"""Keeps the database file in order, beside readers and writer, and watches its disk.

    every 5 min.  the log is long, nothing is answered ─▶ copied back, cut short        little space is left ─▶ the operator
    every day     what pruning has left free goes back to the disk
    every week    nothing is answered ─▶ quick_check ─▶ damaged: the operator, and the next start looks closer

All of it runs in a thread of its own, one thing at a time; whatever is in its way is left for the next time.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import trio

from actors import upkeep
from actors.ports.files import HomeFiles
from actors.ports.services import Services
from actors.store import MARKER
from actors.upkeep import Message, Task
from hermes.ops import disk
from hermes.ops.disk import MB, Level, Space
from hermes.ops.files import write_private
from hermes.store import upkeep as file
from hermes.store.upkeep_ops import GiveBack
from hermes.types import texts
from supervisors.context import Context

log = logging.getLogger(__name__)

WATCH_S, DAY_S = 300.0, 86_400.0
START_S = 300.0

LONG_LOG_BYTES = 64 * MB
"""Four times what the writer copies back by itself; more has piled up behind a long read."""

FREE_SHARE = 0.25
"""Of the file; what of it is free beyond that goes back to the disk."""

WORTH_BYTES = 16 * MB
"""Less free space than this is no matter, whatever its share."""

PAGES = 100
"""Given back in one commit."""

CALL_DEADLINE_S = file.CHECK_DEADLINE_S + 30.0
QUIET_S, PATIENCE_S = 5.0, 3_600.0
"""A check waits for that long without a turn, and for no longer than this."""

T = TypeVar("T")


async def run(ctx: Context[Message], services: Services, files: HomeFiles, database: Path) -> None:
    """See ``upkeep.run``."""
    keeper = _Keeper(services, files.within(CALL_DEADLINE_S), database)
    await upkeep.run(
        ctx,
        services,
        Task("disk", WATCH_S, 0.0, keeper.watch),
        Task("space", DAY_S, START_S, keeper.give_back),
        Task("check", 7 * DAY_S, START_S, keeper.check),
    )


class _Keeper:
    def __init__(self, services: Services, files: HomeFiles, database: Path) -> None:
        self._services = services
        self._files = files
        self._database = database
        self._level: Level = "ok"

    async def watch(self) -> Mapping[str, int | str]:
        """Look at the disk, and at the log."""
        space = await self._run(disk.read)
        await self._tell(space)
        sizes = await self._run(file.sizes)
        shown = {"free_mb": space.free // MB, "database_mb": sizes.file // MB, "log_mb": sizes.log // MB}
        if sizes.log >= LONG_LOG_BYTES and not self._services.turns.borrowed_tokens:
            cut = await self._run(file.checkpoint)
            shown["log_cut"] = int(cut)
        return shown

    async def _tell(self, space: Space) -> None:
        before, self._level = self._level, disk.level(space, self._level)
        if self._level == before:
            return
        free = f"{space.free // MB:,} MB"
        if self._level == "ok":
            log.info("the disk has room again: %s", free)
            return
        log.warning("the disk is nearly full: %s left", free)
        if (before, self._level) != ("critical", "low"):
            text = texts.DISK_NEARLY_FULL.format(free=free, place=self._database.parent)
            await self._services.notices.tell_homes(f"disk:{self._level}", text, lambda _: True, DAY_S)

    async def give_back(self) -> Mapping[str, int | str]:
        """What pruning has left free, a few pages at a time."""
        before = await self._run(file.sizes)
        if before.free < max(WORTH_BYTES, FREE_SHARE * before.file):
            return {"free_mb": before.free // MB}
        left, was = await self._services.store.write(GiveBack(PAGES)), -1
        while left > 0 and left != was:
            begun = trio.current_time()
            was, left = left, await self._services.store.write(GiveBack(PAGES))
            await trio.sleep(trio.current_time() - begun)
        after = await self._run(file.sizes)
        if after.free >= FREE_SHARE * after.file:
            log.warning(
                "%s is larger than it need be: %d MB of it are free, and an older version made it so that they stay. While the"
                " gateway is stopped, sqlite3 with 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM' mends that for good",
                self._database,
                after.free // MB,
            )
        return {"free_mb": after.free // MB, "given_back_mb": (before.free - after.free) // MB}

    async def check(self) -> Mapping[str, int | str]:
        """Read the whole file, when nobody waits for an answer."""
        with trio.move_on_after(PATIENCE_S):
            quiet_s = 0.0
            while quiet_s < QUIET_S:
                await trio.sleep(1.0)
                quiet_s = 0.0 if self._services.turns.borrowed_tokens else quiet_s + 1.0
        found = await self._run(file.quick_check)
        if found:
            await self._damaged(found)
        return {"found": "took too long" if found is None else found or "sound"}

    async def _damaged(self, found: str) -> None:
        """It serves as long as it does; the start after this one looks at all of it, and keeps it aside if need be."""
        log.error("%s is damaged: %s. Back it up, and restart the gateway", self._database, found)
        marker = self._database.parent / "run" / MARKER
        await self._files.run(lambda _: write_private(marker, b""))
        text = texts.DATABASE_DAMAGED.format(name=self._database.name)
        await self._services.notices.tell_homes("damaged", text, lambda _: True, DAY_S)

    async def _run(self, call: Callable[[Path], T]) -> T:
        return await self._files.run(lambda _: call(self._database))
