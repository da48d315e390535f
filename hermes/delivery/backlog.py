"""When an operator has to hear of what does not get out: a pure decision for each account, taken every half minute.

waits too long, or too much of it ─▶ Late      at most once an hour
not any more                      ─▶ Over      once, if it was told
given up since the last time      ─▶ GivenUp   at most once an hour, with their number
"""

import math
from dataclasses import dataclass, replace

LATE_S = 600.0
MOST_OPEN = 1_000
EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How the outbox of an account stands: ``open`` messages, the oldest made at ``oldest_at``; ``dead`` ones, of which
    ``dead_lately`` were given up in the last ``EVERY_S``. What tells of such things is not counted, lest it tell of itself.
    """

    platform: str
    account: str
    open: int
    oldest_at: float | None
    dead: int
    dead_lately: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the operator has heard of an account. ``late``: of a backlog, and not of its end; ``dead``: of so many."""

    late: bool = False
    late_at: float = -math.inf
    dead: int = 0
    dead_at: float = -math.inf


@dataclass(frozen=True, slots=True)
class Late:
    """``count`` messages wait, the oldest for ``age_s``."""

    count: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Over:
    """They do not any more."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """``count`` messages more will not arrive."""

    count: int


News = Late | Over | GivenUp


def is_late(standing: Standing, now: float) -> bool:
    """True if somebody should look at it."""
    return standing.open > MOST_OPEN or (standing.oldest_at is not None and now - standing.oldest_at > LATE_S)


def decide(standing: Standing, told: Told | None, now: float) -> tuple[Told, tuple[News, ...]]:
    """What is to be said now, and what has been said then. ``told`` is None at the first look: what was given up in the
    last hour may not have been told yet, older dead letters have been.
    """
    told = told or Told(dead=standing.dead - standing.dead_lately)
    news: list[News] = []
    if is_late(standing, now):
        if now - told.late_at >= EVERY_S:
            news.append(Late(standing.open, now - (standing.oldest_at or now)))
            told = replace(told, late=True, late_at=now)
    elif told.late:
        news.append(Over())
        told = replace(told, late=False)
    if standing.dead > told.dead and now - told.dead_at >= EVERY_S:
        news.append(GivenUp(standing.dead - told.dead))
        told = replace(told, dead=standing.dead, dead_at=now)
    return replace(told, dead=min(told.dead, standing.dead)), tuple(news)
