"""The socket file ``<home>/run/control.sock``: bind it, reach it, and know who is at the other end.

Both sides go through ``/proc/self/fd/<directory>/``: a Unix socket address holds 107 bytes, a home's path may
be longer, and the directory that was checked is the directory that is used.
"""

import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from hermes.types.errors import HOME_UNUSABLE, Failure, GatewayError

SOCKET_NAME = "control.sock"
BACKLOG = 16

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class SocketOptions(Protocol):
    """The one thing we ask of a socket; the standard library's and Trio's both have it."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """Read an option."""


@contextmanager
def socket_address(run_dir: Path) -> Iterator[str]:
    """An address for ``bind`` and ``connect`` that is valid inside the block. Raises ``OSError``; no symbolic
    link is followed.
    """
    directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{SOCKET_NAME}"
    finally:
        os.close(directory)


def bind_control_socket(run_dir: Path) -> socket.socket:
    """A listening, non-blocking socket whose file is 0600 from its first moment, whatever the umask.

    The caller holds the home's lock, so a socket that is there already belongs to the dead and is removed.
    Anything else in its place, a symbolic link above all, raises ``GatewayError`` (``home_unusable``), as
    does a directory that takes no socket.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # On Linux the mode of the descriptor becomes the mode of the file: chmod after bind would leave a gap.
        os.fchmod(listener.fileno(), 0o600)
        with socket_address(run_dir) as address:
            _remove_stale(address)
            listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as wrong:
        listener.close()
        detail = f"{run_dir / SOCKET_NAME}: {wrong.strerror or wrong}"
        raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=detail)) from wrong
    return listener


def _remove_stale(address: str) -> None:
    try:
        found = os.lstat(address)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(None, "there is something in its place that is not a socket")
    os.unlink(address)


def peer_uid(connection: SocketOptions) -> int:
    """The user of the process at the other end, as the kernel noted it when the connection was made."""
    return _peer(connection)[1]


def peer_pid(connection: SocketOptions) -> int:
    """The process at the other end; for a client, the one that listens."""
    return _peer(connection)[0]


def _peer(connection: SocketOptions) -> tuple[int, int]:
    pid, uid, _gid = _CREDENTIALS.unpack(
        connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return pid, uid
