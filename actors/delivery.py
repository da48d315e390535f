"""Delivery: the outbox's dispatcher, and one lane per chat that sends its messages in order, one part at a time.

outbox row ─▶ sending ─▶ adapter port ─▶ receipt per part ─▶ sent
                 └ failed ─▶ prepared (wait for the chat) | retry | unknown | dead        (hermes.delivery.plan)

Answers that are being written (actors.streaming) and typing are shown in between, at the platform's pace (actors.pace), and not
at all while a message waits to be tried again, or while the platform wants to be left alone.
"""

import logging
import math
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from actors.cutting import aside
from actors.expiry import expire
from actors.pace import Pace
from actors.ports.places import Place
from actors.ports.services import Services
from actors.ports.wire import Wire
from actors.prompts import close_prompts
from actors.streaming import Streaming
from hermes.delivery import plan
from hermes.delivery.parts import Parts, cut, resumed
from hermes.hooks import events, payloads
from hermes.store import ops, queries
from hermes.store.streams import of_lane
from hermes.types import faults
from hermes.types.content import Capabilities, Outbound, Part, SendResult, answered
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
IDLE_S = 15.0
"""How long a lane with nothing to do stays awake: its next message starts it anew in no time, and it holds some 9 kB."""
AWAY_S = 60.0
"""How long one stays awake whose chat cannot be reached. The next one tries it again, at the cost of two commits: an adapter
that never says that a chat is up again is to be no loss (AC-21).
"""

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
    limiter = services.delivery.limiter
    expire_at, first = trio.current_time(), True
    while True:
        if trio.current_time() >= expire_at:
            expire_at += EXPIRE_S
            now = services.clock.wall()
            limiter.forget(now)
            await expire(services, now)
        for chat in await services.store.read(queries.open_lanes):
            port = services.adapters.find(*chat[:2])
            # An adapter that comes up wakes its lanes itself; but what an earlier life has left half done is looked at once.
            if first or (port is not None and port.up):
                services.delivery.ensure(lane_key(*chat))
        first = False
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
    try:
        await _Lane(ctx, services, lane).run()
    finally:
        services.delivery.sends(lane, now=False)


