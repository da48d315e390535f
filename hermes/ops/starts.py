"""``<home>/run/starts.json``: the starts that did not last, so that a crash with every start does not become a storm.

A start counts until somebody ends the gateway on purpose, or until it has lasted ``STABLE_S`` with its platforms. Many in a row
hold the next one's platforms back, longer each time; who looks at the gateway, and web chat, is answered at once (AC-10).
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hermes.ops.files import write_private
from hermes.ops.json_files import read_json

log = logging.getLogger(__name__)

NAME = "starts.json"
FREE = 5
"""As many starts as this need no wait."""

STABLE_S = 300.0
FIRST_WAIT_S = 5.0
MOST_WAIT_S = 300.0
APART_S = MOST_WAIT_S + STABLE_S + 60.0
"""Starts further apart than one can wait, fail to last, and be down meanwhile are not in a row."""

_KEPT = 64


@dataclass(frozen=True, slots=True)
class Storm:
    """``starts`` in a row, this one with them, so that platforms wait for ``wait_s`` from this start on; 0: no storm."""

    starts: int
    wait_s: float


NO_STORM = Storm(1, 0.0)


def storm(starts: Sequence[float], now: float) -> Storm:
    """What ``starts`` (epoch seconds, in order) mean for one that begins ``now``. One of the future was noted by a clock that
    was wrong, and with it nothing before it tells.
    """
    count, last = 1, now
    for at in reversed(starts):
        if not 0 <= last - at <= APART_S:
            break
        count, last = count + 1, at
    over = count - FREE
    return Storm(count, min(MOST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(over - 1, 16)) if over > 0 else 0.0)


def begun(home: Path) -> Storm:
    """Note that the gateway of ``home`` begins. A file that cannot be read or written counts as none."""
    path, now = home / "run" / NAME, time.time()
    none: list[float] = []
    found, faults = read_json(path, _read, none)
    for words in faults:
        log.warning("%s", words)
    starts = found or none
    _write(path, [*starts, now][-_KEPT:])
    return storm(starts, now)


def lasted(home: Path) -> None:
    """Forget them all: it lasts, or was ended by somebody who meant it."""
    _write(home / "run" / NAME, [])


def _read(record: object) -> list[float]:
    match record:
        case {"starts": [*starts]} if all(isinstance(at, int | float) for at in starts):
            return [float(at) for at in starts]
        case _:
            raise ValueError("not a list of starts")


def _write(path: Path, starts: Sequence[float]) -> None:
    try:
        write_private(path, json.dumps({"starts": starts}).encode())
    except OSError as wrong:
        log.warning("%s: %s", path, wrong.strerror or wrong)
