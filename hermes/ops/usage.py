"""What this process takes of the machine, by what the kernel says."""

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time, resident bytes, and file descriptors: open ones, and how many there may be."""

    cpu_s: float
    resident: int
    open_files: int
    most_files: int


def usage() -> Usage:
    """As it is now. Takes less than a millisecond."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(
        time.process_time(),
        pages * os.sysconf("SC_PAGE_SIZE"),
        len(os.listdir("/proc/self/fd")) - 1,  # without the one that this looks through
        resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    )
