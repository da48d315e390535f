"""A session owns one conversation: its rows in order, one turn at a time. "Busy" is a live turn child; there is no flag.

wake ─▶ read open rows ─▶ turn child ─▶ Down ─▶ read open rows … ─▶ nothing for a while ─▶ leave (Normal)
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import trio

from actors import turn
from actors.ports.services import Services
from hermes.sessions.ids import new_turn_id
from hermes.store import ops, queries
from hermes.types.ids import SessionKey
from hermes.types.records import InboxRow
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

TURN_GRACE_S = 10.0
"""How long past its own deadlines, or its stop, a turn may take to end before its session gives it up."""

MAX_CRASHES = 2
MAX_BOOTS = 3


@dataclass(frozen=True, slots=True)
class Wake:
    """There are rows to look at."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The turn may have been stopped in the store; end its task if it has."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Intake is shut, so no further turn begins; the reply comes when none runs."""

    reply: Reply[None]


@dataclass(frozen=True, slots=True)
class Asking:
    """The turn's agent is at work, or is done. The rest of a turn takes as long as the disk does, and has no limit."""

    on: bool


Message = Wake | Interrupt | Drain | Asking | Stop | Down


class TurnStuckError(Exception):
    """A turn has outlived its deadlines; the session ends, and the turn with it."""


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


@dataclass(frozen=True, slots=True)
class _Running:
    """The turn child: what it answers, and until when it may live."""

    batch: turn.Batch
    until: float


class _Session:
    def __init__(self, ctx: Context[Message], services: Services, key: SessionKey) -> None:
        self._ctx = ctx
        self._services = services
        self._key = key
        self._turn: _Running | None = None
        self._draining: list[Reply[None]] = []

    async def run(self) -> None:
        self._ctx.ready()
        idle_since = trio.current_time()
        while True:
            resting = self._services.intake.shut  # what begins during a drain would only be cut short
            if self._turn is None and not resting:
                if rows := await self._open_rows():
                    await self._begin(rows)
                    idle_since = trio.current_time()
                elif trio.current_time() >= idle_since + IDLE_S:
                    return  # no checkpoint since the look: a message that came meanwhile starts the next incarnation
            deadline = math.inf if resting else idle_since + IDLE_S
            message: Message | None = None
            with trio.move_on_at(deadline if self._turn is None else self._turn.until):
                message = await self._ctx.receive()
            match message:
                case None if self._turn is not None:
                    raise TurnStuckError(f"the turn of {self._key} does not end")
                case None | Wake():
                    pass
                case Interrupt():
                    await self._interrupt()
                case Asking(on):
                    if self._turn is not None:
                        limit_s = self._services.config.agent.turn_timeout_s + TURN_GRACE_S
                        self._turn = replace(
                            self._turn, until=trio.current_time() + limit_s if on else math.inf
                        )
                case Drain(reply):
                    self._draining.append(reply)
                    self._drained()
                case Down():
                    self._turn_ended(message)
                    idle_since = trio.current_time()
                case Stop():
                    await self._leave()
                    return
                case _:
                    assert_never(message)

    async def _open_rows(self) -> Sequence[InboxRow]:
        return await self._services.store.read(queries.open_rows, self._key)

    async def _begin(self, rows: Sequence[InboxRow]) -> None:
        """Start the next turn: one that was begun before with all its rows, else the oldest row. Set poison aside."""
        first = rows[0]
        if first.turn_id is not None:
            begun = tuple(row for row in rows if row.turn_id == first.turn_id)
            batch = turn.Batch(self._key, first.turn_id, begun)
        else:
            batch = turn.Batch(self._key, new_turn_id(self._services.ids), (first,))
        if self._poisonous(first):
            await turn.set_aside(self._services, batch, self._ctx.incarnation)
            self._ctx.me.tell_nowait(Wake())
            return
        self._turn = _Running(batch, until=math.inf)
        args = (self._services, batch, self._ctx.incarnation, lambda on: self._ctx.remind(Asking(on)))
        self._ctx.spawn_child(ChildSpec(turn.NAME, turn.run, args))

    def _poisonous(self, row: InboxRow) -> bool:
        """True if taking ``row`` again would be one death too many."""
        if row.state != "in_turn":
            return False
        if row.boot_id == self._services.boot_id:
            return row.crashes + 1 >= MAX_CRASHES
        return row.boots + 1 >= MAX_BOOTS

    async def _interrupt(self) -> None:
        """End the turn if it is the one that was stopped: the next one may have begun since the stop was committed."""
        if self._turn is None:
            return
        mine = self._turn.batch.row_ids
        if not any(row.row_id in mine for row in await self._open_rows()):
            self._ctx.cancel_child(turn.NAME)
            self._turn = replace(self._turn, until=min(self._turn.until, trio.current_time() + TURN_GRACE_S))

    async def _leave(self) -> None:
        """Told to stop: what the turn has begun goes on later, and that counts as nobody's death."""
        if self._turn is None:
            return
        self._ctx.cancel_child(turn.NAME)
        while not isinstance(message := await self._ctx.receive(), Down):
            if isinstance(message, Drain):  # all else is the next incarnation's, or the next boot's
                self._draining.append(message.reply)
        await self._services.store.write(ops.Release(self._key, self._turn.batch.turn_id))
        self._turn_ended(message)

    def _turn_ended(self, down: Down) -> None:
        self._turn = None
        if not is_clean(down.reason):
            log.error("%s: %s", down.path, describe(down.reason), exc_info=exception_of(down.reason))
        self._drained()

    def _drained(self) -> None:
        if self._turn is None:
            for reply in self._draining:
                reply.send(None)
