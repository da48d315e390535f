"""``hermes send`` through the running gateway."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from actors.ports.router import Router
from hermes.store.sends import DeliveryStatus
from hermes.types.errors import Failure, GatewayError

USAGE = "usage"
STARTING = "starting"
SEND_DEADLINE_S = 8.0
MOST_WAIT_S = 30.0
"""In one question; who wants to wait longer asks again."""

LEAST_WAIT_S = 1.0
"""For the store's own answer."""

MOST_DELIVERIES = 1_000


class SendDesk:
    """Hands over what a person or a script sends, and tells what became of it."""

    deadline_s = math.inf

    def __init__(self, router: Router) -> None:
        self._router = router

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, ``starting``."""
        match verb, args:
            case "send_text", {"to": str(to), "text": str(text)}:
                with trio.move_on_after(SEND_DEADLINE_S):
                    results = await self._router.deliver(text, to, mirror="assistant", by_person=True)
                    return {"results": [one.document() for one in results]}
                detail = (
                    "the store does not answer; it may still take the message, so look with `hermes outbox`"
                )
                raise GatewayError(Failure(STARTING, detail=detail))
            case "send_receipts", {"ids": list(ids), "within_s": int() | float() as within_s} if all(
                isinstance(one, str) for one in ids[:MOST_DELIVERIES]
            ):
                return {"deliveries": await self._receipts(ids[:MOST_DELIVERIES], within_s)}
            case _:
                raise GatewayError(Failure(USAGE, detail=f"{verb} is nothing that can be sent"))

    async def _receipts(self, ids: Sequence[str], within_s: float) -> list[Mapping[str, Any]]:
        found = await self._router.receipts(ids, max(LEAST_WAIT_S, min(within_s, MOST_WAIT_S)))
        return [status_document(one) for one in found]


def status_document(status: DeliveryStatus) -> Mapping[str, Any]:
    """As the command line prints it."""
    return {
        "delivery_id": status.delivery_id,
        "state": status.state,
        "delivered": status.delivered,
        "failure": status.failure,
        "message_ids": list(status.message_ids),
    }
