"""A turn: one run of the agent on some rows of a session, ended by one commit.

    take (in_turn, generation) ─▶ agent.run ─ emit ─▶ draft      ─▶ finish: transcript + outbox + rows, if still current
                                             └ step ─▶ commit

A child task of its session: the session's end cancels it. If it dies, its rows stay in_turn and the next incarnation
takes them again under the same turn id, after the last step that was committed. If it is interrupted it begins again in
the same way, with the messages that interrupted it among its events; so no step of it is lost either.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import trio

from actors.approving import Approving
from actors.deadlines import Deadlines
from actors.lease import Lease
from actors.ports.services import Services
from hermes.routing import busy
from hermes.routing.loops import tagged
from hermes.sessions.ids import new_session_id
from hermes.sessions.keys import sender_prefix
from hermes.sessions.reset import note_to_agent
from hermes.store import busy_ops, ops, queries
from hermes.types import faults, texts
from hermes.types.agent import (
    Agent,
    AgentEvent,
    ApprovalRequest,
    Decision,
    Delta,
    Failed,
    Final,
    Notice,
    Step,
    ToolCall,
    Turn,
    Usage,
)
from hermes.types.content import ANSWERS, REFUSAL, Draft, Outbound
from hermes.types.errors import APPROVAL_EXPIRED, EMPTY_ANSWER, POISON, TURN_DEADLINE
from hermes.types.events import InboundEvent
from hermes.types.ids import DeliveryId, SessionKey, TurnId
from hermes.types.records import InboxRow, InboxState, SessionRecord, TranscriptLine
from supervisors.context import Context

log = logging.getLogger(__name__)

NAME = "turn"
PLACE_WAIT_S = 30.0
"""How long a new turn waits for a place among those that are worked on at once."""

TOO_MANY_TURNS = "refused:turns"
HISTORY_LINES = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows one turn takes."""

    session_key: SessionKey
    turn_id: TurnId
    rows: tuple[InboxRow, ...]

    @property
    def row_ids(self) -> tuple[int, ...]:
        """Their ids, in order."""
        return tuple(row.row_id for row in self.rows)


