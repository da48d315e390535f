"""Whether an adapter receives, told from its own beats alone: a task that lives, a probe or a send proves nothing (AC-02)."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import trio

PATIENCE = 1.5
"""How many receive deadlines a life may be silent. One that notices by itself knows better what is wrong: it goes first."""


class Receiving:
    """The clock of one incarnation. ``deadline_s``: see ``ports.Receives``; None: it is called upon, silence means nothing."""

    def __init__(self, deadline_s: float | None) -> None:
        self.deadline_s = deadline_s
        self._last_at: float | None = None
        self._since = math.inf
        self._handing_in = 0

    def begin(self) -> None:
        """It is connected: its silence counts from now on (AC-03)."""
        self._since = trio.current_time()

    def beat(self) -> None:
        """A receive has completed."""
        self._last_at = self._since = trio.current_time()

    @contextmanager
    def handing_in(self) -> Iterator[None]:
        """The block hands in what was received: the store may be away, and that is no silence."""
        self._handing_in += 1
        try:
            yield
        finally:
            self._handing_in -= 1
            self.begin()
        if self.deadline_s is None:
            self.beat()  # nothing else shows that somebody calls

    @property
    def age_s(self) -> float | None:
        """Seconds since the last receive; None if there was none."""
        return None if self._last_at is None else trio.current_time() - self._last_at

    @property
    def silent_s(self) -> float:
        """Seconds for which something could have come, and nothing has."""
        return 0.0 if self._handing_in else trio.current_time() - self._since

    @property
    def is_stale(self) -> bool:
        """Whether it is silent for longer than a sound connection can be."""
        return self.deadline_s is not None and self.silent_s > self.deadline_s
