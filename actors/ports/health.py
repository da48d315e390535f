"""How an adapter is, for people: from what its supervisor knows of it, and from its own beats. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from actors.ports.adapters import AdapterTable
from actors.ports.receiving import Receiving
from hermes.delivery.backlog import Standing, is_late
from supervisors.child import Child
from supervisors.reasons import Failed
from supervisors.step import State as ChildState
from supervisors.tree import ActorSnapshot

State = Literal[
    "starting", "connected", "listening", "stale", "backoff", "disabled", "unavailable", "paused", "stopped"
]

REPEATS = 5
"""As many new clients that fail alike are no chance any more."""

WAITS = 2


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
    if child is None or child.streak < REPEATS or _is_over(child, now):
        return 0
    codes = {reason.code if isinstance(reason, Failed) else "" for reason in child.history[-REPEATS:]}
    return child.streak if len(codes) == 1 and codes != {""} else 0


def _is_over(child: Child, now: float) -> bool:
    """It has been up for so long that it would have failed like that again. A failure with a wait of its own, such as
    another's poll, comes again within that, or not at all.
    """
    last = child.history[-1] if child.history else None
    if (
        isinstance(last, Failed)
        and last.retry_after
        and child.state is ChildState.RUNNING
        and child.ready_at is not None
    ):
        return now - child.ready_at >= min(WAITS * last.retry_after, child.spec.backoff.reset_after)
    return child.was_healthy(now)


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


def children(root: ActorSnapshot | None, path: str) -> tuple[ActorSnapshot, ...]:
    """Those right below ``path``; none where nothing is."""
    node = None if root is None else root.find(path)
    return () if node is None else node.children


def adapters_in(
    root: ActorSnapshot | None, path: str, accounts: Collection[tuple[str, str]]
) -> Iterator[ActorSnapshot]:
    """Those right below ``path`` whose ``accounts`` are configured; one that has gone stays in the tree, stopped."""
    return (node for node in children(root, path) if tuple(node.name.split(":", 1)) in accounts)


def not_running(root: ActorSnapshot | None) -> list[str]:
    """What the start waits for: the names of sync children that are not up; never eventual ones."""
    if root is None:
        return ["root"]
    names = [
        node.name
        for node in root.walk()
        if node.state != "running" and node.kind == "worker" and node.spec.start_mode == "sync"
    ]
    return names or ["gateway"]


def backlog_rows(
    standings: Iterable[Standing], adapters: AdapterTable, now: float
) -> list[Mapping[str, Any]]:
    """By account, what is on its way out and what was given up; where people read from our store, nothing is late."""
    return [
        {
            "platform": one.platform,
            "account": one.account,
            "open": one.open,
            "oldest_age_s": None if one.oldest_at is None else round(max(0.0, now - one.oldest_at), 1),
            "late": is_late(one, now) and not adapters.capabilities(one.platform).history,
            "dead": one.dead,
        }
        for one in standings
    ]
