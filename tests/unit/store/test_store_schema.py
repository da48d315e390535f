import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import accept, event

from hermes.store import queries
from hermes.store.schema import SCHEMA_VERSION, check_and_set_aside, open_reader, open_writer
from hermes.types.errors import HOME_UNUSABLE, STORE_CORRUPT, STORE_DEGRADED, STORE_NEWER, GatewayError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def umask_000() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _damage(path: Path) -> None:
    """A file with rows, its checkpointed pages overwritten in the middle."""
    connection = open_writer(path)
    accept(connection, *(event(f"e{n}", text="x" * 500) for n in range(200)))
    connection.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 8192))


def test_a_new_file_has_the_schema_and_is_durable(path: Path) -> None:
    connection = open_writer(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_reopening_keeps_the_rows(path: Path) -> None:
    for n in range(2):
        connection = open_writer(path)
        accept(connection, event(f"e{n}"))
        connection.close()
    reader = open_reader(path)
    assert queries.counts(reader).received == 2
    reader.close()


def test_a_current_file_needs_no_migration_library(path: Path) -> None:
    open_writer(path).close()
    code = (
        "import sys, pathlib; from hermes.store.schema import open_writer;"
        f"open_writer(pathlib.Path({str(path)!r})).close(); sys.exit('sqlite_utils' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_a_reader_cannot_write(path: Path) -> None:
    open_writer(path).close()
    reader = open_reader(path)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM inbox")
    reader.close()


@pytest.mark.usefixtures("umask_000")
def test_S41_no_umask_opens_the_database_to_others(path: Path) -> None:
    connection = open_writer(path)
    accept(connection, event())
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    connection.close()
    assert modes == dict.fromkeys(("gateway.db", "gateway.db-wal", "gateway.db-shm"), 0o600)


def test_S41_a_file_that_stood_open_is_closed(path: Path) -> None:
    path.touch(mode=0o644)
    path.chmod(0o644)
    open_writer(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_S44_a_planted_symlink_is_refused(path: Path) -> None:
    target = path.with_name("elsewhere")
    path.symlink_to(target)
    with pytest.raises(GatewayError) as caught:
        open_writer(path)
    assert (caught.value.failure.code, caught.value.failure.severity) == (HOME_UNUSABLE, "fatal")
    assert not target.exists()


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    connection = open_writer(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(GatewayError) as caught:
        open_writer(path)
    assert (caught.value.failure.code, caught.value.failure.severity) == (STORE_NEWER, "fatal")
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_corrupt(path: Path) -> None:
    path.write_bytes(b"These are somebody's holiday notes. " * 300)
    with pytest.raises(GatewayError) as caught:
        open_writer(path)
    assert (caught.value.failure.code, caught.value.failure.severity) == (STORE_CORRUPT, "fatal")


def test_a_directory_that_takes_no_file_is_degraded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(GatewayError) as caught:
        open_writer(path)
    assert (caught.value.failure.code, caught.value.failure.severity) == (STORE_DEGRADED, "transient")


def test_AC_45_a_damaged_file_is_set_aside_whole(path: Path) -> None:
    _damage(path)
    damaged = path.read_bytes()
    path.with_name("gateway.db-wal").write_bytes(b"")
    aside = check_and_set_aside(path, ".damaged-1")
    assert aside == path.with_name("gateway.db.damaged-1")
    assert aside.read_bytes() == damaged
    assert not path.exists()
    assert not path.with_name("gateway.db-wal").exists()
    connection = open_writer(path)
    assert queries.counts(connection).received == 0
    connection.close()


def test_what_is_no_database_is_set_aside(path: Path) -> None:
    path.write_bytes(b"x" * 10_000)
    assert check_and_set_aside(path, ".damaged-1") is not None


def test_a_sound_file_stays(path: Path) -> None:
    assert check_and_set_aside(path, ".damaged-1") is None
    open_writer(path).close()
    assert check_and_set_aside(path, ".damaged-1") is None
    assert path.exists()


def test_a_half_made_schema_is_made_again(path: Path) -> None:
    """Killed between the migration's commit and the version's: the next start finds nothing to do but the version."""
    connection = open_writer(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    connection = open_writer(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()
