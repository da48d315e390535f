"""SOUL.md in the home: who the operator wants the agent to be, in their own words."""

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

NAME = "SOUL.md"
MAX_BYTES = 64 * 1024


def read_soul(home: Path) -> str:
    """What stands there now, for a thread to read; nothing where it is missing, or cannot be used, which the log then says."""
    path = home / NAME
    try:
        # A pipe of that name must not hold up who reads it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as wrong:
        log.warning("%s is not used: %s", path, wrong.strerror)
        return ""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        log.warning("%s is not used: it is no file", path)
        return ""
    with open(descriptor, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        log.warning("%s: only its first %d bytes are used", path, MAX_BYTES)
    return data[:MAX_BYTES].decode("utf-8-sig", "ignore").strip()
