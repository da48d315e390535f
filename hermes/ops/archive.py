"""A home in one file: a zip with its files and, as its last entry, a manifest that says what each of them holds.

home ─▶ members ─▶ write            unpack: manifest ─▶ every name and size ─▶ every byte, against its sum

What belongs to one run (locks, pids, sockets, logs) is no part of it. Reading trusts nothing: an archive may have come by mail.
"""

import hashlib
import json
import os
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hermes.ops import disk
from hermes.ops.files import open_private
from hermes.ops.restoring import BACKUPS
from hermes.types.errors import Failure, GatewayError

MANIFEST, FORMAT = "hermes-backup.json", 1
STAYS = frozenset(
    {BACKUPS, "run", "logs", "profiles", "hermes-agent"}
    | {"gateway.lock", "gateway.pid", "gateway_state.json", "cron.pid", "processes.json"}
)
"""What is never in a backup, and left alone by a restore: what belongs to a run, and homes and programs of their own."""

QUICK_STAYS = frozenset({"cache", "checkpoints"})
"""And what is not in a quick one: mostly large, and none of the gateway's memory."""

MOST_FILES, MOST_BYTES, MOST_MANIFEST_BYTES = 200_000, 64 << 30, 64 << 20
BOMB_BYTES, BOMB_RATIO = 1 << 30, 200
"""More than that, and so many times the size of the archive, is no home."""

ARCHIVE_UNUSABLE = "archive_unusable"
_BLOCK_BYTES = 1 << 20
_NO_TIME = 1 << 34
"""In epoch seconds: later than any file."""

_BESIDE_DATABASE = (".db-wal", ".db-shm", ".db-journal")
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError)

Advance = Callable[[int], None]
"""Is told of so many bytes more."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file in an archive. ``mtime`` is in epoch seconds."""

    size: int
    sha256: str
    mtime: float
    executable: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself; ``files`` by their paths in the home."""

    version: str
    made_at: str
    quick: bool
    files: Mapping[str, Held]

    @property
    def stays(self) -> frozenset[str]:
        """What at the top of a home has no part in it."""
        return STAYS | QUICK_STAYS if self.quick else STAYS

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(one.size for one in self.files.values())


def members(home: Path, *, quick: bool) -> tuple[list[str], list[str]]:
    """The paths in ``home`` of what is to be kept, in order, and of what else is there and cannot be. Raises ``OSError``."""
    stays = STAYS | QUICK_STAYS if quick else STAYS
    kept: list[str] = []
    left_out: list[str] = []

    def wrong(error: OSError) -> None:
        raise error

    for directory, below, files in os.walk(home, onerror=wrong):
        at = Path(directory)
        if at == home:
            below[:] = [name for name in below if name not in stays]
        below.sort()
        links = [name for name in below if (at / name).is_symlink()]
        for name in sorted([*files, *links]):
            if name.endswith(_BESIDE_DATABASE) or (at == home and name in stays):
                continue
            path = (at / name).relative_to(home).as_posix()
            fits = stat.S_ISREG((at / name).lstat().st_mode) and not _wrong_name(path, stays)
            (kept if fits else left_out).append(path)
    return kept, left_out


def write(
    target: Path,
    home: Path,
    names: list[str],
    manifest: Manifest,
    *,
    content: Callable[[Path], Path],
    advance: Advance,
) -> Manifest:
    """Make ``target`` (0600) of the files ``names``, whole or not at all, with a manifest, ``manifest`` with those files.

    ``content``: the file to read for a file of the home. What has gone meanwhile is left out.

    Raises ``OSError``; ``FileExistsError`` if ``target`` is there.
    """
    if target.exists():
        raise FileExistsError(None, "is there already", str(target))
    part = target.with_name(f".{target.name}.part")
    try:
        with (
            open(open_private(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "w+b") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            files = {}
            for name in names:
                with suppress(FileNotFoundError):
                    files[name] = _add(archive, name, home / name, content, advance)
            made = Manifest(manifest.version, manifest.made_at, manifest.quick, files)
            entry = zipfile.ZipInfo(MANIFEST, time.localtime()[:6])
            entry.external_attr = (stat.S_IFREG | 0o600) << 16
            archive.writestr(entry, json.dumps({"format": FORMAT, **asdict(made)}), zipfile.ZIP_DEFLATED)
            archive.close()
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return made


def _add(
    archive: zipfile.ZipFile, name: str, path: Path, content: Callable[[Path], Path], advance: Advance
) -> Held:
    with open(os.open(content(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as source:
        info, total, summed = path.stat(), 0, hashlib.sha256()
        executable = bool(info.st_mode & stat.S_IXUSR)
        entry = zipfile.ZipInfo(name, max(time.localtime(info.st_mtime)[:6], (1980, 1, 1, 0, 0, 0)))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (stat.S_IFREG | (0o700 if executable else 0o600)) << 16
        with archive.open(entry, "w", force_zip64=True) as into:
            while block := source.read(_BLOCK_BYTES):
                into.write(block)
                summed.update(block)
                total += len(block)
                advance(len(block))
    return Held(total, summed.hexdigest(), info.st_mtime, executable)


@contextmanager
def reading(path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """The archive at ``path`` with its manifest, whose names and sizes are as they have to be.

    Raises ``GatewayError`` (``archive_unusable``) that says what is wrong with it, inside the block too; ``OSError``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive, _manifest(path, archive)
    except _UNREADABLE as wrong:
        raise unusable(f"{path} is damaged, or no backup: {wrong}") from wrong


