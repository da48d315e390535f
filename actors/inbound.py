"""Inbound: gives every accepted event its one decision. Order within a chat, chats side by side.

    wake ─▶ dispatcher reads ─▶ one short-lived worker per chat ─▶ decide (judge) ─▶ commit ─▶ wake the session

The inbox table is the queue: a wake-up means "look", and the sweep looks where no wake-up came. What was too old to be
answered is told to its chat once no more of it has come for a while.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from actors.commands.reply import Ask, Prompt, Reply
from actors.commands.table import carry_out
from actors.judge import Judge
from actors.ports.services import Services
from actors.routing import reply_to, route
from actors.strangers import meet
from hermes.routing import missed, pipeline
from hermes.routing.access import PAIR
from hermes.store import busy_ops, ops, queries
from hermes.store.queries import Chat
from hermes.types import faults, texts
from hermes.types.content import REFUSAL, Outbound
from hermes.types.ids import DeliveryId, SessionKey
from hermes.types.origin import LaneKey, lane_key
from hermes.types.records import InboxRow
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reasons import describe, is_clean
from supervisors.spec import ChildSpec

log = logging.getLogger(__name__)

SWEEP_S = 5.0
RETRY_S = 1.0
"""How soon the sweep comes after a worker has failed: not at once, or a row that fails every worker would spin."""

CHATS_TOGETHER, ROWS_TOGETHER = 64, 256
"""How much the dispatcher reads at once: it costs one thread call, whether one chat has spoken or many."""

MISSED_QUIET_S = 5.0
"""A backlog comes in several polls; its chat is told once, when no more has come for this long."""

SESSION_DISABLED = "session_disabled"
TOO_MANY_SESSIONS = "refused:sessions"
TOO_MANY_WAITING = "refused:waiting"


@dataclass(frozen=True, slots=True)
class Wake:
    """There are chats with rows to decide."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Decide nothing more; what is accepted waits for the next boot."""


Message = Wake | Drain | Stop | Down


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
            match await self._ctx.receive(by=sweep_at):
                case None:
                    await self._sweep()
                    sweep_at = trio.current_time() + SWEEP_S
                case Wake():
                    await self._look(self._services.conversations.take_chats())
                case Drain():
                    self._draining = True
                case Down(path, _, reason):
                    lane = self._busy.pop(path)
                    if not is_clean(reason):
                        log.error("deciding for %s failed: %s; it is tried again", lane, describe(reason))
                        sweep_at = min(sweep_at, trio.current_time() + RETRY_S)
                    elif lane in self._again:
                        self._services.conversations.wake_inbound(lane)  # with others, if there are any
                    self._again.discard(lane)
                case Stop():
                    return
                case message:
                    assert_never(message)

    async def _look(self, lanes: Iterable[LaneKey]) -> None:
        """Give what these chats have to a worker for each; a chat that has one is looked at again when that has ended."""
        if self._draining:
            return
        at_work = {*self._busy.values()}
        self._again |= at_work & {*lanes}
        idle = [_chat(lane) for lane in lanes if lane not in at_work]
        for start in range(0, len(idle), CHATS_TOGETHER):
            chats = idle[start : start + CHATS_TOGETHER]
            found = await self._services.store.read(queries.accepted_of, chats, ROWS_TOGETHER)
            for chat, rows in found.items():
                args = (self._services, self._judge, rows)
                spec = ChildSpec(lane_key(*chat), _decide_all, args, restart="temporary")
                self._busy[self._ctx.spawn_child(spec).path] = lane_key(*chat)
            if sum(map(len, found.values())) == ROWS_TOGETHER:
                self._cut_short(chats, found)

    def _cut_short(self, chats: Iterable[Chat], found: Collection[Chat]) -> None:
        """There may be more than was read at once. Those whose rows were not among it are looked at next, without the others."""
        for chat in chats:
            if chat in found:
                self._again.add(lane_key(*chat))
            else:
                self._services.conversations.wake_inbound(lane_key(*chat))

    async def _sweep(self) -> None:
        """Find what no wake-up came for: chats to decide, chats to be told, sessions with open rows that nobody runs."""
        if self._draining:
            return
        self._services.conversations.take_chats()  # they are found; and a wake-up that was lost would hold back all later ones
        self._judge.forget()
        self._services.people.outdated()  # whoever had to say so may have died after its commit
        store = self._services.store
        for unanswered in await store.read(queries.missed, self._services.clock.wall() - MISSED_QUIET_S):
            await _tell_missed(self._services, unanswered)
        await self._look([lane_key(*chat) for chat in await store.read(queries.accepted_chats)])
        conversations, waiting = self._services.conversations, await store.read(queries.open_sessions)
        conversations.remind({key: rows.newest for key, rows in waiting.items()})
        for key, rows in waiting.items():
            if not rows.taken:  # a turn that runs there was stopped: the worker that had to say so may have died after its commit
                conversations.interrupt(key, rows.oldest)


