"""The port over a real file and a real thread, so on the real clock: no test sleeps, each waits for what it tests."""

import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from actors.ports import store as module
from actors.ports.store import StorePort
from hermes.store import queries
from hermes.store.apply import apply
from hermes.store.backlog import Flight
from hermes.store.errors import OperationRefused
from hermes.store.ops import Accept, Enqueue, Op, Probe
from hermes.store.schema import SCHEMA_VERSION, open_writer
from hermes.store.tracing import ways
from hermes.store.writer import Committed, Report, WriterThread
from hermes.types.content import Outbound
from hermes.types.errors import STORE_CORRUPT, STORE_DEGRADED, STORE_GONE, STORE_NEWER, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import DeliveryId, TraceId
from hermes.types.origin import Origin
from hermes.types.ports import Accepted

WAIT_S = 20.0

released = threading.Event()


@pytest.fixture(autouse=True)
def _restore_switch_interval() -> object:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


def _accept(*event_ids: str) -> Accept:
    return Accept(
        tuple(InboundEvent(name, Origin("webchat", "ann"), "hello", 1.0, TraceId(name)) for name in event_ids)
    )


def _enqueue(**more: object) -> Enqueue:
    return Enqueue(Outbound(DeliveryId("d1"), "webchat", "default", "ann", "hi", **more), 1.0)  # type: ignore[arg-type]


@asynccontextmanager
async def serving(port: StorePort, path: Path) -> AsyncIterator[trio.Nursery]:
    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            await nursery.start(port.serve, path)
            yield nursery
            nursery.cancel_scope.cancel()


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await trio.lowlevel.checkpoint()


async def test_an_awaited_write_is_read(path: Path) -> None:
    port = StorePort()
    async with serving(port, path):
        assert await port.write(_accept("a", "b")) == (Accepted(1, False), Accepted(2, False))
        assert (await port.read(queries.counts)).received == 2
        assert port.pending == 0
    port.close()


async def test_calls_before_the_store_is_up_wait(path: Path) -> None:
    port = StorePort()
    got: list[object] = []

    async def early_write() -> None:
        got.append(await port.write(_accept("a")))

    async def early_read() -> None:
        got.append((await port.read(queries.counts)).unaccounted)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(early_write)
        nursery.start_soon(early_read)
        await _until(lambda: port.pending == 1)
        assert got == []
        async with serving(port, path):
            await _until(lambda: len(got) == 2)
    assert sorted(map(str, got)) == sorted([str((Accepted(1, False),)), "0"])
    port.close()


async def test_cancelling_the_caller_withdraws_nothing(path: Path) -> None:
    port = StorePort()
    with trio.CancelScope() as scope:
        scope.cancel()
        await port.write(_accept("a"))
    assert port.pending == 1
    async with serving(port, path):
        assert await port.write(_accept("a")) == (Accepted(1, True),)
    port.close()


async def test_a_bad_operation_is_raised_to_its_caller_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = StorePort()
    async with serving(port, path):
        with pytest.raises(OperationRefused):
            await port.write(_enqueue(metadata={"a": object()}))
        port.post(_enqueue(metadata={"a": object()}))
        assert await port.write(_enqueue()) is True
        await _until(lambda: port.pending == 0)
    assert caplog.text.count("the store refused an operation") == 2
    port.close()


async def test_posted_operations_precede_a_later_read_of_the_same_caller(path: Path) -> None:
    port = StorePort()
    async with serving(port, path):
        port.post(_enqueue())
        await port.write(Probe(1.0))
        assert (await port.read(queries.outbox_counts))["prepared"] == 1
    port.close()


async def test_one_read_sees_one_moment(path: Path) -> None:
    port = StorePort()

    def twice(reader: sqlite3.Connection) -> tuple[int, int]:
        before = queries.counts(reader).received
        trio.from_thread.run(port.write, _accept("a"))
        return before, queries.counts(reader).received

    async with serving(port, path):
        assert await port.read(twice) == (0, 0)
        assert (await port.read(queries.counts)).received == 1
    port.close()


async def test_a_query_that_fails_costs_only_its_connection(path: Path) -> None:
    port = StorePort()

    def broken(reader: sqlite3.Connection) -> None:
        raise KeyError("a bug")

    async with serving(port, path):
        for _ in range(module.READERS + 1):
            with pytest.raises(KeyError):
                await port.read(broken)
        assert (await port.read(queries.counts)).received == 0
    port.close()


