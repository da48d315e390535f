"""By when a turn's agent must have ended: the whole of it, and the time without a sign of life.

Neither runs while the agent waits for a person: a person needs time, and has a deadline of their own.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from actors.lease import Lease

SLACK = 1 / 500
"""So much longer an agent may be silent, as a share: else its deadline would move with each of hundreds of signs of life."""


class Deadlines:
    """One turn's. The agent runs inside ``limit``, which has the nearer of the two; ``lease`` is told when it comes nearer."""

    def __init__(self, lease: Lease, turn_timeout_s: float, no_progress_s: float) -> None:
        self.limit = trio.CancelScope()
        self.halted = False
        self._lease = lease
        self._no_progress_s = no_progress_s
        self._whole_at = trio.current_time() + turn_timeout_s
        self._left_s = 0.0
        self._waits = 0
        self._move()

    @property
    def whole_passed(self) -> bool:
        """It is the time for the whole turn that is up."""
        return self._whole_at <= trio.current_time()

    def alive(self) -> None:
        """The agent shows a sign of life."""
        if trio.current_time() + self._no_progress_s > self.limit.deadline and not self.halted:
            self._move()

    def halt(self) -> None:
        """The agent must end now."""
        self.halted = True
        self.limit.deadline = trio.current_time()
        self._lease.watch(self.limit)

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
            self._left_s = self._whole_at - trio.current_time()
            self.limit.deadline = math.inf
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits and not self.halted:
                self._whole_at = trio.current_time() + self._left_s
                self._move()
                self._lease.watch(self.limit)

    def _move(self) -> None:
        silent_at = trio.current_time() + self._no_progress_s * (1 + SLACK)
        self.limit.deadline = min(self._whole_at, silent_at)
