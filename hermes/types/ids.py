"""Names of things, as distinct string types, and the two sources of non-determinism everybody is handed."""

from typing import NewType, Protocol

BootId = NewType("BootId", str)
"""One life of the process; together with an incarnation number it fences refs, ports, timers and rows."""

SessionKey = NewType("SessionKey", str)
"""Deterministic name of a conversation, e.g. ``agent:main:telegram:dm:99``."""

SessionId = NewType("SessionId", str)
"""``YYYYMMDD_HHMMSS_<8 hex>``: one stretch of a conversation between two resets."""

TurnId = NewType("TurnId", str)
DeliveryId = NewType("DeliveryId", str)
TraceId = NewType("TraceId", str)


def answer_id(turn_id: TurnId) -> DeliveryId:
    """The message that ends a turn: the same in every attempt at it."""
    return DeliveryId(f"{turn_id}:0")


def turn_of(answer: DeliveryId) -> TurnId:
    """The turn that ``answer_id`` has named it for."""
    return TurnId(answer.rpartition(":")[0])


class Clock(Protocol):
    """Time as the gateway sees it; injected, so that a simulation is reproducible."""

    def wall(self) -> float:
        """Seconds since the epoch, UTC; may jump."""

    def mono(self) -> float:
        """Seconds on a clock that never goes back; only differences mean something."""


class IdSource(Protocol):
    """Random names; injected, so that a simulation is reproducible."""

    def token(self, size: int) -> str:
        """``size`` random lower-case hex digits."""
