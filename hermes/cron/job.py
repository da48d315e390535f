"""A job: the original's entry in ``cron/jobs.json``, read, made and changed.

    entry (a dictionary, kept as it is) ─▶ read ─▶ Job
                                        ◀─ made, paused, resumed, advanced, reported: fields to be written over its own

Keys of ours beside the original's: ``message`` (said as it stands, by no agent), ``tz``, ``misfire``, ``overlap``,
``jitter_s``, ``deadline_s``, ``failure_target``, ``number`` (which of its author's jobs it is, if it was made in a chat), and in
``origin`` what tells one chat from another.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal, cast, get_args

from hermes.cron.misfire import Misfire
from hermes.cron.schedule import (
    BadSchedule,
    Once,
    Schedule,
    first,
    from_json,
    instant,
    iso,
    to_json,
    zone_named,
)
from hermes.types.errors import Failure, GatewayError
from hermes.types.origin import DEFAULT_ACCOUNT, ChatType

Overlap = Literal["skip", "queue", "cancel"]
Kind = Literal["agent", "message", "script"]
Entry = dict[str, Any]

BAD_JOB = "bad_job"
NAME_CHARACTERS = 50
MOST_CHARACTERS = 100_000
DEADLINE_S = 3_600.0
MOST_DEADLINE_S = 86_400.0
MOST_JITTER_S = 3_600.0

NOT_FOLLOWED = ("skills", "skill", "model", "provider", "base_url", "workdir", "enabled_toolsets")
"""What the original's agent goes by and ours does not; it is kept."""

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_STOPS_US = re.compile(r"\bhermes\s+(?:gateway\s+)?(?:stop|restart)\b", re.IGNORECASE)


class BadJob(GatewayError):
    """It cannot be what it says it is."""

    def __init__(self, words: str) -> None:
        super().__init__(Failure(BAD_JOB, detail=words))


