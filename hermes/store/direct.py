"""The file without a gateway: for commands that find none running."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar, cast

from hermes.store.apply import apply
from hermes.store.errors import mapped
from hermes.store.ops import Op
from hermes.store.port import Reader
from hermes.store.schema import SCHEMA_VERSION, open_reader, open_writer
from hermes.store.scrub import is_due, scrub
from hermes.types.errors import STORE_NEWER, Failure, GatewayError

NO_DATABASE = "no_database"
STORE_OLDER = "store_older"

T = TypeVar("T")


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The database at ``path``, to read. Raises ``GatewayError``: ``no_database``, ``store_older``, ``store_newer``, or what
    the disk says.
    """
    must_exist(path)
    with mapped(path), closing(open_reader(path)) as reader:
        ((version,),) = reader.execute("PRAGMA user_version").fetchall()
        if version < SCHEMA_VERSION:
            detail = f"{path} is of an older version; the next `hermes run` brings it up to date"
            raise GatewayError(Failure(STORE_OLDER, scope="gateway", detail=detail))
        if version > SCHEMA_VERSION:
            detail = f"{path} has schema {version}, this program knows {SCHEMA_VERSION}: use a newer program"
            raise GatewayError(Failure(STORE_NEWER, "fatal", "gateway", detail=detail))
        yield reader


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """The database at ``path``, to read and for ``write``, for whoever holds the lock of its home. Raises as ``reading``."""
    must_exist(path)
    with making(path) as connection:
        yield connection


@contextmanager
def making(path: Path) -> Iterator[sqlite3.Connection]:
    """As ``writing``, and made if there is none."""
    with mapped(path), closing(open_writer(path)) as connection:
        yield connection


def write(connection: sqlite3.Connection, op: Op[T]) -> T:
    """Carry out ``op`` in a transaction of its own; what it erases is overwritten too."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE writer SET at = ?", (time.time(),))
    try:
        (result,) = apply(connection, [op])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    if is_due(connection):
        scrub(connection)
    return cast("T", result)


def must_exist(path: Path) -> None:
    """Raise ``GatewayError`` (``no_database``) unless there is a file."""
    if not path.exists():
        raise GatewayError(
            Failure(NO_DATABASE, scope="gateway", detail=f"there is no database at {path} yet")
        )
