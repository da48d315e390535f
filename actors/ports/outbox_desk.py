"""The outbox for the operator, through the running gateway: ``hermes outbox``."""

from collections.abc import Mapping
from typing import Any

from actors.ports.services import Services
from hermes.store import outbox, outbox_ops
from hermes.store.notices import dead_target_list
from hermes.store.ops import Op
from hermes.types.errors import USAGE, Failure, GatewayError

MOST_ROWS = 10_000


class OutboxDesk:
    """Answers by the store, and wakes the lane that a message belongs to."""

    deadline_s = 5.0

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, or as ``store.outbox``."""
        read, now = self._services.store.read, self._services.clock.wall()
        match verb, args:
            case (
                "outbox_list",
                {"state": str() | None as state, "platform": str() | None as platform, "limit": int(limit)},
            ):
                rows = await read(outbox.outbox_list, state, platform, max(0, min(limit, MOST_ROWS)))
                return {"messages": rows}
            case "outbox_dead_targets", {"limit": int(limit)}:
                return {"targets": await read(dead_target_list, max(0, min(limit, MOST_ROWS)))}
            case "outbox_show", {"id": int(row_id)}:
                return await read(outbox.outbox_show, row_id)
            case "outbox_retry", {"id": int(row_id)}:
                expires_at = now + self._services.config.delivery.ttl_s
                return await self._do(row_id, outbox_ops.Retry(row_id, now, expires_at), "sent again")
            case "outbox_drop", {"id": int(row_id)}:
                return await self._do(row_id, outbox_ops.Drop(row_id, now), "dropped")
            case _:
                raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about the outbox"))

    async def _do(self, row_id: int, op: Op[bool], what: str) -> Mapping[str, Any]:
        services = self._services
        message = await services.store.read(outbox.outbox_show, row_id)
        if not await services.store.write(op):
            raise outbox.not_possible(message, what)
        services.delivery.wake(outbox.lane_of(message))
        return await services.store.read(outbox.outbox_show, row_id)
