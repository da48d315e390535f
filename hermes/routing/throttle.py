"""The last word on a decision: not too much from one user, and no endless talk with bots. Pure.

decide ─▶ throttle ─▶ the same decision, or refused: once in words, then silently
"""

from dataclasses import dataclass, replace

from hermes.routing.loops import AT_REST, Breaker, bot_turn
from hermes.routing.pipeline import Command, Context, Decision, Drop, Revise
from hermes.routing.rate import UNUSED, Bucket, Verdict, allow
from hermes.types import texts
from hermes.types.events import InboundEvent


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an event's sender said lately, over all chats of the account, and what bots said in its chat."""

    user: Bucket = UNUSED
    bots: Breaker = AT_REST


def throttle(
    event: InboundEvent, decision: Decision, context: Context, traffic: Traffic
) -> tuple[Decision, Traffic]:
    """Refuse ``decision`` if it is one too many. Only what makes us speak counts: strangers neither count nor hear of it.

    The owner is never refused, and nobody's control commands are: a flood is what /stop is for. The time is that of
    receipt, so that a backlog is not judged by how fast we work through it.
    """
    silent = isinstance(decision, Revise) or (isinstance(decision, Drop) and decision.reply is None)
    if event.internal or context.capabilities.authenticated or silent:
        return decision, traffic
    if event.origin.is_bot:
        bots, verdict = bot_turn(traffic.bots, event.received_at)
        refused = _refused("refused:bot_loop", texts.BOT_LOOP, verdict)
        return refused or decision, replace(traffic, bots=bots)
    user, verdict = allow(traffic.user, event.received_at)
    refused = _refused("refused:rate", texts.TOO_FAST, verdict)
    if isinstance(decision, Command) and decision.kind == "control":
        refused = None
    return refused or decision, replace(traffic, user=user)


def _refused(rule: str, reply: str, verdict: Verdict) -> Drop | None:
    if verdict == "pass":
        return None
    return Drop("refused", rule, keep_text=False, reply=reply if verdict == "refuse" else None)