class _Lane:
    def __init__(self, ctx: Context[LaneMessage], services: Services, lane: LaneKey) -> None:
        self._ctx = ctx
        self._services = services
        self._lane = lane
        self._platform, self._account, self._chat_id = lane.split(":", 2)
        self._flushes: list[Reply[None]] = []
        self._blocked = False
        self._typing: frozenset[str | None] = frozenset()
        self._next_typing_at = -math.inf
        self._pace = Pace(services, lane)
        self._streaming = Streaming(services, lane, self._pace, lambda: self._wire)
        self._plain: tuple[int, int] | None = None
        """The row, and the part of it, whose markup the platform has refused."""

    async def run(self) -> None:
        self._ctx.ready()
        await self._services.delivery.know_limits(self._services.store)
        idle_since = look_at = trio.current_time()
        row, stale = None, True
        while True:
            await self._end_typing()
            await close_prompts(self._services, self._lane, self._pace, self._wire)
            if self._services.delivery.take_look(self._lane):
                self._blocked = False
                # A row that waits for the platform alone stays the next one, whatever came.
                stale = stale or row is None or row.not_before > self._services.clock.wall()
            handed = self._services.delivery.take_handed(self._lane)
            if stale:
                row = await self._look()
                stale, look_at = False, trio.current_time() + SWEEP_S
            elif row is None:
                row = handed
            due = row is not None and self._due_at(row) <= self._services.clock.wall()
            self._services.delivery.sends(self._lane, now=due)
            if row is not None and due:
                row, stale = await self._deliver(row)
                idle_since = trio.current_time()
                continue
            at_work = self._services.delivery.typing_from(self._lane) < math.inf
            busy = bool(self._typing) or at_work or (self._streaming.is_open and not self._blocked)
            if busy:
                idle_since = trio.current_time()
            elif row is None and trio.current_time() >= idle_since + self._patience_s:
                return  # no checkpoint since the look: a message that came meanwhile starts the next incarnation
            for reply in self._flushes:
                reply.send(None)
            self._flushes.clear()
            match await self._ctx.receive(by=self._wake_at(row, idle_since)):
                case None:
                    if row is None and not self._blocked:
                        await self._streaming.show()
                    await self._show_typing()
                    # Whoever should have woken us may have crashed before; but what is only shown costs no look. A row that was
                    # waited for is tried as it was found: if it is another's by now, that is found with its commit.
                    look_at = min(look_at, idle_since + self._patience_s)
                    stale = row is None and trio.current_time() >= look_at
                case Look():
                    pass  # what there is to see stands in the port
                case Flush(reply):
                    self._flushes.append(reply)
                case Down():
                    pass  # a lane watches nobody
                case Stop():
                    return
                case message:
                    assert_never(message)

    @property
    def _patience_s(self) -> float:
        return AWAY_S if self._blocked else IDLE_S

    def _wake_at(self, row: OutboxRow | None, idle_since: float) -> float:
        now = trio.current_time()
        if row is not None:
            return now + max(0.0, self._due_at(row) - self._services.clock.wall())
        typing_at = max(self._next_typing_at, self._services.delivery.typing_from(self._lane))
        at = typing_at if typing_at < math.inf else idle_since + self._patience_s
        # While its chat cannot be reached a message waits that goes first, whether or not anybody has said that it can be again.
        return max(now, at if self._blocked else min(at, self._streaming.wake_at))

    def _due_at(self, row: OutboxRow) -> float:
        """When ``row`` may be tried, in epoch seconds: by its own clock, and by what the platform takes."""
        return max(row.not_before, self._pace.ready_at)

    @property
    def _wire(self) -> Wire | None:
        return self._services.adapters.wire(self._ctx, self._platform, self._account)

    async def _look(self) -> OutboxRow | None:
        """The next message, unless none can leave; and what there is of streams."""
        chat, streaming = (self._platform, self._account, self._chat_id), self._streaming
        if self._blocked and not streaming.looks:
            return None
        row, found = await self._services.store.read(of_lane, *chat, with_streams=streaming.looks)
        if found is not None:
            await streaming.adopt(found)
        return None if self._blocked else row

    async def _show_typing(self) -> None:
        """Say that somebody types, or say it again, no oftener than the platform needs."""
        wanted, wire = self._services.delivery.typing(self._lane), self._wire
        if not wanted or trio.current_time() < self._next_typing_at:
            return
        for thread_id in wanted:
            if wire is not None and self._pace.may_show:
                self._typing |= {thread_id}
                self._pace.called()
                self._pace.shown(await wire.typing(self._chat_id, thread_id, True))
        interval_s = max(self._pace.capabilities.typing_interval_s, self._pace.window_s)
        self._next_typing_at = trio.current_time() + interval_s

    async def _end_typing(self) -> None:
        """Take it away where nobody types any more: before the answer, whose place it would seem to take."""
        over = self._typing - self._services.delivery.typing(self._lane)
        self._typing -= over
        wire = self._wire
        for thread_id in over:
            # Whatever the rate: it is over soon anyway, but not the window.
            if wire is not None and self._pace.window_s <= 0:
                self._pace.shown(await wire.typing(self._chat_id, thread_id, False))

    async def _deliver(self, row: OutboxRow) -> tuple[OutboxRow | None, bool]:
        """Send the parts of ``row`` that have no receipt, in order; stop at the first that fails. What is next, and whether
        that has to be looked up first.
        """
        if row.undecodable:
            await self._undecodable(row)
            return None, True
        if row.state == "sending":  # also while nobody is up: such a row would never expire
            await self._unsent(row, plan.on_restart(row, self._pace.capabilities))
            return None, True
        wire = self._wire
        if wire is None or not wire.up:
            self._blocked = True  # the adapter wakes its lanes when it is up
            return None, True
        async with wire.places.take() as place:
            return await self._send(row, wire, place)

    async def _undecodable(self, row: OutboxRow) -> None:
        """A dead letter by itself: what comes after it goes out."""
        now = self._services.clock.wall()
        sending = ops.Sending(row.row_id, self._services.boot_id, self._ctx.incarnation, now)
        if await self._services.store.write(sending):
            following = plan.undecodable(row)
            log.error("%s: message %s is %s", self._lane, row.message.delivery_id, following.failure)
            await self._unsent(row, following)

    async def _send(self, row: OutboxRow, wire: Wire, place: Place) -> tuple[OutboxRow | None, bool]:
        """As ``_deliver``, by ``wire``, once there is a ``place`` for it."""
        services, now = self._services, self._services.clock.wall()
        if not wire.up or self._due_at(row) > now:
            return row, False  # since it began to wait for its place
        capabilities = wire.capabilities
        self._pace.called()  # no checkpoint since the limits were asked: other lanes of this bot ask them too
        if not await services.store.write(
            ops.Sending(row.row_id, services.boot_id, self._ctx.incarnation, now)
        ):
            return None, True
        following: OutboxRow | None = None
        message = await self._streaming.settle(row)
        parts = await self._cut(row, message, capabilities)
        first, message_ids = row.parts_sent, []
        for index in range(first, parts.total):
            part, (said, files) = await self._part(row, parts, index)
            # The first one has its place in the rates, but another lane of this bot may have heard of a window meanwhile.
            wait_s = self._due_at(row) - services.clock.wall() if index > first else self._pace.window_s
            if wait_s > 0:
                await self._unsent(row, plan.not_now(row))
                return None, True
            if index > first:
                self._pace.called()
            place.moved()
            faults.point("before_send")
            try:
                result = await self._put(wire, row, part, len(parts.pieces))
            except SendError as error:
                if await self._streaming.gives_up(row, part, len(parts.pieces), error):
                    await self._unsent(row, plan.not_now(row))
                    return None, True
                await self._failed(row, part, error, capabilities)
                return None, True
            faults.point("after_send_before_receipt")
            receipt = ops.Receipt(
                row.row_id, index, parts.total, result.message_id, services.clock.wall(), said, files
            )
            kept, following = await self._streaming.receipt(receipt, row, part, len(parts.pieces))
            if not kept:  # the row has ended meanwhile: its person is forgotten, and the rest of it with them
                return None, True
            faults.point("after_receipt")
            message_ids.append(result.message_id)
            row = replace(row, state="prepared", parts_sent=index + 1, failure="")
        if all_said := first >= parts.total:  # as it is cut now, nothing of it is left
            await self._unsent(row, plan.ALL_SAID)
        services.hooks.happened(events.DELIVERY_SENT, payloads.delivery(message, message_ids))
        await self._arrived(message, wire)
        return following, all_said

    async def _put(self, wire: Wire, row: OutboxRow, part: Part, of_text: int) -> SendResult:
        """Send ``part``, or have the message say it that was streamed in its place."""
        shown = await self._streaming.put(wire, row, part, of_text)
        if shown is not None:
            return shown
        message = row.message
        result = await wire.send(
            self._chat_id, part, reply_to=message.reply_to, metadata=plan.metadata(message)
        )
        self._streaming.came_between(message)
        return result

    async def _cut(self, row: OutboxRow, message: Outbound, capabilities: Capabilities) -> Parts:
        """Once an attempt. What cannot be cut is found in ``sending`` by the next one, and does not come back for ever."""
        numbered = self._services.config.delivery.part_numbers

        def parts() -> Parts:
            every = cut(message, capabilities, numbered=numbered)
            return resumed(every, row.parts_sent, row.said, row.files) if row.parts_sent else every

        return await aside(self._services, message.text, parts)

    async def _part(self, row: OutboxRow, parts: Parts, index: int) -> tuple[Part, tuple[int, int]]:
        """One part as it is to be sent in this attempt, and its extent."""
        marked = self._streaming.needs_mark(row, index, len(parts.pieces))
        plain = self._plain == (row.row_id, index)
        return await aside(
            self._services,
            row.message.text,
            lambda: (parts.part(index, marked=marked, plain=plain), parts.extent(index)),
        )

    async def _arrived(self, message: Outbound, wire: Wire) -> None:
        """Do what was to be done then: at most once, for a crash before it loses it, and not for a turn that is over."""
        key = message.session_key
        if not message.effects or key is None:
            return
        record = await self._services.store.read(queries.session, key)
        if record is None or record.generation != message.generation:
            return
        for effect in message.effects:
            for message_id in answered(message.reply_to, message.metadata):
                if self._pace.window_s <= 0:
                    self._pace.called()
                    self._pace.shown(await wire.react(self._chat_id, message_id, effect.emoji))

    async def _failed(self, row: OutboxRow, part: Part, error: SendError, capabilities: Capabilities) -> None:
        if plan.goes_plain(part, error):
            log.warning("%s: %s; it goes without markup", self._lane, error.failure)
            self._plain = row.row_id, part.index
            await self._unsent(row, plan.not_now(row), self._pace.flood(error.failure))
            return
        following = plan.after_failure(
            row,
            error.failure,
            error.phase,
            now=self._services.clock.wall(),
            capabilities=capabilities,
            rng=self._ctx.system.rng.random,
        )
        following = plan.of_part(following, part)
        self._blocked = following.state == "prepared" and not following.not_before
        if following.state == "dead":
            log.error(
                "%s: message %s is given up: %s", self._lane, row.message.delivery_id, following.failure
            )
        dead_chat = following.state == "dead" and plan.is_dead_chat(error.failure)
        await self._unsent(row, following, self._pace.flood(error.failure), dead_chat=dead_chat)

    async def _unsent(
        self, row: OutboxRow, following: plan.Next, flood: ops.Flood | None = None, *, dead_chat: bool = False
    ) -> None:
        told = plan.of_the_rest(row) if following.state == "dead" and not dead_chat else None
        await self._services.store.write(
            ops.Unsent(
                row.row_id,
                following.state,
                following.not_before,
                following.failure,
                self._services.clock.wall(),
                flood,
                dead_chat,
                told,
            )
        )
        if following.state == "dead":
            dead = payloads.delivery(row.message, (), following.failure)
            self._services.hooks.happened(events.DELIVERY_DEAD, dead)
