"""A context for one actor alone, without a tree."""

import trio

from supervisors.cell import Stop


class Told:
    """Says when the actor is ready, and tells it to stop when the test says so."""

    path, incarnation = "root/told", 1

    def __init__(self) -> None:
        self.up, self.stop = trio.Event(), trio.Event()

    def ready(self) -> None:
        """It is up."""
        self.up.set()

    async def stopping(self) -> Stop:
        """Wait for the test."""
        await self.stop.wait()
        return Stop()
