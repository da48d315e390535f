"""Ends conversations whose time is over, and tells memory of what was said in those that have ended.

    every 5 minutes, or when the next one is due ─▶ past its reset policy, and quiet? ─▶ memory is told, ≤ 30 s
        ─▶ marked (a row) ─▶ session:end
    every 5 minutes ─▶ ended by anything else since, or told in vain? ─▶ memory is told

The next message begins the new stretch, as it always does (``sessions.reset``): so it makes no difference to a conversation
whether anybody was there to see its end (AC-46). Nothing here is in its way, and nobody waits for it.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from actors import upkeep
from actors.ports.services import Services
from actors.upkeep import Message
from hermes.hooks import events, payloads
from hermes.sessions.reset import cutoff, due, due_at, policy_for
from hermes.store import expiry
from hermes.store.expiry import Idle, Quietest, Said, Unkept
from hermes.store.upkeep_ops import ExpireSession, NoteUpkeep, Remembered
from hermes.types.ids import SessionId, SessionKey
from hermes.types.memory import Ended
from hermes.types.origin import ITSELF, Origin
from supervisors.context import Context

log = logging.getLogger(__name__)

START_S = 60.0
LOOK_S = 300.0
LEAST_S = 1.0

TOGETHER = 4
"""Conversations that memory is told of at once."""

MOST_AT_ONCE = 50
"""Conversations of one look; the next one follows at once."""

T = TypeVar("T")


async def run(ctx: Context[Message], services: Services) -> None:
    """Ready at once; the first look comes after a minute."""
    await upkeep.until_stopped(ctx, partial(_watch, services))


async def _watch(services: Services) -> None:
    await trio.sleep(START_S)
    catch_up_at = services.clock.mono()
    while True:
        begun, mono, told = services.clock.wall(), services.clock.mono(), 0
        # Not with every end of a conversation: a memory that is ill is given time to get well.
        if mono >= catch_up_at:
            catch_up_at = mono + LOOK_S
            left = await services.store.read(expiry.unkept, MOST_AT_ONCE)
            told = await _each(left, partial(_catch_up, services))
        expired, next_at = await _expire(services)
        if expired or told:
            took_s, came_to = round(services.clock.mono() - mono, 3), {"expired": expired, "remembered": told}
            services.store.post(NoteUpkeep("expiry", begun, took_s, came_to))
        wait_s = min(catch_up_at - services.clock.mono(), next_at - services.clock.wall())
        await trio.sleep(max(LEAST_S, wait_s))


async def _expire(services: Services) -> tuple[int, float]:
    """End those that are due; how many, and when the next one will be, in epoch seconds."""
    expired, next_at = 0, math.inf
    for kind in await services.store.read(expiry.quietest):
        policy = policy_for(services.config, kind.platform, kind.chat_type)
        now = services.clock.wall()
        before = cutoff(policy, now, None)
        if before is None:
            continue
        if kind.last_active_at >= before:
            next_at = min(next_at, due_at(policy, kind.last_active_at, now, None))
            continue
        found = await services.store.read(expiry.idle, kind, before, MOST_AT_ONCE)
        expired += await _each(found, partial(_end, services, kind))
        next_at = now
    return expired, next_at


async def _end(services: Services, kind: Quietest, one: Idle) -> bool:
    """One conversation, unless somebody has spoken since the look; that message has then ended it by itself."""
    policy = policy_for(services.config, kind.platform, kind.chat_type)
    reason = due(policy, one.last_active_at, services.clock.wall(), None)
    if reason is None:
        return False
    said = await _remember(services, one.session_key, one.session_id, reason)
    ended = await services.store.write(ExpireSession(one.session_key, one.session_id, one.last_active_at))
    if ended:
        log.info("%s is over: %s", one.session_key, reason)
        origin = said.origin or Origin(kind.platform, "", chat_type=kind.chat_type)
        services.hooks.happened(events.SESSION_END, payloads.session(origin, one.session_key))
    return ended


async def _catch_up(services: Services, one: Unkept) -> bool:
    await _remember(services, one.session_key, one.session_id, one.reason or "idle")
    return True


async def _remember(services: Services, key: SessionKey, session_id: SessionId, reason: str) -> Said:
    """Tell memory of what it does not have of a stretch; what becomes of that is marked in any case, so that it has an end."""
    said = await services.store.read(expiry.said, key, session_id)
    kept = True
    if said.lines and services.memories.any and (said.origin is None or said.origin.platform != ITSELF):
        ended = Ended(key, session_id, reason, said.lines, said.origin)
        kept = await services.memories.flush(ended, said.line_id)
        if not kept:
            log.warning("%s: not all of what remembers has kept stretch %s", key, session_id)
    await services.store.write(Remembered(key, session_id, said.line_id, kept))
    return said


async def _each(found: Sequence[T], do: Callable[[T], Awaitable[bool]]) -> int:
    """Do it for all of them, some at a time; for how many it held."""
    held, places = 0, trio.CapacityLimiter(TOGETHER)

    async def one(what: T) -> None:
        nonlocal held
        async with places:
            held += await do(what)

    async with trio.open_nursery() as nursery:
        for what in found:
            nursery.start_soon(one, what)
    return held