@dataclass(frozen=True, slots=True)
class Home:
    """The chat in which a job was made."""

    platform: str
    account: str
    chat_id: str
    thread_id: str | None = None
    user_id: str | None = None
    chat_type: ChatType = "dm"
    parent_chat_id: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """``next_at`` and ``last_at`` are epoch seconds; ``times`` None: for ever. ``deliver`` are targets as they are written."""

    id: str
    name: str
    kind: Kind
    schedule: Schedule
    zone: tzinfo
    enabled: bool
    next_at: float | None
    prompt: str = ""
    message: str = ""
    script: str = ""
    deliver: tuple[str, ...] = ()
    origin: Home | None = None
    failure_target: str = ""
    context_from: tuple[str, ...] = ()
    times: int | None = None
    completed: int = 0
    misfire: Misfire = "once"
    overlap: Overlap = "skip"
    jitter_s: float = 0.0
    deadline_s: float = DEADLINE_S
    mirror: bool = False
    """Its answers are known to the conversations of the chats they go to."""
    number: int | None = None
    """Which of its author's jobs it is, if it was made in a chat."""

    @property
    def left(self) -> int | None:
        """How often it may still run; None: for ever."""
        return None if self.times is None else max(0, self.times - self.completed)

    def jitter(self, instant: float) -> float:
        """How long after ``instant`` it begins: the same whenever that is asked."""
        digest = hashlib.sha256(f"{self.id}:{instant!r}".encode()).digest()
        return self.jitter_s * int.from_bytes(digest[:4], "big") / 2**32


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for who makes a job, or (``None``: as it is) changes one."""

    schedule: Schedule | None = None
    prompt: str | None = None
    message: str | None = None
    script: str | None = None
    name: str | None = None
    deliver: str | None = None
    origin: Home | None = None
    times: int | None = None
    tz: str | None = None
    misfire: str | None = None
    overlap: str | None = None
    jitter_s: float | None = None
    deadline_s: float | None = None
    failure_target: str | None = None
    context_from: tuple[str, ...] | None = None


# --- reading ----------------------------------------------------------------------------------------------------------------


def read(entry: Mapping[str, Any], zone: tzinfo) -> Job:
    """The job that ``entry`` is; ``zone`` is that of jobs which name none. Raises ``BadJob`` or ``BadSchedule`` in words."""
    name = id_of(entry)
    if name is None:
        raise BadJob(f"its id is {entry.get('id')!r:.80}: letters, digits, _ - and . after the first")
    own = _text(entry, "tz")
    zone = zone_named(own) if own else zone
    schedule = from_json(entry.get("schedule"), zone)
    prompt, message, script = _text(entry, "prompt"), _text(entry, "message"), _text(entry, "script")
    repeat = entry.get("repeat")
    repeat = repeat if isinstance(repeat, dict) else {}
    times = _count(repeat, "times")
    return Job(
        id=name,
        name=_text(entry, "name") or name,
        kind=_kind(prompt, message, script, alone=entry.get("no_agent") is True),
        schedule=schedule,
        zone=zone,
        enabled=entry.get("enabled", True) is True and entry.get("state") not in ("paused", "completed"),
        next_at=_moment(entry, "next_run_at", zone),
        prompt=prompt,
        message=message,
        script=script,
        deliver=_texts(entry, "deliver"),
        origin=origin_of(entry),
        failure_target=_text(entry, "failure_target"),
        context_from=_texts(entry, "context_from"),
        times=1 if isinstance(schedule, Once) else times or None,
        completed=_count(repeat, "completed"),
        misfire=cast("Misfire", _one_of(entry, "misfire", get_args(Misfire))),
        overlap=cast("Overlap", _one_of(entry, "overlap", get_args(Overlap))),
        jitter_s=_number(entry, "jitter_s", 0.0, MOST_JITTER_S),
        deadline_s=_number(entry, "deadline_s", DEADLINE_S, MOST_DEADLINE_S) or DEADLINE_S,
        mirror=entry.get("attach_to_session") is True,
        number=_count(entry, "number") or None,
    )


def _kind(prompt: str, message: str, script: str, *, alone: bool) -> Kind:
    if message:
        if prompt or script:
            raise BadJob("it has a message, which is said as it stands, and a prompt or script too")
        return "message"
    if alone:
        if not script:
            raise BadJob("it has no agent and no script")
        return "script"
    if not prompt and not script:
        raise BadJob("there is nothing to do: it has no prompt, no message and no script")
    return "agent"


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadJob(f"{key} is no text")
    if "\0" in value or len(value) > MOST_CHARACTERS:
        raise BadJob(f"{key} holds a NUL, or more than {MOST_CHARACTERS:,} characters")
    return value


def _texts(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key)
    listed = value if isinstance(value, list) else [value]
    if not all(one is None or isinstance(one, str) for one in listed):
        raise BadJob(f"{key} is no text and no list of texts")
    return tuple(part.strip() for one in listed if one for part in one.split(",") if part.strip())


def _count(entry: Mapping[str, Any], key: str) -> int:
    value = entry.get(key)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _number(entry: Mapping[str, Any], key: str, otherwise: float, most: float) -> float:
    value = entry.get(key)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadJob(f"{key} is {value!r:.40}; it may be 0 to {most:,.0f}")
    return float(value)


def _one_of(entry: Mapping[str, Any], key: str, words: tuple[str, ...]) -> str:
    value = entry.get(key)
    if value is None:
        return words[0]
    if value not in words:
        raise BadJob(f"{key} is {value!r:.40}; it may be {', '.join(words)}")
    return cast("str", value)


def _moment(entry: Mapping[str, Any], key: str, zone: tzinfo) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadJob(f"{key} is no time")
    return instant(value, zone)


def origin_of(entry: Mapping[str, Any]) -> Home | None:
    """The chat in which it was made. Ids may be numbers there; what names no chat is no origin."""
    written = entry.get("origin")
    if not isinstance(written, dict) or not written.get("platform") or not written.get("chat_id"):
        return None
    names = ("thread_id", "user_id", "parent_chat_id")
    thread_id, user_id, parent = (None if written.get(key) is None else str(written[key]) for key in names)
    account, kind = written.get("account") or DEFAULT_ACCOUNT, written.get("chat_type")
    return Home(
        platform=str(written["platform"]).lower(),
        account=str(account),
        chat_id=str(written["chat_id"]),
        thread_id=thread_id,
        user_id=user_id,
        chat_type=cast("ChatType", kind) if kind in get_args(ChatType) else "dm",
        parent_chat_id=parent,
    )


def id_of(entry: Mapping[str, Any]) -> str | None:
    """The id by which it runs and keeps what it has said; None for one that has no good one."""
    name = entry.get("id")
    return name if isinstance(name, str) and _ID.fullmatch(name) else None


# --- making and changing -------------------------------------------------------------------------------------------------------


def made(wish: Wish, job_id: str, now: float, zone: tzinfo) -> Entry:
    """A new entry. Raises ``BadJob`` or ``BadSchedule``."""
    if wish.schedule is None:
        raise BadSchedule("a job needs a schedule")
    deliver = wish.deliver or ("local" if wish.origin is None else "origin")
    if wish.origin is None and "origin" in (part.strip().casefold() for part in deliver.split(",")):
        raise BadJob("`origin` leads nowhere: this job is not made in a chat; name a target")
    entry: Entry = {
        "id": job_id,
        "name": "",
        "prompt": "",
        "skills": [],
        "script": None,
        "no_agent": False,
        "context_from": None,
        "schedule": {},
        "schedule_display": "",
        "repeat": {"times": None, "completed": 0},
        "enabled": True,
        "state": "scheduled",
        "paused_at": None,
        "paused_reason": None,
        "created_at": iso(now, zone),
        "next_run_at": None,
        "last_run_at": None,
        "last_status": None,
        "last_error": None,
        "last_delivery_error": None,
        "deliver": deliver,
        "origin": _written_origin(wish.origin),
    }
    return changed(entry, wish, now, zone)


def changed(entry: Entry, wish: Wish, now: float, zone: tzinfo) -> Entry:
    """``entry`` with what ``wish`` says in place of its own. Raises ``BadJob``, ``BadSchedule``; the result is a good job."""
    plain = {
        key: getattr(wish, key)
        for key in ("prompt", "message", "script", "deliver", "tz", "misfire", "overlap", "failure_target")
    }
    numbers = {"jitter_s": wish.jitter_s, "deadline_s": wish.deadline_s}
    entry = entry | {key: value for key, value in (plain | numbers).items() if value is not None}
    if wish.context_from is not None:
        entry["context_from"] = list(wish.context_from) or None
    if wish.script is not None or wish.prompt is not None:
        entry["no_agent"] = bool(entry.get("script")) and not entry.get("prompt")
    if wish.name is not None:
        entry["name"] = wish.name
    said = " ".join(str(entry.get("prompt") or entry.get("message") or entry.get("script") or "").split())
    entry["name"] = entry.get("name") or said[:NAME_CHARACTERS]
    if wish.times is not None:
        entry["repeat"] = {"times": wish.times if wish.times > 0 else None, "completed": 0}
    zone = zone_named(entry["tz"]) if entry.get("tz") else zone
    if wish.schedule is not None:
        entry["schedule"] = to_json(wish.schedule, zone)
        entry["schedule_display"] = wish.schedule.display
        entry["next_run_at"] = iso(first(wish.schedule, now, zone), zone)
        if isinstance(wish.schedule, Once):
            entry["repeat"] = {"times": 1, "completed": 0}
        if entry.get("state") == "completed":
            entry |= {"state": "scheduled", "enabled": True}
    elif wish.tz is not None:
        entry["next_run_at"] = iso(first(from_json(entry["schedule"], zone), now, zone), zone)
    job = read(entry, zone)
    for text in (job.prompt, job.script):
        if _STOPS_US.search(text):
            raise BadJob("a job may not stop or restart the gateway that runs it")
    return entry


def paused(entry: Entry, now: float, zone: tzinfo, reason: str = "") -> Entry:
    """It does not run until it is resumed."""
    return entry | {
        "enabled": False,
        "state": "paused",
        "paused_at": iso(now, zone),
        "paused_reason": reason or None,
    }


def resumed(entry: Entry, now: float, zone: tzinfo) -> Entry:
    """It runs again from now on; what it has missed while it was paused is not missed. Raises as ``changed``."""
    entry = entry | {"enabled": True, "state": "scheduled", "paused_at": None, "paused_reason": None}
    job = read(entry, zone)
    if job.left == 0:
        raise BadJob("it has run as often as it should; give it another schedule")
    return entry | {"next_run_at": iso(first(job.schedule, now, job.zone), job.zone)}


def advanced(entry: Entry, job: Job, next_at: float | None, completed: int) -> Entry:
    """The instants until ``next_at`` are claimed, ``completed`` of them to run."""
    repeat = entry.get("repeat")
    entry = entry | {
        "repeat": (repeat if isinstance(repeat, dict) else {"times": job.times}) | {"completed": completed},
        "next_run_at": None if next_at is None else iso(next_at, job.zone),
    }
    over = next_at is None or (job.times is not None and completed >= job.times)
    return entry | ({"enabled": False, "state": "completed", "next_run_at": None} if over else {})


def reported(entry: Entry, at: float, zone: tzinfo, error: str | None, delivery_error: str) -> Entry:
    """A run has ended, or (``error`` None) what one had to say did not arrive."""
    if error is None:
        return entry | {"last_delivery_error": delivery_error or None}
    return entry | {
        "last_run_at": iso(at, zone),
        "last_status": "error" if error else "ok",
        "last_error": error or None,
        "last_delivery_error": delivery_error or None,
    }


def _written_origin(origin: Home | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    written = {"platform": origin.platform, "chat_id": origin.chat_id, "thread_id": origin.thread_id}
    ours = {
        "account": None if origin.account == DEFAULT_ACCOUNT else origin.account,
        "user_id": origin.user_id,
        "chat_type": None if origin.chat_type == "dm" else origin.chat_type,
        "parent_chat_id": origin.parent_chat_id,
    }
    return written | {key: value for key, value in ours.items() if value is not None}
