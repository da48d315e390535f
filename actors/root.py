"""The root's policy: which exit code a failure means, and the drain before the structural stop.

SIGTERM ─▶ planned? ─┐
stop request ────────┴▶ intake shut ─▶ inbound decides nothing more ─▶ turns finish ─▶ lanes flush ─▶ reverse-order stop
"""

import logging
import math
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import trio

from actors import delivery, exits, inbound, session
from actors.ports.overview import TreeOverview
from actors.ports.services import Services
from hermes.ops import takeover
from hermes.ops.instance import Instance
from hermes.ops.neighbours import neighbours
from hermes.store import notice_ops
from hermes.types.errors import (
    CONFIG_INVALID,
    HOME_HELD,
    HOME_UNUSABLE,
    STORE_NEWER,
    GatewayError,
)
from supervisors.escalation import GIVE_UP, ExitTable
from supervisors.reasons import Crash, ExitReason, Failed, Verdict, describe, is_clean, path_of
from supervisors.ref import ActorRef
from supervisors.reply import ActorDownError, Reply
from supervisors.system import Outcome, StopRequest, System

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


NOTE_DEADLINE_S = 1.0
NEIGHBOURS_DEADLINE_S = 3.0

TAKEN_OVER = "takeover"


async def judge(system: System, home: Path, request: StopRequest) -> StopRequest:
    """What a stop request comes to: a SIGTERM is planned if its sender has left a note, and then the exit code is 0."""
    if request.code != exits.FAILED:
        return request
    in_thread = partial(trio.to_thread.run_sync, abandon_on_cancel=True)
    with trio.move_on_after(NOTE_DEADLINE_S):
        if note := await in_thread(takeover.planned, home):
            system.overrule(StopRequest(0, TAKEN_OVER if note == takeover.TAKEOVER else "a planned stop"))
    return system.stopping or request


async def say_who_is_here(request: StopRequest) -> None:
    """Of a stop that nobody planned, the log says what else runs here."""
    with trio.move_on_after(NEIGHBOURS_DEADLINE_S):
        try:
            seen = await trio.to_thread.run_sync(neighbours, abandon_on_cancel=True)
        except OSError as hidden:  # the drain beside it is worth more
            seen = f"what else runs cannot be seen: {hidden}"
        log.warning("%s came unplanned, from a sender that the system does not tell; %s", request.why, seen)


async def drain(system: System, services: Services, lanes: str, request: StopRequest) -> None:
    """Let what is under way end well, within the configured time; then return, whatever is left.

    Turns that do not finish stay ``in_turn`` and go on in the next boot; messages that are not sent stay in the outbox. The
    next boot finds that this one has ended in good order.
    """
    within_s = services.config.drain_timeout_s
    if request.why == TAKEN_OVER:
        within_s = min(within_s, exits.TAKEOVER_DRAIN_S)
    log.info("stopping (%s): letting turns and messages under way finish", request.why)
    services.intake.shut_down()
    system.registry.ref("root/gateway/inbound").urge(inbound.Drain())
    with trio.move_on_after(within_s) as limit:
        await _ask_all(services.conversations.live(), session.Drain)
        await _ask_all(system.registry.below(lanes), delivery.Flush)
    if limit.cancelled_caught:
        log.warning("the drain has used up its %g s; what is left goes on at the next start", within_s)
    request = system.stopping or request  # somebody may have asked for something else meanwhile
    again = request.code == exits.RESTART or request.why == TAKEN_OVER
    ended: Literal["stop", "restart"] = "restart" if again else "stop"
    services.store.post(notice_ops.End(services.boot_id, ended, services.overview.asked_by))


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


@dataclass(frozen=True, slots=True)
class End:
    """How the process ends; ``again``: to be run once more, for somebody asked for that and waits for it."""

    code: int
    again: bool


def ended(system: System, overview: TreeOverview, held: Instance, outcome: Outcome) -> End:
    """Say how it ended: in the log, and in the home for whoever comes after."""
    code, request = outcome.code, system.stopping
    if code in (GIVE_UP, exits.CONFIG):
        path = "/".join(path_of(outcome.reason))
        log.error("the gateway gives up%s: %s", f" at {path}" if path else "", describe(outcome.reason))
    log.info("stopped, exit code %d", code)
    why = request.why if request is not None and is_clean(outcome.reason) else describe(outcome.reason)
    again = code == exits.RESTART
    held.ended(
        overview.redact(why),
        meant=code in (0, exits.RESTART) and why != TAKEN_OVER,
        restart=again,
        was_ready=system.ready,
    )
    return End(code, again and overview.asked_to_restart)
