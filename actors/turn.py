"""A turn: one run of the agent on some rows of a session, ended by one commit.

    take (in_turn, generation) ─▶ agent.run ─ emit ─▶ draft      ─▶ finish: transcript + outbox + rows, if still current
                                             └ step ─▶ commit

A child task of its session: the session's end cancels it. If it dies, its rows stay in_turn and the next incarnation
takes them again under the same turn id, after the last step that was committed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

import trio

from actors.ports.services import Services
from hermes.store import ops, queries
from hermes.types import faults, texts
from hermes.types.agent import AgentEvent, Delta, Failed, Final, Notice, Step, ToolCall, Turn
from hermes.types.content import Draft, Outbound
from hermes.types.errors import EMPTY_ANSWER, POISON, TURN_DEADLINE, Failure
from hermes.types.ids import DeliveryId, SessionKey, TurnId
from hermes.types.records import InboxRow, InboxState, SessionRecord, TranscriptLine
from supervisors.context import Context

log = logging.getLogger(__name__)

NAME = "turn"
HISTORY_LINES = 200


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows one turn answers."""

    session_key: SessionKey
    turn_id: TurnId
    rows: tuple[InboxRow, ...]

    @property
    def row_ids(self) -> tuple[int, ...]:
        """Their ids, in order."""
        return tuple(row.row_id for row in self.rows)


@dataclass(frozen=True, slots=True)
class _End:
    """How a turn ends: the rows' state and rule, and what the user is told."""

    state: InboxState
    rule: str
    text: str


async def run(
    ctx: Context[None], services: Services, batch: Batch, incarnation: int, asking: Callable[[bool], None]
) -> None:
    """Answer ``batch``; what the agent raises is raised here, and crashes this turn only.

    ``asking`` is told when the agent begins and when it is done: it alone has a deadline that somebody else must watch.
    """
    ctx.ready()
    try:
        await _answer(services, batch, incarnation, asking)
    finally:
        _let_go(services, batch)


async def set_aside(services: Services, batch: Batch, incarnation: int) -> None:
    """Quarantine rows that keep killing whoever works on them: they end ``failed`` and the user is told."""
    record = await _take(services, batch, incarnation)
    if record is not None:
        log.error("rows %s of %s are set aside: they end every turn", batch.row_ids, batch.session_key)
        await _finish(services, batch, record, _End("failed", POISON, texts.POISONED))
    _let_go(services, batch)


def _let_go(services: Services, batch: Batch) -> None:
    """However a turn ends: no draft of it may follow, and an answer whose commit it did not see any more goes out."""
    lane = batch.rows[-1].event.origin.lane
    services.delivery.drop_draft(lane, batch.turn_id)
    services.delivery.wake(lane)


async def _answer(services: Services, batch: Batch, incarnation: int, asking: Callable[[bool], None]) -> None:
    record = await _take(services, batch, incarnation)
    if record is None:
        return  # stopped or answered since the session looked
    faults.point("after_take")
    store = services.store
    history = await store.read(queries.history, batch.session_key, HISTORY_LINES)
    steps = await store.read(queries.steps, batch.turn_id)
    question = Turn(
        turn_id=batch.turn_id,
        session_key=batch.session_key,
        generation=record.generation,
        events=tuple(row.event for row in batch.rows),
        history=tuple(history),
        steps=tuple(steps),
    )
    asking(True)
    end = _end_of(await _ask(services, question), services)
    asking(False)
    faults.point("before_turn_commit")
    await _finish(services, batch, record, end)


async def _take(services: Services, batch: Batch, incarnation: int) -> SessionRecord | None:
    now = services.clock.wall()
    take = ops.Take(batch.session_key, batch.row_ids, batch.turn_id, services.boot_id, incarnation, now)
    return await services.store.write(take)


async def _ask(services: Services, question: Turn) -> Final | Failed:
    """Run the agent under both deadlines: the whole turn, and the time without a sign of life."""
    limits = services.config.agent
    io = _TurnIO(services, question, limits.no_progress_s)
    with trio.move_on_after(limits.turn_timeout_s) as whole, io.patience:
        return await services.agent.run(question, io)
    passed = limits.turn_timeout_s if whole.cancelled_caught else limits.no_progress_s
    return Failed(Failure(TURN_DEADLINE, detail=texts.AGENT_DEADLINE.format(seconds=passed)))


def _end_of(answer: Final | Failed, services: Services) -> _End:
    match answer:
        case Final(text) if text.strip():
            return _End("answered", "answered", text)
        case Final():
            return _End("answered", EMPTY_ANSWER, texts.AGENT_EMPTY)
        case Failed(failure):
            text = failure.detail if failure.code == TURN_DEADLINE else texts.AGENT_CRASHED
            return _End("failed", failure.code, text)
        case _:
            # A plug-in's agent is foreign code: what it returns is checked, not believed.
            raise TypeError(
                f"agent {services.agent.name} returned {type(answer).__name__}, not Final or Failed"
            )


async def _finish(services: Services, batch: Batch, record: SessionRecord, end: _End) -> None:
    """The one commit that ends a turn; void if a stop or an interruption was committed first."""
    now = services.clock.wall()
    last = batch.rows[-1].event
    origin = last.origin
    reply = Outbound(
        delivery_id=DeliveryId(f"{batch.turn_id}:0"),
        platform=origin.platform,
        account=origin.account,
        chat_id=origin.chat_id,
        thread_id=origin.thread_id,
        text=end.text,
        reply_to=last.message_id,
        session_key=batch.session_key,
        generation=record.generation,
        trace=last.trace,
        expires_at=now + services.config.delivery.ttl_s,
    )
    said = tuple(
        TranscriptLine("user", row.event.text, row.event.received_at, batch.turn_id, row.seq)
        for row in batch.rows
    )
    answer = TranscriptLine(
        "assistant" if end.state == "answered" else "notice", end.text, now, batch.turn_id
    )
    finish = ops.FinishTurn(
        session_key=batch.session_key,
        generation=record.generation,
        turn_id=batch.turn_id,
        row_ids=batch.row_ids,
        state=end.state,
        rule=end.rule,
        transcript=(*said, answer),
        outbound=(reply,),
        at=now,
    )
    committed = await services.store.write(finish)
    faults.point("after_turn_commit")
    if committed:
        numbers = ", ".join(map(str, batch.row_ids))
        log.info("%s message %s: %s after %.1f s", origin.lane, numbers, end.rule, now - last.received_at)
    else:
        log.info("the answer of turn %s came after its stop and is dropped", batch.turn_id)


class _TurnIO:
    """``AgentIO``: deltas become drafts, steps become rows, and each of them is a sign of life."""

    def __init__(self, services: Services, question: Turn, no_progress_s: float) -> None:
        self.patience = trio.CancelScope(deadline=trio.current_time() + no_progress_s)
        self._services = services
        self._question = question
        self._no_progress_s = no_progress_s
        self._text = ""
        self._steps = len(question.steps)

    async def emit(self, event: AgentEvent) -> None:
        """See ``AgentIO``."""
        await self._alive()
        match event:
            case Delta(text):
                self._text += text
                last = self._question.events[-1]
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

    async def _alive(self) -> None:
        self.patience.deadline = trio.current_time() + self._no_progress_s
        await trio.lowlevel.checkpoint()
