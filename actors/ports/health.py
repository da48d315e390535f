"""How an adapter is, for people: from what its supervisor knows of it, and from its own beats. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from actors.ports.receiving import Receiving
from supervisors.child import Child
from supervisors.reasons import Failed
from supervisors.tree import ActorSnapshot

State = Literal[
    "starting", "connected", "listening", "stale", "backoff", "disabled", "unavailable", "paused", "stopped"
]

REPEATS = 5
"""As many new clients that fail alike are no chance any more."""


@dataclass(frozen=True, slots=True)
class Disabled:
    """An adapter that stays down (``name`` is ``platform:account``), since its life ``incarnation`` failed with ``code``."""

    name: str
    incarnation: int
    code: str


@dataclass(frozen=True, slots=True)
class Repeating:
    """An adapter that has failed ``times`` times in a row, the last of them all with ``code``, and is tried again."""

    name: str
    code: str
    times: int


def state_of(actor: str, receiving: Receiving | None) -> State:
    """``actor`` is the state of its actor; ``receiving`` its port's, None if that is not open."""
    match actor:
        case "running":
            if receiving is None or receiving.is_stale:
                return "stale"
            return "listening" if receiving.deadline_s is None else "connected"
        case "starting" | "backoff" | "disabled" | "unavailable" | "paused":
            return actor
        case _:  # stopping, stuck
            return "stopped"


def repeats(child: Child | None, now: float) -> int:
    """How often in a row it has failed, if that was ``REPEATS`` times or more, and the last of them by the same failure."""
    if child is None or child.streak < REPEATS or child.was_healthy(now):
        return 0
    codes = {reason.code if isinstance(reason, Failed) else "" for reason in child.history[-REPEATS:]}
    return child.streak if len(codes) == 1 and codes != {""} else 0


def row(
    node: ActorSnapshot, actor: str, receiving: Receiving | None, times: int, redact: Callable[[str], str]
) -> Mapping[str, Any]:
    """One of the ``adapters`` of ``hermes status --json``; the rest as for ``state_of`` and ``repeats``."""
    platform, _, account = node.name.partition(":")
    age_s = None if receiving is None else receiving.age_s
    code, _, detail = redact(node.last_error or "").partition(": ")
    # A connect clears what came before, unless that comes again and again (AC-30).
    failing = node.last_error is not None and (
        actor in {"starting", "backoff", "disabled", "unavailable"} or times > 0
    )
    failure = {
        "code": code,
        "severity": "needs_operator" if node.state == "disabled" else "transient",
        "detail": detail,
        "times": max(1, times),
    }
    return {
        "platform": platform,
        "account": account,
        "state": state_of(actor, receiving),
        "incarnation": node.incarnation,
        "receive_age_s": None if age_s is None else round(age_s, 1),
        "failure": failure if failing else None,
    }
