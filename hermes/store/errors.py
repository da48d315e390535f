"""SQLite's and the kernel's errors, mapped once to the gateway's words."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hermes.store.ops import Op
from hermes.types.errors import HOME_UNUSABLE, STORE_CORRUPT, STORE_DEGRADED, Failure, GatewayError, os_words

_PRIMARY_CODE_MASK = 0xFF
_DEGRADED = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
    }
)
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNUSABLE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.ENOENT})


class OperationRefused(Exception):
    """An operation that cannot be carried out as it stands: a bug of its caller, so a crash of its caller alone."""

    def __init__(self, op: Op[Any], cause: BaseException) -> None:
        super().__init__(f"{type(op).__name__}: {type(cause).__name__}: {cause}")
        self.__cause__ = cause


def failure_of(error: BaseException) -> Failure | None:
    """What the disk or the file did to us, or None if ``error`` is somebody's bug.

    ``store_degraded`` passes (full, read-only, locked); ``store_corrupt`` does not.
    """
    match error:
        case GatewayError():
            return error.failure
        case sqlite3.Error():
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE_MASK
            if code in _DEGRADED:
                return Failure(STORE_DEGRADED, scope="gateway", detail=str(error))
            if code in _CORRUPT:
                return Failure(STORE_CORRUPT, "fatal", "gateway", detail=str(error))
            return None
        case OSError():
            if error.errno in _UNUSABLE:
                return Failure(HOME_UNUSABLE, "fatal", "gateway", detail=os_words(error))
            return Failure(STORE_DEGRADED, scope="gateway", detail=os_words(error))
        case _:
            return None


@contextmanager
def mapped(path: Path | None = None) -> Iterator[None]:
    """The border: inside, whatever the disk or the file does is raised as ``GatewayError``, which names ``path``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if failure := failure_of(error):
            if path is not None and str(path) not in failure.detail:
                failure = replace(failure, detail=f"{path}: {failure.detail}")
            raise GatewayError(failure) from error
        raise
