"""The original's marks of whoever looks after the jobs of a home: no two do, and others can see that one does.

cron/.tick.lock            the original locks it for each tick, and skips the tick if it cannot; ours is held for good
cron/ticker_heartbeat      epoch seconds, as text: when one last looked
cron/ticker_last_success   the same: when one last looked, and all was well
"""

import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from hermes.ops.cron_files import DIRECTORY
from hermes.ops.files import open_private, write_private

log = logging.getLogger(__name__)

LOCK, HEARTBEAT, LAST_SUCCESS = ".tick.lock", "ticker_heartbeat", "ticker_last_success"
BEAT_S = 60.0


class TickerLock:
    """Held from the first ``take`` that gets it until ``release``; a ``take`` that is still in its thread then gets nothing."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._released = False

    def take(self, home: Path) -> bool:
        """False while another program has it. Blocks on the disk. A home without jobs, and a disk that has no place for a
        lock, keep nobody from anything.
        """
        if self._descriptor is not None or not (home / DIRECTORY).is_dir():
            return True
        path = home / DIRECTORY / LOCK
        try:
            descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        except OSError as wrong:
            log.warning("%s: %s; nobody is kept from running the same jobs", path, wrong.strerror)
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        if self._released:
            self.release()
        return True

    def release(self) -> None:
        """For good."""
        self._released = True
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def beat(home: Path, now: float, *, well: bool) -> None:
    """Say that somebody looks. Blocks on the disk; what cannot be written is left."""
    if (home / DIRECTORY).is_dir():
        for name in (HEARTBEAT, LAST_SUCCESS) if well else (HEARTBEAT,):
            with suppress(OSError):
                write_private(home / DIRECTORY / name, str(now).encode())
