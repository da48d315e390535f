"""The process's sign of life for its service manager, beaten on the watchdog's thread.

ready ─▶ READY=1      stopping ─▶ STOPPING=1      loop and writer answer ─▶ WATCHDOG=1, else withheld

A gateway whose loop or whose disk hangs for good gets no more signs out, and is then started anew by its manager: no task
of it could notice.
"""

import logging
from collections.abc import Callable

from hermes.ops import systemd
from hermes.ops.systemd import Notifier

log = logging.getLogger(__name__)

LIMIT_S = 4.0
"""How long the loop, or the store's writer, may be silent before it counts as hanging; stacks are on disk within 5 s."""


class Pulse:
    """One look at the process, ``beat``, from the watchdog's thread.

    ``ready`` and ``stopping`` are the system's; ``lag_s`` and ``stalled_s`` say for how long the event loop and the store's
    writer have been silent. ``stacks`` writes down where all threads are; for the loop the watchdog has done that itself.
    """

    def __init__(
        self,
        manager: Notifier,
        *,
        ready: Callable[[], bool],
        stopping: Callable[[], bool],
        lag_s: Callable[[], float],
        stalled_s: Callable[[], float],
        stacks: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._ready = ready
        self._stopping = stopping
        self._lag_s = lag_s
        self._stalled_s = stalled_s
        self._stacks = stacks
        self._now = now
        self._said: set[str] = set()
        self._silent: set[str] = set()
        self._beat_at: float | None = None

    def beat(self) -> None:
        """Tell the manager what it has not heard yet, and that all is well, if it is. Never blocks, never raises."""
        if self._ready():
            self._once(systemd.READY)
        if self._stopping():
            self._once(systemd.STOPPING)
        self._judge("the event loop", self._lag_s())
        if self._judge("the store's writer", stalled_s := self._stalled_s()):
            self._stacks(f"the store's writer has not answered for {stalled_s:.1f} s")
        within_s = self._manager.watchdog_s
        if self._silent or within_s is None:
            return
        now = self._now()
        if self._beat_at is None or now >= self._beat_at + within_s / 2:
            self._beat_at = now
            self._manager.tell(systemd.WATCHDOG)

    def reloading(self, on: bool) -> None:
        """The settings are being read again, or have been."""
        self._manager.tell(systemd.reloading() if on else systemd.READY)

    def end(self) -> None:
        """The process ends, however it came to that."""
        self._once(systemd.STOPPING)

    def _once(self, state: str) -> None:
        if state not in self._said:
            self._said.add(state)
            self._manager.tell(state)

    def _judge(self, name: str, silent_s: float) -> bool:
        """True if ``name`` has just fallen silent. The log's way to its thread has no lock that the loop could hold."""
        was_silent, silent = name in self._silent, silent_s >= LIMIT_S
        if silent and not was_silent:
            self._silent.add(name)
            log.error("%s has not answered for %.1f s; logs/stacks.log shows where it hangs", name, silent_s)
        elif was_silent and not silent:
            self._silent.discard(name)
            log.warning("%s answers again", name)
        return silent and not was_silent
