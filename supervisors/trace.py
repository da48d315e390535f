"""What an actor is doing, message by message, for somebody who looks on: bounded in number and rate, then off by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from supervisors.logs import guarded

if TYPE_CHECKING:
    from supervisors.cell import Cell

log = guarded(__name__)


@dataclass(frozen=True, slots=True)
class Traced:
    """A message that the actor at ``path`` took at ``at``, in Trio's time, and was done with ``handled_s`` later.

    ``handled_s`` is None if the life ended in it. Its text is not for logs.
    """

    at: float
    path: str
    incarnation: int
    message: Any = field(repr=False)
    handled_s: float | None


Listener = Callable[[Traced], None]


class Trace:
    """Tells ``listener`` of the messages of one actor, from the one in work on, until ``limit`` were told or ``stop``.

    ``per_s`` may be told at once, and as many a second in the long run; ``passed_over`` counts the others. ``told`` is
    how many there were. Made by ``introspect.trace``.
    """

    def __init__(self, cell: Cell, listener: Listener, *, limit: int, per_s: float, now: float) -> None:
        if limit < 1 or per_s <= 0:
            raise ValueError(f"a trace needs limit >= 1 and per_s > 0, not {limit} and {per_s}")
        self.told = 0
        self.passed_over = 0
        self._cell = cell
        self._listener = listener
        self._limit = limit
        self._per_s = per_s
        self._tokens = self._most_tokens = max(1.0, per_s)
        self._filled_at = now

    @property
    def on(self) -> bool:
        """False once it has ended, or another one has taken its place."""
        return self._cell.trace is self

    def stop(self) -> None:
        """Tell no more."""
        if self.on:
            self._cell.trace = None

    def done(self, incarnation: int, now: float, *, handled: bool) -> None:
        """The actor is done with the message in work: it ``handled`` it, or its life has ended."""
        current = self._cell.mailbox.current
        if current is None:
            return
        self._tokens = min(self._most_tokens, self._tokens + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        if self._tokens < 1:
            self.passed_over += 1
            return
        self._tokens -= 1
        self.told += 1
        at = self._cell.current_since
        try:
            self._listener(
                Traced(at, self._cell.path, incarnation, current.body, now - at if handled else None)
            )
        except Exception:  # foreign code: its fault is neither the actor's nor its supervisor's (law A4)
            log.exception("%s: the listener of a trace failed; the trace ends", self._cell.path)
            self.stop()
        if self.told >= self._limit:
            self.stop()
