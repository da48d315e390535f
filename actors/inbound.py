"""Inbound: gives every accepted event its one decision. Order within a chat, chats side by side.

    wake(chat) ─▶ dispatcher ─▶ one short-lived worker per chat ─▶ decide (judge) ─▶ commit ─▶ wake the session

The inbox table is the queue: a wake-up means "look", and the sweep looks where no wake-up came. What was too old to be
answered is told to its chat once no more of it has come for a while.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from actors.commands.reply import Ask, Prompt, Reply
from actors.commands.table import carry_out
from actors.judge import Judge
from actors.ports.services import Services
from actors.strangers import meet
from hermes.hooks import events, payloads
from hermes.routing import missed, pipeline
from hermes.routing.access import PAIR
from hermes.routing.loops import tagged
from hermes.sessions import reset
from hermes.sessions.ids import new_session_id
from hermes.store import busy_ops, ops, queries
from hermes.types import faults, texts
from hermes.types.content import REFUSAL, Outbound
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import DeliveryId, SessionKey
from hermes.types.origin import LaneKey, lane_key
from hermes.types.records import InboxRow, Standing
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reasons import describe, is_clean
from supervisors.spec import ChildSpec

log = logging.getLogger(__name__)

SWEEP_S = 5.0
RETRY_S = 1.0
"""How soon the sweep comes after a worker has failed: not at once, or a row that fails every worker would spin."""

BATCH_ROWS = 64
MISSED_QUIET_S = 5.0
"""A backlog comes in several polls; its chat is told once, when no more has come for this long."""

ROUTE_TRIES = 100
"""How often a message is decided about at once whose conversation keeps changing; then its chat waits for a sweep."""

SESSION_CONTENDED = "session_contended"
SESSION_DISABLED = "session_disabled"
TOO_MANY_SESSIONS = "refused:sessions"
TOO_MANY_WAITING = "refused:waiting"


@dataclass(frozen=True, slots=True)
class Wake:
    """A chat has rows to decide."""

    lane: LaneKey


@dataclass(frozen=True, slots=True)
class Drain:
    """Decide nothing more; what is accepted waits for the next boot."""


Message = Wake | Drain | Stop | Down

Chat = tuple[str, str, str]


async def run(ctx: Context[Message], services: Services) -> None:
    """Dispatch until told to stop."""
    await _Dispatcher(ctx, services).run()


class _Dispatcher:
    def __init__(self, ctx: Context[Message], services: Services) -> None:
        self._ctx = ctx
        self._services = services
        self._judge = Judge(services)
        self._busy: dict[str, LaneKey] = {}
        self._again: set[LaneKey] = set()
        self._draining = False

    async def run(self) -> None:
        self._ctx.ready()
        await self._services.approvals.load(self._services.store)
        await self._sweep()
        sweep_at = trio.current_time() + SWEEP_S
        while True:
            message: Message | None = None
            with trio.move_on_at(sweep_at):
                message = await self._ctx.receive()
            match message:
                case None:
                    await self._sweep()
                    sweep_at = trio.current_time() + SWEEP_S
                case Wake(lane):
                    self._dispatch(lane)
                case Drain():
                    self._draining = True
                case Down(path, _, reason):
                    lane = self._busy.pop(path)
                    if not is_clean(reason):
                        log.error("deciding for %s failed: %s; it is tried again", lane, describe(reason))
                        sweep_at = min(sweep_at, trio.current_time() + RETRY_S)
                    elif lane in self._again:
                        self._dispatch(lane)
                    self._again.discard(lane)
                case Stop():
                    return
                case _:
                    assert_never(message)

    def _dispatch(self, lane: LaneKey) -> None:
        if self._draining:
            return
        if lane in self._busy.values():
            self._again.add(lane)
            return
        platform, account, chat_id = lane.split(":", 2)
        args = (self._services, self._judge, (platform, account, chat_id))
        spec = ChildSpec(lane, _decide_all, args, restart="temporary")
        self._busy[self._ctx.spawn_child(spec).path] = lane

    async def _sweep(self) -> None:
        """Find what no wake-up came for: chats to decide, chats to be told, sessions with open rows that nobody runs."""
        if self._draining:
            return
        self._judge.forget()
        self._services.people.outdated()  # whoever had to say so may have died after its commit
        store = self._services.store
        for rows in await store.read(queries.missed, self._services.clock.wall() - MISSED_QUIET_S):
            await _tell_missed(self._services, rows)
        for chat in await store.read(queries.accepted_chats):
            self._dispatch(lane_key(*chat))
        for key in await store.read(queries.open_sessions):
            self._services.conversations.wake(key)
            self._services.conversations.interrupt(
                key
            )  # the worker that had to may have died after its commit


async def _tell_missed(services: Services, rows: Sequence[InboxRow]) -> None:
    """One notice for all of them, where the last one came from (AC-15)."""
    last = rows[-1]
    (notice,) = _reply(services, last, missed.notice([row.event for row in rows]))
    notice = replace(
        notice, delivery_id=DeliveryId(f"{notice.delivery_id}:missed"), kind="notice", reply_to=None
    )
    told = ops.TellMissed(tuple(row.row_id for row in rows), notice, services.clock.wall())
    if await services.store.write(told):
        log.info("%s: told that %d messages were missed", last.event.origin.lane, len(rows))
        services.delivery.wake(last.event.origin.lane)


async def _decide_all(ctx: Context[Message], services: Services, judge: Judge, chat: Chat) -> None:
    """The worker of one chat: decide its rows in order until none is left. What comes after the look comes with a wake-up."""
    ctx.ready()
    full = True
    while full:
        rows = await services.store.read(queries.accepted_rows, *chat, BATCH_ROWS)
        for row in rows:
            await _decide(services, judge, row)
        full = len(rows) == BATCH_ROWS


async def _decide(services: Services, judge: Judge, row: InboxRow, *, again: bool = False) -> None:
    """One decision, one commit: into a session, or to an end together with what is said about it. ``again``: its sender
    was a stranger a moment ago.
    """
    origin = row.event.origin
    judged = await judge.decide(row.event)
    decision = judged.decision
    now = services.clock.wall()
    stranger = decision.rule == PAIR and not again
    # how it ended is said by its turn, or once the stranger is met
    level = logging.DEBUG if stranger or isinstance(decision, pipeline.ToSession) else logging.INFO
    log.log(level, "%s message %d: %s", origin.lane, row.row_id, decision.rule)
    match decision:
        case pipeline.ToSession(key, rule):
            await _hand_over(services, row, key, Prompt(judged.text, rule))
        case pipeline.Command():
            await _carry_out(services, row, decision)
        case pipeline.Revise(key, message_id, text):
            await services.store.write(busy_ops.Revise(row.row_id, key, origin, message_id, text))
            faults.point("after_decision")
        case pipeline.Drop() if stranger:
            await _meet(services, judge, row)
        case pipeline.Drop(state, rule, keep_text, reply):
            outbound = () if reply is None else _reply(services, row, reply)
            too_old = rule == pipeline.TOO_OLD
            close = ops.Close(row.row_id, state, rule, now, outbound, keep_text, missed=too_old)
            await _close(services, row, close)
        case _:
            assert_never(decision)


async def _meet(services: Services, judge: Judge, row: InboxRow) -> None:
    """A stranger. What they are told is in the pairing files before the row ends: a code that was shown can be approved."""
    words = await meet(services, row.event)
    if words is None:
        await _decide(services, judge, row, again=True)
        return
    log.info("%s message %d: %s", row.event.origin.lane, row.row_id, words.rule)
    now = services.clock.wall()
    outbound: tuple[Outbound, ...] = ()
    if words.text is not None:
        (said,) = _reply(services, row, words.text, secret=words.secret)
        outbound = (replace(said, expires_at=now + words.lifetime_s),)
    await _close(services, row, ops.Close(row.row_id, "denied", words.rule, now, outbound, keep_text=False))


async def _carry_out(services: Services, row: InboxRow, command: pipeline.Command) -> None:
    """A command: what it does and what is said about it are one commit with the end of its row."""
    match await carry_out(Ask(services, row, command)):
        case Prompt() as prompt:
            await _hand_over(services, row, command.session_key, prompt)
        case Reply(text, effect, otherwise, after, secret, keep_text):
            close = ops.Close(
                row.row_id,
                "answered",
                command.rule,
                services.clock.wall(),
                _reply(services, row, text, secret=secret),
                keep_text,
                effect=effect,
                otherwise=None if otherwise is None else _reply(services, row, otherwise),
            )
            await _close(services, row, close)
            if after is not None:
                after()
        case reply:
            assert_never(reply)


async def _hand_over(services: Services, row: InboxRow, key: SessionKey, prompt: Prompt) -> None:
    """Into the session, if there is room for it and it works."""
    if services.conversations.rests(key):
        reply = _reply(services, row, texts.SESSION_DISABLED)
        now = services.clock.wall()
        await _close(services, row, ops.Close(row.row_id, "failed", SESSION_DISABLED, now, reply))
    elif not await services.conversations.admit(key):
        await _refuse(services, row, TOO_MANY_SESSIONS, texts.TOO_MANY_SESSIONS)
    else:
        match await _route(services, row, key, prompt):
            case "full":
                words = texts.TOO_MANY_WAITING.format(limit=services.config.limits.waiting)
                await _refuse(services, row, TOO_MANY_WAITING, words)
            case "changed":
                reply = _reply(services, row, texts.AT_WORK.format(name=prompt.rule.rpartition(":")[2]))
                now = services.clock.wall()
                await _close(services, row, ops.Close(row.row_id, "answered", prompt.rule, now, reply))
            case _:
                faults.point("after_decision")
                services.conversations.wake(key)


async def _route(services: Services, row: InboxRow, key: SessionKey, prompt: Prompt) -> int | ops.NotRouted:
    """Into the session, and into a new stretch of it where that is due; decided again if it has changed meanwhile. What a
    command has an ``effect`` on is the present stretch, so it goes there or nowhere.

    Each time it has, another chat or a person has had their way with it, so all of them together come to an end.
    """
    # By the time of the words and not of the decision: a restart in between makes no difference (AC-46).
    at, origin = row.event.received_at, row.event.origin
    user_id = services.people.side(origin).user.user_id if origin.chat_type == "dm" else None
    for _ in range(ROUTE_TRIES):
        standing = await services.store.read(queries.standing, key)
        renewal = None if standing is None or prompt.effect else _renewal(services, row, standing)
        session_id, most = new_session_id(at, services.ids), services.config.limits.waiting
        route = ops.Route(
            row_id=row.row_id,
            session_key=key,
            new_session_id=session_id,
            rule=prompt.rule,
            at=at,
            origin=origin,
            most=most,
            renewal=renewal,
            text=prompt.text,
            user_id=user_id,
            effect=prompt.effect,
        )
        routed = await services.store.write(route)
        if routed != "changed" or prompt.effect is not None:
            break
    else:
        detail = f"message {row.row_id}: {key} has changed {ROUTE_TRIES} times while it was looked at"
        raise GatewayError(Failure(SESSION_CONTENDED, scope="chat", detail=detail))
    if renewal is not None:
        log.info("%s begins anew: %s", key, renewal.reason)
        services.delivery.wake(origin.lane)
        services.hooks.happened(events.SESSION_END, payloads.session(origin, key))
    if isinstance(routed, int) and (standing is None or renewal is not None):
        services.hooks.happened(events.SESSION_START, payloads.session(origin, key, session_id))
    return routed


def _renewal(services: Services, row: InboxRow, standing: Standing) -> ops.Renewal | None:
    """What a new stretch begins with, if one is due. Nobody is silent while an answer is worked on; but what an earlier
    boot has left open says nothing about that.
    """
    record, origin, at = standing.record, row.event.origin, row.event.received_at
    under_way = standing.open_since is not None and standing.open_since >= services.booted_at
    if under_way and not record.suspended:
        return None
    policy = reset.policy_for(services.config, origin.platform, origin.chat_type)
    state = reset.next_state(
        record, policy, at, None, platform=origin.platform, had_activity=standing.had_activity
    )
    match state:
        case reset.Keep():
            return None
        case reset.Reset(reason, notice):
            told = _reply(services, row, notice) if notice else ()
            return ops.Renewal(
                reason,
                record,
                state.note,
                tuple(
                    replace(
                        words,
                        delivery_id=DeliveryId(f"{words.delivery_id}:anew"),
                        kind="notice",
                        reply_to=None,
                    )
                    for words in told
                ),
            )
        case _:
            assert_never(state)


async def _refuse(services: Services, row: InboxRow, rule: str, text: str) -> bool:
    """There is no room for it (AC-55). False if somebody has decided about it before."""
    now = services.clock.wall()
    refused = ops.Close(row.row_id, "refused", rule, now, _reply(services, row, text))
    if closed := await _close(services, row, refused):
        log.warning("%s message %d: %s", row.event.origin.lane, row.row_id, rule)
    return closed


async def _close(services: Services, row: InboxRow, close: ops.Close) -> bool:
    if close.state != "answered":
        said = (replace(words, metadata={**words.metadata, REFUSAL: close.rule}) for words in close.outbound)
        close = replace(close, outbound=tuple(said))
    closed = await services.store.write(close)
    faults.point("after_decision")
    if close.outbound:
        services.delivery.wake(row.event.origin.lane)
    return closed


def _reply(services: Services, row: InboxRow, text: str, *, secret: bool = False) -> tuple[Outbound, ...]:
    """A command's answer. Named after its row, so that deciding the row again would not say it twice.

    The trace tells it from the row of that number in a database that was set aside: an open page still shows its answer.
    """
    event, origin = row.event, row.event.origin
    return (
        Outbound(
            delivery_id=DeliveryId(f"in{row.row_id}:{event.trace}"),
            platform=origin.platform,
            account=origin.account,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            text=tagged(text, origin),
            kind="command",
            reply_to=event.message_id,
            trace=event.trace,
            expires_at=services.clock.wall() + services.config.delivery.ttl_s,
            secret=secret,
        ),
    )
