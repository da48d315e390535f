"""The supervision event log: one structured record for everything a supervisor did, bounded, with listeners."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from supervisors.logs import guarded
from supervisors.reasons import ExitReason

log = guarded(__name__)

RING_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class SupervisionEvent:
    """``kind`` is started, ready, exited or stuck, or raised, of code that an actor lends to others; ``at`` is the system's
    monotonic time.

    An ``exited`` event carries reason, decision, delay_s, budget_left, and the type of the message in work with its
    attempt. Listeners get its ``cause`` as well; the ring does not keep that, for the tracebacks it holds.
    """

    at: float
    kind: str
    path: str
    incarnation: int
    detail: dict[str, Any] = field(default_factory=dict)
    cause: ExitReason | None = field(default=None, compare=False)


Listener = Callable[[SupervisionEvent], None]


class EventLog:
    """Keeps the newest events; tells listeners at once. A listener that raises is logged and kept (law A4)."""

    def __init__(self, size: int = RING_EVENTS) -> None:
        self._ring: deque[SupervisionEvent] = deque(maxlen=size)
        self._listeners: list[Listener] = []
        self.dropped = 0

    def publish(self, event: SupervisionEvent) -> None:
        """Add an event."""
        if len(self._ring) == self._ring.maxlen:
            self.dropped += 1
        self._ring.append(event if event.cause is None else replace(event, cause=None))
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener for supervision events failed on %s", event)

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` with every later event, on the loop's thread; it must not block."""
        self._listeners.append(listener)

    def newest(self, count: int) -> list[SupervisionEvent]:
        """The last ``count`` events, oldest first."""
        return list(self._ring)[-count:]
