"""How a handler is called, wherever it runs. Each call is made once, is left behind when its caller is cancelled, and raises
what the handler raises, as an ``Exception``.

sync      in a thread of its own             async, asyncio   on the asyncio thread
program   as a child process                 async, trio      in place
"""

import inspect
import json
import shlex
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import trio

from hermes.hooks.manifest import Runtime
from hermes.hooks.payloads import Payload, as_json
from hermes.ops.processes import Processes
from hermes.plugins.asyncio_thread import AsyncioThread, Run

MOST_LEFT = 4
"""So many calls of one hook that were given up may still run; until one of them ends it is not called again."""

THREADS = 8
"""Of one hook, at once."""

OUTPUT_BYTES = 64_000

Handle = Callable[[str, dict[str, Any]], Any]


class HookError(Exception):
    """A handler that cannot be called now, or that has ended as no handler should."""


class Call(Protocol):
    """Calls one handler."""

    @property
    def left(self) -> int:
        """Calls that were given up and still run."""

    async def __call__(self, event: str, payload: Payload) -> object:
        """What the handler answers. Raises any ``Exception``."""


def call_of(handle: Handle, runtime: Runtime, loop: AsyncioThread) -> Call:
    """The call for a Python handler, by what it is."""
    if not (inspect.iscoroutinefunction(handle) or inspect.iscoroutinefunction(type(handle).__call__)):
        return ThreadCall(handle, loop)
    return TrioCall(handle) if runtime == "trio" else AsyncioCall(handle, loop)


class TrioCall:
    """In the caller's own task."""

    left = 0

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def __call__(self, event: str, payload: Payload) -> object:
        """See ``Call``."""
        try:
            return await self._handle(event, dict(payload))
        except (Exception, trio.Cancelled):
            raise
        except BaseExceptionGroup as several:
            # Of a nursery of its own, where something failed as it was cancelled.
            cancelled, others = several.split(trio.Cancelled)
            if cancelled is not None:
                raise cancelled from others
            raise HookError(f"it has raised {several}") from several
        except BaseException as error:  # noqa: ASYNC103 - no Cancelled
            raise HookError(f"it has raised {type(error).__name__}") from error


class _Left:
    """Keeps count of the calls that outlive whoever waited for them."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    @property
    def left(self) -> int:
        """See ``Call``."""
        self._runs = [run for run in self._runs if run.running]
        return len(self._runs)

    async def _tracked(self, run: Run, wait: Callable[[], Awaitable[Any]]) -> Any:
        if (left := self.left) >= MOST_LEFT:
            raise HookError(f"{left} earlier calls of it still run; it is called again when one has ended")
        try:
            return await wait()
        except trio.Cancelled:
            self._runs.append(run)
            raise


class AsyncioCall(_Left):
    """On the asyncio thread."""

    def __init__(self, handle: Handle, loop: AsyncioThread) -> None:
        super().__init__()
        self._handle = handle
        self._loop = loop

    async def __call__(self, event: str, payload: Payload) -> object:
        """See ``Call``."""
        run = Run()
        return await self._tracked(
            run, lambda: self._loop.run(lambda: self._handle(event, dict(payload)), run)
        )


class ThreadCall(_Left):
    """In a thread. A sync function may return a coroutine all the same, which then is of asyncio."""

    def __init__(self, handle: Handle, loop: AsyncioThread) -> None:
        super().__init__()
        self._handle = handle
        self._loop = loop
        self._limiter = trio.CapacityLimiter(THREADS)

    async def __call__(self, event: str, payload: Payload) -> object:
        """See ``Call``."""
        run = Run()

        async def wait() -> Any:
            return await trio.to_thread.run_sync(
                self._handled, run, event, dict(payload), abandon_on_cancel=True, limiter=self._limiter
            )

        (answer,) = await self._tracked(run, wait)
        if not inspect.iscoroutine(answer):
            return answer
        after, coroutine = Run(), answer
        return await self._tracked(after, lambda: self._loop.run(lambda: coroutine, after))

    def _handled(self, run: Run, event: str, context: dict[str, Any]) -> list[Any]:
        """In the thread. A list, because Trio would refuse a bare coroutine."""
        run.running = True
        try:
            return [self._handle(event, context)]
        except Exception:
            raise
        # In a thread, where nobody is cancelled; and a SystemExit must end no more than this call.
        except BaseException as error:  # noqa: ASYNC103
            raised = error
        finally:
            run.running = False
        raise HookError(f"it has raised {type(raised).__name__}") from raised


class ProgramCall:
    """As a child process that is ended with its call: it reads the event on stdin and may answer on stdout, both JSON."""

    left = 0

    def __init__(self, command: str, timeout_s: float, processes: Processes, home: Path) -> None:
        self._command = command
        self._timeout_s = timeout_s
        self._processes = processes
        self._home = home

    async def __call__(self, event: str, payload: Payload) -> object:
        """See ``Call``. Raises ``GatewayError``, ``HookError`` and ``ValueError``."""
        finished = await self._processes.run(
            _arguments(self._command),
            deadline_s=self._timeout_s,
            env={"HERMES_HOME": str(self._home)},
            cwd=self._home,
            most_output_bytes=OUTPUT_BYTES,
            stdin=as_json(event, payload, str(self._home)),
        )
        if finished.timed_out:
            raise HookError(f"it was not done within {self._timeout_s:g} s and was ended")
        if finished.code:
            last = finished.output.strip().rpartition("\n")[2]
            raise HookError(f"it ended with exit code {finished.code}: {last:.200}")
        return _answer(finished.output)


def _arguments(command: str) -> list[str]:
    """As a shell would take it apart, but for variables and patterns."""
    return [str(Path(part).expanduser()) if part.startswith("~") else part for part in shlex.split(command)]


def _answer(output: str) -> Mapping[str, Any] | None:
    """The last line that is a JSON object: what else it writes is talk."""
    for text in (output, *reversed(output.splitlines())):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return None
