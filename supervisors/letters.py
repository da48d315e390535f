"""Dead letters: the messages that nobody will handle, kept for people to look at.

A message comes here once, and only after it was refused or given up; a question never does, its asker is told instead.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import trio

from supervisors.logs import guarded

log = guarded(__name__)

RING_LETTERS = 1_000

LOG_EVERY_S = 5.0
"""At most one line per path in this time."""


class Why(StrEnum):
    """What became of a message."""

    NOBODY = "nobody lives there"
    CLOSED = "its reader ended for good"
    OVERFLOW = "the mailbox was full"
    REFUSED = "its supervisor has as many children as it may"
    POISON = "its reader failed on it again and again"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``message`` was for the actor at ``path``; ``at`` is the system's monotonic time. Its text is not for logs."""

    at: float
    path: str
    why: Why
    message: Any = field(repr=False)


@dataclass(slots=True)
class _Quiet:
    """A path that has had its line: since when, and how many letters the line did not tell of."""

    since: float
    held: int = 0


class DeadLetters:
    """Keeps the newest letters; ``dropped`` counts the ones it no longer has. Tells the log, but never floods it."""

    def __init__(self, size: int = RING_LETTERS, now: Callable[[], float] = trio.current_time) -> None:
        self._ring: deque[DeadLetter] = deque(maxlen=size)
        self._now = now
        self._quiet: dict[str, _Quiet] = {}  # in the order of their lines, so the oldest comes first
        self.dropped = 0

    def add(self, path: str, message: Any, why: Why) -> None:
        """Keep ``message``."""
        if len(self._ring) == self._ring.maxlen:
            self.dropped += 1
        letter = DeadLetter(self._now(), path, why, message)
        self._ring.append(letter)
        self._forget(letter.at)
        if (quiet := self._quiet.get(path)) is not None:
            quiet.held += 1
            return
        self._quiet[path] = _Quiet(letter.at)
        level = logging.WARNING if why is Why.POISON else logging.INFO
        log.log(level, "%s: a message of type %s is a dead letter: %s", path, type(message).__name__, why)

    def newest(self, count: int) -> list[DeadLetter]:
        """The last ``count`` letters, oldest first."""
        return list(self._ring)[-count:] if count else []

    def _forget(self, now: float) -> None:
        """End the silence of the paths that have kept it long enough; what was held back is told as one number."""
        while self._quiet:
            path, quiet = next(iter(self._quiet.items()))
            if now - quiet.since < LOG_EVERY_S:
                return
            del self._quiet[path]
            if quiet.held:
                log.info("%s: %d more dead letters", path, quiet.held)
                self._quiet[path] = _Quiet(now)
