"""Approvals for the operator, through the running gateway: ``hermes approvals``."""

from collections.abc import Mapping
from typing import Any

from actors.ports.services import Services
from hermes.store import approval_ops, approvals
from hermes.types.approvals import OPERATOR
from hermes.types.errors import Failure, GatewayError

USAGE = "usage"
NO_SUCH_APPROVAL = "no_such_approval"
DECIDED = "decided"
MOST_ROWS = 10_000


class ApprovalDesk:
    """Answers by the store; what the operator decides is a decision as any other."""

    deadline_s = 5.0

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked. Raises ``GatewayError``: ``usage``, ``no_such_approval``,
        ``decided``.
        """
        match verb, args:
            case "approvals_list", {"limit": int(limit), "bodies": bool(bodies)}:
                return await self._services.store.read(
                    approvals.listing, max(0, min(limit, MOST_ROWS)), bodies=bodies
                )
            case "approvals_decide", {
                "id": str(approval_id),
                "approved": bool(approved),
                "reason": str(reason),
            }:
                return await self._decide(approval_id, approved, reason)
            case _:
                raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about approvals"))

    async def _decide(self, approval_id: str, approved: bool, reason: str) -> Mapping[str, Any]:
        services = self._services
        now = services.clock.wall()
        decide = approval_ops.Decide((approval_id,), approved, OPERATOR, reason, services.boot_id, now)
        decided = await services.store.write(decide)
        services.approvals.decided([approval_id])
        row = await services.store.read(approvals.approval_of, approval_id)
        if row is None:
            words = f"there is no approval {approval_id!r:.40}; `hermes approvals` shows the ids"
            raise GatewayError(Failure(NO_SUCH_APPROVAL, detail=words))
        if not decided:
            words = "its time is up" if row.state == "pending" else f"it is {row.state} already"
            raise GatewayError(
                Failure(DECIDED, detail=f"nothing is to be decided about {approval_id}: {words}")
            )
        return approvals.shown(row)
