"""An asyncio loop in a thread of its own, for handlers that are written for one.

    Trio ─ call_soon_threadsafe ─▶ loop ─▶ task
      ◀──── run_sync_soon ─────────────────┘ done

A task that blocks the loop blocks all others on it. That is noticed when it should have been cancelled and nothing moved: what
comes after gets a new loop in a new thread, and the old one is left to its end.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import trio

log = logging.getLogger(__name__)

BLOCKED_S = 1.0
"""How long a loop may take to look at a cancellation."""

MOST_LOST = 8
"""After so many loops that were blocked for good nothing more is run: each holds a thread."""


class LoopLostError(Exception):
    """Too many handlers have blocked their loop."""


@dataclass(slots=True)
class Run:
    """One call on its way: ``running`` from its first step to its last, whoever still waits for it."""

    running: bool = False


@dataclass(slots=True)
class _Outcome:
    """Wrapped, because asyncio lets a SystemExit end the whole loop."""

    value: Any = None
    error: BaseException | None = None


class AsyncioThread:
    """Made without a thread; the first call starts it. All methods are for the Trio thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unheard_since: float | None = None
        self.lost = 0

    async def run(self, function: Callable[[], Awaitable[Any]], run: Run | None = None) -> Any:
        """What the coroutine that ``function`` makes returns or raises. Cancelled, its task is cancelled there and not waited
        for; ``run`` says whether it still runs.

        Raises ``LoopLostError``; ``RuntimeError`` for what is no ``Exception``, and if somebody else has cancelled the task.
        """
        loop, token, done = self._running(), trio.lowlevel.current_trio_token(), trio.Event()
        run = run or Run()
        tasks: list[asyncio.Task[_Outcome]] = []

        async def call() -> _Outcome:
            try:
                return _Outcome(await function())
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: ASYNC103 - it is raised where it is waited for
                return _Outcome(error=error)

        def begin() -> None:
            run.running = True
            task = loop.create_task(call())
            tasks.append(task)
            task.add_done_callback(ended)

        def ended(_task: object) -> None:
            run.running = False
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(done.set)

        loop.call_soon_threadsafe(begin)
        try:
            await done.wait()
        except trio.Cancelled:
            self._cancel(loop, tasks)
            raise
        (task,) = tasks
        if task.cancelled():
            raise RuntimeError("its task was cancelled")
        outcome = task.result()
        if outcome.error is None:
            return outcome.value
        if isinstance(outcome.error, Exception):
            raise outcome.error
        raise RuntimeError(f"it has raised {type(outcome.error).__name__}") from outcome.error

    def close(self) -> None:
        """End the loop, as soon as it listens; what runs there ends with it."""
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.call_soon_threadsafe(loop.stop)

    def _cancel(self, loop: asyncio.AbstractEventLoop, tasks: list[asyncio.Task[_Outcome]]) -> None:
        if self._loop is loop and self._unheard_since is None:
            self._unheard_since = trio.current_time()

        def cancel() -> None:
            for task in tasks:
                task.cancel()
            if self._loop is loop:
                self._unheard_since = None

        with suppress(RuntimeError):  # it has been closed
            loop.call_soon_threadsafe(cancel)

    def _running(self) -> asyncio.AbstractEventLoop:
        since = self._unheard_since
        if since is not None and trio.current_time() - since > BLOCKED_S:
            self.lost += 1
            log.error("a handler blocks the asyncio thread; a new one is started, and %d are lost", self.lost)
            self.close()
        if self._loop is None:
            if self.lost >= MOST_LOST:
                raise LoopLostError(
                    f"{self.lost} asyncio threads are blocked by handlers; restart the gateway"
                )
            self._unheard_since = None
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_keep, args=(self._loop,), name="asyncio hooks", daemon=True).start()
        return self._loop


def _keep(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        with suppress(RuntimeError):
            loop.run_until_complete(asyncio.sleep(0))
        loop.close()
