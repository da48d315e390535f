"""Events that the gateway makes itself, such as a job that is due: the one way in by which an event is ``internal``.

    composition root ─ makes ─▶ InternalEvents ─ in Services ─▶ actors          adapters are handed AdapterIO, and nothing else

An internal event is the owner's (``hermes.routing.access``), so the right to make one is an object, never a field of a payload.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from actors.ports.intake import Intake
from hermes.store import ops
from hermes.store.port import Store
from hermes.types.events import InboundEvent
from hermes.types.origin import LaneKey
from hermes.types.ports import Accepted

_WITHIN, _WITHOUT = "internal:", "external:"


class InternalEvents:
    """The right to make internal events. ``actors.tree`` makes the only one there is."""

    def __init__(self, store: Store, intake: Intake, wake_inbound: Callable[[LaneKey], None]) -> None:
        self._store = store
        self._intake = intake
        self._wake_inbound = wake_inbound

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        """Return when all ``events`` are durable, in one commit, marked ``internal``; the origin of each says which
        conversation it is for.

        An ``event_id`` handed in a second time for the same account is a duplicate; no id of an adapter's can be in its
        way. Blocks while intake is paused (store away or degraded, drain). Cancelling withdraws nothing that was handed in.
        """
        await self._intake.passage()
        marked = tuple(replace(event, event_id=internal(event.event_id), internal=True) for event in events)
        accepted = await self._store.write(ops.Accept(marked))
        for lane in {event.origin.lane for event in marked}:
            self._wake_inbound(lane)
        return accepted


def internal(event_id: str) -> str:
    """The name by which an internal event is known in the store."""
    return f"{_WITHIN}{event_id}"


def external(event_id: str) -> str:
    """``event_id`` as one of an adapter's: it never is that of an internal event, whatever a platform sends."""
    return f"{_WITHOUT}{event_id}" if event_id.startswith((_WITHIN, _WITHOUT)) else event_id
