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
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from hermes.ops.files import open_private
from hermes.ops.proc import inherited, this_process
from hermes.ops.restoring import pending
from hermes.types.errors import HOME_HELD, HOME_UNUSABLE, Failure, GatewayError
from hermes.types.ids import BootId

LOCK_NAME = "gateway.lock"
GATEWAY, EMBEDDED = "hermes-gateway", "hermes-embedded"
COMMAND, RESTORE = "hermes-command", "hermes-restore"
_INFO_BYTES = 4096


@dataclass(frozen=True, slots=True)
class HomeLock:
    """The right to run on ``home``; ends with ``release``, the ``with`` block or the process."""

    home: Path
    _descriptor: int

    @classmethod
    def acquire(cls, home: Path, boot_id: BootId, kind: str = COMMAND) -> Self:
        """Take the home, now or not at all; children do not inherit it. What the program before us in this very process has
        handed on (``hand_on``) is ours already. ``kind``: who takes it, a ``GATEWAY``, one that is ``EMBEDDED``
        in another program, or a ``COMMAND`` that is soon done; ``RESTORE`` alone has a home where a restore was broken off.

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
            information = os.pread(descriptor, _INFO_BYTES, 0)
            os.close(descriptor)
            if (handed_on := inherited(path)) is None:
                raise GatewayError(
                    Failure(HOME_HELD, "fatal", "gateway", detail=_held(home, information, kind))
                ) from held
            descriptor = handed_on
            os.set_inheritable(descriptor, False)
        except OSError as wrong:
            os.close(descriptor)
            raise _unusable(path, wrong) from wrong
        if kind != RESTORE and pending(home):
            os.close(descriptor)
            words = f"{home}: a restore was broken off; `hermes restore --home {shlex.quote(str(home))}` finishes it"
            raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=words))
        # A full disk must not keep the gateway down for the sake of a note to people.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor,
                json.dumps({**this_process(), "kind": kind, "boot_id": boot_id}).encode() + b"\n",
                0,
            )
        return cls(home, descriptor)

    def hand_on(self) -> None:
        """Let the program that this process runs next (``exec``) have it."""
        os.set_inheritable(self._descriptor, True)

    def check(self) -> None:
        """Look whether it still is the home that was taken. Blocks on the disk, and says nothing of one that is ill.

        Raises ``GatewayError`` (``home_unusable``, fatal): the home was moved or removed, so nobody finds what is written to it,
        and another gateway may have its place.
        """
        path = self.home / LOCK_NAME
        try:
            there, ours = os.lstat(path), os.fstat(self._descriptor)
            lost = (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)
        except (FileNotFoundError, NotADirectoryError):
            lost = True
        except OSError:
            return
        if lost:
            words = f"{path} is not what this gateway has locked: the home, or that file, was moved, removed or replaced"
            raise GatewayError(Failure(HOME_UNUSABLE, "fatal", "gateway", detail=words))

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


def _held(home: Path, information: bytes, wanted_by: str) -> str:
    holder, ours, kind, at = "another process", True, "", shlex.quote(str(home))
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        record = json.loads(information)
        holder, ours, kind = f"process {int(record['pid'])}", "boot_id" in record, record.get("kind")
    words = f"{home} is held by {holder}: a gateway runs there already. "
    if not ours:
        words += "It is not of this program, so stop it the way it was started. "
    else:
        words += f"Stop it with `hermes stop --home {at}`, restart it with `hermes restart --home {at}`. "
    if wanted_by == GATEWAY and kind != EMBEDDED:
        words += "`hermes run --replace` takes its place; "
    return f"{words}--home chooses another home."


def _unusable(path: Path, wrong: OSError) -> GatewayError:
    return GatewayError(
        Failure(HOME_UNUSABLE, "fatal", "gateway", detail=f"{path}: {wrong.strerror or wrong}")
    )
