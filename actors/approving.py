"""A turn that asks a person, and waits: the half of ``AgentIO.approve`` that has a side effect.

    ask (row + prompt) ─▶ typing off, deadlines still, place given up ─▶ decided ─▶ a place again ─▶ the decision
                                                                         └ time is up ─▶ the turn is halted

The table is the truth: a wake-up means "look", and the turn looks every ``SWEEP_S`` where none came. A place among those that
are worked on is given up meanwhile: a hundred people who think it over would otherwise keep everybody else out, for minutes.
The turn takes one again before it goes on, and waits for it as long as it takes: it was begun, so it was promised an end. A
tool that runs beside the question runs on without a place.
"""

from typing import assert_never

import trio

from actors.deadlines import Deadlines
from actors.lease import Lease
from actors.ports.services import Services
from hermes.routing.approvals import prompt
from hermes.routing.loops import tagged
from hermes.store import approval_ops, approvals
from hermes.types.agent import ApprovalRequest, Approved, Decision, Denied, Turn
from hermes.types.approvals import Approval
from hermes.types.content import ANSWERS, Outbound
from hermes.types.events import InboundEvent
from hermes.types.ids import DeliveryId
from hermes.types.origin import Origin

SWEEP_S = 5.0
ID_CHARACTERS = 8


class Approving:
    """What one turn asks for."""

    def __init__(self, services: Services, turn: Turn, lease: Lease, deadlines: Deadlines) -> None:
        self._services = services
        self._turn = turn
        self._lease = lease
        self._deadlines = deadlines

    async def approve(
        self, request: ApprovalRequest, asker: InboundEvent, decider: InboundEvent | None
    ) -> Decision:
        """See ``AgentIO``. ``asker``: the message that the answer will answer. The sender of ``decider`` may decide, besides
        admins; None: they alone.
        """
        services, turn = self._services, self._turn
        ask = approval_ops.Ask(
            session_key=turn.session_key,
            generation=turn.generation,
            turn_id=turn.turn_id,
            approval_id=services.ids.token(ID_CHARACTERS),
            request=request,
            user_id="" if decider is None else self._canonical(decider.origin),
            prompt=self._prompt(request, asker, for_admins=decider is None),
            boot_id=services.boot_id,
            at=services.clock.wall(),
            timeout_s=services.config.approvals.timeout,
        )
        asked = await services.store.write(ask)
        if asked is not None and asked.state == "pending":
            services.approvals.asked(turn.session_key)
            services.delivery.wake(asked.lane)
            asked = await self._wait(asked, asker)
        if asked is not None:
            match asked.state:
                case "approved":
                    return Approved()
                case "denied":
                    return Denied(asked.reason)
                case "expired":
                    self._deadlines.halt()
                case "void" | "pending":
                    pass
                case state:
                    assert_never(state)
        return await trio.sleep_forever()  # the end of the turn is on the way

    async def _wait(self, asked: Approval, asker: InboundEvent) -> Approval | None:
        services, name, origin = self._services, self._turn.turn_id, asker.origin
        with self._deadlines.still():
            services.delivery.resting(origin.lane, name)
            self._lease.rest()
            try:
                decided = await self._decided(asked)
                if self._deadlines.waits == 1:
                    await self._lease.place()
            finally:
                services.approvals.forget(asked.approval_id)
                services.delivery.settled(asked.lane, asked.approval_id)
                if self._deadlines.waits == 1:
                    services.delivery.working(origin.lane, name, origin.thread_id)
        return decided

    async def _decided(self, asked: Approval) -> Approval | None:
        """The row once it is pending no more; None if it is gone. How long it waits is no matter of the wall clock, which may be
        set, or may have gone on while the machine slept (AC-49).
        """
        services = self._services
        until = trio.current_time() + max(0.0, asked.expires_at - services.clock.wall())
        while True:
            changed = services.approvals.changed(asked.approval_id)
            now = await services.store.read(approvals.approval_of, asked.approval_id)
            if now is not None and now.state == "pending" and trio.current_time() >= until:
                over_at = max(services.clock.wall(), now.expires_at)
                now = await services.store.write(approval_ops.Expire(asked.approval_id, over_at))
            if now is None or now.state != "pending":
                return now
            with trio.move_on_after(min(SWEEP_S, max(0.0, until - trio.current_time()))):
                await changed.wait()

    def _canonical(self, origin: Origin) -> str:
        rules = self._services.access.rules(origin.platform, origin.account)
        return rules.canonical(origin.user_id or "")

    def _prompt(self, request: ApprovalRequest, asker: InboundEvent, *, for_admins: bool) -> Outbound:
        """What is shown; the store adds what to answer. It answers no message."""
        origin = asker.origin
        return Outbound(
            delivery_id=DeliveryId(self._turn.turn_id),
            platform=origin.platform,
            account=origin.account,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            text=tagged(prompt(request, for_admins=for_admins), origin),
            kind="notice",
            reply_to=asker.message_id,
            session_key=self._turn.session_key,
            generation=self._turn.generation,
            metadata={ANSWERS: ""},
            trace=asker.trace,
            expires_at=self._services.clock.wall() + self._services.config.delivery.ttl_s,
        )
