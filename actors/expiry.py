"""The end of messages that are no news any more: what nobody has read is a dead letter like any other."""

from actors.ports.services import Services
from hermes.hooks import events, payloads
from hermes.store import ops
from hermes.store.outbox import DROPPED


async def expire(services: Services, now: float) -> None:
    """End what has expired by ``now``, in epoch seconds; on platforms whose people read from our store, nothing is lost by it."""
    platforms = services.adapters.platforms.items()
    kept = tuple(platform for platform, capabilities in platforms if capabilities.history)
    due = ops.Expire(kept, now)
    more = True
    while more:
        ended = await services.store.write(due)
        more = len(ended) == due.most
        for row in ended:
            if row.state == "dead" and row.failure != DROPPED:
                dead = payloads.delivery(row.message, (), row.failure)
                services.hooks.happened(events.DELIVERY_DEAD, dead)
