"""The store as everybody sees it: belongs to root and outlives every store actor.

    write, post ─▶ backlog ─▶ writer thread ─▶ report ─▶ (loop) settle cells, wake callers
    read ─▶ small pool of read-only connections, each query in a thread, each in one snapshot

A caller waits for the commit of its batch and for nothing else; neither side ever waits for the other's thread.
"""

import logging
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, assert_never, cast

import trio

from actors.ports.thread_calls import ThreadCalls
from hermes.ops.metrics import Tallies
from hermes.store.backlog import Backlog, Cell
from hermes.store.errors import OperationRefused, mapped
from hermes.store.ops import Op
from hermes.store.port import Reader
from hermes.store.schema import open_reader
from hermes.store.writer import PROBE_S, Committed, Degraded, Ended, Healthy, Report, WriterThread
from hermes.types.errors import STORE_CORRUPT, STORE_DEGRADED, STORE_GONE, Failure, GatewayError

MAX_PENDING = 50_000
READERS = 4
STOP_S = 5.0
GIL_SWITCH_S = 0.000_7

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


class _Life:
    """One incarnation of the writer, as the loop sees it: ``up`` (or over), ``over`` (for whatever reason), thread ``ended``."""

    def __init__(self) -> None:
        self.up = trio.Event()
        self.over = trio.Event()
        self.ended = trio.Event()
        self.error: BaseException | None = None

    def die(self, error: BaseException | None) -> None:
        """The first reason counts."""
        self.error = self.error or error
        self.over.set()
        self.up.set()


