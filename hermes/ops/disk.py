"""How full the disk is, and when somebody should hear of it: before it is full. Below ``read``, pure."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Level = Literal["ok", "low", "critical"]

MB = 1_000_000

LOW_MB, LOW_SHARE = 1_000, 0.10
CRITICAL_MB, CRITICAL_SHARE = 200, 0.02
"""As much free space, or that share of a small disk, and less."""

OVER = 1.25
"""What is above a line by so much is over: a figure that goes up and down around it is told of once."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the disk that holds a path."""

    free: int
    total: int


def read(path: Path) -> Space:
    """Of the disk that holds ``path``. Blocks. Raises ``OSError``."""
    found = shutil.disk_usage(path)
    return Space(found.free, found.total)


def level(space: Space, before: Level) -> Level:
    """How it stands, if it stood as ``before`` the last time."""
    if space.free <= _line(space, CRITICAL_MB, CRITICAL_SHARE, before == "critical"):
        return "critical"
    if space.free <= _line(space, LOW_MB, LOW_SHARE, before != "ok"):
        return "low"
    return "ok"


def _line(space: Space, least_mb: int, share: float, passed: bool) -> float:
    return min(least_mb * MB, share * space.total) * (OVER if passed else 1.0)
