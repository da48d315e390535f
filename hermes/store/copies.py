"""Copies of databases, taken while others write to them."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from hermes.ops.files import open_private
from hermes.store.errors import mapped
from hermes.store.schema import SCHEMA_VERSION, open_reader
from hermes.types.errors import STORE_NEWER, Failure, GatewayError

MAGIC = b"SQLite format 3\0"
_VERSION_AT = 60
"""Where the header holds ``user_version``, in 4 bytes."""


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


def must_know(path: Path) -> None:
    """Raise ``GatewayError`` (``store_newer``) if the database of a gateway is one of a later program."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(_VERSION_AT + 4)[_VERSION_AT:])
    if version > SCHEMA_VERSION:
        detail = f"{path.name} has schema {version}, this program knows {SCHEMA_VERSION}: use a newer program"
        raise GatewayError(Failure(STORE_NEWER, "fatal", "gateway", detail=detail))
