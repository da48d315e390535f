"""A real systemd, in user mode, in namespaces of its own: for the unit that we ship.

It needs root, ``unshare`` and a machine that systemd does not run; anything else is a reason to skip.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import trio
from harness import READY_DEADLINE_S, _environment

from actors.exits import stop_budget_s
from hermes.ops.unit import Scope, Service, unit_text

SYSTEMD = Path("/usr/lib/systemd/systemd")
UNIT = Path(__file__).resolve().parents[2] / "conf" / "hermes.service"
DRAIN_S = 8.0
POLL_S = 0.05
COMMAND_S = 90.0

# It wants to see a machine that systemd has booted, and it would move everybody out of the cgroup that it finds itself in.
_ENTER = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
mount --bind "$1" /dev/console
shift
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir "/sys/fs/cgroup/$0"
echo $$ > "/sys/fs/cgroup/$0/cgroup.procs"
exec unshare --cgroup sh -ec 'umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "$@" & wait' sh "$@"
"""
_LEAVE = """
mount --make-rprivate /
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for try in 1 2 3 4 5 6 7 8 9 10; do
    find "/sys/fs/cgroup/$0" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
done
"""


def rendered(scope: Scope, home: Path) -> str:
    """The unit that we ship, as it is installed for ``home`` with a program that is there."""
    program = [sys.executable, "-m", "hermes.cli", "run", "--home", str(home)]
    user = "daemon" if scope == "system" else ""
    budget_s = stop_budget_s(DRAIN_S)
    service = Service("hermes", scope, program, home, os.environ["PATH"], DRAIN_S, budget_s, user)
    return unit_text(UNIT.read_text(), service)


def why_not() -> str:
    """Why there can be none here; "" if there can."""
    if not SYSTEMD.exists() or not shutil.which("systemctl"):
        return "systemd is not installed"
    if os.getuid() or not shutil.which("unshare"):
        return "a systemd of our own takes root and unshare"
    if Path("/run/systemd/system").exists():
        return "systemd runs this machine, and a test has no business in its cgroups"
    return ""


class Manager:
    """``systemctl --user`` on a manager with one unit."""

    def __init__(self, directory: Path, log: Path) -> None:
        self.units = directory / "units"
        self.log = log
        self.init = 0
        """The first process of its namespaces."""
        self.environ = _environment(
            XDG_RUNTIME_DIR=str(directory / "run"),
            HOME=str(directory / "home"),
            SYSTEMD_UNIT_PATH=str(self.units),
        )

    async def ctl(self, *arguments: str, check: bool = True) -> str:
        """What ``systemctl --user ARGUMENTS`` says, on stdout."""
        inside = ["nsenter", f"--target={self.init}", "--mount", "--pid"]
        command = [*inside, "systemctl", "--user", "--no-pager", *arguments]

        def run() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command, env=self.environ, capture_output=True, text=True, timeout=COMMAND_S, check=False
            )

        done = await trio.to_thread.run_sync(run)
        assert done.returncode == 0 or not check, f"{arguments}: {done.stderr}\n{self.log.read_text()}"
        return done.stdout

    async def shown(self, *names: str) -> dict[str, str]:
        """Properties of the unit."""
        lines = (await self.ctl("show", "hermes", *(f"--property={name}" for name in names))).splitlines()
        return dict(line.split("=", 1) for line in lines)

    async def until(self, **wanted: str) -> None:
        """Wait until the unit's properties are so."""
        found: dict[str, str] = {}
        with trio.move_on_after(READY_DEADLINE_S):
            while (found := await self.shown(*wanted)) != wanted:
                await trio.sleep(POLL_S)
            return
        raise AssertionError(f"{found}, not {wanted}\n{self.log.read_text()}")

    async def signal(self, number: signal.Signals) -> None:
        """Send the gateway a signal."""
        await self.ctl("kill", "--kill-whom=main", f"--signal={number.name}", "hermes")


@contextmanager
def manager(home: Path, port: int, drop_in: str = "") -> Iterator[Manager]:
    """A manager that has our unit, with ``drop_in`` over it, for a gateway on ``home`` and ``port``."""
    with TemporaryDirectory(prefix="hermes-") as name:  # short, for the sockets in it
        directory = Path(name)
        for part in ("units/hermes.service.d", "run", "home"):
            (directory / part).mkdir(parents=True, mode=0o700)
        made = Manager(directory, home.with_name("systemd.log"))
        for target in ("basic", "default", "shutdown", "exit", "sysinit", "network"):
            (made.units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
        (made.units / UNIT.name).write_text(rendered("user", home))
        log = home.with_name("gateway.log")
        (made.units / "hermes.service.d" / "test.conf").write_text(
            f"[Service]\nExecStart=\nExecStart={sys.executable} -m hermes.cli run --home {home} --port {port}\n"
            f"WorkingDirectory={UNIT.parents[1]}\nStandardOutput=append:{log}\nStandardError=append:{log}\n{drop_in}"
        )
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _ENTER]
        cgroup = directory.name
        with made.log.open("wb") as output:
            process = subprocess.Popen(
                [*enter, cgroup, str(made.log), str(SYSTEMD), "--user", "--log-target=console"],
                env=made.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_for(directory / "run" / "systemd" / "private", process, made.log)
            (made.init,) = (child.pid for child in psutil.Process(process.pid).children())
            yield made
        finally:
            process.kill()
            process.wait()
            subprocess.run(["unshare", "--mount", "sh", "-c", _LEAVE, cgroup], check=False)


def _wait_for(path: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    last = time.monotonic() + READY_DEADLINE_S
    while not path.exists():
        if process.poll() is not None or time.monotonic() > last:
            raise AssertionError(f"systemd does not run in namespaces here:\n{log.read_text()}")
        time.sleep(POLL_S)
