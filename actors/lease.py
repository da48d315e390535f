"""A turn's right to act, held for it by its session and given back exactly once, however the turn ends.

turn ─ place ─▶ one of those worked on at once        session ─ end ─▶ nothing the turn says counts any more
"""

import math
from collections.abc import Callable

import trio


class Lease:
    """One turn's. ``over`` once it has ended: at the turn's own end, or before it where the turn was given up. ``rests``
    while it waits for a person, without a place.

    Places are given in the order in which turns began to wait, and a conversation has one turn at a time: that is what
    makes it fair between them.
    """

    def __init__(self, places: trio.CapacityLimiter, changed: Callable[[], None]) -> None:
        """``changed`` is called whenever ``due`` may have come nearer, and when the turn comes to rest: in its task."""
        self.over = self.rests = False
        self._places = places
        self._placed = False
        self._waiting = trio.Lock()
        self._changed = changed
        self._limit: trio.CancelScope | None = None

    def place_nowait(self) -> bool:
        """Take a place if one is free; whether there was."""
        try:
            self._places.acquire_on_behalf_of_nowait(self)
        except trio.WouldBlock:
            return False
        self._placed = True
        return True

    async def place(self) -> None:
        """Wait for a place, unless it is held; cancelling loses nothing but the place in line."""
        async with self._waiting:
            if not self._placed:
                await self._places.acquire_on_behalf_of(self)
                self._placed = True
            self.rests = False

    def rest(self) -> None:
        """Give the place to others for now; ``place`` takes one again."""
        self._give_back()
        self.rests = True
        self._changed()

    def watch(self, limit: trio.CancelScope | None = None) -> None:
        """The agent has begun, and owes an end by the deadline of ``limit``, wherever that moves; None: it is done."""
        self._limit = limit
        if limit is not None:
            self._changed()

    @property
    def due(self) -> float:
        """When the agent must have ended, in Trio's time. The rest of a turn takes as long as the disk does."""
        return math.inf if self._limit is None else self._limit.deadline

    def end(self) -> None:
        """Give everything back; the second time nothing happens."""
        self.over = True
        self._give_back()

    def _give_back(self) -> None:
        if self._placed:
            self._placed = False
            self._places.release_on_behalf_of(self)
