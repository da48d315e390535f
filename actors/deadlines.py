"""By when a turn's agent must have ended: the whole of it, and the time without a sign of life.

Neither runs while the agent waits for a person: a person needs time, and has a deadline of their own.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from actors.lease import Lease


class Deadlines:
    """One turn's. The agent runs inside ``whole`` and ``patience``; ``lease`` is told when they move."""

    def __init__(self, lease: Lease, turn_timeout_s: float, no_progress_s: float) -> None:
        now = trio.current_time()
        self.whole = trio.CancelScope(deadline=now + turn_timeout_s)
        self.patience = trio.CancelScope(deadline=now + no_progress_s)
        self.halted = False
        self._lease = lease
        self._no_progress_s = no_progress_s
        self._left_s = 0.0
        self._waits = 0

    def alive(self) -> None:
        """The agent shows a sign of life."""
        if not self._waits and not self.halted:
            self.patience.deadline = trio.current_time() + self._no_progress_s

    def halt(self) -> None:
        """The agent must end now."""
        self.halted = True
        self.patience.deadline = trio.current_time()
        self._lease.watch(self.whole, self.patience)

    @property
    def waits(self) -> int:
        """For how many things the agent waits for a person."""
        return self._waits

    @contextmanager
    def still(self) -> Iterator[None]:
        """Both stand still in here; side by side too. What was halted stays so: Trio looks at deadlines only between ticks, and
        somebody may come in here in the tick of the ``halt``.
        """
        if not self._waits and not self.halted:
            self._left_s = self.whole.deadline - trio.current_time()
            self.whole.deadline = self.patience.deadline = math.inf
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits and not self.halted:
                self.whole.deadline = trio.current_time() + self._left_s
                self.alive()
                self._lease.watch(self.whole, self.patience)
