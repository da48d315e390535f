"""Copies of databases, taken while others write to them."""

import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from stat import S_ISREG

from hermes.ops.files import open_private
from hermes.store.errors import mapped
from hermes.store.schema import SCHEMA_VERSION, open_reader
from hermes.types.errors import STORE_DEGRADED, STORE_NEWER, Failure, GatewayError

MAGIC = b"SQLite format 3\0"
_VERSION_AT = 60
"""Where the header holds ``user_version``, in 4 bytes."""

_PARTS = ("", "-wal", "-journal")
REST_TRIES, REST_S = 20, 0.1
"""How often, and how long apart, a database is looked at until nobody writes to it."""


def is_database(path: Path) -> bool:
    """Whether the file begins as a database does. Raises ``OSError``."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def copy_database(source: Path, target: Path) -> None:
    """Make ``target``, a new file of mode 0600: all that was committed in ``source`` at one instant, in a single file.

    Whoever writes to ``source`` is not held up. Raises ``GatewayError``: ``store_corrupt``, or what the disk says.
    """
    with mapped():
        os.close(open_private(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        with closing(open_reader(source)) as reader, closing(sqlite3.connect(target)) as copy:
            reader.backup(
                copy
            )  # in one step: between two of them a busy writer would have it begin anew, for ever
            copy.execute("PRAGMA journal_mode = DELETE")


def copy_at_rest(source: Path, directory: Path) -> Path:
    """Copy the database ``source`` into ``directory``, private, with what its log holds: without opening it, so that nothing
    beside it is made or left. For databases of others; ours has writers that never rest: ``copy_database``.

    Raises ``GatewayError`` (``store_degraded``) if somebody writes to it all the time; ``OSError``.
    """
    target = directory / source.name
    for _ in range(REST_TRIES):
        before = _stamps(source)
        for part in _PARTS:
            _copy_file(source.with_name(source.name + part), target.with_name(target.name + part))
        if _stamps(source) == before:
            return target
        time.sleep(REST_S)
    words = f"{source}: somebody writes to it all the time; stop them first"
    raise GatewayError(Failure(STORE_DEGRADED, scope="gateway", detail=words))


def _stamps(source: Path) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for part in _PARTS:
        try:
            one = source.with_name(source.name + part).stat()
            found.append((one.st_ino, one.st_size, one.st_mtime_ns))
        except FileNotFoundError:
            found.append(())
    return found


def _copy_file(source: Path, target: Path) -> None:
    try:
        # A pipe in its place would never answer.
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        target.unlink(missing_ok=True)
        return
    with open(descriptor, "rb") as file:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(None, "is not a regular file", str(source))
        with open(open_private(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)


def must_know(path: Path) -> None:
    """Raise ``GatewayError`` (``store_newer``) if the database of a gateway is one of a later program."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(_VERSION_AT + 4)[_VERSION_AT:])
    if version > SCHEMA_VERSION:
        detail = f"{path.name} has schema {version}, this program knows {SCHEMA_VERSION}: use a newer program"
        raise GatewayError(Failure(STORE_NEWER, "fatal", "gateway", detail=detail))
