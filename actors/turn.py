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
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import takewhile
from typing import assert_never

import trio

from actors import answers
from actors.approving import Approving
from actors.calling import Calling
from actors.deadlines import Deadlines
from actors.lease import Lease
from actors.ports.services import Services
from actors.question import question
from hermes.delivery.endings import End
from hermes.delivery.written import Written
from hermes.hooks import events as hooks
from hermes.hooks import payloads
from hermes.routing import busy
from hermes.sessions import context
from hermes.store import busy_ops, ops, queries
from hermes.types import faults, texts
from hermes.types.agent import (
    Agent,
    AgentEvent,
    Answered,
    ApprovalRequest,
    Asking,
    Decision,
    Delta,
    Notice,
    Step,
    ToolCall,
    Turn,
)
from hermes.types.content import Draft
from hermes.types.errors import APPROVAL_EXPIRED, POISON, TURN_DEADLINE
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TurnId
from hermes.types.records import InboxRow, SessionRecord, Used
from hermes.types.whole import whole
from supervisors.context import Context

log = logging.getLogger(__name__)

NAME = "turn"
HISTORY_LINES = 200
SIGNS_TOGETHER = 16
"""So many signs of life an agent may give without a checkpoint: each costs the loop a round."""

PLACE_WAIT_S = 30.0
"""How long a new turn waits for a place among those that are worked on at once."""

