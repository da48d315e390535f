"""Delivery: the outbox's dispatcher, and one lane per chat that sends its messages in order, one part at a time.

outbox row ─▶ sending ─▶ adapter port ─▶ receipt per part ─▶ sent
                 └ failed ─▶ prepared (wait for the chat) | retry | unknown | dead        (hermes.delivery.plan)

Drafts and typing are shown in between, at the platform's pace, and not at all while a message waits to be tried again.
"""

import logging
import math
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from actors.ports.services import Services
from hermes.delivery import plan
from hermes.store import ops, queries
from hermes.types import faults
from hermes.types.content import Capabilities
from hermes.types.errors import SendError
from hermes.types.origin import LaneKey, lane_key
from hermes.types.records import OutboxRow
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reply import Reply
from supervisors.spec import Backoff, ChildSpec, Intensity, MailboxSpec

log = logging.getLogger(__name__)

SWEEP_S = 5.0
EXPIRE_S = 60.0
IDLE_S = 60.0
REST_S = 600.0
"""How long a lane that has ended too often rests before it gets another chance: its messages have nobody else."""


@dataclass(frozen=True, slots=True)
class Look:
    """There may be a row, a draft or a way to the chat that was not there before."""


@dataclass(frozen=True, slots=True)
class Flush:
    """The reply comes when nothing is left that could be sent now."""

    reply: Reply[None]


LaneMessage = Look | Flush | Stop | Down
OutboxMessage = Stop | Down


async def run_outbox(ctx: Context[OutboxMessage], services: Services) -> None:
    """Start the lanes that have open rows, at the beginning and by a sweep; end what has expired."""
    ctx.ready()
    expire_at = trio.current_time()
    while True:
        if trio.current_time() >= expire_at:
            expire_at += EXPIRE_S
            now = services.clock.wall()
            for platform, capabilities in services.adapters.platforms.items():
                await services.store.write(ops.Expire(platform, capabilities.history, now))
        for chat in await services.store.read(queries.open_lanes):
            services.delivery.ensure(lane_key(*chat))
        with trio.move_on_after(SWEEP_S):
            await ctx.stopping()
            return


def lane_spec(services: Services, lane: LaneKey) -> ChildSpec:
    """The lane of one chat as a child of ``lanes``."""
    return ChildSpec(
        id=lane,
        start=run_lane,
        args=(services, lane),
        restart="transient",
        backoff=Backoff(min=0.2, max=30.0, reset_after=60.0),
        intensity=Intensity(5, per=60.0, on_exceeded="disable", probe=REST_S),
        mailbox=MailboxSpec(16),
    )


async def run_lane(ctx: Context[LaneMessage], services: Services, lane: LaneKey) -> None:
    """Send what ``lane`` has, in order, until there has been nothing to do for a while."""
    await _Lane(ctx, services, lane).run()


