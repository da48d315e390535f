"""Programs of the operator's that the gateway runs: as many as allowed, each to its deadline, and none outlives its call.

run ──▶ child_setup ──▶ program ──▶ what it starts
 ├── lifeline ──┘            stdout and stderr ──▶ output
 └ returns when all of them have ended
"""

import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import trio

from hermes.ops import child_setup
from hermes.types.errors import PROGRAM_UNUSABLE, TOO_MANY_PROCESSES, Failure, GatewayError, Severity

log = logging.getLogger(__name__)

END_S = child_setup.GRACE_S + child_setup.KILL_S + 1.0
"""Within this time after its end, its deadline or its cancellation a program and all it has started are gone."""

DRAIN_S = 0.5
"""How long output is waited for that somebody who has left the session may still hold open."""

INHERITED = ("PATH", "HOME", "LANG")
"""What a program has of our own environment; everything else in it may be a secret."""

_OF_THE_MACHINE = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_REPORT_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: ``code`` is its exit code, or the negative number of the signal that ended it.

    ``output`` is stdout and stderr as they came, decoded as UTF-8 with replacement.
    """

    code: int
    output: str
    timed_out: bool


class Processes:
    """Runs programs, ``most`` at the same time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running = 0

    async def run(
        self,
        command: Sequence[str],
        *,
        deadline_s: float,
        env: Mapping[str, str],
        cwd: Path,
        most_output_bytes: int = 64_000,
        stdin: bytes = b"",
    ) -> Finished:
        """Run ``command``, the program and its arguments, in ``cwd``, and return when it has ended, and all it has started.

        It runs in a session of its own, with ``stdin`` to read, and with ``env`` and ``INHERITED`` as environment. What
        is still there at its end, past ``deadline_s`` seconds, or when the caller is cancelled, gets SIGTERM and a second later
        SIGKILL, also when the gateway itself is killed: the call takes ``END_S`` longer at most. Only what leaves the session
        (a daemon) gets away. Of its output the first ``most_output_bytes`` are kept and the others counted.

        Starting it is not cut short by a cancellation. Raises ``GatewayError``: ``too_many_processes``, at once, nobody
        waits in line; ``program_unusable`` if it cannot be started.
        """
        if self._running >= self._most:
            detail = f"{self._most} programs are running already, and no more may (limits.processes); try again later"
            raise GatewayError(Failure(TOO_MANY_PROCESSES, detail=detail))
        self._running += 1
        try:
            return await _run(command, deadline_s, env, cwd, _Output(most_output_bytes), stdin=stdin)
        finally:
            self._running -= 1


async def _run(
    command: Sequence[str],
    deadline_s: float,
    env: Mapping[str, str],
    cwd: Path,
    output: "_Output",
    *,
    stdin: bytes,
) -> Finished:
    if not command or not command[0]:
        raise _unusable(command, "it names no program")
    with ExitStack() as ours:
        try:
            with ExitStack() as theirs:
                lifeline, held = _pipe(reader=theirs, writer=ours)
                report, told = _pipe(reader=ours, writer=theirs)
                process = await _start(command, env, cwd, lifeline, told, reads=bool(stdin))
        except (OSError, ValueError) as wrong:  # ValueError: a NUL byte, or what is no text
            raise _unusable(command, wrong) from wrong
        written = cast("trio.abc.ReceiveStream", process.stdout)
        async with written, trio.open_nursery() as nursery:
            nursery.start_soon(output.fill, written)
            if process.stdin is not None:
                nursery.start_soon(_feed, process.stdin, stdin)
            try:
                with trio.move_on_after(deadline_s) as limit:
                    await process.wait()
            finally:
                held.close()
                with trio.CancelScope(shield=True):
                    told_us = await _end(process, report)
            nursery.cancel_scope.deadline = trio.current_time() + DRAIN_S
    if "failed" in told_us:
        raise _unusable(command, told_us["failed"])
    return Finished(int(told_us.get("ended", -signal.SIGKILL)), output.text(), limit.cancelled_caught)


def _pipe(*, reader: ExitStack, writer: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """A pipe whose ends are closed with these stacks."""
    ends = os.pipe()
    return (
        reader.enter_context(open(ends[0], "rb", buffering=0)),
        writer.enter_context(open(ends[1], "wb", buffering=0)),
    )


async def _start(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    lifeline: IO[bytes],
    told: IO[bytes],
    *,
    reads: bool,
) -> trio.Process:
    environ = {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(env)
    ends = (lifeline.fileno(), told.fileno())
    # Isolated, and without site: quick to start, and nothing of the operator's is imported on the way.
    parent = [sys.executable, "-I", "-S", child_setup.__file__, *map(str, ends), "=".join(environ)]
    return await trio.lowlevel.open_process(
        [*parent, *command],
        stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        cwd=cwd,
        pass_fds=ends,
        start_new_session=True,
    )


async def _feed(stream: trio.abc.SendStream, data: bytes) -> None:
    """Write it all, to a program that may not want to read it."""
    with suppress(trio.BrokenResourceError):
        async with stream:
            await stream.send_all(data)


async def _end(process: trio.Process, report: IO[bytes]) -> dict[str, str]:
    """Wait until the program's parent has ended everybody, and return its report. If it cannot, because somebody has ended or
    stopped it, or because the machine is at its end, do it here.
    """
    with trio.move_on_after(END_S):
        await process.wait()
    os.set_blocking(report.fileno(), False)
    word, _, rest = (report.read(_REPORT_BYTES) or b"").decode().partition(" ")
    if not word:
        left = child_setup.members(process.pid) or set()
        log.warning("the parent of a program did not end it; %d processes are ended without it", len(left))
        process.kill()
        for pid in left - {process.pid}:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with trio.move_on_after(child_setup.KILL_S):
            await process.wait()
    return {word: rest}


def _unusable(command: Sequence[str], why: Exception | str) -> GatewayError:
    severity: Severity = "needs_operator"
    if isinstance(why, OSError):
        severity = "transient" if why.errno in _OF_THE_MACHINE else severity
        why = f"{why.strerror}: {why.filename}" if why.filename else str(why.strerror)
    detail = f"{command[0] if command else ''!r} cannot be started: {why}"
    return GatewayError(Failure(PROGRAM_UNUSABLE, severity, detail=detail))


class _Output:
    """The beginning of what a program writes."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept = bytearray()
        self._left_out = 0

    async def fill(self, stream: trio.abc.ReceiveStream) -> None:
        """Read to the end, also what is not kept: a program whose pipe is full would wait."""
        async for chunk in stream:
            room = self._most_bytes - len(self._kept)
            self._kept += chunk[:room]
            self._left_out += max(0, len(chunk) - room)

    def text(self) -> str:
        """What was kept, and a word about what was not."""
        text = self._kept.decode(errors="replace")
        return f"{text}\n[… {self._left_out:,} bytes more]" if self._left_out else text
