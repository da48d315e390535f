"""A session owns one conversation: its rows in order, one turn at a time. "Busy" is a live turn child; there is no flag.

wake ─▶ read open rows ─▶ turn child ─▶ Down ─▶ read open rows … ─▶ nothing for a while ─▶ leave (Normal)
                              └ wake while it runs ─▶ by the busy mode: interrupt it, or say what waits

A turn that is told to end has ``STOP_GRACE_S``. If it hears nothing it is given up: fenced, and without its place.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import trio

from actors import turn
from actors.lease import Lease
from actors.ports.conversations import News
from actors.ports.services import Services
from hermes.routing import busy
from hermes.routing.loops import tagged
from hermes.sessions.ids import new_turn_id
from hermes.sessions.stuck import judge
from hermes.store import busy_ops, ops, queries
from hermes.types import texts
from hermes.types.content import ANSWERS, Outbound
from hermes.types.ids import DeliveryId, SessionKey
from hermes.types.records import BusyMode, InboxRow, Line
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.reasons import describe, exception_of, is_clean
from supervisors.reply import Reply
from supervisors.spec import Backoff, ChildSpec, Intensity, MailboxSpec

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""How long a session with nothing to do stays awake."""

REST_S = 600.0
"""How long a session that has ended too often rests before it gets another chance."""

STOP_GRACE_S = 1.0
"""How long a turn may take to end, past its deadline or its stop, before its session gives it up."""

NOTICE_S = 30.0
"""How long nobody is told again that a message waits: one notice is enough for a burst."""

SHUTDOWN, RESTART = "shutdown_timeout", "restart_timeout"
"""What has cut a turn off that goes on later: the end of the process, or the restart of an actor above it."""


@dataclass(frozen=True, slots=True)
class Wake:
    """There are rows to look at."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The turn may have been stopped in the store; end its task if it has. ``oldest``: the ``seq`` of the oldest open row, if
    somebody knows it.
    """

    oldest: int | None = None


@dataclass(frozen=True, slots=True)
class Drain:
    """Intake is shut, so no further turn begins; the reply comes when none runs."""

    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class Due:
    """The turn has to end sooner than it was waited for, or somebody waits to hear that it has begun, or rests."""


Message = Wake | Interrupt | Drain | Due | Stop | Down


def spec(services: Services, key: SessionKey) -> ChildSpec:
    """The session of ``key`` as a child of ``sessions``."""
    return ChildSpec(
        id=key,
        start=run,
        args=(services, key),
        restart="transient",
        backoff=Backoff(min=0.2, max=30.0, reset_after=60.0),
        intensity=Intensity(5, per=60.0, on_exceeded="disable", probe=REST_S),
        mailbox=MailboxSpec(16),
    )


async def run(ctx: Context[Message], services: Services, key: SessionKey) -> None:
    """Work on the rows of ``key`` until there has been nothing to do for a while."""
    await _Session(ctx, services, key).run()


@dataclass(slots=True)
class _Running:
    """The turn child: what it answers, its lease, and by when it has been told to end.

    ``look_again``: rows wait that it could not be interrupted for, because it had not taken its own yet.
    """

    batch: turn.Batch
    lease: Lease
    look_again: bool
    told_to_end_at: float = math.inf

    @property
    def until(self) -> float:
        """How long it is waited for."""
        return min(self.lease.due, self.told_to_end_at) + STOP_GRACE_S


