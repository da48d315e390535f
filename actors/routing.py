"""A message that was let in goes into its session: one commit, by how the session stands in that very commit.

row ─▶ standing ─▶ a new stretch? ─▶ routed ─▶ what the session has to do now ─▶ wake it with that
"""

import logging
from dataclasses import replace
from functools import partial
from typing import assert_never

from actors.commands.reply import Prompt
from actors.ports.conversations import News
from actors.ports.services import Services
from hermes.hooks import events, payloads
from hermes.routing import busy
from hermes.routing.loops import tagged
from hermes.sessions import reset
from hermes.sessions.ids import new_session_id
from hermes.store import ops, queries
from hermes.store.port import Reader
from hermes.types import faults
from hermes.types.content import Outbound
from hermes.types.events import ONCE
from hermes.types.ids import DeliveryId, SessionKey
from hermes.types.records import BusyMode, InboxRow, Standing

log = logging.getLogger(__name__)

FIRST = 1
"""The ``seq`` of the first message of a session."""


def reply_to(services: Services, row: InboxRow, text: str, *, secret: bool = False) -> tuple[Outbound, ...]:
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
            text=tagged(text, origin),
            kind="command",
            reply_to=event.message_id,
            trace=event.trace,
            expires_at=services.clock.wall() + services.config.delivery.ttl_s,
            secret=secret,
        ),
    )


async def route(services: Services, row: InboxRow, key: SessionKey, prompt: Prompt) -> int | ops.NotRouted:
    """Into the session, and into a new stretch of it where that is due. What a command has an ``effect`` on is the present
    stretch, so it goes there or nowhere. A session that is idle is woken with what it has to do now.
    """
    # By the time of the words and not of the decision: a restart in between makes no difference (AC-46).
    at, origin = row.event.received_at, row.event.origin
    user_id = services.people.side(origin).user.user_id if origin.chat_type == "dm" else None
    session_id, most = new_session_id(at, services.ids), services.config.limits.waiting

    def decided_by(standing: Standing | None) -> ops.Route:
        return ops.Route(
            row_id=row.row_id,
            session_key=key,
            new_session_id=session_id,
            rule=prompt.rule,
            at=at,
            origin=origin,
            most=most,
            renewal=None if standing is None or prompt.effect else _renewal(services, row, standing),
            text=prompt.text,
            user_id=user_id,
            effect=prompt.effect,
            once=ONCE in row.event.extra,
        )

    # The session as it stands: read in the same transaction, so that no other chat and no person can come between.
    decide = ops.Upon(ops.Route, partial(queries.standing, session_key=key), decided_by)
    look = partial(_waits, key, idle=not services.conversations.busy(key))
    routed: int | ops.NotRouted
    (decided, routed), (work, own) = await services.store.write(ops.Then(decide, look))
    if routed in ("full", "changed"):
        return routed
    news: News | None = None
    if isinstance(routed, int):
        if decided.renewal is not None:
            log.info("%s begins anew: %s", key, decided.renewal.reason)
            services.delivery.wake(origin.lane)
            if not decided.renewal.seen.expired:  # else it has been told of
                services.hooks.happened(events.SESSION_END, payloads.session(origin, key))
        if routed == FIRST or decided.renewal is not None:
            services.hooks.happened(events.SESSION_START, payloads.session(origin, key, session_id))
        mode = busy.mode_of(services.config.display, replace(row, rule=prompt.rule), own)
        news = News(routed, mode, work)
    faults.point("after_decision")
    services.conversations.wake(key, news)
    return routed


def _waits(
    key: SessionKey, reader: Reader, _routed: object, *, idle: bool
) -> tuple[queries.Work | None, BusyMode | None]:
    """What an idle session has to do now; and its own busy mode."""
    work = queries.readable_work(reader, key, busy.MOST_TOGETHER) if idle else None
    return work, queries.busy_mode(reader, key) if work is None else work[1]


def _renewal(services: Services, row: InboxRow, standing: Standing) -> ops.Renewal | None:
    """What a new stretch begins with, if one is due. Nobody is silent while an answer is worked on; but what an earlier
    boot has left open says nothing about that.
    """
    record, origin, at = standing.record, row.event.origin, row.event.received_at
    under_way = standing.open_since is not None and standing.open_since >= services.booted_at
    if under_way and not record.suspended:
        return None
    policy = reset.policy_for(services.config, origin.platform, origin.chat_type)
    state = reset.next_state(
        record, policy, at, None, platform=origin.platform, had_activity=standing.had_activity
    )
    match state:
        case reset.Keep():
            return None
        case reset.Reset(reason, notice):
            told = reply_to(services, row, notice) if notice else ()
            return ops.Renewal(
                reason,
                record,
                state.note,
                tuple(
                    replace(
                        words,
                        delivery_id=DeliveryId(f"{words.delivery_id}:anew"),
                        kind="notice",
                        reply_to=None,
                    )
                    for words in told
                ),
            )
        case _:
            assert_never(state)