@dataclass(frozen=True, slots=True)
class _End:
    """How a turn ends: the rows' state and rule, what the user is told, what it has cost; ``suspend``: its stretch too."""

    state: InboxState
    rule: str
    text: str
    usage: Usage | None = None
    suspend: bool = False


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a turn has taken: its session as it was then, and all it answers, in order; steering adds to these.

    ``rows`` were read after the commit, so that an edit that came before it is not missed.
    """

    record: SessionRecord
    rows: list[InboxRow]

    @property
    def last(self) -> InboundEvent:
        """What the answer answers, as far as a platform can show that."""
        return self.rows[-1].event


async def run(ctx: Context[None], services: Services, batch: Batch, incarnation: int, lease: Lease) -> None:
    """Answer ``batch``; what the agent raises is raised here, and crashes this turn only."""
    ctx.ready()
    # What was begun before has been promised an answer: it waits for as long as it takes.
    begun = batch.rows[0].turn_id is not None
    try:
        with trio.move_on_after(math.inf if begun else PLACE_WAIT_S) as wait:
            await lease.place()
        if wait.cancelled_caught:
            log.warning(
                "rows %s of %s are refused: no place to work on them", batch.row_ids, batch.session_key
            )
            await _end(services, batch, incarnation, _End("refused", TOO_MANY_TURNS, texts.TOO_MANY_TURNS))
            return
        await _answer(services, batch, incarnation, lease)
    finally:
        lease.end()
        let_go(services, batch)


async def set_aside(services: Services, batch: Batch, incarnation: int, *, suspend: bool) -> None:
    """Quarantine rows that keep killing whoever works on them: they end ``failed`` and the user is told. ``suspend``: what
    comes next begins a new stretch.
    """
    log.error("rows %s of %s are set aside: they end every turn", batch.row_ids, batch.session_key)
    words = texts.SUSPENDED if suspend else texts.POISONED
    await _end(services, batch, incarnation, _End("failed", POISON, words, suspend=suspend))
    let_go(services, batch)


async def _end(services: Services, batch: Batch, incarnation: int, end: _End) -> None:
    """End the rows without asking the agent, unless somebody else has ended them."""
    taken = await _take(services, batch, incarnation)
    if taken is not None:
        await _finish(services, batch, taken, end)


def let_go(services: Services, batch: Batch) -> None:
    """However a turn ends: no draft of it may follow, and an answer whose commit it did not see any more goes out."""
    lane = batch.rows[-1].event.origin.lane
    services.delivery.drop_draft(lane, batch.turn_id)
    services.delivery.resting(lane, batch.turn_id)
    services.delivery.wake(lane)


async def _answer(services: Services, batch: Batch, incarnation: int, lease: Lease) -> None:
    taken = await _take(services, batch, incarnation)
    if taken is None:
        return  # stopped or answered since the session looked
    faults.point("after_take")
    store = services.store
    history = await store.read(queries.history, batch.session_key, taken.record.session_id, HISTORY_LINES)
    steps = await store.read(queries.steps, batch.turn_id)
    question = Turn(
        turn_id=batch.turn_id,
        session_key=batch.session_key,
        generation=taken.record.generation,
        events=tuple(row.event for row in taken.rows),
        history=tuple(history),
        steps=tuple(steps),
    )
    io = _TurnIO(services, question, taken.rows, incarnation, lease)
    agent = services.quick if busy.is_quick(taken.rows[0]) else services.agent
    end = await _ask(services, agent, question, io, lease)
    faults.point("before_turn_commit")
    await _finish(services, batch, taken, end)


async def _take(services: Services, batch: Batch, incarnation: int) -> _Taken | None:
    now = services.clock.wall()
    take = ops.Take(batch.session_key, batch.row_ids, batch.turn_id, services.boot_id, incarnation, now)
    record = await services.store.write(take)
    if record is None:
        return None
    rows = await services.store.read(queries.turn_rows, batch.session_key, batch.turn_id)
    return _Taken(record, list(rows)) if rows else None  # without any it has been stopped already


async def _ask(services: Services, agent: Agent, question: Turn, io: "_TurnIO", lease: Lease) -> _End:
    """Run the agent under both deadlines: the whole turn, and the time without a sign of life."""
    limits, origin, deadlines = services.config.agent, question.events[-1].origin, io.deadlines
    with deadlines.whole, deadlines.patience:
        lease.watch(deadlines.whole, deadlines.patience)
        services.delivery.working(origin.lane, question.turn_id, origin.thread_id)
        try:
            return _end_of(await agent.run(question, io), agent)
        finally:
            lease.watch()
            services.delivery.resting(origin.lane, question.turn_id)
    if deadlines.halted:
        # Nothing has failed: a person has not answered, and silence is a no.
        return _End("stopped", APPROVAL_EXPIRED, texts.APPROVAL_EXPIRED)
    passed = limits.turn_timeout_s if deadlines.whole.cancelled_caught else limits.no_progress_s
    return _End("failed", TURN_DEADLINE, texts.AGENT_DEADLINE.format(seconds=passed))


def _end_of(answer: Final | Failed, agent: Agent) -> _End:
    match answer:
        case Final(text, usage) if text.strip():
            return _End("answered", "answered", text, _counted(usage, agent))
        case Final(_, usage):
            return _End("answered", EMPTY_ANSWER, texts.AGENT_EMPTY, _counted(usage, agent))
        case Failed(failure):
            # The detail is for the operator: it may name a path, an address, a key.
            log.warning("agent %s gives up: %s", agent.name, failure)
            return _End("failed", failure.code, texts.AGENT_CRASHED)
        case _:
            # A plug-in's agent is foreign code: what it returns is checked, not believed.
            raise TypeError(f"agent {agent.name} returned {type(answer).__name__}, not Final or Failed")


def _counted(usage: Usage | None, agent: Agent) -> Usage | None:
    """A bill that cannot be true must not cost the answer."""
    if usage is None or usage.plausible:
        return usage
    log.warning("agent %s reports a usage that cannot be", agent.name)
    return None


async def _finish(services: Services, batch: Batch, taken: _Taken, end: _End) -> None:
    """The one commit that ends a turn; void if a stop or an interruption was committed first."""
    now = services.clock.wall()
    last, record = taken.last, taken.record
    origin = last.origin
    reply = Outbound(
        delivery_id=DeliveryId(f"{batch.turn_id}:0"),
        platform=origin.platform,
        account=origin.account,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        text=end.text if end.rule == "answered" else tagged(end.text, origin),
        reply_to=last.message_id,
        metadata=_answers(taken.rows) | ({} if end.state == "answered" else {REFUSAL: end.rule}),
        session_key=batch.session_key,
        generation=record.generation,
        trace=last.trace,
        expires_at=now + services.config.delivery.ttl_s,
    )
    said = tuple(
        TranscriptLine("user", _said(services, row.event), row.event.received_at, batch.turn_id, row.seq)
        for row in taken.rows
    )
    answer = TranscriptLine(
        "assistant" if end.state == "answered" else "notice", end.text, now, batch.turn_id
    )
    finish = ops.FinishTurn(
        session_key=batch.session_key,
        session_id=record.session_id,
        generation=record.generation,
        turn_id=batch.turn_id,
        row_ids=tuple(row.row_id for row in taken.rows if row.state == "in_turn"),
        state=end.state,
        rule=end.rule,
        transcript=(*said, answer),
        outbound=(reply,),
        at=now,
        # What an earlier boot has left to do lets no conversation live longer than it would have without (AC-46).
        active_at=now if last.received_at >= services.booted_at else last.received_at,
        usage=end.usage,
        suspend=_suspension(services, last) if end.suspend else None,
    )
    committed = await services.store.write(finish)
    faults.point("after_turn_commit")
    if committed:
        services.approvals.quiet(batch.session_key)
        numbers = ", ".join(str(row.row_id) for row in taken.rows)
        log.info("%s message %s: %s after %.1f s", origin.lane, numbers, end.rule, now - last.received_at)
    else:
        log.info("the answer of turn %s came after its stop and is dropped", batch.turn_id)


def _said(services: Services, event: InboundEvent) -> str:
    return sender_prefix(event.origin, services.key_rules) + event.text


def _suspension(services: Services, last: InboundEvent) -> ops.Suspension:
    return ops.Suspension(new_session_id(last.received_at, services.ids), note_to_agent("suspended"))


def _answers(rows: Sequence[InboxRow]) -> dict[str, str]:
    """Which messages are answered, where that is not said by ``reply_to`` alone."""
    ids = [row.event.message_id for row in rows if row.event.message_id is not None]
    return {ANSWERS: " ".join(ids)} if len(ids) > 1 else {}


class _TurnIO:
    """``AgentIO``: deltas become drafts, steps become rows, and each of them is a sign of life."""

    def __init__(
        self, services: Services, question: Turn, rows: list[InboxRow], incarnation: int, lease: Lease
    ) -> None:
        """``rows`` is what the turn answers; what it is steered with is added there."""
        self._services = services
        self._question = question
        self._rows = rows
        self._incarnation = incarnation
        self._lease = lease
        limits = services.config.agent
        self.deadlines = Deadlines(lease, limits.turn_timeout_s, limits.no_progress_s)
        self._approving = Approving(services, question, lease, self.deadlines)
        self._text = ""
        self._steps = len(question.steps)
        self._late = False

    async def emit(self, event: AgentEvent) -> None:
        """See ``AgentIO``. A turn that was given up is seen no more."""
        await self._alive()
        if self._lease.over:
            if not self._late:
                self._late = True
                self._services.store.post(ops.CountLate())
            return
        match event:
            case Delta(text):
                self._text += text
                last = self._rows[-1].event
                draft = Draft(self._question.turn_id, self._text, last.message_id)
                self._services.delivery.draft(last.origin.lane, draft)
            case ToolCall() | Notice():
                pass  # no platform of ours shows progress yet
            case _:
                assert_never(event)

    async def step(self, step: Step) -> None:
        """See ``AgentIO``. Does not return once the turn has been stopped: its end is on the way."""
        await self._alive()
        question = self._question
        now = self._services.clock.wall()
        # Before the wait: a step that is cut off may be committed, and tools may end side by side.
        n, self._steps = self._steps, self._steps + 1
        add = ops.AddStep(question.session_key, question.generation, question.turn_id, n, step, now)
        if not await self._services.store.write(add):
            await trio.sleep_forever()
        faults.point("after_step")

    async def steered(self) -> tuple[InboundEvent, ...]:
        """See ``AgentIO``. Does not return once the turn has been stopped.

        Cut off, it takes nothing away: what is not returned is so next time, or waits for the next turn.
        """
        await self._alive()
        store, question, last = self._services.store, self._question, self._rows[-1]
        room = busy.MOST_TOGETHER - len(self._rows)
        if room <= 0:
            return ()
        open_rows, own = await store.read(queries.open_work, question.session_key, room)
        others = (row for row in open_rows if row.row_id not in self._had)
        display = self._services.config.display
        joining = busy.joining(last, [row for row in others if busy.mode_of(display, row, own) == "steer"])
        if not joining:
            return ()
        steer = busy_ops.Steer(
            session_key=question.session_key,
            generation=question.generation,
            turn_id=question.turn_id,
            row_ids=tuple(row.row_id for row in joining),
            boot_id=self._services.boot_id,
            incarnation=self._incarnation,
        )
        if not await store.write(steer):
            await trio.sleep_forever()
        now = await store.read(queries.turn_rows, question.session_key, question.turn_id)
        new = [row for row in now if row.row_id not in self._had]
        self._rows += new
        return tuple(row.event for row in new)

    async def approve(self, request: ApprovalRequest) -> Decision:
        """See ``AgentIO``."""
        await self._alive()
        return await self._approving.approve(request, self._rows[-1].event)

    @property
    def _had(self) -> set[int]:
        return {row.row_id for row in self._rows}

    async def _alive(self) -> None:
        self.deadlines.alive()
        await trio.lowlevel.checkpoint()