def _chat(lane: LaneKey) -> Chat:
    platform, account, chat_id = lane.split(":", 2)
    return platform, account, chat_id


async def _tell_missed(services: Services, rows: Sequence[InboxRow]) -> None:
    """One notice for all of them, where the last one came from (AC-15)."""
    last = rows[-1]
    (notice,) = reply_to(services, last, missed.notice([row.event for row in rows]))
    notice = replace(
        notice, delivery_id=DeliveryId(f"{notice.delivery_id}:missed"), kind="notice", reply_to=None
    )
    told = ops.TellMissed(tuple(row.row_id for row in rows), notice, services.clock.wall())
    if await services.store.write(told):
        log.info("%s: told that %d messages were missed", last.event.origin.lane, len(rows))
        services.delivery.wake(last.event.origin.lane)


async def _decide_all(
    ctx: Context[Message], services: Services, judge: Judge, rows: Sequence[InboxRow]
) -> None:
    """The worker of one chat: decide its ``rows`` in order. What comes after the look comes with a wake-up."""
    ctx.ready()
    for row in rows:
        await _decide(services, judge, row)


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
            outbound = () if reply is None else reply_to(services, row, reply)
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
        (said,) = reply_to(services, row, words.text, secret=words.secret)
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
                reply_to(services, row, text, secret=secret),
                keep_text,
                effect=effect,
                otherwise=None if otherwise is None else reply_to(services, row, otherwise),
            )
            await _close(services, row, close)
            if after is not None:
                after()
        case reply:
            assert_never(reply)


async def _hand_over(services: Services, row: InboxRow, key: SessionKey, prompt: Prompt) -> None:
    """Into the session, if there is room for it and it works."""
    if services.conversations.rests(key):
        reply = reply_to(services, row, texts.SESSION_DISABLED)
        now = services.clock.wall()
        await _close(services, row, ops.Close(row.row_id, "failed", SESSION_DISABLED, now, reply))
    elif not await services.conversations.admit(key):
        await _refuse(services, row, TOO_MANY_SESSIONS, texts.TOO_MANY_SESSIONS)
    else:
        match await route(services, row, key, prompt):
            case "full":
                words = texts.TOO_MANY_WAITING.format(limit=services.config.limits.waiting)
                await _refuse(services, row, TOO_MANY_WAITING, words)
            case "changed":
                reply = reply_to(services, row, texts.AT_WORK.format(name=prompt.rule.rpartition(":")[2]))
                now = services.clock.wall()
                await _close(services, row, ops.Close(row.row_id, "answered", prompt.rule, now, reply))
            case _:
                pass


async def _refuse(services: Services, row: InboxRow, rule: str, text: str) -> bool:
    """There is no room for it (AC-55). False if somebody has decided about it before."""
    now = services.clock.wall()
    refused = ops.Close(row.row_id, "refused", rule, now, reply_to(services, row, text))
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