class StorePort:
    """Implements ``hermes.store.port.Store``: callers see latency, never a death of the store.

    While the store is away or degraded ``write`` and ``read`` wait; what was handed in is written once the disk takes it.
    Every method belongs to the loop's thread.
    """

    def __init__(self, *, max_pending: int = MAX_PENDING, probe_s: float = PROBE_S) -> None:
        self._max_pending = max_pending
        self._probe_s = probe_s
        self._backlog = Backlog()
        self._pending = 0
        self._room = trio.lowlevel.ParkingLot()
        self._gone = False
        self._life: _Life | None = None
        self._writer: WriterThread | None = None
        self._health: Healthy | Degraded | None = None
        self._readable = trio.Event()
        self._path: Path | None = None
        self._idle_readers: deque[Reader] = deque()
        self._reader_limit = trio.CapacityLimiter(READERS)
        self.commit_s = Tallies(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
        """How long commits took, and below, of how many operations they were: in this process."""
        self.commit_size = Tallies(1, 2, 4, 8, 16, 32, 64, 128, 256)

    @property
    def pending(self) -> int:
        """Operations handed in and not yet committed."""
        return self._pending

    @property
    def degraded(self) -> Failure | None:
        """Why the disk refuses writes; None if it takes them, or nobody knows."""
        return self._health.failure if isinstance(self._health, Degraded) else None

    @property
    def stalled_s(self) -> float:
        """How long the writer has been waiting for the disk to finish one attempt; from any thread."""
        writer = self._writer
        return 0.0 if writer is None else writer.stalled_s

    async def write(self, op: Op[T]) -> T:
        """Return when ``op`` is committed. Cancelling the caller withdraws nothing that was handed in.

        Waits for as long as the store is away or the disk refuses writes. Raises ``GatewayError`` with ``store_gone`` at
        the end, ``OperationRefused`` if ``op`` itself cannot be carried out.
        """
        while self._pending >= self._max_pending:
            await self._room.park()
        self._check()
        cell = Cell(op, partial(trio.lowlevel.reschedule, trio.lowlevel.current_task()))
        self._hand_in(cell)

        def leave(_: object) -> trio.lowlevel.Abort:
            cell.wake = None
            return trio.lowlevel.Abort.SUCCEEDED

        # Not an Event for each of the five writes of a message: nobody else waits for this one.
        await trio.lowlevel.wait_task_rescheduled(leave)
        if isinstance(cell.outcome, Exception):
            raise cell.outcome
        return cast("T", cell.outcome)

    def post(self, op: Op[Any]) -> None:
        """Hand in ``op`` without waiting, even beyond the bound; a failure is logged."""
        if self._gone:
            log.warning("%s came after the end of the store", type(op).__name__)
        else:
            self._hand_in(Cell(op))

    async def read(
        self, query: Callable[Concatenate[Reader, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``query`` in a thread, on one snapshot that holds every write that has been awaited.

        Waits until the store has been up once, and while the disk refuses: a reader that failed for the disk's sake would
        count as one that crashed. Cancellation waits for the query. Raises ``GatewayError``: ``store_gone``, or
        ``store_corrupt``: that is the store's death, for its reader only transient.
        """
        await self._readable.wait()
        while True:
            self._check()
            try:
                return await trio.to_thread.run_sync(
                    self._query, lambda reader: query(reader, *args, **kwargs), limiter=self._reader_limit
                )
            except GatewayError as error:
                if error.failure.code == STORE_CORRUPT and self._life is not None:
                    self._life.die(error)
                    raise GatewayError(replace(error.failure, severity="transient")) from error
                if error.failure.code != STORE_DEGRADED:
                    raise
                log.warning("a read is tried again: %s", error.failure)
            await trio.sleep(self._probe_s)

    async def serve(
        self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Be the store's incarnation: run a writer on ``path`` until cancelled, then let it write what waits (≤ ``STOP_S``).

        Ready when the database is open or the disk has refused to (degraded). Raises what the writer died of: a
        ``GatewayError`` (``store_newer``, ``store_corrupt``, ``home_unusable``: all fatal) or a bug. What was pending
        then is carried out by the next incarnation, each operation once.
        """
        # The writer gives up the GIL in every statement. A loop that is never idle gives it back after a switch interval,
        # or not for long if its ticks are as short as that: beside ticks of 5 ms, 63 accepts/s with Python's 5 ms.
        # The shorter it is, the oftener the two hand it to and fro: a burst of messages takes 6 % less time with a whole
        # millisecond than with a half, and those accepts drop below the 5,000/s they are to have.
        sys.setswitchinterval(GIL_SWITCH_S)
        with ThreadCalls() as calls:
            await self._serve(path, calls, task_status)

    async def _serve(self, path: Path, calls: ThreadCalls, task_status: trio.TaskStatus[None]) -> None:
        life = self._life = _Life()
        self._path = path
        writer = WriterThread(
            path,
            self._backlog,
            lambda news: calls.post(lambda: self._on_report(life, news)),
            probe_s=self._probe_s,
        )
        self._writer = writer
        writer.start()
        try:
            await life.up.wait()
            if not life.over.is_set():
                task_status.started()
            await life.over.wait()
        finally:
            self._life = None
            self._writer = None
            self._set_health(None)
            self._close_readers()  # the writer's close is then the last one, and leaves no -wal behind
            writer.stop()
            with trio.move_on_after(STOP_S, shield=True):
                await life.ended.wait()
            if not life.ended.is_set():
                writer.abandon()
                log.error("the store's writer did not end within %.0f s and is given up", STOP_S)
        raise life.error or RuntimeError("the store's writer ended unasked")

    def close(self) -> None:
        """The end: every pending and every later call raises ``store_gone``."""
        self._gone = True
        for cell in self._backlog.clear():
            self._settle(cell, GatewayError(Failure(STORE_GONE, scope="gateway")))
        self._room.unpark_all()
        self._readable.set()
        self._set_health(None)
        self._close_readers()

    def _check(self) -> None:
        if self._gone:
            raise GatewayError(Failure(STORE_GONE, scope="gateway"))

    def _hand_in(self, cell: Cell) -> None:
        self._pending += 1
        self._backlog.put(cell)

    def _on_report(self, life: _Life, news: Report) -> None:
        match news:
            case Committed(flight):
                self.commit_s.add(flight.took_s)
                self.commit_size.add(len(flight.cells))
                for cell, outcome in zip(flight.cells, flight.outcomes or (), strict=True):
                    self._settle(cell, outcome)
            case Healthy() | Degraded():
                if life is self._life:
                    self._set_health(news)
                    life.up.set()
            case Ended(error):
                life.ended.set()
                life.die(error)
            case _:
                assert_never(news)

    def _settle(self, cell: Cell, outcome: object) -> None:
        if cell.settled:
            return
        cell.settled = True
        cell.outcome = outcome
        self._pending -= 1
        self._room.unpark()
        if isinstance(outcome, OperationRefused):
            log.error("the store refused an operation: %s", outcome)
        if cell.wake is not None:
            cell.wake()

    def _set_health(self, health: Healthy | Degraded | None) -> None:
        if isinstance(health, Healthy):
            self._readable.set()
        if isinstance(health, Degraded) and not isinstance(self._health, Degraded):
            log.error("the store's disk refuses writes, so intake pauses: %s", health.failure)
        if isinstance(health, Healthy) and isinstance(self._health, Degraded):
            log.warning("the store's disk takes writes again")
        self._health = health

    def _query(self, query: Callable[[Reader], T]) -> T:
        assert self._path is not None  # noqa: S101 - readable means served once
        with mapped():
            try:
                reader = self._idle_readers.pop()
            except IndexError:
                reader = open_reader(self._path)
            try:
                reader.execute("BEGIN")
                result = query(reader)
                reader.execute("COMMIT")
            except BaseException:
                reader.close()
                raise
            self._idle_readers.append(reader)
            return result

    def _close_readers(self) -> None:
        while self._idle_readers:
            self._idle_readers.pop().close()
