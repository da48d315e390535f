"""Messages an actor sends itself later: one heap per life, looked at when the actor asks for its next message; no tasks."""

import heapq
import math
from dataclasses import dataclass
from itertools import count
from typing import Any

SWEEP_MIN = 64
"""A heap smaller than this may keep all its cancelled timers until they would have been due."""


@dataclass(eq=False, slots=True)
class Timer:
    """``message`` is due at ``at``, in Trio's time. ``pending`` until it is cancelled or handed out."""

    at: float
    message: Any
    pending: bool = True

    def cancel(self) -> bool:
        """Never hand the message out; False if it was handed out or cancelled before."""
        pending, self.pending = self.pending, False
        return pending


class Timers:
    """The timers of one life in the order they fall due; equal times in the order they were set."""

    __slots__ = ("_heap", "_numbers", "_sweep_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._sweep_at = SWEEP_MIN

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_at(self) -> float:
        """When to look again; infinite without timers."""
        return self._heap[0][0] if self._heap else math.inf

    def add(self, at: float, message: Any) -> Timer:
        """A new timer."""
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        timer = Timer(at, message)
        heapq.heappush(self._heap, (at, next(self._numbers), timer))
        return timer

    def due(self, now: float) -> list[Timer]:
        """Take out what is due, in order."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

    def _sweep(self) -> None:
        """Drop what was cancelled: who sets and cancels a far timer with every message would hoard them."""
        self._heap = [entry for entry in self._heap if entry[2].pending]
        heapq.heapify(self._heap)
        self._sweep_at = max(SWEEP_MIN, 2 * len(self._heap))
