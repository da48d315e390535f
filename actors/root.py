"""The root's policy: which exit code a failure means, and the drain before the structural stop.

stop request ─▶ intake shut ─▶ inbound decides nothing more ─▶ turns finish ─▶ lanes flush ─▶ reverse-order stop
"""

import logging
import math
from contextlib import suppress
from typing import Literal

import trio

from actors import delivery, exits, inbound, session
from actors.ports.services import Services
from hermes.store.notice_ops import End
from hermes.types.errors import (
    CONFIG_INVALID,
    HOME_HELD,
    HOME_UNUSABLE,
    STORE_NEWER,
    GatewayError,
)
from supervisors.escalation import ExitTable
from supervisors.reasons import Crash, ExitReason, Failed, Verdict
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError, Reply
from supervisors.system import StopRequest, System

log = logging.getLogger(__name__)

EXITS = ExitTable(
    (
        (HOME_HELD, exits.FAILED),
        (HOME_UNUSABLE, exits.CONFIG),
        (CONFIG_INVALID, exits.CONFIG),
        (STORE_NEWER, exits.CONFIG),
    )
)

_VERDICTS: dict[str, Verdict] = {"transient": "backoff", "needs_operator": "disable", "fatal": "escalate"}


def classify(error: BaseException) -> ExitReason:
    """The one place where a gateway failure becomes a verdict; everything else is a crash."""
    if not isinstance(error, GatewayError):
        log.warning("unmapped failure %s: it carries no code, so it is a crash", type(error).__name__)
        return Crash(error)
    failure = error.failure
    verdict = _VERDICTS[failure.severity]
    return Failed(failure.code, verdict, failure.retry_after, failure.detail, error)


async def drain(system: System, services: Services, lanes: str, request: StopRequest) -> None:
    """Let what is under way end well, within the configured time; then return, whatever is left.

    Turns that do not finish stay ``in_turn`` and go on in the next boot; messages that are not sent stay in the outbox. The
    next boot finds that this one has ended in good order.
    """
    log.info("stopping (%s): letting turns and messages under way finish", request.why)
    services.intake.shut_down()
    system.registry.ref("root/gateway/inbound").urge(inbound.Drain())
    with trio.move_on_after(services.config.drain_timeout_s) as limit:
        await _ask_all(services.conversations.live(), session.Drain)
        await _ask_all(system.registry.below(lanes), delivery.Flush)
    if limit.cancelled_caught:
        log.warning(
            "the drain has used up its %g s; what is left goes on at the next start",
            services.config.drain_timeout_s,
        )
    ended: Literal["stop", "restart"] = "restart" if request.code == exits.RESTART else "stop"
    services.store.post(End(services.boot_id, ended))


async def _ask_all(
    actors: list[ActorRef[object]], question: type[session.Drain] | type[delivery.Flush]
) -> None:
    async with trio.open_nursery() as nursery:
        for actor in actors:
            nursery.start_soon(_ask, actor, question)


async def _ask(actor: ActorRef[object], question: type[session.Drain] | type[delivery.Flush]) -> None:
    def build(reply: Reply[None]) -> object:
        return question(reply)

    with suppress(ActorDownError):  # then it has nothing left to finish
        await actor.ask(build, math.inf, urgent=True)
