"""The writer on a real file, its reports collected by a queue: no Trio, no clock."""

import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
from store_kit import CHAT, do, event, outbound, states

from hermes.store import apply, queries, schema, writer
from hermes.store.backlog import Backlog, Cell, Flight
from hermes.store.errors import OperationRefused
from hermes.store.ops import Accept, Enqueue, Probe, Receipt, Sending, Then, Unsent
from hermes.store.schema import open_reader, open_writer
from hermes.store.writer import Committed, Degraded, Ended, Healthy, Report, WriterThread
from hermes.types.errors import STORE_CORRUPT, STORE_DEGRADED, STORE_GONE, GatewayError
from hermes.types.ids import BootId
from hermes.types.ports import Accepted

WAIT_S = 10.0

R = TypeVar("R", bound=Report)


class Desk:
    """A backlog, its writers one after the other, and what they report."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.backlog = Backlog()
        self.reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self.writer: WriterThread | None = None

    def start(self, kind: type[WriterThread] = WriterThread, *, probe_s: float = 60.0) -> None:
        self.writer = kind(self.path, self.backlog, self.reports.put, probe_s=probe_s)
        self.writer.start()

    def put(self, *cells: Cell) -> None:
        for cell in cells:
            self.backlog.put(cell)

    def next(self, kind: type[R]) -> R:
        report = self.reports.get(timeout=WAIT_S)
        assert isinstance(report, kind), report
        return report

    def stop(self) -> BaseException | None:
        if self.writer is None:
            return None
        self.writer.stop()
        while not isinstance(report := self.reports.get(timeout=WAIT_S), Ended):
            pass
        self.writer = None
        return report.error

    def states(self, table: str = "inbox") -> list[str]:
        with closing(open_reader(self.path)) as reader:
            return states(reader, table)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "gateway.db")
    yield desk
    desk.stop()


def _cell(event_id: str) -> Cell:
    return Cell(Accept((event(event_id),)))


def _bad() -> Cell:
    return Cell(Enqueue(outbound("bad", metadata={"a": object()}), 1.0))


def test_what_waits_is_one_commit(desk: Desk) -> None:
    cells = [_cell(str(n)) for n in range(5)]
    desk.put(*cells)
    desk.start()
    desk.next(Healthy)
    flight = desk.next(Committed).flight
    assert flight.cells == cells
    assert flight.outcomes == [(Accepted(n + 1, False),) for n in range(5)]
    assert desk.stop() is None
    assert desk.states() == ["accepted"] * 5


def test_inside_a_batch_rank_decides_not_arrival(desk: Desk) -> None:
    desk.put(Cell(Sending(1, BootId("b"), 1, 2.0)), Cell(Enqueue(outbound(), 1.0)), _cell("a"))
    desk.start()
    desk.next(Healthy)
    assert desk.next(Committed).flight.outcomes == [True, True, (Accepted(1, False),)]


def test_a_look_sees_what_its_operation_has_done_in_the_same_commit(desk: Desk) -> None:
    def look(reader: Any, accepted: tuple[Accepted, ...]) -> tuple[list[str], int]:
        return states(reader, "inbox"), len(accepted)

    then = Then(Accept((event("a"), event("b"))), look)
    assert then.rank == Accept.rank
    desk.put(Cell(Enqueue(outbound(), 1.0)), Cell(then))
    desk.start()
    desk.next(Healthy)
    both = (Accepted(1, False), Accepted(2, False))
    assert desk.next(Committed).flight.outcomes == [True, (both, (["accepted", "accepted"], 2))]


def test_a_look_that_raises_undoes_its_own_operation_alone(desk: Desk) -> None:
    def look(_reader: Any, _result: object) -> None:
        raise ValueError("cannot be read")

    desk.put(_cell("a"), Cell(Then(Accept((event("b"),)), look)))
    desk.start()
    desk.next(Healthy)
    first, refused = desk.next(Committed).flight.outcomes or ()
    assert first == (Accepted(1, False),)
    assert isinstance(refused, OperationRefused)
    assert desk.states() == ["accepted"]


def test_one_bad_operation_spoils_no_other(desk: Desk) -> None:
    desk.put(
        _cell("a"), _bad(), Cell(Enqueue(outbound(), 1.0)), Cell(Sending(1, BootId("b"), 1, 2.0)), _cell("b")
    )
    desk.start()
    desk.next(Healthy)
    outcomes = desk.next(Committed).flight.outcomes
    assert outcomes is not None
    assert isinstance(outcomes[1], OperationRefused)
    assert isinstance(outcomes[1].__cause__, (TypeError, ValueError))
    assert [*outcomes[:1], *outcomes[2:]] == [(Accepted(1, False),), True, True, (Accepted(2, False),)]
    desk.put(_cell("c"))
    desk.next(Committed)
    assert desk.states() == ["accepted"] * 3


def test_an_operation_that_breaks_a_rule_of_the_table_is_refused(desk: Desk) -> None:
    desk.put(Cell(Enqueue(outbound(), 1.0)), Cell(Sending(1, BootId("b"), 1, 2.0)))
    desk.start()
    desk.next(Healthy)
    desk.next(Committed)
    desk.put(Cell(Unsent(1, "lost", 0.0, "", 3.0)))
    (refused,) = desk.next(Committed).flight.outcomes or ()
    assert isinstance(refused, OperationRefused)
    assert desk.states("outbox") == ["sending"]


def test_an_error_that_rolled_everything_back_costs_only_its_own_operation(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some errors end the whole transaction; then the operations before it in the batch must be run again."""

    def drop_everything(connection: sqlite3.Connection, run: object) -> list[object]:
        connection.execute("ROLLBACK")
        raise ValueError("and the transaction is gone")

    monkeypatch.setitem(apply._RUNS, Probe, drop_everything)
    desk.put(_cell("a"), Cell(Probe(1.0)), _cell("b"), Cell(Probe(1.0)))
    desk.start()
    desk.next(Healthy)
    outcomes = desk.next(Committed).flight.outcomes
    assert outcomes is not None
    assert len([outcome for outcome in outcomes if isinstance(outcome, OperationRefused)]) == 2
    assert desk.states() == ["accepted", "accepted"]


