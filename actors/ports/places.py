"""How many messages may be on their way through one adapter at once: after a kill each of them is in doubt.

take ─▶ wait, in order ─▶ on its way ─ longer than SLOW_S ─▶ aside: it holds up nobody, up to MOST of all together
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

PLACES = 16
"""With answers as slow as a tenth of a second it is 160 messages a second; Telegram takes 30."""

MOST = 64
"""With those that hang. A platform that answers has ``PLACES`` in doubt after a kill, one that does not has these."""

SLOW_S = 3.0


@dataclass(slots=True, eq=False)
class Place:
    """What a lane holds while it sends a message."""

    since: float

    def moved(self) -> None:
        """The next part is on its way."""
        self.since = trio.current_time()


class Places:
    """Those of one adapter. ``bounded``: else everybody has one, because there is nothing to be in doubt about."""

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded
        self._held: set[Place] = set()
        self._first = trio.StrictFIFOLock()
        self._freed = trio.Event()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Place]:
        """Hold a place. Who comes first is first."""
        async with self._first:
            while self._bounded and (room_at := self._room_at()) > trio.current_time():
                self._freed = trio.Event()
                with trio.move_on_at(room_at):
                    await self._freed.wait()
            place = Place(trio.current_time())
            self._held.add(place)
        try:
            yield place
        finally:
            self._held.discard(place)
            self._freed.set()

    def _room_at(self) -> float:
        """When there is room, as things are now."""
        if len(self._held) >= MOST:
            return float("inf")
        newest = sorted((place.since for place in self._held), reverse=True)
        return newest[PLACES - 1] + SLOW_S if len(newest) >= PLACES else 0.0