def unpack(archive: zipfile.ZipFile, manifest: Manifest, into: Path, advance: Advance) -> None:
    """Make every file below ``into``, a new directory, for this user alone, and on the disk when this returns.

    Raises ``GatewayError`` (``archive_unusable``) at the first that is not what the manifest says; ``OSError``.
    """
    if manifest.size_bytes > (free := disk.read(into).free):
        raise unusable(f"it holds {manifest.size_bytes:,} bytes, and the disk of {into} has {free:,} left")
    for name, held in manifest.files.items():
        path = into / name
        for above in reversed(path.relative_to(into).parents):
            # One by one: ``parents=True`` leaves those in between to the umask.
            (into / above).mkdir(mode=0o700, exist_ok=True)
        total, summed = 0, hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with archive.open(name) as source, open(open_private(path, flags), "wb") as file:
            while block := source.read(_BLOCK_BYTES):
                if (total := total + len(block)) > held.size:
                    break
                summed.update(block)
                file.write(block)
                advance(len(block))
            file.flush()
            os.fsync(file.fileno())
        if total != held.size or summed.hexdigest() != held.sha256:
            raise unusable(f"{name} in it is not what was saved: the file is damaged")
        if held.executable:
            path.chmod(0o700)
        os.utime(path, (held.mtime, held.mtime))


def unusable(detail: str) -> GatewayError:
    """The error to raise about an archive."""
    return GatewayError(Failure(ARCHIVE_UNUSABLE, scope="gateway", detail=detail))


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise unusable(f"{path} holds more than {MOST_FILES:,} files")
    found = {entry.filename: entry for entry in entries}
    if MANIFEST not in found or found[MANIFEST].file_size > MOST_MANIFEST_BYTES:
        raise unusable(f"{path} is no backup of a Hermes home: it has no {MANIFEST}")
    manifest = _parsed(path, archive.read(MANIFEST))
    if len(found) < len(entries) or manifest.files.keys() != found.keys() - {MANIFEST}:
        raise unusable(f"{path} holds other files than its {MANIFEST} says")
    for name, held in manifest.files.items():
        if words := _wrong_name(name, manifest.stays) or _wrong_entry(found[name], held):
            raise unusable(f"{path}: {name!r:.200} {words}")
    size = manifest.size_bytes
    if size > MOST_BYTES or size > max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size):
        raise unusable(f"{path} would grow to {size:,} bytes: that is no home")
    return manifest


def _parsed(path: Path, data: bytes) -> Manifest:
    try:
        said: Any = json.loads(data)
        if said["format"] != FORMAT:
            raise unusable(f"{path} was made by a later program; use that")
        files = {
            name: Held(int(one["size"]), str(one["sha256"]), float(one["mtime"]), one["executable"] is True)
            for name, one in said["files"].items()
        }
        if not all(0 <= one.mtime < _NO_TIME for one in files.values()):
            raise ValueError("no time")
        return Manifest(str(said["version"]), str(said["made_at"]), said["quick"] is True, files)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as wrong:
        raise unusable(f"{path}: its {MANIFEST} is not to be understood") from wrong


def _wrong_name(name: str, stays: frozenset[str]) -> str:
    """Why no file of a home may be called so, in words; or ""."""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or any(part in ("", ".", "..") for part in parts):
        return "is no path in a home"
    return "has no place in a backup" if parts[0] in stays or name == MANIFEST else ""


def _wrong_entry(entry: zipfile.ZipInfo, held: Held) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.is_dir() or kind not in (0, stat.S_IFREG):
        return "is no plain file"
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way that no backup is"
    return "" if 0 <= held.size == entry.file_size else "is not as long as the manifest says"
