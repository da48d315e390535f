"""Whose code runs: for logs, never for decisions."""

from contextvars import ContextVar

current_actor: ContextVar[tuple[str, int] | None] = ContextVar("current_actor", default=None)
"""Path and incarnation. Set for the task of each life; the tasks and worker threads that it starts inherit it."""


def about(path: str, incarnation: int) -> dict[str, str | int]:
    """``extra`` of a log record that concerns another actor than the one whose code runs."""
    return {"actor": path, "incarnation": incarnation}