class _Session:
    def __init__(self, ctx: Context[Message], services: Services, key: SessionKey) -> None:
        self._ctx = ctx
        self._services = services
        self._key = key
        self._turn: _Running | None = None
        self._until = math.inf
        """When it looks at its turn by itself, in Trio's time."""
        self._draining: list[Reply[None]] = []
        self._quiet = False
        """There was nothing behind the turn when it began, and nobody has said since that there is."""
        self._found: queries.Work | None = None
        """What there is to do, as a commit has found it after which nobody has said that there is more."""
        self._rest: queries.Work | None = None
        """What waits behind the turn one by one, oldest first, as it was found when it was last looked for: enough to go on with,
        because a turn takes what has become of its rows since, or nothing.
        """
        self._display = services.config.display
        """By which modes that was found."""
        self._idle_since = trio.current_time()
        self._ended_at = -math.inf
        self._seen_seq = 0
        self._noticed_at = -math.inf

    async def run(self) -> None:
        self._ctx.ready()
        self._services.conversations.take_news(self._key)  # it looks by itself
        try:
            await self._work()
        finally:
            if self._turn is not None:
                self._turn.lease.end()

    async def _work(self) -> None:
        while True:
            until = await self._next()
            if until is None:
                return  # no checkpoint since the look: a message that came meanwhile starts the next incarnation
            self._until = until
            message = await self._ctx.receive(by=until)
            self._quiet = self._quiet and isinstance(message, Down | Due)
            match message:
                case None if self._turn is not None:
                    # Nothing is over if the agent has shown life meanwhile: its deadline has moved.
                    if trio.current_time() >= self._turn.until:
                        self._abandon(self._turn)
                        self._ended(None)
                case None:
                    pass
                case Wake():
                    await self._woken(self._services.conversations.take_news(self._key))
                case Due():
                    if self._turn is not None and self._turn.look_again:
                        await self._look_busy()
                    self._drained()
                case Interrupt(oldest):
                    await self._interrupt(oldest)
                case Drain(reply):
                    self._draining.append(reply)
                    self._drained()
                case Down():
                    self._ended(message)
                case Stop():
                    await self._leave()
                    return
                case _:
                    assert_never(message)

    async def _next(self) -> float | None:
        """Begin the next turn if there is one to begin; return when to look again, in Trio's time. None: leave."""
        while self._turn is None:
            if self._services.intake.shut:
                return math.inf  # what begins during a drain would only be cut short
            known = self._rest if self._display is self._services.config.display else None
            self._rest = None
            rows, own = ((), None) if self._quiet else known or self._found or await self._open_work()
            self._found = None
            if not rows:
                idle_until = self._idle_since + IDLE_S
                return idle_until if trio.current_time() < idle_until else None
            mode = self._mode(rows[0], own)
            collect_until = self._ended_at + self._services.config.display.busy_collect_s
            if mode == "collect" and rows[0].turn_id is None and trio.current_time() < collect_until:
                return collect_until
            await self._begin(mode, rows, own, fresh=known is None)
            self._idle_since = trio.current_time()
        # An agent that begins from now on is not late before that.
        return min(self._turn.until, trio.current_time() + self._services.config.agent.no_progress_s)

    async def _woken(self, news: News | None) -> None:
        if news is None or news.mode == "interrupt":
            self._rest = None  # some of it may go along with that one
        if self._turn is None:
            self._found = None if news is None else news.work
            return
        self._turn.batch.ending.woken(None if news is None else news.seq)
        if news is None or self._concerns(news.seq, news.mode):
            await self._look_busy()
        else:
            self._seen_seq = max(self._seen_seq, news.seq)

    def _concerns(self, seq: int, mode: BusyMode) -> bool:
        """Whether something is to be done about a row that waits behind a turn."""
        tell = self._services.config.display.busy_ack and trio.current_time() >= self._noticed_at + NOTICE_S
        return mode == "interrupt" or (mode == "queue" and tell and seq > self._seen_seq)

    async def _open_work(self) -> tuple[Sequence[InboxRow], BusyMode | None]:
        return await self._services.store.read(queries.open_work, self._key, busy.MOST_TOGETHER)

    def _mode(self, row: InboxRow, own: BusyMode | None) -> BusyMode:
        return busy.mode_of(self._services.config.display, row, own)

    async def _begin(
        self, mode: BusyMode, rows: Sequence[InboxRow], own: BusyMode | None, *, fresh: bool
    ) -> None:
        """Start the next turn: one that was begun before with all its rows, else what waits. Set poison aside. ``fresh``: the
        rows were looked for just now, and are no rest of what was found before.
        """
        first = rows[0]
        if first.turn_id is not None:
            begun = tuple(row for row in rows if row.turn_id == first.turn_id)
            batch = turn.Batch(self._key, first.turn_id, begun)
        else:
            waiting = [row for row in rows if row.turn_id is None]
            batch = turn.Batch(self._key, new_turn_id(self._services.ids), busy.next_batch(mode, waiting))
        verdict = judge(first, self._services.boot_id)
        if verdict != "take":
            await turn.set_aside(self._services, batch, self._ctx.incarnation, suspend=verdict == "suspend")
            return
        lease = Lease(self._services.turns, self._lease_changed)
        all_read = len(rows) < busy.MOST_TOGETHER  # what was read up to there may go on
        behind = [row for row in rows if row.row_id not in batch.row_ids]
        self._quiet = fresh and all_read and not behind
        if all_read and behind and busy.is_alone(self._mode(behind[0], own), behind[0]):
            self._rest, batch.ending.looks = (behind, own), False
            self._display = self._services.config.display
        concerned = any(self._concerns(row.seq or 0, self._mode(row, own)) for row in behind)
        self._turn = _Running(batch, lease, look_again=concerned or (fresh and not all_read))
        args = (self._services, batch, self._ctx.incarnation, lease)
        self._ctx.spawn_child(ChildSpec(turn.NAME, turn.run, args, restart="temporary"))

    def _lease_changed(self) -> None:
        """The turn says so, with each message: it wakes the session only for what that has to know."""
        running = self._turn
        if running is None or running.look_again or self._draining or running.until < self._until:
            self._ctx.remind(Due())

    async def _look_busy(self) -> None:
        """Something may have come while a turn runs."""
        running = self._turn
        if running is None or self._services.intake.shut:
            return
        running.look_again = False
        batch = running.batch
        line, own = await self._services.store.read(
            queries.line_behind, self._key, batch.turn_id, batch.row_ids
        )
        if line is None:
            return
        mode = self._mode(line.last, own)
        if mode == "interrupt":
            await self._take_over(running, busy.MOST_TOGETHER - len(batch.rows) - line.merged)
        elif mode == "queue":
            await self._notice(line)

    async def _take_over(self, running: _Running, room: int) -> None:
        """The turn begins again with up to ``room`` of the rows that wait, unless its answer was committed first."""
        rows, own = await self._open_work()
        mine = running.batch.row_ids
        others = (row for row in rows if row.state == "routed" and row.row_id not in mine)
        waiting = [row for row in others if self._mode(row, own) == "interrupt"]
        joining = busy.joining(running.batch.rows[-1], waiting)[: max(0, room)]
        row_ids = tuple(row.row_id for row in joining)
        if not row_ids:
            return
        # Before it is known whether it was too early: the turn may begin while the answer to that is on its way.
        running.look_again = True
        interrupt = busy_ops.Interrupt(self._key, running.batch.turn_id, row_ids)
        if not await self._services.store.write(interrupt):
            return
        log.info("turn %s begins again with message %s", running.batch.turn_id, ", ".join(map(str, row_ids)))
        self._end(running)

    async def _notice(self, line: Line) -> None:
        """Say where the newest row stands, unless that was said of it or of others just now."""
        newest = line.last
        new = (newest.seq or 0) > self._seen_seq
        self._seen_seq = max(self._seen_seq, newest.seq or 0)
        now = trio.current_time()
        if not new or now < self._noticed_at + NOTICE_S or not self._services.config.display.busy_ack:
            return
        self._noticed_at = now
        event, origin, wall = newest.event, newest.event.origin, self._services.clock.wall()
        notice = Outbound(
            delivery_id=DeliveryId(f"queued{newest.row_id}:{event.trace}"),
            platform=origin.platform,
            account=origin.account,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            text=tagged(texts.QUEUED.format(position=line.length), origin),
            kind="notice",
            reply_to=event.message_id,
            session_key=self._key,
            metadata={ANSWERS: ""},
            trace=event.trace,
            expires_at=wall + self._services.config.delivery.ttl_s,
        )
        await self._services.store.write(ops.Enqueue(notice, wall))
        self._services.delivery.wake(origin.lane)

    async def _interrupt(self, oldest: int | None) -> None:
        """End the turn if it is the one that was stopped: the next one may have begun since the stop was committed."""
        running = self._turn
        if running is None or (oldest is not None and oldest == running.batch.rows[0].seq):
            return
        self._rest = None
        if not await self._services.store.read(queries.any_open, running.batch.row_ids):
            self._end(running)

    def _end(self, running: _Running) -> None:
        """Tell the turn to end."""
        self._ctx.cancel_child(turn.NAME)
        running.told_to_end_at = min(running.told_to_end_at, trio.current_time())

    def _abandon(self, running: _Running) -> None:
        """It does not end. What it has not finished is the next one's."""
        self._ctx.abandon_child(turn.NAME)
        running.lease.end()
        turn.let_go(self._services, running.batch)

    async def _leave(self) -> None:
        """Told to stop: what the turn has begun goes on later, and that counts as nobody's death."""
        running = self._turn
        if running is None:
            return
        self._end(running)
        down: Down | None = None
        until = running.until
        while down is None and (message := await self._ctx.receive(by=until)) is not None:
            if isinstance(message, Down):
                down = message
            elif isinstance(message, Drain):  # all else is the next incarnation's, or the next boot's
                self._draining.append(message.reply)
        if down is None:
            self._abandon(running)
        reason = SHUTDOWN if self._services.intake.shut else RESTART
        now = self._services.clock.wall()
        await self._services.store.write(ops.Release(self._key, running.batch.turn_id, reason, now))
        self._ended(down)

    def _ended(self, down: Down | None) -> None:
        """No turn runs; ``down`` None: it was given up."""
        ended, self._turn = self._turn, None
        in_order = down is not None and is_clean(down.reason)
        self._quiet = self._quiet and in_order
        counted = in_order and ended is not None and ended.batch.ending.counted
        self._rest = self._rest if counted else None
        self._found = ended.batch.ending.work if ended is not None and in_order else None
        self._idle_since = self._ended_at = trio.current_time()
        if down is not None and not is_clean(down.reason):
            log.error("%s: %s", down.path, describe(down.reason), exc_info=exception_of(down.reason))
        self._drained()

    def _drained(self) -> None:
        """A turn that waits for a person is not waited for: it goes on in the next boot, and so does the question."""
        if self._turn is None or self._turn.lease.rests:
            for reply in self._draining:
                reply.send(None)
