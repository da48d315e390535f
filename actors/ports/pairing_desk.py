"""Pairing for the operator, through the running gateway: ``hermes pairing``. What it answers holds already."""

from collections.abc import Mapping
from typing import Any

import trio

from actors.ports.services import Services
from hermes.ops import pairing_report as report
from hermes.pairing.book import Approved
from hermes.pairing.orders import Approve, ClearPending, Grant, Revoke
from hermes.pairing.records import typed_name
from hermes.store import ops, pairing
from hermes.store.people_ops import Audit
from hermes.types.errors import USAGE, Failure, GatewayError

STORE_PATIENCE_S = 2.0
"""The pairing is in its files by then; the database has its word in its own time."""


class PairingDesk:
    """Orders go to the actor of the files; then the database is told, and the person."""

    deadline_s = 20.0

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for; ``args`` are unchecked.

        Raises ``GatewayError``: ``usage``, as ``Pairing.carry_out``, or as ``ops.pairing_report``.
        """
        try:
            match verb, args:
                case "pairing_list", {"name": str() | None as name}:
                    return await self._list(None if name is None else typed_name(name))
                case "pairing_approve", {"name": str(name), "code": str(code)}:
                    return await self._approve(typed_name(name), code)
                case "pairing_grant", {"name": str(name), "user": str(user), "user_name": str(user_name)} if (
                    user.strip()
                ):
                    return await self._grant(typed_name(name), user.strip(), user_name)
                case "pairing_revoke", {"name": str(name), "user": str(user)}:
                    return await self._revoke(typed_name(name), user.strip())
                case "pairing_clear", {"name": str() | None as name}:
                    return await self._clear(None if name is None else typed_name(name))
                case _:
                    raise ValueError(f"{verb} is no question about pairing, or lacks what it needs")
        except ValueError as wrong:
            raise GatewayError(Failure(USAGE, detail=str(wrong))) from wrong

    async def _list(self, only: str | None) -> Mapping[str, Any]:
        services = self._services
        seen = await services.pairing.look()
        return report.listing(seen, services.clock.wall(), services.access.rules, only)

    async def _approve(self, name: str, code: str) -> Mapping[str, Any]:
        outcome = await self._services.pairing.carry_out(name, Approve(code))
        return await self._let_in("approve", name, report.approved(name, outcome))

    async def _grant(self, name: str, user: str, user_name: str) -> Mapping[str, Any]:
        outcome = await self._services.pairing.carry_out(name, Grant(user, user_name))
        return await self._let_in("grant", name, outcome)

    async def _let_in(self, action: str, name: str, outcome: Approved) -> Mapping[str, Any]:
        services, now = self._services, self._services.clock.wall()
        words = pairing.welcome(name, outcome, now, now + services.config.delivery.ttl_s)
        await self._tell(pairing.noted(action, name, outcome.user_id, now), words)
        return report.granted_document(name, outcome, told=words is not None)

    async def _revoke(self, name: str, user: str) -> Mapping[str, Any]:
        was_paired = await self._services.pairing.carry_out(name, Revoke(user))
        document = report.revoked_document(name, user, was_paired=was_paired)
        await self._tell(pairing.noted("revoke", name, user, self._services.clock.wall()))
        return document

    async def _clear(self, only: str | None) -> Mapping[str, Any]:
        services = self._services
        names = [only] if only else sorted((await services.pairing.look()).books)
        cleared = {name: await services.pairing.carry_out(name, ClearPending()) for name in names}
        for name, count in cleared.items():
            if count:
                await self._tell(
                    pairing.noted("clear-pending", name, "", services.clock.wall(), f"{count} codes")
                )
        return report.cleared_document(cleared)

    async def _tell(self, audit: Audit, words: ops.Enqueue | None = None) -> None:
        """Hand both in; whoever asked does not wait for a store that is away."""
        services = self._services
        services.store.post(audit)
        if words is not None:
            with trio.move_on_after(STORE_PATIENCE_S):
                await services.store.write(words)
            services.delivery.wake(words.message.lane)