class FullDisk(WriterThread):
    """Its file may not grow any more until ``room`` is given."""

    room = False

    def _write(self, connection: sqlite3.Connection, flight: Flight) -> bool:  # type: ignore[override]
        pages = 1_000_000 if type(self).room else 1
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return super()._write(connection, flight)


def test_AC_45_a_full_disk_degrades_and_loses_nothing(desk: Desk) -> None:
    FullDisk.room = False
    desk.start(FullDisk, probe_s=0.01)
    desk.next(Healthy)
    cells = [Cell(Accept(tuple(event(f"{n}-{i}", text="x" * 4000) for i in range(20)))) for n in range(3)]
    desk.put(*cells)
    assert desk.next(Degraded).failure.code == STORE_DEGRADED
    assert desk.states() == []
    FullDisk.room = True
    while isinstance(report := desk.reports.get(timeout=WAIT_S), Degraded):
        pass
    assert isinstance(report, Healthy)
    desk.next(Committed)
    while len(desk.states()) < 60:
        desk.next(Committed)
    assert desk.states() == ["accepted"] * 60


def test_a_full_disk_met_one_by_one_degrades_too(desk: Desk) -> None:
    FullDisk.room = False
    desk.start(FullDisk)
    desk.next(Healthy)
    desk.put(_bad(), Cell(Accept(tuple(event(f"{i}", text="x" * 4000) for i in range(20)))))
    while not isinstance(report := desk.reports.get(timeout=WAIT_S), Degraded):
        assert isinstance(report, Committed)  # the two may come in batches of their own
    assert report.failure.code == STORE_DEGRADED
    assert desk.states() == []


def test_a_degraded_writer_stops_at_once_and_keeps_its_batch(desk: Desk) -> None:
    FullDisk.room = False
    desk.start(FullDisk)
    desk.next(Healthy)
    big = Cell(Accept(tuple(event(f"{i}", text="x" * 4000) for i in range(20))))
    desk.put(big)
    desk.next(Degraded)
    assert desk.stop() is None
    desk.start()
    desk.next(Healthy)
    assert desk.next(Committed).flight.cells == [big]


def test_a_locked_file_at_boot_degrades_until_it_is_free(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 0.01)
    foreign = open_writer(desk.path)
    foreign.execute("BEGIN IMMEDIATE")
    desk.put(_cell("a"))
    desk.start(probe_s=0.01)
    assert desk.next(Degraded).failure.code == STORE_DEGRADED
    foreign.execute("ROLLBACK")
    while isinstance(report := desk.reports.get(timeout=WAIT_S), Degraded):
        pass
    assert isinstance(report, Healthy)
    desk.next(Committed)
    foreign.close()


def test_an_attempt_that_the_disk_does_not_finish_can_be_seen_and_an_idle_or_degraded_one_is_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        begun.set()
        go_on.wait(WAIT_S)
        return apply.apply(*args)

    monkeypatch.setattr(writer, "apply", slow)
    desk.start()
    desk.next(Healthy)
    assert desk.writer is not None
    assert desk.writer.stalled_s == 0.0
    desk.put(_cell("a"))
    assert begun.wait(WAIT_S)
    first = desk.writer.stalled_s

    assert desk.writer.stalled_s > first
    go_on.set()
    desk.next(Committed)
    assert desk.writer.stalled_s == 0.0


