"""JSON files that others may write to: whatever stands there, reading one never hangs and never raises."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

MOST_BYTES = 16 << 20

T = TypeVar("T")


def read_json(path: Path, parse: Callable[[object], T], missing: T) -> tuple[T | None, tuple[str, ...]]:
    """What ``parse`` makes of the file, or ``missing`` where there is none; None and the fault in words if it cannot be read.

    Blocks on the disk. ``parse`` raises ``ValueError`` for what it does not take.
    """
    try:
        # A pipe in its place would never answer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise ValueError("not a regular file")
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ValueError(f"longer than {MOST_BYTES:,} bytes")
        return parse(json.loads(data.decode("utf-8-sig"))), ()
    except FileNotFoundError:
        return missing, ()
    except OSError as wrong:
        return None, (f"{path}: {wrong.strerror or wrong}",)
    except (ValueError, OverflowError, RecursionError) as wrong:
        return None, (f"{path}: {wrong}",)
