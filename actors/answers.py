"""The end of a turn: what becomes of what its agent returned, in one commit.

Final | Failed ─ endings.of ─▶ End ─ its files are copied ─▶ finish: transcript + outbox + rows, if still current
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from actors.cutting import aside
from actors.ports.services import Services
from hermes.delivery import endings, media_tags
from hermes.delivery.endings import End
from hermes.routing.busy import MOST_TOGETHER
from hermes.routing.loops import tagged
from hermes.sessions.context import recorded
from hermes.sessions.ids import new_session_id
from hermes.sessions.reset import note_to_agent
from hermes.store import ops, queries
from hermes.store.port import Reader
from hermes.types import faults
from hermes.types.agent import Agent, Failed, Final, Usage
from hermes.types.content import ANSWERS, REFUSAL, USAGE, Outbound
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TurnId, answer_id
from hermes.types.origin import ITSELF
from hermes.types.records import InboxRow, OutboxRow, SessionRecord, TranscriptLine
from hermes.types.whole import whole

log = logging.getLogger(__name__)


async def end_of(services: Services, answer: Final | Failed, agent: Agent) -> End:
    """How the turn ends. A plug-in's agent is foreign code: what it returns is checked, not believed, and ``TypeError`` raised
    for what is neither.
    """
    match answer := whole(answer):
        case Final(text, usage):
            return await aside(services, text, partial(endings.of, _counted(answer, usage, agent)))
        case Failed(failure):
            # The detail is for the operator: it may name a path, an address, a key.
            log.warning("agent %s gives up: %s", agent.name, failure)
            return endings.of(answer)
        case _:
            raise TypeError(f"agent {agent.name} returned {type(answer).__name__}, not Final or Failed")


def _counted(answer: Final, usage: Usage | None, agent: Agent) -> Final:
    """A bill that cannot be true must not cost the answer."""
    if usage is None or usage.plausible:
        return answer
    log.warning("agent %s reports a usage that cannot be", agent.name)
    return replace(answer, usage=None)


@dataclass(slots=True)
class Ending:
    """What the commit that ends a turn has found beside; its session reads it when the turn has ended.

    ``looks``: it is to find what comes next; else its session knows that. ``counted``: it has ended the turn, and nobody else.
    ``sent``: the lane has been handed the answer.
    """

    looks: bool = True
    begun: bool = False
    counted: bool = False
    newest: float = 0
    sent: bool = False
    found: queries.Work | None = None

    def woken(self, seq: int | None) -> None:
        """There is more for the session: the row ``seq``, if that is known. A commit that is on its way may not have seen it."""
        if self.begun:
            self.newest = max(self.newest, math.inf if seq is None else seq)

    @property
    def work(self) -> queries.Work | None:
        """What the session has to do next; None: it has to look."""
        if self.found is None or self.newest > max((row.seq or 0 for row in self.found[0]), default=0):
            return None
        return self.found


async def finish(
    services: Services,
    turn_id: TurnId,
    record: SessionRecord,
    rows: Sequence[InboxRow],
    end: End,
    *,
    ending: Ending,
) -> bool:
    """The one commit that ends a turn on ``rows``; void, and False, if a stop or an interruption was committed first. Lane and
    session are handed what follows for them.
    """
    last, rules = rows[-1].event, services.key_rules
    outbound = await _outbound(services, turn_id, record, rows, end)
    now = services.clock.wall()
    said = tuple(
        TranscriptLine("user", recorded(row.event, rules), row.event.received_at, turn_id, row.seq)
        for row in rows
    )
    role: Literal["assistant", "notice"] = "assistant" if end.state == "answered" else "notice"
    answer = TranscriptLine(role, end.text, now, turn_id, used=end.used)
    finish = ops.FinishTurn(
        session_key=record.session_key,
        session_id=record.session_id,
        generation=record.generation,
        turn_id=turn_id,
        row_ids=tuple(row.row_id for row in rows if row.state == "in_turn"),
        state=end.state,
        rule=end.rule,
        transcript=(*said, answer),
        outbound=outbound,
        at=now,
        # What an earlier boot has left to do lets no conversation live longer than it would have without (AC-46).
        active_at=now if last.received_at >= services.booted_at else last.received_at,
        usage=end.usage,
        suspend=_suspension(services, last) if end.suspend else None,
        lighten=tuple(row.row_id for row in rows if row.event.earlier),
    )
    ending.begun = True
    look = partial(_following, record.session_key if ending.looks else None, outbound)
    committed, (ending.found, row) = await services.store.write(ops.Then(finish, look))
    ending.counted = committed
    faults.point("after_turn_commit")
    if row is not None:
        services.delivery.hand(last.origin.lane, row)
        ending.sent = True
    if committed:
        services.overview.spent += end.usage or Usage()
        services.approvals.quiet(record.session_key)
        numbers = ", ".join(str(row.row_id) for row in rows)
        waited_s = now - last.received_at
        log.info("%s message %s: %s after %.1f s", last.origin.lane, numbers, end.rule, waited_s)
    else:
        log.info("the answer of turn %s came after its stop and is dropped", turn_id)
    return committed


def _following(
    key: SessionKey | None, outbound: Sequence[Outbound], reader: Reader, committed: bool
) -> tuple[queries.Work | None, OutboxRow | None]:
    """What the session ``key`` has to do next; and the answer as its lane's row, where that has nothing else to send before."""
    if not committed:
        return None, None
    row: OutboxRow | None = None
    for answer in outbound:
        row = queries.next_open_row(reader, answer.platform, answer.account, answer.chat_id)
        if row is not None and (row.message.delivery_id, row.state) != (answer.delivery_id, "prepared"):
            row = None
    return None if key is None else queries.readable_work(reader, key, MOST_TOGETHER), row


