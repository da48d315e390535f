"""The only writer: group commit in one thread that knows nothing of Trio.

    open ─▶ raise epoch ─▶ recover ─▶ ( take ─▶ BEGIN, mark, apply, COMMIT ─▶ report )…

The row ``writer`` fences: each batch writes its number there ``WHERE epoch = mine``, so a writer that was given up for
stuck and wakes later changes nothing. Batch numbers go on from the file's, so one number never names two batches.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from hermes.store.apply import apply, in_order
from hermes.store.backlog import Backlog, Flight
from hermes.store.errors import OperationRefused, failure_of, mapped
from hermes.store.ops import Op
from hermes.store.people_ops import Forget
from hermes.store.schema import open_writer
from hermes.store.scrub import is_due, scrub
from hermes.types.errors import STORE_DEGRADED, STORE_GONE, Failure, GatewayError

PROBE_S = 5.0

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Committed:
    """``flight`` is on the disk; may be reported twice around a crash."""

    flight: Flight


@dataclass(frozen=True, slots=True)
class Healthy:
    """The disk takes writes (again)."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """The disk refuses writes; nothing is lost, the same batch is tried again."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Ended:
    """The last report. ``error`` is what the writer died of; None if it was told to end."""

    error: BaseException | None


Report = Committed | Healthy | Degraded | Ended


class WriterThread:
    """One incarnation of the writer.

    ``report`` is called on this thread: once per batch, when health changes, and with ``Ended`` last. Commits run in
    the order of ``Backlog.take``; inside a batch by rank. Ends when released (what waits is written first), revoked, or
    fenced by a newer epoch, or dies of a ``GatewayError`` (``store_newer``, ``store_corrupt``, …) or a bug.
    """

    def __init__(
        self, path: Path, backlog: Backlog, report: Callable[[Report], None], *, probe_s: float = PROBE_S
    ) -> None:
        self._path = path
        self._backlog = backlog
        self._report = report
        self._probe_s = probe_s
        self._healthy = False
        self._attempt_at: float | None = None
        self._epoch = 0
        # A daemon, because a disk that hangs must not hold up the end of the process.
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        """Take over the backlog and begin."""
        self._backlog.hold(self)
        self._thread.start()

    def stop(self) -> None:
        """Ask it to write what waits and end; ``Ended`` is the answer. A degraded one ends at once."""
        self._backlog.release(self)

    def abandon(self) -> None:
        """Give it up for stuck: it gets no more operations, and a newer epoch fences what it still has in hand."""
        self._backlog.revoke(self)

    @property
    def stalled_s(self) -> float:
        """How long the disk has had one and the same attempt in hand; 0 between attempts. From any thread."""
        attempt_at = self._attempt_at
        return 0.0 if attempt_at is None else time.monotonic() - attempt_at

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._live()
        except BaseException as caught:  # noqa: ASYNC103 - a thread, not a task: the report is how it leaves
            error = caught
        self._report(Ended(error))

    def _live(self) -> None:
        opened = self._persist(self._open)
        if opened is None:
            return
        connection, batch = opened
        with closing(connection):
            while flight := self._backlog.take(self, batch + 1):
                if self._persist(partial(self._write, connection, flight)) is None:
                    return
                batch = flight.number
                if any(isinstance(cell.op, Forget) for cell in flight.cells):
                    _scrub(connection)
                # Report first: dying in between, the next writer reports it again; the other way round it would be lost.
                self._report(Committed(flight))
                self._backlog.land(flight)

    def _persist(self, attempt: Callable[[], T]) -> T | None:
        """Repeat ``attempt`` while the disk refuses it; None if told to end meanwhile."""
        while True:
            self._attempt_at = time.monotonic()
            try:
                result = attempt()
            except GatewayError as error:
                self._attempt_at = None
                if error.failure.code != STORE_DEGRADED:
                    raise
                self._healthy = False
                self._report(Degraded(error.failure))
                if not self._backlog.pause(self, self._probe_s):
                    return None
            else:
                self._attempt_at = None
                if not self._healthy:
                    self._healthy = True
                    self._report(Healthy())
                return result

    def _open(self) -> tuple[sqlite3.Connection, int]:
        connection = open_writer(self._path)
        try:
            with mapped():
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("UPDATE writer SET epoch = epoch + 1")
                ((self._epoch, batch),) = connection.execute("SELECT epoch, batch FROM writer").fetchall()
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        _scrub(connection)
        if flight := self._backlog.recover(self, batch):
            self._report(Committed(flight))
            self._backlog.land(flight)
        return connection, batch

    def _write(self, connection: sqlite3.Connection, flight: Flight) -> Literal[True]:
        """Commit ``flight`` with an outcome for each of its operations. Raises ``GatewayError``: nothing is written."""
        batch, began = [cell.op for cell in flight.cells], time.monotonic()
        try:
            self._begin(connection, flight.number)
            flight.outcomes = apply(connection, batch)
            self._commit(connection)
        except Exception as error:
            _roll_back(connection)
            if failure := failure_of(error):
                raise GatewayError(failure) from error
            log.warning("a batch of %d failed (%s); its operations run one by one", len(batch), error)
            with mapped():
                self._write_singly(connection, flight, batch)
        flight.took_s = time.monotonic() - began
        return True

    def _write_singly(self, connection: sqlite3.Connection, flight: Flight, batch: list[Op[Any]]) -> None:
        """One bad operation must not spoil the others: each in a savepoint, the bad ones refused."""
        refused: dict[int, object] = {}
        while True:
            outcomes = dict(refused)
            try:
                self._begin(connection, flight.number)
                for index in in_order(batch):
                    if index not in refused:
                        connection.execute("SAVEPOINT single")
                        try:
                            (outcomes[index],) = apply(connection, [batch[index]])
                        except Exception as error:
                            if failure_of(error):
                                raise
                            outcomes[index] = refused[index] = OperationRefused(batch[index], error)
                            if not connection.in_transaction:
                                break  # SQLite rolled back everything: begin again without this one
                            connection.execute("ROLLBACK TO single")
                        connection.execute("RELEASE single")
                else:
                    flight.outcomes = [outcomes[index] for index in range(len(batch))]
                    self._commit(connection)
                    return
            finally:
                _roll_back(connection)

    def _begin(self, connection: sqlite3.Connection, number: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        mine = (number, time.time(), self._epoch)
        marked = connection.execute("UPDATE writer SET batch = ?, at = ? WHERE epoch = ?", mine)
        if not marked.rowcount:
            raise GatewayError(Failure(STORE_GONE, scope="gateway", detail="a newer writer has taken over"))

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")


def _scrub(connection: sqlite3.Connection) -> None:
    """Not for the batch's sake: a disk that has no room for it now is asked again at the next start."""
    try:
        with mapped():
            clean = not is_due(connection) or scrub(connection)
    except GatewayError as error:
        log.error(
            "what was erased is still in the file's free space, until the next start: %s", error.failure
        )
        return
    if not clean:
        log.warning(
            "what was erased is still in the write-ahead log, until the next start: somebody reads in it"
        )


def _roll_back(connection: sqlite3.Connection) -> None:
    """A full disk has rolled back already, and then a second ROLLBACK would be an error of its own."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
