"""A session owns one conversation: its rows in order, one turn at a time. "Busy" is a live turn child; there is no flag.

wake ─▶ read open rows ─▶ turn child ─▶ Down ─▶ read open rows … ─▶ nothing for a while ─▶ leave (Normal)
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import trio

from actors import turn
from actors.ports.services import Services
from hermes.sessions.ids import new_turn_id
from hermes.store import queries
from hermes.types.ids import SessionKey
from hermes.types.records import InboxRow
from supervisors.cell import Down, Stop
from supervisors.context import Context
from supervisors.mailbox import Reply
from supervisors.reasons import describe, exception_of, is_clean
from supervisors.spec import Backoff, ChildSpec, Intensity

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""How long a session with nothing to do stays awake."""

TURN_GRACE_S = 10.0
"""How long past its own deadlines a turn may take to end before its session gives it up."""

MAX_CRASHES = 2
MAX_BOOTS = 3


@dataclass(frozen=True, slots=True)
class Wake:
    """There are rows to look at."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The turn has been stopped in the store; end its task."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Begin no further turn; the reply comes when none runs."""

    reply: Reply[None]


Message = Wake | Interrupt | Drain | Stop | Down


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
        intensity=Intensity(5, per=60.0, on_exceeded="disable"),
        capacity=16,
    )


async def run(ctx: Context[Message], services: Services, key: SessionKey) -> None:
    """Work on the rows of ``key`` until there has been nothing to do for a while."""
    await _Session(ctx, services, key).run()


class _Session:
    def __init__(self, ctx: Context[Message], services: Services, key: SessionKey) -> None:
        self._ctx = ctx
        self._services = services
        self._key = key
        self._turn_until: float | None = None
        self._draining: list[Reply[None]] = []

    async def run(self) -> None:
        self._ctx.ready()
        idle_since = trio.current_time()
        while True:
            if self._turn_until is None and not self._draining:
                if rows := await self._services.store.read(queries.open_rows, self._key):
                    await self._begin(rows)
                    idle_since = trio.current_time()
                elif trio.current_time() - idle_since >= IDLE_S:
                    return  # no checkpoint since the look: a message that came meanwhile starts the next incarnation
            message: Message | None = None
            with trio.move_on_at(self._turn_until or (math.inf if self._draining else idle_since + IDLE_S)):
                message = await self._ctx.receive()
            match message:
                case None if self._turn_until is not None:
                    raise TurnStuckError(f"the turn of {self._key} does not end")
                case None | Wake():
                    pass
                case Interrupt():
                    self._ctx.cancel_child(turn.NAME)
                case Drain(reply):
                    self._draining.append(reply)
                    self._drained()
                case Down():
                    self._turn_ended(message)
                    idle_since = trio.current_time()
                case Stop():
                    return
                case _:
                    assert_never(message)

    async def _begin(self, rows: Sequence[InboxRow]) -> None:
        """Start the next turn: an interrupted one with all its rows, else the oldest row. Set a poisonous one aside."""
        first = rows[0]
        if first.state == "in_turn" and first.turn_id is not None:
            batch = turn.Batch(
                self._key, first.turn_id, tuple(row for row in rows if row.turn_id == first.turn_id)
            )
        else:
            batch = turn.Batch(self._key, new_turn_id(self._services.ids), (first,))
        if self._poisonous(first):
            await turn.set_aside(self._services, batch, self._ctx.incarnation)
            self._ctx.me.tell_nowait(Wake())
            return
        agent = self._services.config.agent
        self._turn_until = trio.current_time() + agent.turn_timeout_s + TURN_GRACE_S
        self._ctx.spawn_child(ChildSpec(turn.NAME, turn.run, (self._services, batch, self._ctx.incarnation)))

    def _poisonous(self, row: InboxRow) -> bool:
        """True if taking ``row`` again would be one death too many."""
        if row.state != "in_turn":
            return False
        if row.boot_id == self._services.boot_id:
            return row.crashes + 1 >= MAX_CRASHES
        return row.boots + 1 >= MAX_BOOTS

    def _turn_ended(self, down: Down) -> None:
        self._turn_until = None
        if not is_clean(down.reason):
            log.error("%s: %s", down.path, describe(down.reason), exc_info=exception_of(down.reason))
        self._drained()

    def _drained(self) -> None:
        if self._turn_until is None:
            for reply in self._draining:
                reply.send(None)