async def test_AC_45_a_disk_that_refuses_a_read_is_latency_for_its_reader(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    port = StorePort(probe_s=0.01)
    there = tmp_path / "not yet" / "other.db"
    tried = trio.Event()

    def look(reader: sqlite3.Connection) -> bool:
        trio.from_thread.run_sync(tried.set)
        reader.execute("COMMIT")  # nothing is attached inside a transaction
        reader.execute(f"ATTACH 'file:{there}?mode=rwc' AS other")
        reader.execute("BEGIN")
        return True

    seen: list[bool] = []

    async def read() -> None:
        seen.append(await port.read(look))

    async with serving(port, path) as nursery:
        nursery.start_soon(read)
        await tried.wait()
        await _until(lambda: "tried again" in caplog.text)
        assert not seen
        there.parent.mkdir()
        await _until(lambda: bool(seen))
    port.close()


async def test_the_bound_makes_writers_wait(path: Path) -> None:
    port = StorePort(max_pending=2)
    done: list[object] = []

    async def write(name: str) -> None:
        done.append(await port.write(_accept(name)))

    async with trio.open_nursery() as nursery:
        for name in "abcde":
            nursery.start_soon(write, name)
        await trio.testing.wait_all_tasks_blocked()
        assert port.pending == 2
        async with serving(port, path):
            await _until(lambda: len(done) == 5)
    port.close()


async def test_a_restart_of_the_store_is_only_latency(path: Path) -> None:
    port = StorePort()
    done: list[object] = []

    async def write(name: str) -> None:
        done.append(await port.write(_accept(name)))

    async with trio.open_nursery() as nursery:
        async with serving(port, path):
            await port.write(_accept("a"))
        assert not done
        nursery.start_soon(write, "b")
        await _until(lambda: port.pending == 1)
        async with serving(port, path):
            await _until(lambda: bool(done))
            assert (await port.read(queries.counts)).received == 2
    port.close()


class DiesBeforeCommit(WriterThread):
    def _commit(self, connection: sqlite3.Connection) -> None:
        raise SystemExit("before COMMIT")


class DiesAfterCommit(WriterThread):
    def _commit(self, connection: sqlite3.Connection) -> None:
        super()._commit(connection)
        raise SystemExit("after COMMIT")


class DiesAfterReport(WriterThread):
    def _tell(self, news: Report) -> None:
        self._tell_port(news)
        if isinstance(news, Committed):
            raise SystemExit("after the report")

    def start(self) -> None:
        self._tell_port, self._report = self._report, self._tell
        super().start()


@pytest.mark.parametrize("kind", [DiesBeforeCommit, DiesAfterCommit, DiesAfterReport])
async def test_a_crash_around_commit_is_only_latency(
    path: Path, kind: type[WriterThread], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = StorePort()
    done: list[object] = []

    async def write(op: Op[object]) -> None:
        done.append(await port.write(op))

    with trio.fail_after(WAIT_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write, _enqueue())
            await _until(lambda: port.pending == 1)
            with monkeypatch.context() as patch:
                patch.setattr(module, "WriterThread", kind)
                with pytest.raises(SystemExit):
                    await port.serve(path)
            async with serving(port, path):
                await _until(lambda: bool(done))
    assert done == [True], "False would mean that it ran twice"
    assert port.pending == 0, "settled once, however often it was reported"
    port.close()


class FullDisk(WriterThread):
    room = False

    def _write(self, connection: sqlite3.Connection, flight: Flight) -> bool:  # type: ignore[override]
        connection.execute(f"PRAGMA max_page_count = {1_000_000 if type(self).room else 1}")
        return super()._write(connection, flight)


async def test_AC_45_a_full_disk_is_latency_for_writers_and_a_named_state(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WriterThread", FullDisk)
    FullDisk.room = False
    port = StorePort(probe_s=0.01)
    done: list[object] = []

    async def write() -> None:
        done.append(await port.write(_accept(*(f"{n}-{'x' * 500}" for n in range(100)))))

    async with serving(port, path) as nursery:
        nursery.start_soon(write)
        await _until(lambda: port.degraded is not None)
        assert port.degraded is not None
        assert port.degraded.code == STORE_DEGRADED
        assert (await port.read(queries.counts)).received == 0
        assert done == []
        FullDisk.room = True
        await _until(lambda: bool(done))
        assert port.degraded is None
    port.close()


async def test_a_disk_that_refuses_at_boot_is_ready_and_degraded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes.store.schema.BUSY_TIMEOUT_S", 0.01)
    foreign = open_writer(path)
    foreign.execute("BEGIN IMMEDIATE")
    port = StorePort(probe_s=0.01)
    async with serving(port, path):
        assert port.degraded is not None
        foreign.execute("ROLLBACK")
        await _until(lambda: port.degraded is None)
    foreign.close()
    port.close()


def _spoil(path: Path, code: str) -> None:
    if code == STORE_CORRUPT:
        path.write_bytes(b"garbage " * 2000)
    else:
        connection = open_writer(path)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.close()


@pytest.mark.parametrize("code", [STORE_CORRUPT, STORE_NEWER])
async def test_AC_45_a_file_we_cannot_use_ends_the_incarnation_with_its_name(path: Path, code: str) -> None:
    _spoil(path, code)
    port = StorePort()
    with pytest.raises(GatewayError) as caught:
        await port.serve(path)
    assert (caught.value.failure.code, caught.value.failure.severity) == (code, "fatal")
    port.close()


async def test_AC_45_damage_that_a_reader_finds_ends_the_incarnation(path: Path) -> None:
    _damage_rows(path)
    port = StorePort()
    seen: list[GatewayError] = []

    async def look() -> None:
        with pytest.raises(GatewayError) as caught:
            await port.read(ways, "none")
        seen.append(caught.value)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        with trio.fail_after(WAIT_S), pytest.raises(GatewayError) as died:
            await port.serve(path)
    assert (died.value.failure.code, died.value.failure.severity) == (STORE_CORRUPT, "fatal")
    assert [(e.failure.code, e.failure.severity) for e in seen] == [(STORE_CORRUPT, "transient")]
    port.close()


def _damage_rows(path: Path) -> None:
    """Only the newer half of the file: it opens, and takes the writer's mark, but the rows are gone."""
    connection = open_writer(path)
    connection.execute("BEGIN")
    apply(connection, [_accept(*(f"{n}-{'x' * 500}" for n in range(300)))])
    connection.execute("COMMIT")
    connection.close()
    with path.open("r+b") as file:
        half = path.stat().st_size // 8192 * 4096
        file.seek(half)
        file.write(b"\xa5" * half)


class Stuck(WriterThread):
    def _commit(self, connection: sqlite3.Connection) -> None:
        released.wait(WAIT_S)
        super()._commit(connection)


async def test_a_writer_that_hangs_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WriterThread", Stuck)
    monkeypatch.setattr(module, "STOP_S", 0.01)
    released.clear()
    port = StorePort()
    async with serving(port, path):
        port.post(_accept("a"))
    assert "did not end" in caplog.text
    released.set()
    await _until(lambda: port.pending == 0)
    port.close()


class SlowToOpen(WriterThread):
    last: "SlowToOpen"

    def _open(self) -> tuple[sqlite3.Connection, int]:
        type(self).last = self
        released.wait(WAIT_S)
        return super()._open()


async def test_what_a_given_up_writer_says_of_its_health_counts_no_more(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WriterThread", SlowToOpen)
    monkeypatch.setattr(module, "STOP_S", 0.01)
    released.clear()
    port = StorePort()
    with trio.move_on_after(0.01):
        await port.serve(path)
    released.set()
    await trio.to_thread.run_sync(SlowToOpen.last._thread.join, WAIT_S)
    await trio.testing.wait_all_tasks_blocked()
    assert port._health is None
    port.close()


async def test_the_end_is_told_to_everybody(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = StorePort(max_pending=1)
    told: list[str] = []

    async def told_by(call: Callable[[], object]) -> None:
        with pytest.raises(GatewayError) as caught:
            await call()  # type: ignore[misc]
        told.append(caught.value.failure.code)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(told_by, lambda: port.write(_accept("a")))
        nursery.start_soon(told_by, lambda: port.write(_accept("b")))
        nursery.start_soon(told_by, lambda: port.read(queries.counts))
        await trio.testing.wait_all_tasks_blocked()
        port.close()
    await told_by(lambda: port.write(_accept("c")))
    assert told == [STORE_GONE] * 4
    port.post(_accept("d"))
    assert "after the end" in caplog.text