def test_AC_45_a_corrupt_file_ends_the_writer_with_its_name(desk: Desk) -> None:
    desk.path.write_bytes(b"no database " * 1000)
    desk.put(_cell("a"))
    desk.start()
    error = desk.next(Ended).error
    assert isinstance(error, GatewayError)
    assert (error.failure.code, error.failure.severity) == (STORE_CORRUPT, "fatal")
    desk.writer = None
    assert len(desk.backlog.clear()) == 1, "the operation is still pending"


class DiesBeforeCommit(WriterThread):
    def _commit(self, connection: sqlite3.Connection) -> None:
        raise SystemExit("before COMMIT")


class DiesAfterCommit(WriterThread):
    def _commit(self, connection: sqlite3.Connection) -> None:
        super()._commit(connection)
        raise SystemExit("after COMMIT")


@pytest.mark.parametrize("kind", [DiesBeforeCommit, DiesAfterCommit])
def test_a_death_around_commit_runs_every_operation_once(desk: Desk, kind: type[WriterThread]) -> None:
    cells = [Cell(Enqueue(outbound("d1"), 1.0)), _cell("a")]
    desk.put(*cells)
    desk.start(kind)
    desk.next(Healthy)
    assert isinstance(desk.next(Ended).error, SystemExit)
    later = _cell("later")
    desk.put(later)
    desk.start()
    done: list[tuple[Cell, object]] = []
    while len(done) < 3:
        match desk.reports.get(timeout=WAIT_S):
            case Committed(flight):
                done += zip(flight.cells, flight.outcomes or (), strict=True)
            case Healthy():
                pass
            case other:
                pytest.fail(str(other))
    # Enqueue says False when it runs a second time: here it never does.
    assert done == [(cells[0], True), (cells[1], (Accepted(1, False),)), (later, (Accepted(2, False),))]
    assert (desk.states(), desk.states("outbox")) == (["accepted"] * 2, ["prepared"])


def test_a_number_left_by_an_earlier_process_is_not_mistaken_for_ours(desk: Desk) -> None:
    desk.put(_cell("a"))
    desk.start()
    desk.next(Healthy)
    desk.next(Committed)
    desk.stop()
    second = Desk(desk.path)
    second.put(_cell("b"))
    second.start(DiesBeforeCommit)
    second.next(Healthy)
    second.next(Ended)
    second.start()
    second.next(Healthy)
    assert second.next(Committed).flight.outcomes == [(Accepted(2, False),)]
    second.stop()


class Stuck(WriterThread):
    """Takes a batch and hangs before it touches the file, until told to go on."""

    go: "queue.SimpleQueue[None]" = queue.SimpleQueue()

    def _write(self, connection: sqlite3.Connection, flight: Flight) -> bool:  # type: ignore[override]
        self._report(Healthy())
        self.go.get(timeout=WAIT_S)
        return super()._write(connection, flight)


def test_a_writer_given_up_for_stuck_is_fenced(desk: Desk) -> None:
    cells = [_cell("a"), _cell("b")]
    desk.put(*cells)
    desk.start(Stuck)
    desk.next(Healthy)
    desk.next(Healthy)
    old = desk.writer
    assert old is not None
    old.abandon()
    desk.start()
    desk.next(Healthy)
    assert desk.next(Committed).flight.outcomes == [(Accepted(1, False),), (Accepted(2, False),)]
    Stuck.go.put(None)
    error = desk.next(Ended).error
    assert isinstance(error, GatewayError)
    assert error.failure.code == STORE_GONE
    desk.put(_cell("c"))
    desk.next(Committed)
    assert desk.states() == ["accepted"] * 3


def test_a_second_writer_on_the_file_fences_the_first(desk: Desk) -> None:
    desk.start()
    desk.next(Healthy)
    other = Desk(desk.path)
    other.start()
    other.next(Healthy)
    desk.put(_cell("a"))
    error = desk.next(Ended).error
    assert isinstance(error, GatewayError)
    assert error.failure.code == STORE_GONE
    desk.writer = None
    assert desk.states() == []
    other.stop()


def test_stopping_writes_what_waits(desk: Desk) -> None:
    desk.start()
    desk.next(Healthy)
    desk.put(*(_cell(str(n)) for n in range(300)))
    assert desk.stop() is None
    assert not desk.path.with_name("gateway.db-wal").exists()
    assert desk.states() == ["accepted"] * 300


def test_receipts_go_first(desk: Desk) -> None:
    with closing(open_writer(desk.path)) as connection:
        do(connection, Enqueue(outbound(), 1.0))
        do(connection, Sending(1, BootId("b"), 1, 2.0))
    desk.put(*(_cell(str(n)) for n in range(300)), Cell(Receipt(1, 0, 1, "m", 3.0)))
    desk.start()
    desk.next(Healthy)
    assert desk.next(Committed).flight.outcomes is not None
    assert desk.states("outbox") == ["sent"]
    desk.next(Committed)
    with closing(open_reader(desk.path)) as reader:
        assert queries.next_open_row(reader, *CHAT) is None
