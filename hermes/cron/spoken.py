"""Reminders as people write them in a chat: when first, then what. Pure.

    in 20m call Ana · in half an hour … · tomorrow 9:00 … · friday 18:30 … · 2026-12-24 17:00 … · 9pm …
    every day 9:00 … · every mon, thu at 7:30 … · every 2h … · 0 9 * * MON-FRI … · @daily …
    list · list all · cancel 3

    read ─▶ Add(schedule as hermes.cron.schedule reads it, text) | Show | Cancel

What can be meant in two ways is not guessed at: the words say what was not understood, and how it can be written.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from hermes.cron.schedule import ALIASES, MOST_MINUTES, BadSchedule, iso, parse
from hermes.types.texts import REMIND_EXAMPLES

SHOWN_CHARACTERS = 40
LAST_YEAR = 9_999

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT = tuple(day[:3] for day in _DAYS)
_DAY = rf"(?:{'|'.join((*_DAYS, *_SHORT, 'tues', 'thur', 'thurs'))})"
_UNIT = r"(?:m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)"
_SPAN = rf"\d{{1,9}}\s*{_UNIT}(?:(?:\s+and\s+)?\d{{1,9}}\s*{_UNIT})*"
_ONE = r"(?:an?\s+(?:minute|hour|day|week)|half\s+an\s+hour)"
_TIME = r"(?:\d{1,2}:\d\d(?:\s*[ap]m)?|\d{1,2}\s*[ap]m|noon)"
_END = r"(?=[\s,:;]|$)"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern}){_END}", re.IGNORECASE)


_IN = _form(rf"(?:in\s+)?(?P<span>{_SPAN})|in\s+(?P<one>{_ONE})")
_SECONDS = _form(r"(?:in|every)\s+\d+\s*(?:s|secs?|seconds?)")
_EVERY = _form(rf"every\s+(?P<span>{_SPAN})|every\s+(?P<unit>minute|hour)")
_WHICH = rf"day|weekday|{_DAY}(?:(?:\s*,\s*|\s+and\s+){_DAY})*"
_EVERY_DAY = _form(rf"(?:every\s+(?P<days>{_WHICH})|daily)(?:\s+(?:at\s+)?(?P<time>{_TIME}))?")
_ON = rf"today|tomorrow|(?:on\s+)?(?:{_DAY}|\d{{4}}-\d\d-\d\d)"
_AT = _form(rf"(?P<day>{_ON})(?:\s+(?:at\s+)?(?P<time>{_TIME}))?")
_AT_TIME = _form(rf"(?:at\s+)?(?P<time>{_TIME})(?:\s+(?P<day>{_ON}))?")
_EXACT = re.compile(r"\d{4}-\d\d-\d\dT\S+", re.IGNORECASE)
_LIST = re.compile(r"list(?P<all>\s+all)?|", re.IGNORECASE)
_CANCEL = re.compile(r"(?:cancel|remove|delete)(?:\s+(?P<name>\S.*))?", re.IGNORECASE | re.DOTALL)
_MINUTES = {"m": 1, "h": 60, "d": 1_440, "w": 10_080}


class Unclear(BadSchedule):
    """It says no time, or nothing else."""

    def __init__(self, words: str) -> None:
        super().__init__(f"{words}\n{REMIND_EXAMPLES}")


@dataclass(frozen=True, slots=True)
class Add:
    """Say ``text`` whenever ``schedule`` is due."""

    schedule: str
    text: str


@dataclass(frozen=True, slots=True)
class Show:
    """Which there are: one's own, or (for admins) everybody's."""

    everybody: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """Forget one."""

    name: str


Said = Add | Show | Cancel


def read(text: str, now: float, zone: tzinfo) -> Said:
    """What ``text``, which stands after ``/remind``, asks for. Raises ``Unclear``, or ``BadSchedule`` for no time."""
    text = re.sub(r"\Ame\s+", "", text.strip(), flags=re.IGNORECASE)
    if found := _LIST.fullmatch(text):
        return Show(found["all"] is not None)
    if found := _CANCEL.fullmatch(text):
        if found["name"] is None:
            raise Unclear("Which one? `/remind list` shows their numbers.")
        return Cancel(found["name"].strip())
    schedule, rest = _when(text, now, zone)
    said = re.sub(r"\Ato\s+", "", rest.lstrip(" \t\r\n,:;"), flags=re.IGNORECASE)
    if not said:
        raise Unclear(f"What am I to say then? There is nothing after “{_shown(text)}”.")
    return Add(schedule, said)


def often(schedule: str) -> str:
    """A schedule that comes again, as it could have been written."""
    fields = schedule.split()
    if len(fields) != 5 or fields[2:4] != ["*", "*"] or not (fields[0] + fields[1]).isdecimal():
        return schedule
    minute, hour, days = int(fields[0]), int(fields[1]), fields[4]
    which = {"*": "day", "MON-FRI": "weekday"}.get(days, days.lower().replace(",", ", "))
    return f"every {which} {hour}:{minute:02}"


def _when(text: str, now: float, zone: tzinfo) -> tuple[str, str]:
    """The schedule, and what comes after it."""
    if found := _SECONDS.match(text):
        raise Unclear(f"“{found[0]}” is too short: minutes are the least.")
    if found := _EVERY.match(text):
        minutes = _span(found["span"]) if found["span"] else 1 if found["unit"].lower() == "minute" else 60
        return f"every {minutes}m", text[found.end() :]
    if found := _EVERY_DAY.match(text):
        at = _time(found["time"], found[0])
        return f"{at.minute} {at.hour} * * {_weekdays(found['days'] or 'day')}", text[found.end() :]
    if found := _AT.match(text) or _AT_TIME.match(text):
        return _at(found["day"], _time(found["time"], found[0]), now, zone), text[found.end() :]
    if found := _IN.match(text):
        return f"{_one(found['one']) if found['one'] else _span(found['span'])}m", text[found.end() :]
    if found := _EXACT.match(text):
        return found[0], text[found.end() :]
    return _cron(text, now, zone)


def _cron(text: str, now: float, zone: tzinfo) -> tuple[str, str]:
    """Five fields, one of them with a star (else it could be a row of numbers), or their short name."""
    first, _, rest = text.partition(" ")
    if first.casefold() in ALIASES:
        return first, rest
    words = text.split(maxsplit=5)
    if len(words) >= 5 and any("*" in word for word in words[:5]):
        schedule = " ".join(words[:5])
        parse(schedule, now, zone)
        return schedule, "".join(words[5:])
    raise Unclear(f"I cannot tell when that is: “{_shown(text)}”.")


def _span(text: str) -> int:
    minutes = 0
    for number, unit in re.findall(r"(\d+)\s*([a-z])", text, re.IGNORECASE):
        minutes += int(number) * _MINUTES[unit.lower()]
    if minutes < 1:
        raise Unclear(f"“{text}” is no time at all: one minute is the least.")
    if minutes > MOST_MINUTES:
        raise Unclear(f"“{text}” is too far away: fifty years are the most.")
    return minutes


def _one(text: str) -> int:
    words = text.lower().split()
    return 30 if words[0] == "half" else _MINUTES[words[-1][0]]


def _time(text: str | None, before: str) -> time:
    if text is None:
        raise Unclear(f"At what time? Write it after “{before}”, as in 9:00.")
    if text.lower() == "noon":
        return time(12)
    hour, minute, half = re.fullmatch(r"(\d+)(?::(\d+))?\s*([ap]m)?", text, re.IGNORECASE).groups()  # type: ignore[union-attr]
    hours, minutes = int(hour), int(minute or 0)
    if minutes > 59 or hours > 23 or (half and not 1 <= hours <= 12):
        raise Unclear(f"“{text}” is no time of day.")
    return time(hours % 12 + 12 * (half.lower() == "pm") if half else hours, minutes)


def _at(day: str | None, at: time, now: float, zone: tzinfo) -> str:
    """Of the days that fit, the first on which that time is still to come."""
    today = datetime.fromtimestamp(now, zone).date()
    word = re.sub(r"\Aon\s+", "", (day or "").lower())
    if word in ("today", "tomorrow"):
        days = [today + timedelta(days=word == "tomorrow")]
    elif not word:
        days = [today, today + timedelta(days=1)]
    elif word[:3] in _SHORT:
        ahead = (_SHORT.index(word[:3]) - today.weekday()) % 7
        days = [today + timedelta(days=ahead), today + timedelta(days=ahead + 7)]
    else:
        days = [_date(word)]
    for one in days:
        moment = datetime.combine(one, at, zone)
        if moment.timestamp() > now:
            return iso(moment.timestamp(), zone)
    raise Unclear(f"{moment:%a %d %b, %H:%M} is over.")


def _date(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as wrong:
        raise Unclear(f"“{text}” is no day.") from wrong
    if found.year >= LAST_YEAR:
        raise Unclear(f"“{text}” is too far away.")
    return found


def _weekdays(text: str) -> str:
    match text.lower():
        case "day":
            return "*"
        case "weekday":
            return "MON-FRI"
        case listed:
            return ",".join(word[:3].upper() for word in re.split(r"\s*,\s*|\s+and\s+", listed))


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"