TOO_MANY_TURNS = "refused:turns"


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows one turn takes, and what is found at its end."""

    session_key: SessionKey
    turn_id: TurnId
    rows: tuple[InboxRow, ...]
    ending: answers.Ending = field(default_factory=answers.Ending)

    @property
    def row_ids(self) -> tuple[int, ...]:
        """Their ids, in order."""
        return tuple(row.row_id for row in self.rows)


async def run(ctx: Context[None], services: Services, batch: Batch, incarnation: int, lease: Lease) -> None:
    """Answer ``batch``; what the agent raises is raised here, and crashes this turn only."""
    ctx.ready()
    try:
        if not (lease.place_nowait() or await _place(batch, lease)):
            log.warning(
                "rows %s of %s are refused: no place to work on them", batch.row_ids, batch.session_key
            )
            refused = End("refused", TOO_MANY_TURNS, texts.TOO_MANY_TURNS)
            await _end(services, batch, incarnation, refused)
            return
        await _answer(services, batch, incarnation, lease)
    finally:
        lease.end()
        let_go(services, batch)


async def _place(batch: Batch, lease: Lease) -> bool:
    """Wait for a place; whether there was one. What was begun before has been promised an answer, and waits for ever."""
    with trio.move_on_after(PLACE_WAIT_S if batch.rows[0].turn_id is None else math.inf) as wait:
        await lease.place()
    return not wait.cancelled_caught


async def set_aside(services: Services, batch: Batch, incarnation: int, *, suspend: bool) -> None:
    """Quarantine rows that keep killing whoever works on them: they end ``failed`` and the user is told. ``suspend``: what
    comes next begins a new stretch.
    """
    log.error("rows %s of %s are set aside: they end every turn", batch.row_ids, batch.session_key)
    words = texts.SUSPENDED if suspend else texts.POISONED
    end = End("failed", POISON, words, suspend=suspend)
    await _end(services, batch, incarnation, end)
    let_go(services, batch)


async def _end(services: Services, batch: Batch, incarnation: int, end: End) -> None:
    """End the rows without asking the agent, unless somebody else has ended them."""
    begun = await _take(services, batch, incarnation)
    if begun is not None:
        await answers.finish(services, batch.turn_id, begun.record, begun.rows, end, ending=batch.ending)


def let_go(services: Services, batch: Batch) -> None:
    """However a turn ends: no draft of it may follow, and an answer whose commit it did not see any more goes out."""
    lane = batch.rows[-1].event.origin.lane
    services.delivery.drop_draft(lane, batch.turn_id)
    services.delivery.resting(lane, batch.turn_id)
    if not batch.ending.sent:
        services.delivery.wake(lane)


async def _answer(services: Services, batch: Batch, incarnation: int, lease: Lease) -> None:
    begun = await _take(services, batch, incarnation)
    if begun is None:
        return  # stopped or answered since the session looked
    faults.point("after_take")
    asked = await question(services, batch.turn_id, begun, lease)
    rows = list(begun.rows)
    told = None if busy.is_quick(rows[0]) else partial(_tell, services, begun.record, rows)
    io = _TurnIO(services, asked, rows, incarnation, lease, record=begun.record)
    agent = services.quick if busy.is_quick(rows[0]) else services.agent
    if told is not None:
        told(hooks.AGENT_START)
    end = await _ask(services, agent, asked, io, lease)
    if io.used:
        end = replace(end, used=io.used)
    faults.point("before_turn_commit")
    committed = await answers.finish(services, batch.turn_id, begun.record, rows, end, ending=batch.ending)
    if committed and told is not None:
        told(hooks.AGENT_END, end.text)


def _tell(
    services: Services,
    record: SessionRecord,
    rows: Sequence[InboxRow],
    event: str,
    response: str | None = None,
) -> None:
    said = "\n\n".join(row.event.text for row in rows)
    origin = rows[-1].event.origin
    services.hooks.happened(event, payloads.agent(origin, record.session_id, said, response))


async def _take(services: Services, batch: Batch, incarnation: int) -> queries.Begun | None:
    """What there is to answer is read with the commit: an edit that came before it is not missed."""
    now = services.clock.wall()
    take = ops.Take(batch.session_key, batch.row_ids, batch.turn_id, services.boot_id, incarnation, now)
    look = partial(queries.begun, turn_id=batch.turn_id, lines=HISTORY_LINES)
    _, begun = await services.store.write(ops.Then(take, look))
    return begun


async def _ask(services: Services, agent: Agent, question: Turn, io: "_TurnIO", lease: Lease) -> End:
    """Run the agent under both deadlines: the whole turn, and the time without a sign of life."""
    limits, origin, deadlines = services.config.agent, question.events[-1].origin, io.deadlines
    with deadlines.limit:
        lease.watch(deadlines.limit)
        services.delivery.working(origin.lane, question.turn_id, origin.thread_id)
        try:
            return await answers.end_of(services, await agent.run(question, io), agent)
        finally:
            lease.watch()
            services.delivery.resting(origin.lane, question.turn_id)
    if deadlines.halted:
        # Nothing has failed: a person has not answered, and silence is a no.
        return End("stopped", APPROVAL_EXPIRED, texts.APPROVAL_EXPIRED)
    passed = limits.turn_timeout_s if deadlines.whole_passed else limits.no_progress_s
    return End("failed", TURN_DEADLINE, texts.AGENT_DEADLINE.format(seconds=passed))


class _TurnIO:
    """``AgentIO``: deltas become drafts, steps become rows, and each of them is a sign of life."""

    def __init__(
        self,
        services: Services,
        question: Turn,
        rows: list[InboxRow],
        incarnation: int,
        lease: Lease,
        *,
        record: SessionRecord,
    ) -> None:
        """``rows`` is what the turn answers; what it is steered with is added there."""
        self._services = services
        self._question = question
        self._rows = rows
        self._incarnation = incarnation
        self._lease = lease
        self._session_id = record.session_id
        limits = services.config.agent
        self.deadlines = Deadlines(lease, limits.turn_timeout_s, limits.no_progress_s)
        self._approving = Approving(services, question, lease, self.deadlines)
        self._calling = Calling(services, question, record.session_id, rows, command=busy.is_quick(rows[0]))
        self.tools = services.tools.offered()
        self._written = Written()
        self._began_at = trio.current_time()
        self._steps = len(question.steps)
        self._late = False
        self._signs = 0

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
                self._written.add(text)
                self._show(self._written.text)
            case ToolCall(_, summary):
                if summary and self._services.config.streaming.show_tools:
                    self._show(
                        "\n\n".join(
                            filter(None, (self._written.text.rstrip(), texts.USES.format(what=summary)))
                        )
                    )
            case Asking(model):
                self._happened(hooks.PRE_LLM_CALL, model)
            case Answered(model, text):
                self._happened(hooks.POST_LLM_CALL, model, text)
            case Notice():
                pass  # no platform of ours shows it yet
            case _:
                assert_never(event)

    def _show(self, text: str) -> None:
        last = self._rows[-1].event
        draft = Draft(self._question.turn_id, text, last.message_id, last.origin.thread_id)
        self._services.delivery.draft(last.origin.lane, draft, self._began_at)

    def _happened(self, event: str, model: str, response: str | None = None) -> None:
        platform = self._rows[-1].event.origin.platform
        told = payloads.model_call(self._session_id, self._question.turn_id, platform, model, response)
        self._services.hooks.happened(event, told)

    async def step(self, step: Step) -> None:
        """See ``AgentIO``. Does not return once the turn has been stopped: its end is on the way."""
        await self._alive()
        question = self._question
        now = self._services.clock.wall()
        # Before the wait: a step that is cut off may be committed, and tools may end side by side.
        n, self._steps = self._steps, self._steps + 1
        add = ops.AddStep(question.session_key, question.generation, question.turn_id, n, whole(step), now)
        if not await self._services.store.write(add):
            await trio.sleep_forever()
        faults.point("after_step")
        if step.kind == "begun":
            return  # its result is the step
        origin, tools = (
            self._rows[-1].event.origin,
            ((step.name, step.text),) if step.kind == "result" else (),
        )
        told = payloads.step(origin, self._session_id, n + 1, tools)
        self._services.hooks.happened(hooks.AGENT_STEP, told)

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
        steering = busy.joining(last, [row for row in others if busy.mode_of(display, row, own) == "steer"])
        # A file is fetched where a turn begins, so what comes with one waits for the next.
        joining = tuple(takewhile(lambda row: not row.event.attachments, steering))
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
        return await self.ask(request, self._rows[-1].event)

    async def ask(self, request: ApprovalRequest, decider: InboundEvent | None) -> Decision:
        """As ``approve``; see ``Caller``."""
        await self._alive()
        return await self._approving.approve(whole(request), self._rows[-1].event, decider)

    async def call(self, call_id: str, name: str, arguments: str) -> str:
        """See ``AgentIO``."""
        await self._alive()
        return whole(await self._calling.call(self, *whole((call_id, name, arguments))))

    def said(self, event: InboundEvent) -> str:
        """See ``AgentIO``."""
        return context.said(event, self._services.key_rules)

    @property
    def used(self) -> tuple[Used, ...]:
        """The tools that were called, for the transcript."""
        return self._calling.used

    @property
    def _had(self) -> set[int]:
        return {row.row_id for row in self._rows}

    async def _alive(self) -> None:
        self.deadlines.alive()
        self._signs += 1
        if self._signs % SIGNS_TOGETHER:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            await trio.lowlevel.checkpoint()
