"""From the reason the root ended with to the exit code of the process: a table, first match wins."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import assert_never

from supervisors.reasons import (
    Cancelled,
    Crash,
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    Shutdown,
    StartFailed,
    Stuck,
    root_cause,
)

GIVE_UP = 70
"""EX_SOFTWARE: the tree could not hold; nothing the operator configured explains it."""


@dataclass(frozen=True, slots=True)
class ExitTable:
    """Rows of (glob over failure codes, exit code); what no row matches is ``GIVE_UP``."""

    rows: tuple[tuple[str, int], ...] = ()

    def code(self, reason: ExitReason) -> int:
        """The exit code for the reason the root supervisor ended with."""
        cause = root_cause(reason)
        match cause:
            case Normal() | Shutdown() | Cancelled():
                return 0
            case Failed(code=code):
                return next((exit_code for glob, exit_code in self.rows if fnmatchcase(code, glob)), GIVE_UP)
            case Crash() | StartFailed() | IntensityExceeded() | Stuck():
                return GIVE_UP
        assert_never(cause)
