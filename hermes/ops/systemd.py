"""What a service manager is told, by the few lines of ``sd_notify`` that are needed: one datagram of ``NAME=value`` lines.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def reloading() -> str:
    """The settings are being read again; ``READY`` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}"


class Notifier:
    """The manager's end of ``$NOTIFY_SOCKET``, or nobody: then telling it does nothing.

    Any thread may tell. It never blocks and never raises: a manager that does not listen is no reason to fail.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ) if self._address else None
        """Within how many seconds the manager wants to hear ``WATCHDOG``; None: it does not."""

    def tell(self, state: str) -> None:
        """Send ``state``."""
        if self._address is None:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as peer:
            peer.sendto(state.encode(), self._address)


def _address(name: str) -> str | None:
    """A path, or an abstract name behind an ``@``; other families of sockets are for virtual machines."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """``$WATCHDOG_USEC``, unless it is meant for another process."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (usec.isdecimal() and int(usec)) or pid not in ("", str(os.getpid())):
        return None
    return int(usec) / 1_000_000
