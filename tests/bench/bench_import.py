"""Taking over a home of the original: ``python tests/bench/bench_import.py [--messages N]``.

Goal: 100,000 messages within 30 s, in 150 MB.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from old_kit import message, session, state

SESSIONS = 200
WORDS = (
    "the quick brown fox jumps over a lazy dog and says what it thinks of it, at some length, in plain words "
)
GOAL_S, GOAL_MB = 30.0, 150.0


def messages(count: int) -> Iterator[dict[str, Any]]:
    """Questions, tools and answers of many people, as they come."""
    for number in range(count):
        session_id = f"20260101_100000_{number % SESSIONS:08x}"
        role = ("user", "assistant", "tool", "assistant")[number // SESSIONS % 4]
        words = "" if number // SESSIONS % 4 == 1 else f"{number} {WORDS * (20 if role == 'tool' else 4)}"
        calls = '[{"id": "c", "function": {"name": "shell", "arguments": "{}"}}]' if not words else None
        more = {"tool_calls": calls} if calls else {"tool_call_id": "c"} if role == "tool" else {}
        yield message(session_id, role, words, 1_767_000_000.0 + number, **more)


def imported(home: Path) -> tuple[float, float]:
    """Seconds and megabytes of one ``hermes import`` of ``home``."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "hermes.cli", "import", "--home", str(home)], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.monotonic() - begun, used.ru_maxrss / 1_024


def main() -> int:
    """Print the figures; 1 if a goal is missed."""
    options = argparse.ArgumentParser()
    options.add_argument("--messages", type=int, default=100_000)
    count = options.parse_args().messages
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "home"
        sessions = [
            session(f"20260101_100000_{one:08x}", session_key=f"agent:main:telegram:dm:{one}")
            for one in range(SESSIONS)
        ]
        size = state(home, sessions, messages(count)).stat().st_size
        print(f"{count:,} messages of {SESSIONS} conversations, {size / 1e6:.0f} MB")
        good = True
        for what in ("first", "again"):
            took_s, used_mb = imported(home)
            print(f"{what:6} {took_s:6.1f} s  {used_mb:6.0f} MB")
            good &= took_s <= GOAL_S and used_mb <= GOAL_MB
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
