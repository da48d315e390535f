"""Whether files are other ones than before, without reading them."""

from pathlib import Path

from hermes.config.dotenv import NAME as DOTENV
from hermes.config.paths import LEGACY_NAME

Stamp = tuple[int, int, int] | None
"""When a file was changed (ns), which one it is, and its bytes; None where there is none that can be seen."""


def settings_stamps(home: Path, file: Path) -> tuple[Stamp, ...]:
    """Of the files that the settings of ``home`` are read from; ``file`` is its config.yaml, or stands in for it."""
    return tuple(map(_stamp, (file, home / DOTENV, home / LEGACY_NAME)))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
