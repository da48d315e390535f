"""How much may leave, and when: for a bot as a whole and for each of its chats.

    rate     what we allow ourselves: ``burst`` calls at once, then one each ``interval_s``
    window   what the platform has told us (``retry_after``): no call of any kind to that scope before it is over

A rate is kept as one time per scope, when its burst will be whole again (GCRA: no tokens to count, no timer to refill
them). It is memory, and whole after a restart. A window is a row, read at the start, so that no crash shortens it.
"""

from collections.abc import Iterator, Mapping
from typing import NewType

from hermes.types.content import Capabilities, Rate
from hermes.types.errors import Failure
from hermes.types.origin import LaneKey

Scope = NewType("Scope", str)
"""What a limit holds for: a bot (``platform:account``), or a chat of it (the key of its lane)."""


def flooded(lane: LaneKey, failure: Failure) -> Scope | None:
    """What the platform wants left alone, if ``failure`` says for how long."""
    if not failure.retry_after:
        return None
    return bot_scope(lane) if failure.scope in ("adapter", "gateway") else chat_scope(lane)


def bot_scope(lane: LaneKey) -> Scope:
    """The bot that serves ``lane``, with all its chats."""
    return Scope(":".join(lane.split(":", 2)[:2]))


def chat_scope(lane: LaneKey) -> Scope:
    """The chat of ``lane`` alone."""
    return Scope(lane)


class Limiter:
    """All limits that hold at the moment. Times are epoch seconds; a wall clock that is set back only makes us wait."""

    def __init__(self) -> None:
        self.adopted = False
        self._whole_at: dict[Scope, float] = {}
        self._until: dict[Scope, float] = {}

    def ready_at(self, lane: LaneKey, capabilities: Capabilities) -> float:
        """When the next call to ``lane`` may be made; 0 if nothing holds it back."""
        return max(
            self.window(lane), *(self._room_at(*limit, 1) for limit in _rates(lane, capabilities)), 0.0
        )

    def may_show(self, lane: LaneKey, capabilities: Capabilities, now: float) -> bool:
        """True if something that may be lost (typing, a draft) can be shown and leave room for a message after it."""
        rates = _rates(lane, capabilities)
        return self.window(lane) <= now and all(self._room_at(*limit, 2) <= now for limit in rates)

    def window(self, lane: LaneKey) -> float:
        """Until when the platform wants no call to ``lane``; 0 if it has not said so."""
        return max(self._until.get(bot_scope(lane), 0.0), self._until.get(chat_scope(lane), 0.0))

    def called(self, lane: LaneKey, capabilities: Capabilities, now: float) -> None:
        """A call is made."""
        for scope, rate in _rates(lane, capabilities):
            self._whole_at[scope] = max(now, self._whole_at.get(scope, 0.0)) + rate.interval_s

    def leave_alone(self, scope: Scope, until: float) -> None:
        """The platform wants nothing from ``scope`` before ``until``; one that ends later stays as it is."""
        self._until[scope] = max(until, self._until.get(scope, 0.0))

    def adopt(self, windows: Mapping[Scope, float]) -> None:
        """Windows that an earlier boot has kept; until they are known, ``adopted`` is false and nothing may be sent."""
        self.adopted = True
        for scope, until in windows.items():
            self.leave_alone(scope, until)

    def forget(self, now: float) -> None:
        """Drop what holds nothing back any more."""
        self._whole_at = {scope: at for scope, at in self._whole_at.items() if at > now}
        self._until = {scope: at for scope, at in self._until.items() if at > now}

    def _room_at(self, scope: Scope, rate: Rate, calls: int) -> float:
        """When ``calls`` more calls fit into the burst; at least one always does."""
        return self._whole_at.get(scope, 0.0) - rate.interval_s * max(rate.burst - calls, 0)


def _rates(lane: LaneKey, capabilities: Capabilities) -> Iterator[tuple[Scope, Rate]]:
    if capabilities.bot_rate is not None:
        yield bot_scope(lane), capabilities.bot_rate
    if capabilities.chat_rate is not None:
        yield chat_scope(lane), capabilities.chat_rate
