"""``retention:`` — for how long what is over is kept."""

from dataclasses import dataclass, field
from typing import Any

LEAST_DAYS = 8
"""Platforms deliver events again for a week."""


def _days(default: int, description: str, least: int = LEAST_DAYS) -> Any:
    """For that many days; 0: for ever. What else is less than ``least`` counts as that."""
    words = f"{description} 0: for ever; fewer than {least} count as {least}. Days."
    return field(default=default, metadata={"description": words, "ge": 0, "le": 36_500})


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long what is over is kept (docs/maintenance.md). What is open is kept whatever its age."""

    transcripts: int = _days(
        0, "What was said, and on pages that read from our own store (web chat, console) the whole chat."
    )
    messages: int = _days(30, "The words of a message, beside the transcript, and the steps of its way.")
    deliveries: int = _days(30, "Messages that have arrived, with their receipts.")
    dead_letters: int = _days(90, "Messages that were given up.")
    approvals: int = _days(90, "Approvals that are decided.")
    audit: int = _days(365, "What operators have done.")
    files: int = _days(30, "Files that people have sent, since they were last read.", 1)
    files_max_mb: int = field(
        default=5_000,
        metadata={
            "description": "How much all of these may take; beyond it the oldest go, after a day at the earliest. Megabytes.",
            "ge": 1,
            "le": 10_000_000,
        },
    )

    def before(self, name: str, now: float) -> float:
        """Before when what is called ``name`` here may go, in epoch seconds; 0: never."""
        days = getattr(self, name)
        return now - 86_400.0 * max(days, 1 if name == "files" else LEAST_DAYS) if days else 0.0
