"""A thread beside the loop: measures its lag, names what blocks it, and ends the process when nothing else can.

It is a thread because a task on a frozen loop cannot tell anybody that the loop is frozen.
"""

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO

import trio

PERIOD_S = 0.25
LAST_RESORT_S = 2


class Watchdog:
    """``lag_s`` is how long the loop takes (or has been taking) to answer. Above ``lag_limit_s`` all stacks are written
    to ``stacks`` once per freeze. Use as a context manager, from the loop's thread.

    ``ends_process`` False: the process is somebody else's, and no deadline ends it.

    ``on_look`` is called with every look, each ``PERIOD_S``, on the watchdog's thread: it must neither block nor raise, and
    what it does happens while the loop is frozen, too.
    """

    def __init__(
        self,
        *,
        lag_limit_s: float = 5.0,
        stacks: IO[str] | None = None,
        on_look: Callable[[], None] | None = None,
        ends_process: bool = True,
    ) -> None:
        self._lag_limit_s = lag_limit_s
        self._stacks = stacks if stacks is not None else sys.stderr
        self.on_look = on_look
        self._ends_process = ends_process
        self._token: trio.lowlevel.TrioToken | None = None
        self._lock = threading.RLock()  # a signal handler may come upon its own thread holding it
        self._asked_at: float | None = None
        self._lag_s = 0.0
        self._worst_lag_s = 0.0
        self._exit_at: float | None = None
        self._exit_code = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._token = trio.lowlevel.current_trio_token()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=2 * PERIOD_S)

    @property
    def lag_s(self) -> float:
        """The loop's lag: the last measured one, or how long the present one has lasted if that is more."""
        with self._lock:
            waiting = 0.0 if self._asked_at is None else time.monotonic() - self._asked_at
            return max(self._lag_s, waiting)

    @property
    def worst_lag_s(self) -> float:
        """The longest lag so far."""
        return max(self._worst_lag_s, self.lag_s)

    def arm_exit(self, seconds: float, code: int) -> None:
        """End the process with ``code`` unless ``disarm_exit`` comes within ``seconds``. The nearest deadline holds."""
        with self._lock:
            at = time.monotonic() + seconds
            if self._ends_process and (self._exit_at is None or at < self._exit_at):
                self._exit_at, self._exit_code = at, code

    def disarm_exit(self) -> None:
        """The end has come in good order."""
        with self._lock:
            self._exit_at = None

    @staticmethod
    def exit_now(code: int) -> None:
        """End the process without unwinding anything."""
        os._exit(code)

    def dump(self, why: str) -> None:
        """Write down ``why``, and the stacks of all threads."""
        # Not through logging: the loop's thread may hold a handler's lock for ever.
        at = time.strftime("%Y-%m-%d %H:%M:%S%z")
        with suppress(OSError, ValueError):  # a full disk, a closed stream: this thread has more to do
            os.write(self._stacks.fileno(), f"{at} {why}; stacks of all threads follow\n".encode())
            faulthandler.dump_traceback(self._stacks, all_threads=True)

    def _watch(self) -> None:
        dumped = False
        while not self._end.wait(PERIOD_S):
            with self._lock:
                exit_at, code, asked_at = self._exit_at, self._exit_code, self._asked_at
            now = time.monotonic()
            if exit_at is not None and now >= exit_at:
                # Should even the dump hang (a full pipe, with the interpreter's lock held), the kernel ends us.
                signal.alarm(LAST_RESORT_S)
                self.dump("the stop has passed its deadline; ending the process hard")
                self.exit_now(code)
            if asked_at is None:
                dumped = False
                self._ask()
            elif now - asked_at > self._lag_limit_s and not dumped:
                dumped = True
                self.dump(f"the loop has not answered for {now - asked_at:.1f} s")
            if self.on_look is not None:
                self.on_look()

    def _ask(self) -> None:
        with self._lock:
            self._asked_at = time.monotonic()
        try:
            assert self._token is not None  # noqa: S101 - set before the thread starts
            self._token.run_sync_soon(self._answer, idempotent=True)
        except trio.RunFinishedError:
            self._end.set()

    def _answer(self) -> None:
        with self._lock:
            if self._asked_at is not None:
                self._lag_s = time.monotonic() - self._asked_at
                self._worst_lag_s = max(self._worst_lag_s, self._lag_s)
                self._asked_at = None
