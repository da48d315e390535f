import errno
import sqlite3
from pathlib import Path

import pytest

from hermes.store.errors import failure_of, mapped
from hermes.types.errors import HOME_UNUSABLE, STORE_CORRUPT, STORE_DEGRADED, Failure, GatewayError


def _sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("said SQLite")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (_sqlite(sqlite3.SQLITE_FULL), STORE_DEGRADED),
        (_sqlite(sqlite3.SQLITE_IOERR_FSYNC), STORE_DEGRADED),
        (_sqlite(sqlite3.SQLITE_READONLY_DIRECTORY), STORE_DEGRADED),
        (_sqlite(sqlite3.SQLITE_CANTOPEN), STORE_DEGRADED),
        (_sqlite(sqlite3.SQLITE_BUSY), STORE_DEGRADED),
        (_sqlite(sqlite3.SQLITE_CORRUPT_VTAB), STORE_CORRUPT),
        (_sqlite(sqlite3.SQLITE_NOTADB), STORE_CORRUPT),
        (OSError(errno.ENOSPC, "full"), STORE_DEGRADED),
        (OSError(errno.EROFS, "read-only"), STORE_DEGRADED),
        (OSError(errno.ELOOP, "symlink"), HOME_UNUSABLE),
    ],
)
def test_AC_45_what_the_disk_does_has_a_name(error: Exception, code: str) -> None:
    failure = failure_of(error)
    assert failure is not None
    assert failure.code == code
    assert failure.scope == "gateway"
    assert failure.severity == ("transient" if code == STORE_DEGRADED else "fatal")
    with pytest.raises(GatewayError), mapped():
        raise error


@pytest.mark.parametrize(
    "bug", [_sqlite(sqlite3.SQLITE_CONSTRAINT), sqlite3.ProgrammingError("closed"), KeyError("x")]
)
def test_a_bug_stays_a_bug(bug: Exception) -> None:
    assert failure_of(bug) is None
    with pytest.raises(type(bug)), mapped():
        raise bug


def test_what_is_named_keeps_its_name() -> None:
    failure = Failure("known")
    assert failure_of(GatewayError(failure)) is failure


def test_what_the_disk_does_names_the_file_where_it_is_known(tmp_path: Path) -> None:
    with pytest.raises(GatewayError) as full, mapped(tmp_path):
        raise _sqlite(sqlite3.SQLITE_FULL)
    assert full.value.failure.detail == f"{tmp_path}: said SQLite"

    with pytest.raises(GatewayError) as once, mapped(tmp_path):
        raise OSError(errno.EACCES, "not for you", str(tmp_path))
    assert once.value.failure.detail == f"{tmp_path}: not for you"