class _Lane:
    def __init__(self, ctx: Context[LaneMessage], services: Services, lane: LaneKey) -> None:
        self._ctx = ctx
        self._services = services
        self._lane = lane
        self._platform, self._account, self._chat_id = lane.split(":", 2)
        self._flushes: list[Reply[None]] = []
        self._blocked = False
        self._next_draft_at = -math.inf
        self._typing: frozenset[str | None] = frozenset()
        self._next_typing_at = -math.inf

    async def run(self) -> None:
        self._ctx.ready()
        idle_since = trio.current_time()
        while True:
            await self._end_typing()
            row = None if self._blocked else await self._next_row()
            if row is not None and row.not_before <= self._services.clock.wall():
                await self._deliver(row)
                idle_since = trio.current_time()
                continue
            busy = bool(self._typing or self._services.delivery.typing(self._lane))
            if row is None and not busy and trio.current_time() >= idle_since + IDLE_S:
                return  # no checkpoint since the look: a message that came meanwhile starts the next incarnation
            for reply in self._flushes:
                reply.send(None)
            self._flushes.clear()
            message: LaneMessage | None = None
            with trio.move_on_at(self._wake_at(row, idle_since)):
                message = await self._ctx.receive()
            match message:
                case None:
                    await self._show_draft()
                    await self._show_typing()
                case Look():
                    self._blocked = False
                case Flush(reply):
                    self._flushes.append(reply)
                case Down():
                    pass  # a lane watches nobody
                case Stop():
                    return
                case _:
                    assert_never(message)

    def _wake_at(self, row: OutboxRow | None, idle_since: float) -> float:
        now = trio.current_time()
        if row is not None:  # the platform wants to be left alone until then
            return now + max(0.0, row.not_before - self._services.clock.wall())
        typing = self._services.delivery.typing(self._lane)
        at = self._next_typing_at if typing else idle_since + IDLE_S
        if self._services.delivery.has_draft(self._lane):
            at = min(at, self._next_draft_at)
        return max(now, at)

    async def _next_row(self) -> OutboxRow | None:
        return await self._services.store.read(
            queries.next_open_row, self._platform, self._account, self._chat_id
        )

    async def _show_draft(self) -> None:
        """Hand the newest draft to the platform, no oftener than it likes."""
        if trio.current_time() < self._next_draft_at:
            return
        draft = self._services.delivery.take_draft(self._lane)
        port = self._services.adapters.find(self._platform, self._account)
        if draft is not None and port is not None:
            self._next_draft_at = trio.current_time() + port.capabilities.draft_interval_s
            await port.draft(self._chat_id, draft)

    async def _show_typing(self) -> None:
        """Say that somebody types, or say it again, no oftener than the platform needs."""
        services = self._services
        wanted = services.delivery.typing(self._lane)
        if not wanted or trio.current_time() < self._next_typing_at:
            return
        pause_s = services.adapters.capabilities(self._platform).typing_interval_s
        port = services.adapters.find(self._platform, self._account)
        if port is not None:
            self._typing |= wanted
            for thread_id in wanted:
                pause_s = max(pause_s, await port.typing(self._chat_id, thread_id, True))
        self._next_typing_at = trio.current_time() + pause_s

    async def _end_typing(self) -> None:
        """Take it away where nobody types any more: before the answer, whose place it would seem to take."""
        over = self._typing - self._services.delivery.typing(self._lane)
        self._typing -= over
        port = self._services.adapters.find(self._platform, self._account)
        for thread_id in over:
            if port is not None:
                await port.typing(self._chat_id, thread_id, False)

    async def _deliver(self, row: OutboxRow) -> None:
        """Send the parts of ``row`` that have no receipt, in order; stop at the first that fails."""
        services, now = self._services, self._services.clock.wall()
        port = services.adapters.find(self._platform, self._account)
        if port is None or not port.up:
            self._blocked = True  # the adapter wakes its lanes when it is up
            return
        capabilities = port.capabilities
        if row.state == "sending" and (left := plan.on_restart(row, capabilities)) is not None:
            await self._unsent(row, left)
            return
        message = row.message
        if not await services.store.write(
            ops.Sending(row.row_id, services.boot_id, self._ctx.incarnation, now)
        ):
            return
        for part in plan.parts(message, capabilities)[row.parts_sent :]:
            sent = plan.marked(part) if plan.needs_mark(row, part) else part
            faults.point("before_send")
            try:
                result = await port.send(
                    self._chat_id, sent, reply_to=message.reply_to, metadata=message.metadata
                )
            except SendError as error:
                await self._failed(row, error, capabilities)
                return
            faults.point("after_send_before_receipt")
            receipt = ops.Receipt(
                row.row_id, part.index, part.total, result.message_id, services.clock.wall()
            )
            await services.store.write(receipt)
            faults.point("after_receipt")
            row = replace(row, state="prepared", parts_sent=part.index + 1, failure="")

    async def _failed(self, row: OutboxRow, error: SendError, capabilities: Capabilities) -> None:
        following = plan.after_failure(
            row,
            error.failure,
            error.phase,
            now=self._services.clock.wall(),
            capabilities=capabilities,
            rng=self._ctx.system.rng.random,
        )
        self._blocked = following.state == "prepared" and not following.not_before
        if following.state == "dead":
            log.error(
                "%s: message %s is given up: %s", self._lane, row.message.delivery_id, following.failure
            )
        await self._unsent(row, following)

    async def _unsent(self, row: OutboxRow, following: plan.Next) -> None:
        now = self._services.clock.wall()
        unsent = ops.Unsent(row.row_id, following.state, following.not_before, following.failure, now)
        await self._services.store.write(unsent)
