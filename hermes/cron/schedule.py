"""Schedules, as people write them, and the instants they name.

    30m · 2h · 1d                        once, that far from now
    2026-05-03 · 2026-05-03T14:00[Z]     once, then; without a zone: the job's
    every 30m                            again and again, by elapsed time
    0 9 * * MON-FRI · @daily             by the calendar of the job's zone

    parse ─▶ Schedule ─ first ─▶ instant ─ following ─▶ instant …          instants are epoch seconds

The calendar's rules are Debian cron's, in the nights in which clocks are changed too: what names a time of day comes once a
day, at the first moment after the gap where its own does not exist and in the first pass where it comes twice; what has a
``*`` for its hour or minute goes by elapsed time. Where both day fields are restricted, one of them is enough. A sixth
field is seconds, as the original has it; then no night is special.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any, assert_never
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from cronsim.cronsim import SYMBOLIC_DAYS, SYMBOLIC_MONTHS

from hermes.types.errors import Failure, GatewayError

BAD_SCHEDULE = "bad_schedule"
LATE_S = 120.0
"""A time that is past by more than this is a mistake of whoever writes it down."""

MOST_MINUTES = 50 * 366 * 24 * 60

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

HOW = "write 30m, 2h or 1d, `every 30m`, a time such as 2026-05-03T14:00, or five cron fields such as `0 9 * * MON-FRI`"

_DURATION = re.compile(r"(\d{1,12})\s*(m|mins?|minutes?|h|hrs?|hours?|d|days?)", re.IGNORECASE | re.ASCII)
_EVERY = re.compile(r"every\s+(.+)", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ].*)?", re.ASCII)
_ITEM = r"(?:\*|[0-9A-Z]+(?:-[0-9A-Z]+)?)(?:/\d+)?"
_FIELD = re.compile(rf"{_ITEM}(?:,{_ITEM})*", re.ASCII)
_NAMES = frozenset((*SYMBOLIC_DAYS, *SYMBOLIC_MONTHS))
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
_STARRED_DAYS = {2: "1-31", 4: "0-6"}


class BadSchedule(GatewayError):
    """It names no time; the words say why."""

    def __init__(self, words: str) -> None:
        super().__init__(Failure(BAD_SCHEDULE, detail=words))


@dataclass(frozen=True, slots=True)
class Once:
    """At one instant."""

    at: float
    display: str


@dataclass(frozen=True, slots=True)
class Interval:
    """Each so many minutes of elapsed time."""

    minutes: int
    display: str


@dataclass(frozen=True, slots=True)
class Cron:
    """By the calendar. ``expression`` is as it was written."""

    expression: str
    display: str


Schedule = Once | Interval | Cron


# --- reading ----------------------------------------------------------------------------------------------------------------


def parse(text: str, now: float, zone: tzinfo) -> Schedule:
    """The schedule that ``text`` is. Raises ``BadSchedule``."""
    text = text.strip()
    if text.casefold() == "every":
        raise BadSchedule(f"every what? {HOW}")
    if every := _EVERY.fullmatch(text):
        minutes = duration(every[1])
        if minutes < 1:
            raise BadSchedule(f"{text!r:.80} would never stop: the shortest is `every 1m`")
        return Interval(minutes, f"every {minutes}m")
    if _DURATION.fullmatch(text):
        return Once(now + 60.0 * duration(text), f"once in {''.join(text.split())}")
    if _TIME.fullmatch(text):
        at = instant(text, zone)
        return Once(at, f"once at {datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}")
    if text.startswith("@") or len(text.split()) in (5, 6):
        _checked(text)
        return Cron(text, text)
    raise BadSchedule(f"{text!r:.80} is no schedule; {HOW}" if text else f"no schedule is given; {HOW}")


def duration(text: str) -> int:
    """Minutes. Raises ``BadSchedule``."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise BadSchedule(f"{text.strip()!r:.80} is no duration; write minutes, hours or days: 30m, 2h, 1d")
    minutes = int(found[1]) * _MINUTES[found[2][0].lower()]
    if minutes > MOST_MINUTES:
        raise BadSchedule(f"{text.strip()!r:.80} is longer than fifty years")
    return minutes


def instant(text: str, zone: tzinfo) -> float:
    """The moment that an ISO time names; one without a zone is ``zone``'s, and of one that comes twice the first. Raises
    ``BadSchedule``.
    """
    try:
        when = datetime.fromisoformat(text.strip())
        return (when if when.tzinfo else when.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError) as wrong:
        raise BadSchedule(f"{text.strip()!r:.80} is no time: {wrong}") from wrong


