"""Reading, cutting and rendering messages without holding up the loop."""

from collections.abc import Callable
from typing import TypeVar

from actors.ports.services import Services

INLINE_CHARS = 1_000
"""A longer text is read and cut in a thread: some milliseconds for each thousand characters, and more where it is made to."""

T = TypeVar("T")


async def aside(services: Services, text: str, call: Callable[[], T]) -> T:
    """What ``call``, which works on ``text``, returns."""
    if len(text) <= INLINE_CHARS:
        return call()
    made: T = await services.in_thread(call)
    return made
