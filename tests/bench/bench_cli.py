"""How long people wait for the command line and for the gateway, and what a gateway holds that has nothing to do.

    python tests/bench/bench_cli.py [--times 10]

Commands are processes of their own; of several runs the fastest counts. Starts are on one home, from the launch of the process to
the first 200 of /ready: the first makes the home, the others find it. Memory is resident after ``IDLE_S`` of quiet.

Goals: `hermes --help` within 0.25 s, ready within 1 s. What it takes to import, by module:
`python -X importtime -m hermes.cli --help`.
"""

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

HELP_GOAL_S = 0.25
READY_GOAL_S = 1.0
STARTS = 5
IDLE_S = 5.0
POLL_S = 0.005
DEADLINE_S = 60.0
MEGABYTE = 1_000_000
COMMANDS = {
    "an empty Python": ("-c", ""),
    "hermes --version": ("-m", "hermes.cli", "--version"),
    "hermes version": ("-m", "hermes.cli", "version"),
    "hermes --help": ("-m", "hermes.cli", "--help"),
    "hermes run --help": ("-m", "hermes.cli", "run", "--help"),
}


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the gateway; the CPU is what it had used by then."""

    ready_s: float
    cpu_s: float
    idle_bytes: int


def once(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Seconds on the clock, and of CPU."""
    began, used = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    now = os.times()
    cpu_s = now.children_user + now.children_system - used.children_user - used.children_system
    return time.perf_counter() - began, cpu_s


def started(home: Path, idle_s: float) -> Start:
    """Start the gateway of ``home``, leave it alone for a while, and stop it."""
    port = _free_port()
    arguments = ["run", "--quiet", "--home", str(home), "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "hermes.cli", *arguments], stdout=subprocess.DEVNULL)
    try:
        while not _ready(port):
            if process.poll() is not None or time.perf_counter() - began > DEADLINE_S:
                sys.exit("the gateway did not become ready")
            time.sleep(POLL_S)
        ready_s = time.perf_counter() - began
        seen = psutil.Process(process.pid)
        used = seen.cpu_times()
        time.sleep(idle_s)
        return Start(ready_s, used.user + used.system, seen.memory_info().rss)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(DEADLINE_S)


def _ready(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as connection:
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure and print; exit code 1 past a goal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    fastest = {}
    for name, arguments in COMMANDS.items():
        runs = [once(arguments) for _ in range(times)]
        fastest[name] = min(clock_s for clock_s, _ in runs)
        print(f"{name:18}  {fastest[name]:.3f} s, CPU {min(cpu_s for _, cpu_s in runs):.3f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as directory:
        home = Path(directory) / "home"
        starts = [started(home, IDLE_S if n == STARTS - 1 else 0.0) for n in range(STARTS)]
    first, later = starts[0], min(starts[1:], key=lambda start: start.ready_s)
    print(f"{'first start':18}  {first.ready_s:.3f} s until it is ready, CPU {first.cpu_s:.3f} s")
    print(f"{'later starts':18}  {later.ready_s:.3f} s until it is ready, CPU {later.cpu_s:.3f} s")
    print(f"{'idle':18}  {starts[-1].idle_bytes / MEGABYTE:.0f} MB resident after {IDLE_S:g} s")
    if fastest["hermes --help"] > HELP_GOAL_S:
        sys.exit(f"hermes --help takes longer than {HELP_GOAL_S} s")
    if max(first.ready_s, later.ready_s) > READY_GOAL_S:
        sys.exit(f"a start takes longer than {READY_GOAL_S} s")


if __name__ == "__main__":
    main()
