"""Clears the home's cache of files that people have sent: what is too old, then the oldest of what is too much.

    cached ─▶ every file with its key, time and size ─▶ outlived (pure) ─▶ drop

Other files in there are somebody else's and stay. Everything but ``outlived`` blocks on the disk.
"""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from hermes.ops.inbound_files import CACHE, KEY_DIGITS, KINDS

PART_S = 3_600.0
"""A file that has not come to its end in this time does not come any more: a fetch has a minute."""

YOUNG_S = 86_400.0
"""What is younger stays, however much there is: an answer may be at work on it, or about to be."""

_NAME = re.compile(rf"(?P<key>[0-9a-f]{{{KEY_DIGITS}}})(_.+|\.[0-9a-f]+(?P<part>\.part))")


@dataclass(frozen=True, slots=True)
class Cached:
    """A file of ours: ``key`` says which attachment of which message it is, ``at`` when it was last wanted (epoch seconds)."""

    path: str
    key: str
    at: float
    size_bytes: int
    part: bool


def cached(home: Path) -> list[Cached]:
    """All there are."""
    found = []
    for kind in sorted(KINDS):
        directory = home / CACHE / f"{kind}s"
        if not _is_directory(directory):
            continue
        for entry in os.scandir(directory):
            match = _NAME.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False):
                info = entry.stat(follow_symlinks=False)
                found.append(
                    Cached(entry.path, match["key"], info.st_mtime, info.st_size, bool(match["part"]))
                )
    return found


def outlived(
    files: Sequence[Cached], now: float, before: float, most_bytes: int, wanted: Collection[str]
) -> list[Cached]:
    """Those that may go: last wanted ``before`` then (0: never), or the oldest of what is more than ``most_bytes`` together.
    ``wanted`` are the keys of what messages bring that are not answered yet.
    """
    gone, left = [], 0
    for one in sorted(files, key=lambda file: file.at, reverse=True):
        age_s = now - one.at
        left += one.size_bytes
        if one.part:
            over = age_s > PART_S
        else:
            over = one.key not in wanted and (one.at < before or (left > most_bytes and age_s > YOUNG_S))
        if over:
            gone.append(one)
            left -= one.size_bytes
    return gone


def drop(_home: Path, files: Sequence[Cached]) -> int:
    """Remove them, but for those that were wanted again meanwhile; how many bytes that were."""
    freed = 0
    for one in files:
        path = Path(one.path)
        try:
            info = path.lstat()
            if S_ISREG(info.st_mode) and info.st_mtime == one.at:
                path.unlink()
                freed += info.st_size
        except FileNotFoundError:
            continue
    return freed


def _is_directory(path: Path) -> bool:
    """As such, not by a link: what is dropped must be ours."""
    try:
        return S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return False
