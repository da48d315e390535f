"""What the kernel knows of processes: when one began, whether it is still the same, and which of them holds a lock.

A pid alone names nobody for long. A pid with its start time does, and a pidfd does while it is open.
"""

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Process:
    """One process for good: ``start_time`` is in clock ticks since the machine started, as in ``/proc/PID/stat``."""

    pid: int
    start_time: int


def process(pid: int | None = None) -> Process | None:
    """The process that has ``pid`` now; default: we. None: nobody has, or it has ended and only waits for its parent."""
    pid = os.getpid() if pid is None else pid
    try:
        # Counted after the command, which may itself hold spaces and parentheses.
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if state in "ZX" else Process(pid, int(fields[18]))
    except (OSError, ValueError, IndexError):
        return None


def command_line(pid: int) -> list[str]:
    """The words that ``pid`` was started with; none if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def this_process() -> dict[str, Any]:
    """Who we are, for people who look at a file of ours."""
    we = process()
    return {"pid": os.getpid(), "start_time": we.start_time if we else 0, "argv": sys.argv}


def holder_of(path: Path) -> Process | None:
    """Who holds the kernel lock (flock) on ``path``, by what the kernel says; None if it cannot be told. Blocks for some ms.

    No text of any file is asked: it would name whoever has got that pid since.
    """
    for name in os.listdir("/proc"):
        if name.isdecimal() and _held(path, name):
            return process(int(name))
    return None


def inherited(path: Path) -> int | None:
    """The descriptor with the lock on ``path`` that was meant for us by the program that this process ran before."""
    return next(filter(os.get_inheritable, _held(path, str(os.getpid()))), None)


def _held(path: Path, pid: str) -> list[int]:
    """The descriptors by which ``pid`` itself has taken the lock on ``path``."""
    held = []
    with suppress(OSError):  # gone, or another user's
        at, descriptors = os.stat(path), f"/proc/{pid}/fd"
        for name in os.listdir(descriptors):
            with suppress(OSError):
                link = f"{descriptors}/{name}"
                # Asked first: a stat may hang on a dead network.
                if Path(os.readlink(link)).name != path.name:
                    continue
                found = os.stat(link)
                if (found.st_dev, found.st_ino) == (at.st_dev, at.st_ino) and _is_locked(pid, name):
                    held.append(int(name))
    return held


def _is_locked(pid: str, descriptor: str) -> bool:
    lines = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().splitlines()
    locks = (line.split() for line in lines if line.startswith("lock:"))
    # lock: 1: FLOCK ADVISORY WRITE 352 fe:00:2392764 0 EOF; a child that has it from a fork is not who took it
    return any(len(lock) > 5 and lock[2] == "FLOCK" and lock[5] == pid for lock in locks)
