"""Inbound: gives every accepted event its one decision. Order within a chat, chats side by side.

    wake(chat) ─▶ dispatcher ─▶ one short-lived worker per chat ─▶ decide ─▶ commit ─▶ wake the session

The inbox table is the queue: a wake-up means "look", and the sweep looks where no wake-up came.
"""

import logging
from dataclasses import dataclass
from typing import assert_never

import trio

from actors.ports.services import Services
from hermes.routing import answers, pipeline
from hermes.sessions.ids import new_session_id
from hermes.sessions.keys import build_session_key
from hermes.store import ops, queries
from hermes.types import faults, texts
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId
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

BATCH_ROWS = 64
SESSION_DISABLED = "session_disabled"


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
        self._busy: dict[str, LaneKey] = {}
        self._again: set[LaneKey] = set()
        self._draining = False

    async def run(self) -> None:
        self._ctx.ready()
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
        spec = ChildSpec(lane, _decide_all, (self._services, (platform, account, chat_id)))
        self._busy[self._ctx.spawn_child(spec).path] = lane

    async def _sweep(self) -> None:
        """Find what no wake-up came for: chats to decide, and sessions with open rows that nobody runs."""
        if self._draining:
            return
        store = self._services.store
        for chat in await store.read(queries.accepted_chats):
            self._dispatch(lane_key(*chat))
        for key in await store.read(queries.open_sessions):
            self._services.conversations.wake(key)
            self._services.conversations.interrupt(
                key
            )  # the worker that had to may have died after its commit


async def _decide_all(ctx: Context[Message], services: Services, chat: Chat) -> None:
    """The worker of one chat: decide its rows in order until none is left."""
    ctx.ready()
    while rows := await services.store.read(queries.accepted_rows, *chat, BATCH_ROWS):
        for row in rows:
            await _decide(services, row)


async def _decide(services: Services, row: InboxRow) -> None:
    """One decision, one commit: into a session, or to an end together with what is said about it."""
    origin = row.event.origin
    context = pipeline.Context(
        capabilities=services.adapters.capabilities(origin.platform),
        booted_at=services.booted_at,
        session_key_of=build_session_key,
    )
    decision = pipeline.decide(row.event, context)
    now = services.clock.wall()
    level = (
        logging.DEBUG if isinstance(decision, pipeline.ToSession) else logging.INFO
    )  # its turn says how it ended
    log.log(level, "%s message %d: %s", origin.lane, row.row_id, decision.rule)
    match decision:
        case pipeline.ToSession(key) if services.conversations.rests(key):
            reply = _reply(services, row, texts.SESSION_DISABLED)
            await _close(services, row, ops.Close(row.row_id, "failed", SESSION_DISABLED, now, reply))
        case pipeline.ToSession(key, rule):
            session_id = new_session_id(now, services.ids)
            await services.store.write(ops.Route(row.row_id, key, session_id, rule, now))
            faults.point("after_decision")
            services.conversations.wake(key)
        case pipeline.Command(kind="info"):
            text = await answers.answer(decision, services.overview.status)
            await _close(
                services,
                row,
                ops.Close(row.row_id, "answered", decision.rule, now, _reply(services, row, text)),
            )
        case pipeline.Command(name, _, key):
            fresh = new_session_id(now, services.ids) if name == "new" else None
            effect = ops.StopTurn(key, decision.rule, now, fresh)
            stopped = texts.STOPPED if services.conversations.busy(key) else texts.NOTHING_TO_STOP
            text = texts.NEW_CONVERSATION if name == "new" else stopped
            close = ops.Close(
                row.row_id, "answered", decision.rule, now, _reply(services, row, text), effect=effect
            )
            await _close(services, row, close)
            services.conversations.interrupt(key)
            if name == "new" and services.conversations.rests(key):
                services.conversations.revive(key)
        case pipeline.Drop(state, rule, keep_text, reply):
            outbound = () if reply is None else _reply(services, row, reply)
            await _close(services, row, ops.Close(row.row_id, state, rule, now, outbound, keep_text))
        case _:
            assert_never(decision)


async def _close(services: Services, row: InboxRow, close: ops.Close) -> None:
    await services.store.write(close)
    faults.point("after_decision")
    if close.outbound:
        services.delivery.wake(row.event.origin.lane)


def _reply(services: Services, row: InboxRow, text: str) -> tuple[Outbound, ...]:
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
            text=text,
            kind="command",
            reply_to=event.message_id,
            trace=event.trace,
            expires_at=services.clock.wall() + services.config.delivery.ttl_s,
        ),
    )