def zone_named(name: str) -> tzinfo:
    """The time zone of that name. Raises ``BadSchedule``."""
    if name in ("UTC", "Etc/UTC"):
        return UTC  # a ZoneInfo of the same name takes the calendar four times as long
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as wrong:
        raise BadSchedule(
            f"{name!r:.80} is no time zone; write one as in Europe/Berlin or America/New_York"
        ) from wrong


# --- the original's form ------------------------------------------------------------------------------------------------------


def from_json(written: object, zone: tzinfo) -> Schedule:
    """The schedule of a job in the original's file. Raises ``BadSchedule``."""
    match written:
        case {"kind": "interval", "minutes": int(minutes), **more} if not isinstance(minutes, bool):
            if not 1 <= minutes <= MOST_MINUTES:
                raise BadSchedule(f"an interval of {minutes} minutes cannot be kept")
            return Interval(minutes, _display(more, f"every {minutes}m"))
        case {"kind": "cron", "expr": str(expression), **more}:
            _checked(expression)
            return Cron(expression, _display(more, expression))
        case {"kind": "once", "run_at": str(at), **more}:
            return Once(instant(at, zone), _display(more, f"once at {at}"))
        case _:
            raise BadSchedule("its schedule is neither interval, cron nor once")


def to_json(schedule: Schedule, zone: tzinfo) -> dict[str, Any]:
    """As the original writes it."""
    match schedule:
        case Once(at, display):
            return {"kind": "once", "run_at": iso(at, zone), "display": display}
        case Interval(minutes, display):
            return {"kind": "interval", "minutes": minutes, "display": display}
        case Cron(expression, display):
            return {"kind": "cron", "expr": expression, "display": display}
        case _:
            assert_never(schedule)


def iso(at: float, zone: tzinfo) -> str:
    """An instant as the original writes it: with its zone."""
    return datetime.fromtimestamp(at, zone).isoformat()


def _display(more: Mapping[Any, object], otherwise: str) -> str:
    shown = more.get("display")
    return shown if isinstance(shown, str) else otherwise


# --- instants -----------------------------------------------------------------------------------------------------------------


def first(schedule: Schedule, now: float, zone: tzinfo) -> float:
    """The first instant of a job that begins at ``now``. Raises ``BadSchedule`` for a time that is over."""
    match schedule:
        case Once(at):
            if at < now - LATE_S:
                raise BadSchedule(f"{iso(at, zone)} is over")
            return at
        case Interval(minutes):
            return now + 60.0 * minutes
        case Cron(expression):
            return _next(expression, now, zone)
        case _:
            assert_never(schedule)


def following(schedule: Schedule, instant: float, zone: tzinfo) -> float | None:
    """The instant after one that the schedule has named; None if that was the last."""
    match schedule:
        case Once():
            return None
        case Interval(minutes):
            return instant + 60.0 * minutes
        case Cron(expression):
            return _next(expression, instant, zone)
        case _:
            assert_never(schedule)


@lru_cache(maxsize=4_096)
def _checked(expression: str) -> None:
    """The file is read anew with each step of a job; what was good is."""
    _next(expression, 0.0, UTC)


def _next(expression: str, after: float, zone: tzinfo) -> float:
    """The first instant later than ``after``.

    In the second pass of a repeated hour cronsim, which has one time of day at a time, begins with what is over.
    """
    try:
        moment = datetime.fromtimestamp(after, zone)
        for found in CronSim(_for_cronsim(expression), moment):
            if (at := found.timestamp()) > after:
                return at
    except (CronSimError, AssertionError, OverflowError, ValueError) as wrong:
        raise BadSchedule(f"{expression!r:.80} is no cron expression: {wrong}") from wrong
    raise BadSchedule(f"{expression!r:.80} names no day that there is")


def _for_cronsim(expression: str) -> str:
    """In cronsim's form: seconds in front, and no starred step for days, which to it means that both fields must hold."""
    text = expression.strip()
    if text.startswith("@"):
        if text.casefold() not in ALIASES:
            raise BadSchedule(f"{text!r:.80} is no name of a schedule; there are {', '.join(ALIASES)}")
        return ALIASES[text.casefold()]
    fields = text.upper().split()
    if len(fields) not in (5, 6) or not all(map(_is_field, fields)):
        raise BadSchedule(f"{text!r:.80} is no schedule; {HOW}")
    for place, everything in _STARRED_DAYS.items():
        fields[place] = re.sub(r"(?<![0-9A-Z])\*(?=/)", everything, fields[place])
    return " ".join(fields if len(fields) == 5 else (fields[5], *fields[:5]))


def _is_field(text: str) -> bool:
    words = re.findall("[A-Z]+", text)
    return _FIELD.fullmatch(text) is not None and all(word in _NAMES for word in words)
