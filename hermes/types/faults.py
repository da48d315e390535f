"""Marked places where a test may make the program fail.

``point(name)`` does nothing unless ``hermes.testing.run_with_faults`` has armed a handler; ``hermes run`` never does.
"""

from collections.abc import Callable
from typing import Literal, get_args

Point = Literal[
    "after_decode",
    "after_inbox_commit",
    "before_ack",
    "after_decision",
    "after_take",
    "after_step",
    "before_turn_commit",
    "after_turn_commit",
    "before_send",
    "after_send_before_receipt",
    "after_receipt",
]
POINTS: tuple[str, ...] = get_args(Point)

_handler: Callable[[str], None] | None = None


def point(name: Point) -> None:
    """Fail here if a test asked for it. Called on the loop's thread; may raise, block or kill the process."""
    if _handler is not None:
        _handler(name)


def arm(handler: Callable[[str], None] | None) -> None:
    """Install what ``point`` calls, or nothing. For ``hermes.testing`` alone."""
    global _handler  # noqa: PLW0603 - one process, one fault plan
    _handler = handler
