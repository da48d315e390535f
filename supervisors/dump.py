"""Task stacks as text, one task at a time; for logs about a stuck actor and for dumps."""

import traceback
from types import FrameType
from typing import Any

import trio


def stack_of(task: trio.lowlevel.Task) -> list[str]:
    """Where ``task`` waits, outermost frame first, one ``file:line function`` a line."""
    lines: list[str] = []
    awaited: Any = task.coro
    while awaited is not None:
        frame: FrameType | None = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is None:
            break
        summary = traceback.extract_stack(frame, limit=1)[0]
        lines.append(f"{summary.filename}:{frame.f_lineno} {summary.name}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
    return lines
