"""The command about jobs: /remind."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from actors.commands.reply import Ask, Handler, Reply
from hermes.cron import spoken
from hermes.cron.orders import NoSuchJob
from hermes.cron.schedule import instant
from hermes.types import texts
from hermes.types.errors import GatewayError
from hermes.types.quoting import quoted

MOMENT = "%a %d %b %Y, %H:%M"
MOST_LISTED = 50
SHOWN_CHARACTERS = 40


async def _remind(ask: Ask) -> Reply:
    """The job is made before the words are committed: asked again after a crash, it is the same one."""
    jobs, now = ask.services.jobs, ask.services.clock.wall()
    try:
        match spoken.read(ask.command.args, now, jobs.zone):
            case spoken.Add(schedule, text):
                return await _add(ask, schedule, text)
            case spoken.Show(everybody):
                listed = await jobs.on_behalf(ask.row.event, "list", {})
                return Reply(_list(ask, [one for one in listed["jobs"] if everybody or one["mine"]]))
            case spoken.Cancel(name):
                return await _cancel(ask, name)
    except GatewayError as refused:
        return Reply(refused.failure.detail)


async def _add(ask: Ask, schedule: str, text: str) -> Reply:
    event, jobs = ask.row.event, ask.services.jobs
    key = f"remind:{event.origin.lane}:{event.event_id}:{event.received_at!r}"
    made = await jobs.on_behalf(event, "create", {"schedule": schedule, "message": text}, key=key)
    job = made["job"]
    words = texts.REMIND_MADE.format(when=_when(ask, job), text=quoted(text), number=job["number"])
    return Reply(words)


async def _cancel(ask: Ask, name: str) -> Reply:
    try:
        gone = await ask.services.jobs.on_behalf(ask.row.event, "remove", {"job": name})
    except NoSuchJob:
        return Reply(texts.REMIND_UNKNOWN.format(name=quoted(name[:SHOWN_CHARACTERS])))
    return Reply(texts.REMIND_GONE.format(text=quoted(_said(gone["job"]))))


def _list(ask: Ask, listed: list[Mapping[str, Any]]) -> str:
    waiting = [one for one in listed if one["state"] != "completed"]
    if not waiting:
        return f"{texts.REMIND_NONE}\n{texts.REMIND_EXAMPLES}"
    lines = [_line(ask, one) for one in waiting[:MOST_LISTED]]
    return "\n".join(lines)


def _line(ask: Ask, job: Mapping[str, Any]) -> str:
    """One's own by its number; of others by its id, with whose it is."""
    name = f"**{job['number']}**" if job["mine"] and job["number"] else f"`{job['id']}`"
    whose = "" if job["mine"] or not job["owner"] else f" · {quoted(job['owner'])}"
    return f"- {name} · {_when(ask, job)} · {quoted(_said(job))}{whose}"


def _said(job: Mapping[str, Any]) -> str:
    return str(job["message"] or job["name"] or job["id"])


def _when(ask: Ask, job: Mapping[str, Any]) -> str:
    """When it comes next, in its zone; of one that comes again, how often."""
    zone = ask.services.jobs.zone
    if job["fault"] or not job["next_run_at"] or job["state"] == "paused":
        return str(job["fault"] or job["state"])
    at = datetime.fromtimestamp(instant(job["next_run_at"], zone), zone)
    moment = f"{at:{MOMENT}} ({zone})"
    return (
        moment
        if job["once"]
        else texts.REMIND_NEXT.format(often=quoted(spoken.often(job["schedule"])), at=moment)
    )


HANDLERS: Mapping[str, Handler] = {"remind": _remind}
