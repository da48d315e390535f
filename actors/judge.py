"""What inbound asks before it acts: the one decision on an event, with everything it depends on besides the event.

rules · who we are · live thread ─▶ screen ─▶ hooks, ≤ 1 s ─▶ admit ─▶ a command: hooks, ≤ 1 s ─▶ throttle ─▶ decision
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import trio

from actors.ports.services import Services
from hermes.routing import pipeline
from hermes.routing.loops import AT_REST, Breaker
from hermes.routing.rate import UNUSED, Bucket
from hermes.routing.throttle import Traffic, throttle
from hermes.store import queries
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, CommandVerdict, Deny, Handled, Rephrase, Rewrite, Skip, Verdict
from hermes.types.origin import LaneKey

log = logging.getLogger(__name__)

HOOKS_DEADLINE_S = 1.0

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Judged:
    """``text``: what a hook has put in place of the event's; None if it stands as it came."""

    decision: pipeline.Decision
    text: str | None = None


class Judge:
    """One for all chats: what a user said lately counts over all of an account. It lives as long as inbound does; a
    restart forgives everybody.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._users: dict[tuple[str, str, str], Bucket] = {}
        self._bots: dict[LaneKey, Breaker] = {}

    async def decide(self, event: InboundEvent) -> Judged:
        """Decide on ``event``. Waits for the store and the hooks; chats may be judged side by side."""
        await self._services.people.fresh()
        context = await self._context(event)
        if not (event.internal or context.capabilities.authenticated):
            await self._services.pairing.known()
        judged = await self._judge(event, context)
        decision = self._throttled(event, judged.decision, context)
        return judged if decision is judged.decision else replace(judged, decision=decision)

    def forget(self) -> None:
        """Drop what is like new."""
        now = self._services.clock.wall()
        self._users = _without(self._users, lambda bucket: bucket.full(now))
        self._bots = _without(self._bots, lambda breaker: breaker.idle(now))

    async def _context(self, event: InboundEvent) -> pipeline.Context:
        services, origin = self._services, event.origin
        identity = services.adapters.identity(origin.platform, origin.account)
        live = False
        if origin.thread_id and origin.chat_type != "dm":
            live = await services.store.read(queries.session, services.people.session_key(origin)) is not None
        return pipeline.Context(
            capabilities=services.adapters.capabilities(origin.platform),
            booted_at=services.booted_at,
            session_key_of=services.people.session_key,
            bot_name=identity.bot_name,
            bot_id=identity.bot_id,
            rules=services.access.rules(origin.platform, origin.account),
            live_thread=live,
            catalogue=services.commands.catalogue,
            oldest=services.clock.wall() - services.config.inbound.max_age_s,
            asks=services.approvals.asks,
        )

    async def _judge(self, event: InboundEvent, context: pipeline.Context) -> Judged:
        if (dropped := pipeline.screen(event, context)) is not None:
            return Judged(dropped)
        asks = self._services.hooks.minds_messages and not event.internal
        verdict = await self._ask_hooks(event) if asks else Allow()
        match pipeline.heed(event, verdict):
            case pipeline.Drop() as dropped:
                return Judged(dropped)
            case heeded:
                decision = pipeline.admit(heeded, context)
                if isinstance(decision, pipeline.Command) and not (event.internal or decision.otherwise):
                    decision = await self._ask_about(heeded, decision, context)
                text = None if heeded.text == event.text else heeded.text
                return Judged(decision, text)

    async def _ask_hooks(self, event: InboundEvent) -> Verdict:
        return await self._asked(event, self._services.hooks.before_dispatch, _checked)

    async def _ask_about(
        self, event: InboundEvent, command: pipeline.Command, context: pipeline.Context
    ) -> pipeline.Decision:
        """What becomes of a command by the hooks' leave. One that they put in its place is admitted as if it had been typed, and
        they are not asked again.
        """
        ask = partial(self._services.hooks.before_command, name=command.name, args=command.args)
        verdict: CommandVerdict = await self._asked(event, ask, _checked_command)
        if isinstance(verdict, Rephrase):
            return pipeline.admit(replace(event, text=f"/{verdict.name} {verdict.args}".rstrip()), context)
        return pipeline.heed_command(command, verdict)

    async def _asked(
        self, event: InboundEvent, ask: Callable[[InboundEvent], Awaitable[_V]], checked: Callable[[_V], _V]
    ) -> _V | Allow:
        """What the hooks say. Foreign code: it has a deadline, and what goes wrong in it changes nothing."""
        shown = replace(event, extra=dict(event.extra))  # all else of an event is frozen
        try:
            with trio.move_on_after(HOOKS_DEADLINE_S):
                return checked(await ask(shown))
            why = f"no answer within {HOOKS_DEADLINE_S:g} s"
        except Exception as error:
            log.debug("the hooks' failure", exc_info=True)
            why = type(error).__name__
        log.warning("%s: the hooks had no say in a message: %s", event.origin.lane, why)
        return Allow()

    def _throttled(
        self, event: InboundEvent, decision: pipeline.Decision, context: pipeline.Context
    ) -> pipeline.Decision:
        # No checkpoint between reading and writing: other chats of the same user are judged side by side.
        origin = event.origin
        user = (origin.platform, origin.account, context.rules.canonical(origin.user_id or ""))
        traffic = Traffic(self._users.get(user, UNUSED), self._bots.get(origin.lane, AT_REST))
        decision, after = throttle(event, decision, context, traffic)
        if after.user is not traffic.user:
            self._users[user] = after.user
        if after.bots is not traffic.bots:
            self._bots[origin.lane] = after.bots
        return decision


def _checked(verdict: Verdict) -> Verdict:
    match verdict:
        case Allow() | Skip() | Rewrite(str()):
            return verdict
        case _:
            raise TypeError(f"{verdict!r:.100} is no verdict")


def _checked_command(verdict: CommandVerdict) -> CommandVerdict:
    match verdict:
        case Allow() | Deny(str()) | Handled(str()) | Rephrase(str(), str()):
            return verdict
        case _:
            raise TypeError(f"{verdict!r:.100} is no verdict")


def _without(kept: dict[_Key, _Kept], like_new: Callable[[_Kept], bool]) -> dict[_Key, _Kept]:
    return {key: value for key, value in kept.items() if not like_new(value)}
