"""When the home of another program is saved, and its conversations are here. What connects to a platform waits for it, so that
they go on; so do its jobs.
"""

from pathlib import Path
from typing import Self

import trio

from hermes.importing.old_home import holds_conversations
from hermes.types.errors import Failure, GatewayError

TAKING_OVER = "taking_over"
WAIT_S = 20.0
"""Less than an adapter may take to be ready."""


class Arrival:
    """Nothing is expected unless it is said so before the tree starts. Belongs to root."""

    def __init__(self, *, expected: bool = False) -> None:
        self.expected = expected
        self._here = trio.Event()
        if not expected:
            self._here.set()

    @classmethod
    def at(cls, home: Path) -> Self:
        """Of ``home``: expected where the original has left some."""
        return cls(expected=holds_conversations(home))

    def arrived(self) -> None:
        """Nobody has to wait any more: all is here, or what is not will not come."""
        self._here.set()

    async def here(self) -> None:
        """Return when it is here."""
        await self._here.wait()

    async def wait(self) -> None:
        """As ``here``; raises ``GatewayError`` (``taking_over``, transient) after ``WAIT_S``."""
        with trio.move_on_after(WAIT_S):
            await self._here.wait()
            return
        words = "the conversations of the original are taken over first; it connects then"
        raise GatewayError(Failure(TAKING_OVER, "transient", "adapter", detail=words))
