"""A home into one file, with every database in it as it was at one instant. What the file looks like: ``hermes.ops.archive``."""

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hermes.ops import archive
from hermes.ops.archive import Advance, Manifest
from hermes.ops.restoring import BACKUPS
from hermes.store.copies import copy_at_rest, copy_database, is_database
from hermes.types.errors import STORE_CORRUPT, STORE_DEGRADED, GatewayError

OURS = "gateway.db"
LEFT_S = 3_600.0
"""Untouched for so long, a part of a backup is one that nobody goes on with."""

_COPIES = ".copies-"


@dataclass(frozen=True, slots=True)
class Saved:
    """``left_out`` are no plain files; ``damaged`` are databases that could not be copied, and are saved as they are."""

    file: Path
    manifest: Manifest
    left_out: list[str]
    damaged: list[str]


def new_file(home: Path) -> Path:
    """Where a backup goes that nobody has named: ``backups/`` in the home, which is made. What killed ones have left there goes.

    Raises ``OSError``.
    """
    (home / BACKUPS).mkdir(mode=0o700, exist_ok=True)
    for left in (*(home / BACKUPS).glob(f"{_COPIES}*"), *(home / BACKUPS).glob(".*.zip.part")):
        with suppress(FileNotFoundError):  # another one is at it too
            if left.lstat().st_mtime < time.time() - LEFT_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    name = f"hermes-{time.strftime('%Y%m%d-%H%M%S')}"
    names = (name, *(f"{name}-{number}" for number in range(2, 100)))
    return next(file for one in names if not (file := home / BACKUPS / f"{one}.zip").exists())


def save(
    target: Path,
    home: Path,
    version: str,
    progress: Callable[[int], AbstractContextManager[Advance]],
    *,
    quick: bool,
) -> Saved:
    """Make ``target``, a new file (0600). ``progress`` is given the bytes that there are, and is told how far it has come.

    Blocks; whoever writes to the home is not held up. Raises ``OSError``, and ``GatewayError`` where a database cannot be copied.
    """
    names, left_out = archive.members(home, quick=quick)
    # Databases, which take their time, after what may be written to meanwhile.
    names = sorted((name for name in names if home / name != target), key=lambda name: name.endswith(".db"))
    damaged: list[str] = []
    wanted = Manifest(version, time.strftime("%Y-%m-%dT%H:%M:%S%z"), quick, {})
    size = sum((home / name).lstat().st_size for name in names if (home / name).exists())
    # Beside the target: who has room for the one has room for the other.
    with TemporaryDirectory(prefix=_COPIES, dir=target.parent) as copies:

        def content(path: Path) -> Path:
            if path.suffix != ".db" or not is_database(path):
                return path
            try:
                return _copy(path, Path(copies) / "copy.db")
            except GatewayError as wrong:
                if wrong.failure.code != STORE_CORRUPT:
                    raise
                damaged.append(str(path.relative_to(home)))
                return path

        with progress(size) as advance:
            made = archive.write(target, home, names, wanted, content=content, advance=advance)
    return Saved(target, made, left_out, damaged)


def _copy(path: Path, target: Path) -> Path:
    """Of a database that is not ours without opening it, for that would leave files beside it; unless it never rests."""
    source = path
    if path.name != OURS:
        resting = target.with_name("resting")
        resting.mkdir(exist_ok=True)
        try:
            source = copy_at_rest(path, resting)
        except GatewayError as wrong:
            if wrong.failure.code != STORE_DEGRADED:
                raise
    target.unlink(missing_ok=True)
    copy_database(source, target)
    return target
