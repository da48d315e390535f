"""Private files: 0600 whatever the umask, and never through a symbolic link somebody planted."""

import os
from contextlib import suppress
from pathlib import Path


def open_private(path: str | Path, flags: int) -> int:
    """A descriptor of ``path`` that only this user can read, not inherited by children.

    Fits as an ``opener``. A file that was there with wider permissions is narrowed. Raises ``OSError``; a
    symbolic link is refused (``ELOOP``).
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` at once: a reader sees the old file or the new one. Raises ``OSError``.

    Not synced to disk: for files that only inform (the last known tree), where the newest of two crashes may
    win.
    """
    _replace(path, data, synced=False)


def write_durable(path: Path, data: bytes) -> None:
    """As ``write_private``, and after a power cut too. Raises ``OSError``."""
    _replace(path, data, synced=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _replace(path: Path, data: bytes, *, synced: bool) -> None:
    new = path.with_name(path.name + ".new")
    try:
        with open(open_private(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        with suppress(OSError):  # nothing half written stays in a home that others use too
            new.unlink()
        raise
