"""One gateway a home: a kernel lock on ``<home>/gateway.lock``, held as long as the process lives.

The kernel drops the lock with the process, however it dies, so there is no stale lock to judge and nobody to
kill. What is written in the file informs people; no decision is made from it.
"""

import contextlib
import fcntl
import json
import os
import shlex
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hermes.ops.files import open_private
from hermes.types.errors import HOME_HELD, HOME_UNUSABLE, Failure, GatewayError
from hermes.types.ids import BootId

LOCK_NAME = "gateway.lock"
_INFO_BYTES = 4096


@dataclass(frozen=True, slots=True)
class HomeLock:
    """The right to run on ``home``; ends with ``release``, the ``with`` block or the process."""

    home: Path
    _descriptor: int

    @classmethod
    def acquire(cls, home: Path, boot_id: BootId) -> Self:
        """Take the home, now or not at all; children do not inherit it.

        Raises ``GatewayError``, fatal: ``home_held`` names the holder and what to do, ``home_unusable`` the
        path.
        """
        path = home / LOCK_NAME
        try:
            descriptor = open_private(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        except OSError as wrong:
            raise _unusable(path, wrong) from wrong
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileExistsError(None, "is not a regular file")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            detail = _held(home, os.pread(descriptor, _INFO_BYTES, 0))
            os.close(descriptor)
            raise GatewayError(Failure(HOME_HELD, "fatal", "gateway", detail=detail)) from held
        except OSError as wrong:
            os.close(descriptor)
            raise _unusable(path, wrong) from wrong
        # A full disk must not keep the gateway down for the sake of a note to people.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, _information(boot_id), 0)
        return cls(home, descriptor)

    def release(self) -> None:
        """Give the home back. Once only."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def prepare_home(home: Path) -> None:
    """Make ``home``, ``run`` and ``logs``, for this user alone. What exists stays as it is; only ``run`` is
    narrowed to 0700.

    Raises ``GatewayError`` (``home_unusable``, fatal) naming the path; ``run`` may not be a symbolic link.
    """
    directory = home
    try:
        for missing in reversed([one for one in home.parents if not one.exists()]):
            missing.mkdir(
                mode=0o755, exist_ok=True
            )  # nobody else may write above the home, whatever the umask
        directory.mkdir(mode=0o700, exist_ok=True)
        for directory in (home / "logs", home / "run"):
            directory.mkdir(mode=0o700, exist_ok=True)
        run = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(run, 0o700)
        finally:
            os.close(run)
    except OSError as wrong:
        raise _unusable(directory, wrong) from wrong


def this_process() -> dict[str, Any]:
    """Who we are, for people who look at a lock."""
    # Field 22 of stat, counted after the command, which may itself hold spaces and parentheses.
    start_time = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return {"pid": os.getpid(), "start_time": start_time, "argv": sys.argv}


def _information(boot_id: BootId) -> bytes:
    return json.dumps({**this_process(), "boot_id": boot_id}).encode() + b"\n"


def _held(home: Path, information: bytes) -> str:
    try:
        holder = f"process {int(json.loads(information)['pid'])}"
    except (ValueError, TypeError, KeyError, RecursionError):
        holder = "another process"
    return (
        f"{home} is held by {holder}: a gateway runs there already. "
        f"Stop it with `hermes stop --home {shlex.quote(str(home))}`, or choose another home with --home."
    )


def _unusable(path: Path, wrong: OSError) -> GatewayError:
    return GatewayError(
        Failure(HOME_UNUSABLE, "fatal", "gateway", detail=f"{path}: {wrong.strerror or wrong}")
    )
