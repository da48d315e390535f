"""Operations on their way to the disk: they outlive the writer that carries them out.

    port ──put──▶ urgent, normal ──take──▶ flight (one batch) ──land──▶ settled
                       ▲                       │
                       └──── recover ◀─────────┘  the writer died before COMMIT

One writer holds the backlog at a time; a later one takes it over, and whoever held it before gets nothing any more.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hermes.store.ops import Op, Receipt

MAX_BATCH = 256
_URGENT_RANK = Receipt.rank


@dataclass(slots=True, eq=False)
class Cell:
    """One operation and where its outcome goes: a result, or the exception to raise.

    ``wake`` is called once on the loop's thread when the outcome is there; None if nobody waits.
    """

    op: Op[Any]
    wake: Callable[[], None] | None = None
    outcome: object = None
    settled: bool = False


@dataclass(slots=True, eq=False)
class Flight:
    """The batch in hand. ``outcomes`` are set before COMMIT: a batch found committed has them."""

    number: int
    cells: list[Cell]
    outcomes: list[object] | None = None
    took_s: float = 0.0
    """From BEGIN to the commit, without what the disk refused before."""


class Backlog:
    """The table of pending operations; every method may be called from any thread and blocks only where it says so."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._urgent: deque[Cell] = deque()
        self._normal: deque[Cell] = deque()
        self._flight: Flight | None = None
        self._holder: object = None
        self._closing = False

    def put(self, cell: Cell) -> None:
        """Hand in an operation. Receipts overtake, so that a kill turns few sent messages into ``unknown``."""
        with self._changed:
            (self._urgent if cell.op.rank <= _URGENT_RANK else self._normal).append(cell)
            self._changed.notify_all()

    def hold(self, holder: object) -> None:
        """``holder`` takes over."""
        with self._changed:
            self._holder = holder
            self._closing = False
            self._changed.notify_all()

    def release(self, holder: object) -> None:
        """Let ``holder`` carry out what waits and then end."""
        with self._changed:
            if self._holder is holder:
                self._closing = True
                self._changed.notify_all()

    def revoke(self, holder: object) -> None:
        """``holder`` gets nothing any more; what it has in hand stays for the next one."""
        with self._changed:
            if self._holder is holder:
                self._holder = None
                self._changed.notify_all()

    def recover(self, holder: object, committed: int) -> Flight | None:
        """Settle what an earlier holder had in hand: returned if ``committed`` is its number, else back in line, first."""
        with self._changed:
            flight = self._flight
            if flight is None or self._holder is not holder:
                return None
            if flight.number == committed and flight.outcomes is not None:
                return flight
            self._flight = None
            self._normal.extendleft(reversed(flight.cells))
            return None

    def take(self, holder: object, number: int) -> Flight | None:
        """Wait for operations and take what is there, up to ``MAX_BATCH``. None: ``holder`` is to end.

        A batch never lingers for more to come: while one commits, the next gathers.
        """
        with self._changed:
            while not (self._urgent or self._normal):
                if self._holder is not holder or self._closing:
                    return None
                self._changed.wait()
            if self._holder is not holder:
                return None
            cells: list[Cell] = []
            for queue in (self._urgent, self._normal):
                while queue and len(cells) < MAX_BATCH:
                    cells.append(queue.popleft())
            self._flight = Flight(number, cells)
            return self._flight

    def land(self, flight: Flight) -> None:
        """``flight`` is committed and reported."""
        with self._changed:
            if self._flight is flight:
                self._flight = None

    def pause(self, holder: object, seconds: float) -> bool:
        """Block for ``seconds``; False at once when ``holder`` is to end."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing or self._holder is not holder, seconds)

    def clear(self) -> list[Cell]:
        """Give up: nobody holds the backlog any more; all that was pending, in order."""
        with self._changed:
            cells = [*(self._flight.cells if self._flight else ()), *self._urgent, *self._normal]
            self._flight = None
            self._holder = None
            self._urgent.clear()
            self._normal.clear()
            self._changed.notify_all()
            return cells
