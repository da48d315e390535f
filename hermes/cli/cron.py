"""``hermes cron``: jobs that run at their times, through the gateway or on their file."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.offline import ask_or_read
from hermes.cli.options import home_option, json_option, limit_option, print_json
from hermes.cli.text import local_time, plain, typed_text
from hermes.ops.control import client

ASK_S = 20.0

_FIELDS = (
    click.option("--message", metavar="TEXT", help="Say this, as it stands; no agent is asked."),
    click.option(
        "--script",
        metavar="FILE",
        help="Run this file of <home>/scripts; with a PROMPT the agent reads what it writes.",
    ),
    click.option("--name", metavar="NAME", help="What it is called."),
    click.option(
        "--deliver",
        metavar="TARGET[,TARGET]",
        help="Where it is told, as with `hermes send`. Default: local.",
    ),
    click.option("--failure-target", metavar="TARGET", help="Who is told that it failed, or did not arrive."),
    click.option("--repeat", "times", metavar="N", type=click.IntRange(0), help="How often; 0: for ever."),
    click.option("--tz", metavar="ZONE", help="Its time zone, as in Europe/Berlin."),
    click.option(
        "--misfire",
        type=click.Choice(["once", "skip", "all"]),
        help="What becomes of times that were missed.",
    ),
    click.option(
        "--overlap",
        type=click.Choice(["skip", "queue", "cancel"]),
        help="What it does while the run before it goes on.",
    ),
    click.option("--jitter", "jitter_s", metavar="S", type=float, help="Begin up to S seconds later."),
    click.option(
        "--deadline",
        "deadline_s",
        metavar="S",
        type=float,
        help="Give up after S seconds. 0: the default, 3600.",
    ),
    click.option(
        "--context-from", metavar="JOB[,JOB]", help="Hand the agent the last answers of these jobs."
    ),
)


def _fields(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


@click.group(cls=ListByDefault)
def cron() -> None:
    """Make, list, change and run jobs. JOB is a job's id or its name.

    A SCHEDULE is `30m`, `2h` or `1d` (once, from now on), `every 30m`, a time such as `2026-05-03T14:00`, five cron fields
    such as `0 9 * * MON-FRI`, or @hourly, @daily, @weekly, @monthly.
    """


@cron.command("list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List all jobs."""
    answer = _ask(home, "cron_list", {})
    if as_json:
        print_json(answer)
        return
    for one in answer["jobs"]:
        for shown in lines(one):
            click.echo(plain(shown))
    if not answer["jobs"]:
        click.echo("There are no jobs. `hermes cron create --help` tells how to make one.")


@cron.command()
@click.argument("schedule")
@click.argument("prompt", required=False)
@_fields
@home_option
@json_option
def create(home: Path, as_json: bool, **fields: Any) -> None:
    """Make a job that asks the agent PROMPT, or says --message, or runs --script, whenever SCHEDULE says."""
    _say(_ask(home, "cron_create", _given(fields)), as_json, deadline=fields["deadline_s"] is not None)


@cron.command()
@click.argument("job")
@click.option("--schedule", help="Another schedule.")
@click.option("--prompt", help="Another question to the agent.")
@_fields
@home_option
@json_option
def edit(job: str, home: Path, as_json: bool, **fields: Any) -> None:
    """Change a job. What is not named stays as it is."""
    answer = _ask(home, "cron_edit", {"job": typed_text(job)} | _given(fields))
    _say(answer, as_json, deadline=fields["deadline_s"] is not None)


@cron.command()
@click.argument("job")
@home_option
@json_option
def pause(job: str, home: Path, as_json: bool) -> None:
    """Have a job rest until it is resumed."""
    _say(_ask(home, "cron_pause", {"job": typed_text(job)}), as_json)


@cron.command()
@click.argument("job")
@home_option
@json_option
def resume(job: str, home: Path, as_json: bool) -> None:
    """Have a job run again from now on."""
    _say(_ask(home, "cron_resume", {"job": typed_text(job)}), as_json)


@cron.command()
@click.argument("job")
@home_option
@json_option
def remove(job: str, home: Path, as_json: bool) -> None:
    """Forget a job. What its runs have said stays below cron/output."""
    answer = _ask(home, "cron_remove", {"job": typed_text(job)})
    if as_json:
        print_json(answer)
    else:
        click.echo(plain(f"{answer['job']['id']}  {answer['job']['name'] or ''}".rstrip() + "  is removed"))


@cron.command()
@click.argument("job")
@home_option
@json_option
def run(job: str, home: Path, as_json: bool) -> None:
    """Run a job now, beside its schedule. For this a gateway has to run."""
    answer = client.ask(home, "cron_run", {"job": typed_text(job)}, ASK_S)
    if as_json:
        print_json(answer)
    else:
        click.echo(
            plain(
                f"{answer['run']['job_id']}  runs; `hermes cron runs {answer['run']['job_id']}` tells how it goes"
            )
        )


@cron.command()
@click.argument("job", required=False)
@limit_option
@home_option
@json_option
def runs(job: str | None, limit: int, home: Path, as_json: bool) -> None:
    """List the last runs, of JOB or of all jobs, newest first."""
    from hermes.store import cron as reads

    def directly(reader: Any) -> Mapping[str, Any]:
        return {"runs": reads.runs(reader, None if job is None else _id(home, job), limit)}

    name = None if job is None else typed_text(job)
    answer = ask_or_read(home, "cron_runs", {"job": name, "limit": limit}, directly, timeout_s=ASK_S)
    if as_json:
        print_json(answer)
        return
    for one in answer["runs"]:
        click.echo(plain(line(one)))
    if not answer["runs"]:
        click.echo("Nothing has run yet.")


