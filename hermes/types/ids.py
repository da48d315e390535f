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
