"""A gateway as a real process: started, killed and asked as a person would, on a home of its own.

gateway = Gateway(tmp_path / "home")
await gateway.start()
client = WebChatClient(gateway.url, await gateway.log_in())
await gateway.kill9(); await gateway.start(); await gateway.stop()
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from client import log_in

from hermes.ops.control import client
from hermes.types.records import BusyMode

READY_DEADLINE_S = 40.0
STOP_DEADLINE_S = 40.0
CLI_DEADLINE_S = 40.0
POLL_S = 0.02
LOG_TAIL_LINES = 40

_PLAIN = ("-m", "hermes.cli")
_FAULTY = ("-m", "hermes.testing.run_with_faults")


class GatewayFailed(Exception):
    """The process did not do what it had to; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Finished:
    """What a command did."""

    code: int
    out: str
    err: str


async def hermes(*arguments: str) -> Finished:
    """Run ``hermes ARGUMENTS`` to its end, within ``CLI_DEADLINE_S``."""
    run = partial(
        subprocess.run,
        [sys.executable, *_PLAIN, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CLI_DEADLINE_S,
        env=_environment(),
    )
    done: subprocess.CompletedProcess[str] = await trio.to_thread.run_sync(run)
    return Finished(done.returncode, done.stdout, done.stderr.strip())


class Gateway:
    """One home, one port, one process at a time. The port stays the same over restarts, as a browser expects.

    ``mode``: what becomes of a message that finds its conversation at work. In ``queue`` each has an answer of its own.
    ``platform``: where a ``FakePlatform`` listens whose people may all speak, as ``HERMES_FAKE_PLATFORM`` says it.
    """

    def __init__(self, home: Path, *, mode: BusyMode = "queue", platform: str = "") -> None:
        self.home = home
        self.mode = mode
        self.platform = platform
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = home.with_name(f"{home.name}.log")
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, faults: str = "") -> float:
        """Start the process and return after how many seconds it was ready; ``faults`` is a plan for ``HERMES_FAULTS``."""
        began = trio.current_time()
        self.launch(faults)
        await self.ready()
        return trio.current_time() - began

    def launch(self, faults: str = "", *, options: Sequence[str] = ("-v",), umask: int = -1) -> None:
        """Start the process and wait for nothing; ``umask`` -1 is ours."""
        assert self._process is None, "it runs already"
        self.starts += 1
        program = _FAULTY if faults or self.platform else _PLAIN
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    *program,
                    "run",
                    "--home",
                    str(self.home),
                    "--port",
                    str(self.port),
                    *options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(
                    HERMES_FAULTS=faults,
                    HERMES_GATEWAY_BUSY_INPUT_MODE=self.mode,
                    HERMES_FAKE_PLATFORM=self.platform,
                    WIRE_ALLOW_ALL_USERS="true" if self.platform else "",
                ),
                start_new_session=True,
                umask=umask,
            )

    async def ready(self) -> None:
        """Return with the first 200 on /ready."""
        async with httpx.AsyncClient(trust_env=False, timeout=2) as http:
            with trio.move_on_after(READY_DEADLINE_S):
                while True:
                    if (code := self._running.poll()) is not None:
                        raise self.failed(f"ended with {code} before it was ready")
                    try:
                        if (await http.get(f"{self.url}/ready")).status_code == httpx.codes.OK:
                            return
                    except httpx.TransportError:
                        pass
                    await trio.sleep(POLL_S)
        raise self.failed(f"was not ready within {READY_DEADLINE_S:.0f} s")

    async def ended(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Wait for the process's own end and return its exit code, -9 for a kill."""
        with trio.move_on_after(deadline_s):
            while (code := self._running.poll()) is None:
                await trio.sleep(POLL_S)
            self._process = None
            return code
        raise self.failed(f"did not end within {deadline_s:.0f} s")

    async def kill9(self) -> None:
        """End the process as a power cut would."""
        self._running.send_signal(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """``hermes stop``; returns the exit code of the process."""
        await self.cli("stop")
        return await self.ended()

    def close(self) -> None:
        """Leave nothing behind, whatever state the test is in; waits a moment for the kernel, and for nothing else."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_DEADLINE_S)
            self._process = None

    def signal(self, number: int) -> None:
        """Send the process a signal."""
        self._running.send_signal(number)

    async def ask(self, *arguments: str) -> Finished:
        """Run ``hermes ARGUMENTS --home …``, however it ends."""
        return await hermes(*arguments, "--home", str(self.home))

    async def cli(self, *arguments: str) -> str:
        """Run ``hermes ARGUMENTS --home …`` and return what it printed; fails if it exits with anything but 0."""
        done = await self.ask(*arguments)
        if done.code:
            raise self.failed(f"hermes {' '.join(arguments)}: exit {done.code}, {done.err}")
        return done.out

    async def json(self, *arguments: str) -> Any:
        """The document that ``hermes ARGUMENTS --json`` prints."""
        return json.loads(await self.cli(*arguments, "--json"))

    async def status(self) -> Any:
        """What ``hermes status --json`` prints."""
        return await self._asked("status")

    async def lives(self) -> dict[str, tuple[int, str]]:
        """Incarnation and state of every actor of the live tree, by path."""
        tree = await self._asked("tree")
        if tree["root"] is None:
            raise self.failed("has no tree yet")
        return lives_in(tree["root"])

    async def until(self, true: Callable[[], Awaitable[bool]], deadline_s: float = READY_DEADLINE_S) -> None:
        """Poll until ``true``; fails past the deadline, and says so if the process has ended by then."""
        with trio.move_on_after(deadline_s):
            while not await true():
                await trio.sleep(POLL_S)
            return
        code = self._process.poll() if self._process is not None else None
        ended = "" if code is None else f"; its process has ended with {code}"
        raise self.failed(f"did not come to {true.__name__} within {deadline_s:.0f} s{ended}")

    async def log_in(self) -> str:
        """Open a browser session by a one-time link; returns its Cookie header."""
        link = (await self._asked("web_link"))["url"]
        found = re.search(r"#(\S+)", link)
        if found is None:
            raise self.failed(f"no one-time link in {link!r}")
        return await log_in(self.url, found[1])

    async def _asked(self, verb: str) -> Any:
        """The answer on the control socket: a command for each look would cost most of what a test costs."""
        try:
            return await trio.to_thread.run_sync(client.ask, self.home, verb)
        except client.ControlError as error:
            raise self.failed(f"was asked for its {verb}: {error}") from error

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._running.pid

    @property
    def printed(self) -> str:
        """What all its processes have printed, on stdout and stderr."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it does not run"
        return self._process

    def failed(self, what: str) -> GatewayFailed:
        """The exception to raise when it did ``what`` it must not."""
        tail = "\n".join(self.printed.splitlines()[-LOG_TAIL_LINES:])
        return GatewayFailed(f"the gateway on {self.home} {what}\n--- its log ---\n{tail}")


def lives_in(node: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Incarnation and state of ``node`` and of all below it, by path; ``node`` as ``hermes tree --json`` prints it."""
    found = {node["path"]: (node["incarnation"], node["state"])}
    for child in node["children"]:
        found |= lives_in(child)
    return found


def _environment(**more: str) -> dict[str, str]:
    """Ours, without what would lead the gateway to another home. Each message has an answer of its own, to be counted."""
    ours = {name: value for name, value in os.environ.items() if name != "HERMES_HOME"}
    return {
        "HERMES_GATEWAY_BUSY_INPUT_MODE": "queue",
        "HERMES_GATEWAY_BUSY_ACK_ENABLED": "false",
        **ours,
        **more,
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