@cron.command()
@home_option
@json_option
def status(home: Path, as_json: bool) -> None:
    """Show how many jobs there are, which is next, and what does not run."""
    from hermes.ops import cron_files
    from hermes.store import cron as reads
    from hermes.store.direct import NO_DATABASE
    from hermes.types.errors import GatewayError

    def directly(counts: Mapping[str, int]) -> Mapping[str, Any]:
        book = cron_files.look(home, _zone(home))
        return cron_files.status(book or cron_files.NOTHING, counts)

    try:
        answer = ask_or_read(
            home, "cron_status", {}, lambda reader: directly(reads.counts(reader)), timeout_s=ASK_S
        )
    except GatewayError as wrong:
        if wrong.failure.code != NO_DATABASE:
            raise
        answer = directly({})  # there are jobs before anything has run
    if as_json:
        print_json(answer)
        return
    click.echo(f"{answer['jobs']} jobs, {answer['enabled']} of them enabled")
    if answer["next"]:
        click.echo(plain(f"next: {answer['next']['name']} at {local_time(answer['next']['at'])}"))
    if answer["runs"]:
        click.echo(
            "runs: " + ", ".join(f"{count:,} {state}" for state, count in sorted(answer["runs"].items()))
        )
    for words in answer["faults"]:
        click.echo(plain(words), err=True)


def lines(one: Mapping[str, Any]) -> Iterator[str]:
    """A job: what it is, and below it what is wrong with it."""
    state = one["state"] or ("scheduled" if one["enabled"] else "paused")
    state = "unusable" if one["fault"] else state
    due = f"  next {_moment(one['next_run_at'])}" if one["next_run_at"] and state == "scheduled" else ""
    last = f"  last {one['last_status']} {_moment(one['last_run_at'])}" if one["last_run_at"] else ""
    yield f"{one['id']}  {state:9}  {one['schedule'] or '?':20}  {one['name'] or ''}{due}{last}"
    ignored = ", ".join(f"{key} {value}" for key, value in one["not_followed"].items())
    for words in (
        one["fault"],
        one["last_error"],
        one["last_delivery_error"],
        f"kept, and not followed here: {ignored}" if ignored else "",
    ):
        if words:
            yield f"    {words}"


def _moment(written: object) -> str:
    """A moment of the file, which is in the job's own zone, as all others on the command line."""
    try:
        return local_time(datetime.fromisoformat(str(written)).timestamp())
    except ValueError:  # as somebody has written it: what is wrong with the job is said below it
        return str(written)


def line(one: Mapping[str, Any]) -> str:
    """A run on one line."""
    underway = [f"{part['state']}: {part['failure']}" for part in one["underway"] if part["failure"]]
    words = "; ".join(part for part in (one["error"], one["delivery_error"], *underway) if part)
    told = "" if one["delivery_state"] == "none" else f", {one['delivery_state']}"
    by_hand = "  by hand" if one["by_hand"] else ""
    return f"{local_time(one['due_at'])}  {one['job_id']}  {one['name']}  {one['run_state']}{told}{by_hand}  {words}".rstrip()


def _say(answer: Mapping[str, Any], as_json: bool, *, deadline: bool = False) -> None:
    if as_json:
        print_json(answer)
        return
    for shown in lines(answer["job"]):
        click.echo(plain(shown))
    if deadline:
        click.echo(f"    a run is given up after {answer['job']['deadline_s']:,.0f} s")


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: typed_text(value) if isinstance(value, str) else value
        for key, value in fields.items()
        if value is not None
    }


# --- without a gateway ------------------------------------------------------------------------------------------------------


def _ask(home: Path, verb: str, args: Mapping[str, Any]) -> Any:
    """What the gateway answers; with none running, what comes of it on the file alone. Its targets are then not checked."""
    try:
        return client.ask(home, verb, args, ASK_S)
    except client.NotRunning:
        if not home.is_dir():
            raise
        return _directly(home, verb, args)


def _directly(home: Path, verb: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.cron import orders
    from hermes.ops import cron_files
    from hermes.ops.clock import SystemIds
    from hermes.ops.scripts import script_command

    zone, now = _zone(home), time.time()
    order = orders.order(verb.removeprefix("cron_"), args, SystemIds().token(12), now, zone)
    if order is None:
        return {"jobs": [orders.document(one, zone) for one in cron_files.entries_in(home)]}

    def checked(entries: list[Any]) -> Mapping[str, Any]:
        job = order(entries)
        if verb in ("cron_create", "cron_edit", "cron_resume") and job["script"]:
            script_command(home, job["script"])
        return job

    job, _ = cron_files.change(home, zone, now, checked)
    return {"job": job}


def _zone(home: Path) -> Any:
    from hermes.config.load import load
    from hermes.ops.cron_files import zone_for

    return zone_for(load(home, os.environ).config.timezone)


def _id(home: Path, name: str) -> str:
    from hermes.cron import orders
    from hermes.cron.job import BadJob
    from hermes.ops import cron_files

    entries = cron_files.entries_in(home)
    try:
        return str(entries[orders.place(entries, name)]["id"])
    except BadJob:
        return name
