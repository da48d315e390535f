"""The database file as a thing to be kept in order: what was done when, and what SQLite itself is asked to do.

What works on a file opens a connection of its own, beside writer and readers, for a thread of its own; it waits for nobody.

No ``PRAGMA optimize``, no ANALYZE: with statistics of a moment in which many messages waited, SQLite takes the partial index over
what waits for as long as the table, and reads the whole inbox at every sweep. Each of our hot statements has an index of its own,
and without statistics it is taken.
"""

import json
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hermes.store.errors import mapped
from hermes.store.port import Reader

CHECK_DEADLINE_S = 120.0
"""A check that takes longer is given up: what it reads cannot be overwritten in the log meanwhile."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the file, in bytes: all of it, what of that is free, and its write-ahead log."""

    file: int
    free: int
    log: int


def done_at(reader: Reader) -> dict[str, float]:
    """When each task of keeping house was last done, in epoch seconds."""
    return dict(reader.execute("SELECT task, at FROM upkeep").fetchall())


def upkeep(reader: Reader) -> Sequence[dict[str, Any]]:
    """Each task: when it was last done, how long that took, and what it came to."""
    rows = reader.execute("SELECT task, at, took_s, done FROM upkeep ORDER BY task")
    return [
        {"task": task, "at": at, "took_s": took_s, "done": json.loads(done)}
        for task, at, took_s, done in rows
    ]


def sizes(path: Path) -> Sizes:
    """How large the database at ``path`` is. Raises ``GatewayError``."""
    log = path.with_name(f"{path.name}-wal")
    with mapped(), closing(_beside(path, "ro")) as connection:
        ((page,),) = connection.execute("PRAGMA page_size").fetchall()
        ((free,),) = connection.execute("PRAGMA freelist_count").fetchall()
        return Sizes(path.stat().st_size, page * free, log.stat().st_size if log.exists() else 0)


def checkpoint(path: Path) -> bool:
    """Copy the log back into the file and cut it short. False: somebody reads in it, or writes; then it is as long as it was.

    What takes long is done while others go on; the writer waits for the rest, which is next to nothing.
    """
    with mapped(), closing(_beside(path, "rw")) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not busy


def quick_check(path: Path, deadline_s: float = CHECK_DEADLINE_S) -> str | None:
    """What is wrong with the file: "" if nothing is, None if it could not be told within ``deadline_s``."""
    with mapped(), closing(_beside(path, "ro")) as connection:
        # A progress handler is not called inside a check.
        alarm = threading.Timer(deadline_s, connection.interrupt)
        alarm.start()
        try:
            ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            match _code(error):
                case sqlite3.SQLITE_INTERRUPT:
                    return None
                case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                    return str(error)
                case _:
                    raise
        finally:
            alarm.cancel()
            alarm.join()  # before the connection is closed
        return "" if found == "ok" else str(found)


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _beside(path: Path, mode: str) -> sqlite3.Connection:
    where = f"file:{quote(str(path))}?mode={mode}"
    return sqlite3.connect(where, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False)
