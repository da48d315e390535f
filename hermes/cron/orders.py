"""What people ask of jobs, as changes to the entries of their file: the same through the gateway and without one.

arguments (unchecked) ─ wish ─▶ Wish ─ create | edit ─┐
a job's id or name ─────────── pause | resume | remove ┴─▶ the list of entries, changed in place ─▶ a document of the job
"""

import math
from collections.abc import Callable, Mapping
from datetime import tzinfo
from functools import partial
from typing import Any

from hermes.cron.job import (
    NOT_FOLLOWED,
    BadJob,
    Entry,
    Home,
    Wish,
    changed,
    made,
    origin_of,
    paused,
    read,
    resumed,
)
from hermes.cron.schedule import Once, parse, zone_named
from hermes.types.errors import GatewayError

Order = Callable[[list[Any]], Mapping[str, Any]]
"""Changes the entries in place, and returns the document of the job."""

Which = Callable[[Entry], bool]

MOST_JOBS = 1_000


class NoSuchJob(BadJob):
    """Nobody among those asked is called so."""


_TEXTS = ("prompt", "message", "script", "name", "deliver", "tz", "misfire", "overlap", "failure_target")
_NUMBERS = ("jitter_s", "deadline_s")
_DOCUMENT = (
    "id",
    "name",
    "prompt",
    "message",
    "script",
    "enabled",
    "state",
    "next_run_at",
    "last_run_at",
    "last_status",
    "last_error",
    "last_delivery_error",
    "deliver",
    "repeat",
    "number",
)


def wish(args: Mapping[str, object], now: float, zone: tzinfo, origin: Home | None = None) -> Wish:
    """What ``args`` ask for; what they leave out stays as it is. Raises ``BadJob`` or ``BadSchedule``."""
    texts = {key: _typed(args, key, str) for key in _TEXTS}
    numbers = {key: _typed(args, key, int | float) for key in _NUMBERS}
    written, earlier = _typed(args, "schedule", str), _typed(args, "context_from", str)
    zone = zone_named(texts["tz"]) if texts["tz"] else zone
    return Wish(
        schedule=None if written is None else parse(written, now, zone),
        times=_typed(args, "times", int),
        context_from=None
        if earlier is None
        else tuple(one.strip() for one in earlier.split(",") if one.strip()),
        origin=origin,
        **texts,
        **numbers,
    )


def order(verb: str, args: Mapping[str, object], job_id: str, now: float, zone: tzinfo) -> Order | None:
    """The change that ``verb`` asks for; a new job is called ``job_id``. None for no such verb, or without a job's name. Raises
    as ``wish``; what it returns raises ``BadJob`` or ``BadSchedule``.
    """
    name, now = args.get("job"), math.ceil(now)
    match verb, name:
        case "create", _:
            return partial(create, wanted=wish(args, now, zone), job_id=job_id, now=now, zone=zone)
        case "edit", str():
            return partial(edit, name=name, wanted=wish(args, now, zone), now=now, zone=zone)
        case "pause", str():
            return partial(pause, name=name, now=now, zone=zone)
        case "resume", str():
            return partial(resume, name=name, now=now, zone=zone)
        case "remove", str():
            return partial(remove, name=name, zone=zone)
        case _:
            return None


def create(entries: list[Any], wanted: Wish, job_id: str, now: float, zone: tzinfo) -> Mapping[str, Any]:
    """Add a job."""
    if len(entries) >= MOST_JOBS:
        raise BadJob(f"there are {MOST_JOBS:,} jobs already; remove one first")
    entry = made(wanted, job_id, now, zone)
    entries.append(entry)
    return document(entry, zone)


def edit(entries: list[Any], name: str, wanted: Wish, now: float, zone: tzinfo) -> Mapping[str, Any]:
    """Change a job; when it is due stays as it is, unless its schedule or zone is another."""
    return _put(entries, name, lambda entry: changed(entry, wanted, now, zone), zone)


def pause(entries: list[Any], name: str, now: float, zone: tzinfo) -> Mapping[str, Any]:
    """Have a job rest."""
    return _put(entries, name, lambda entry: paused(entry, now, zone), zone)


def resume(entries: list[Any], name: str, now: float, zone: tzinfo) -> Mapping[str, Any]:
    """Have it run again."""
    return _put(entries, name, lambda entry: resumed(entry, now, zone), zone)


def remove(entries: list[Any], name: str, zone: tzinfo) -> Mapping[str, Any]:
    """Forget a job; what its runs have said stays."""
    return document(entries.pop(place(entries, name)), zone)


def rest(entries: list[Any], which: Which, now: float, zone: tzinfo) -> None:
    """Have ``which`` rest, whatever is wrong with them."""
    entries[:] = [paused(one, now, zone) if isinstance(one, dict) and which(one) else one for one in entries]


def forget(entries: list[Any], which: Which) -> None:
    """Forget ``which``, whatever is wrong with them."""
    entries[:] = [one for one in entries if not (isinstance(one, dict) and which(one))]


def place(entries: list[Any], name: str) -> int:
    """Where the job of that id is, or else of that name. Raises ``NoSuchJob``, and ``BadJob`` for a name of several."""
    found = [at for at, one in enumerate(entries) if isinstance(one, dict) and one.get("id") == name]
    found = found[:1] or [
        at
        for at, one in enumerate(entries)
        if isinstance(one, dict) and str(one.get("name", "")).casefold() == name.casefold()
    ]
    if not found:
        raise NoSuchJob(f"there is no job {name!r:.80}; the list of jobs shows those there are")
    if len(found) > 1:
        raise BadJob(f"{len(found)} jobs are called {name!r:.80}; say its id")
    return found[0]


def document(entry: Entry, zone: tzinfo) -> Mapping[str, Any]:
    """The job as the command line prints it; ``fault`` says why it does not run, and ``owner`` in which chat it was made.
    ``not_followed``: what it asks for and nobody here goes by.
    """
    shown = {key: entry.get(key) for key in _DOCUMENT} | {"enabled": entry.get("enabled", True)}
    home = origin_of(entry)
    shown["owner"] = None if home is None else f"{home.platform}:{home.user_id or home.chat_id}"
    shown["not_followed"] = {key: entry[key] for key in NOT_FOLLOWED if entry.get(key)}
    try:
        job = read(entry, zone)
    except GatewayError as wrong:
        return shown | {"kind": None, "schedule": None, "once": False, "fault": wrong.failure.detail}
    return shown | {
        "kind": job.kind,
        "schedule": job.schedule.display,
        "once": isinstance(job.schedule, Once),
        "tz": str(job.zone),
        "deadline_s": job.deadline_s,
        "fault": None,
    }


def _put(entries: list[Any], name: str, change: Callable[[Entry], Entry], zone: tzinfo) -> Mapping[str, Any]:
    at = place(entries, name)
    entries[at] = change(entries[at])
    return document(entries[at], zone)


def _typed(args: Mapping[str, object], key: str, kind: Any) -> Any:
    value = args.get(key)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise BadJob(f"{key} is {value!r:.40}, which it cannot be")
    return value