async def _outbound(
    services: Services, turn_id: TurnId, record: SessionRecord, rows: Sequence[InboxRow], end: End
) -> tuple[Outbound, ...]:
    """What is sent. Of silence nothing, but to clients that wait for the end of what they have said: a message without words."""
    last = rows[-1].event
    if last.origin.platform == ITSELF:
        return ()
    origin, capabilities = last.origin, services.adapters.capabilities(last.origin.platform)
    text, media = end.text if end.is_agents else tagged(end.text, origin), end.media
    if end.is_silent:
        if not capabilities.history:
            return ()
        text = ""
    elif end.is_agents and (media or await aside(services, text, partial(media_tags.names_files, text))):
        found = await services.outgoing.gather(answer_id(turn_id), text, media, capabilities)
        media = found.media
        text = endings.with_refusals(found.text, found.refused, capabilities.max_media_bytes)
    return (
        Outbound(
            delivery_id=answer_id(turn_id),
            platform=origin.platform,
            account=origin.account,
            chat_id=origin.chat_id,
            thread_id=origin.thread_id,
            text=text,
            reply_to=last.message_id,
            metadata=_answers(rows)
            | ({} if end.state == "answered" else {REFUSAL: end.rule})
            | _usage(end.usage),
            session_key=record.session_key,
            generation=record.generation,
            trace=last.trace,
            expires_at=services.clock.wall() + services.config.delivery.ttl_s,
            attachments=media,
        ),
    )


def _suspension(services: Services, last: InboundEvent) -> ops.Suspension:
    return ops.Suspension(new_session_id(last.received_at, services.ids), note_to_agent("suspended"))


def _answers(rows: Sequence[InboxRow]) -> dict[str, str]:
    """Which messages are answered, where that is not said by ``reply_to`` alone."""
    ids = [row.event.message_id for row in rows if row.event.message_id is not None]
    return {ANSWERS: " ".join(ids)} if len(ids) > 1 else {}


def _usage(usage: Usage | None) -> dict[str, str]:
    """What it has cost, for platforms whose programs want to know."""
    if usage is None:
        return {}
    counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens)
    return {USAGE: " ".join(map(str, counts))}
