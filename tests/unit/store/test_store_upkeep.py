"""What is done to the file beside readers and writer, on real files."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from store_kit import accept, do, event

from hermes.store import upkeep
from hermes.store.schema import open_reader, open_writer
from hermes.store.scrub import scrub
from hermes.store.upkeep_ops import GiveBack, NoteUpkeep
from hermes.types.errors import GatewayError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


def grow(db: sqlite3.Connection, rows: int = 200) -> None:
    db.executemany("INSERT INTO events (body) VALUES (?)", [(bytes(10_000),)] * rows)


def test_the_last_time_of_each_task_is_kept(db: sqlite3.Connection) -> None:
    do(db, NoteUpkeep("check", 100.0, 1.5, {"found": "sound"}))
    do(db, NoteUpkeep("retention", 200.0, 0.5, {"words": 3}))
    do(db, NoteUpkeep("check", 300.0, 2.5, {"found": "sound"}))
    assert upkeep.done_at(db) == {"check": 300.0, "retention": 200.0}
    assert upkeep.upkeep(db)[0] == {"task": "check", "at": 300.0, "took_s": 2.5, "done": {"found": "sound"}}


def test_a_long_log_is_copied_back_and_cut_short_unless_somebody_reads_in_it(path: Path) -> None:
    with closing(open_writer(path)) as db:
        grow(db)
        with closing(open_reader(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            grow(db)
            assert upkeep.sizes(path).log > 2_000_000
            assert not upkeep.checkpoint(path)
            reader.execute("COMMIT")
        assert upkeep.checkpoint(path)
        assert upkeep.sizes(path).log == 0
        assert db.execute("SELECT count(*) FROM events").fetchone() == (400,)


def test_a_writer_at_work_is_not_waited_for(path: Path) -> None:
    with closing(open_writer(path)) as db:
        grow(db, 1)
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE writer SET probed_at = 1")
        assert not upkeep.checkpoint(path)
        db.execute("COMMIT")
        assert upkeep.checkpoint(path)


def test_what_was_deleted_goes_back_to_the_disk_a_few_pages_at_a_time(path: Path) -> None:
    with closing(open_writer(path)) as db:
        grow(db)
        db.execute("DELETE FROM events")
        upkeep.checkpoint(path)
        before = upkeep.sizes(path)
        assert before.free > 0.8 * before.file
        left = do(db, GiveBack(100))
        assert 0 < left < before.free // 4096
        while left:
            left = do(db, GiveBack(100))
        upkeep.checkpoint(path)
        after = upkeep.sizes(path)
        assert (after.free, after.file < before.file // 4) == (0, True)


def test_a_file_of_an_older_version_shrinks_once_it_was_written_anew(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("CREATE TABLE before (x)")
        old.execute("DROP TABLE before")
        old.execute("VACUUM")
    with closing(open_writer(path)) as db:
        grow(db)
        db.execute("DELETE FROM events")
        free = upkeep.sizes(path).free // 4096
        assert do(db, GiveBack(100)) == do(db, GiveBack(100)) >= free
        assert scrub(db)
        grow(db)
        db.execute("DELETE FROM events")
        left = do(db, GiveBack(100))
        assert do(db, GiveBack(100)) < left


def test_AC45_a_damaged_page_is_found(path: Path) -> None:
    with closing(open_writer(path)) as db:
        accept(db, *(event(f"e{n}", text="words " * 50) for n in range(500)))
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'inbox'").fetchone()
    assert upkeep.quick_check(path) == ""
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 2048)
    assert upkeep.quick_check(path)


def test_a_check_that_takes_too_long_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ringing(threading.Thread):
        """An alarm that rings without end: the first may come before there is anything to interrupt."""

        def __init__(self, _: float, ring: Callable[[], None]) -> None:
            super().__init__()
            self._ring, self.over = ring, threading.Event()

        def run(self) -> None:
            while not self.over.wait(0.0001):
                self._ring()

        def cancel(self) -> None:
            self.over.set()

    with closing(open_writer(path)) as db:
        grow(db, 3_000)
    monkeypatch.setattr(threading, "Timer", Ringing)
    assert upkeep.quick_check(path) is None


def test_a_file_that_is_not_there_is_a_failure_with_a_name(path: Path) -> None:
    with pytest.raises(GatewayError, match="store_degraded"):
        upkeep.sizes(path)
    assert not path.exists()
