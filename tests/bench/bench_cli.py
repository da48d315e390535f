"""How long the commands take that people and shells wait for: each as a process, the fastest of several.

    python tests/bench/bench_cli.py [--times 10]

Goal: `hermes --help` within 0.25 s. What it takes to import, by module: `python -X importtime -m hermes.cli --help`.
"""

import argparse
import os
import subprocess
import sys
import time

GOAL_S = 0.25
COMMANDS = {
    "an empty Python": ("-c", ""),
    "hermes --version": ("-m", "hermes.cli", "--version"),
    "hermes version": ("-m", "hermes.cli", "version"),
    "hermes --help": ("-m", "hermes.cli", "--help"),
    "hermes run --help": ("-m", "hermes.cli", "run", "--help"),
}


def once(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Seconds on the clock, and of CPU."""
    began, used = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    now = os.times()
    cpu_s = now.children_user + now.children_system - used.children_user - used.children_system
    return time.perf_counter() - began, cpu_s


def main() -> None:
    """Measure and print; exit code 1 past the goal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=10)
    times = parser.parse_args().times
    fastest = {}
    for name, arguments in COMMANDS.items():
        runs = [once(arguments) for _ in range(times)]
        fastest[name] = min(clock_s for clock_s, _ in runs)
        print(f"{name:18}  {fastest[name]:.3f} s, CPU {min(cpu_s for _, cpu_s in runs):.3f} s")
    if fastest["hermes --help"] > GOAL_S:
        sys.exit(f"hermes --help takes longer than {GOAL_S} s")


if __name__ == "__main__":
    main()
