"""``<home>/gateway.pid``: who runs here, for people and other tools. The lock decides; this only informs.

The file is the original's, and so is what stands in it: ``{"pid", "kind", "argv", "start_time"}``.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hermes.ops.files import open_private
from hermes.ops.json_files import read_json
from hermes.ops.lock import GATEWAY
from hermes.ops.proc import Process, process, this_process

log = logging.getLogger(__name__)

NAME = "gateway.pid"


@contextmanager
def pid_file(home: Path) -> Iterator[None]:
    """Have the file for as long as the block lasts. Only for whoever holds the home: what stood there is stale.

    It is removed at the end only if it still is ours. A disk that takes no file costs nobody the start.
    """
    path = home / NAME
    try:
        path.unlink(missing_ok=True)
        with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w", encoding="utf-8") as file:
            json.dump({"kind": GATEWAY, **this_process()}, file)
    except OSError as wrong:
        log.warning("no pid file: %s: %s", path, wrong.strerror or wrong)
    try:
        yield
    finally:
        if (we := process()) is not None:
            remove(home, we)


def remove(home: Path, owner: Process) -> None:
    """Remove the file if it names ``owner``."""
    found, _ = read_json(home / NAME, named, None)
    if found == owner:
        with suppress(OSError):
            (home / NAME).unlink()


def named(record: object) -> Process:
    """Whom a record names. Raises ``ValueError``."""
    match record:
        case {"pid": int(pid), "start_time": int(start_time)}:
            return Process(pid, start_time)
        case _:
            raise ValueError("names no process")
