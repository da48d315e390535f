"""Two bots that answer one another never end by themselves (AC-36): a breaker for each chat, and a tag. Pure.

What the gateway itself says in a group (a notice, a command's answer, an error) carries an invisible tag, so that another
gateway in that group does not take it for something to answer.
"""

from dataclasses import dataclass, replace

from hermes.routing.rate import Verdict
from hermes.types.events import InboundEvent
from hermes.types.origin import Origin

TAG = "\u2063\u2062\u2063"
"""Invisible operators: they have no width and no meaning in prose, and no platform trims them as white space."""

TURNS = 6
WINDOW_S = 90.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """When bots of one chat were answered lately, when one last spoke, and whether the chat is closed to them."""

    turns: tuple[float, ...] = ()
    last: float = 0.0
    closed: bool = False

    def idle(self, now: float) -> bool:
        """True if it is like a new one, so that it need not be kept."""
        return now - self.last >= WINDOW_S


AT_REST = Breaker()


def bot_turn(breaker: Breaker, now: float) -> tuple[Breaker, Verdict]:
    """A bot has spoken at ``now`` (epoch seconds) and would be answered.

    The seventh turn within the window closes the chat to bots, with one sentence; it opens again when no bot has spoken
    for a whole window. What people say in between changes nothing: loops run beside conversations too.
    """
    recent = tuple(at for at in breaker.turns if now - at < WINDOW_S)
    if breaker.closed and not breaker.idle(now):
        return replace(breaker, last=now), "silence"
    if len(recent) < TURNS:
        return Breaker((*recent, now), now), "pass"
    return Breaker((), now, closed=True), "refuse"


def tagged(text: str, origin: Origin) -> str:
    """``text`` as the gateway says it itself, not the agent, where ``origin`` came from."""
    return text if origin.chat_type == "dm" else text + TAG


def is_tagged(event: InboundEvent) -> bool:
    """Does a bot repeat what a gateway said itself?"""
    return event.origin.is_bot and TAG in event.text
