"""``hermes logs``: the log of a home, picked by level, time, session and actor; no gateway need run."""

import re
import time
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote

import click

from hermes.cli.options import home_option, print_json
from hermes.cli.text import plain
from hermes.ops.control.client import ControlError
from hermes.ops.logline import LEVELS, Entry, json_line, text_lines
from hermes.ops.logread import SESSIONS, LogReader, Question, actors_at, session_at

ENTRIES = 100
POLL_S = 0.2

_AGO = re.compile(r"(\d{1,9}) ?(s|m|min|h|d|w)")
_UNIT_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def _since(_ctx: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    if ago := _AGO.fullmatch(value.strip()):
        return time.time() - int(ago[1]) * _UNIT_S[ago[2]]
    try:
        return datetime.fromisoformat(value.strip()).timestamp()
    except (ValueError, OverflowError) as wrong:
        raise click.BadParameter(
            f"{value!r} is no time; say 10m, 2h or 3d, or 2026-03-04 or 2026-03-04T10:00"
        ) from wrong


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on; Ctrl-C ends it.")
@click.option(
    "--level",
    type=click.Choice([level.lower() for level in LEVELS], case_sensitive=False),
    help="This level and above.",
)
@click.option(
    "--since", metavar="TIME", callback=_since, help="From this time on: 10m, 2h, 3d, or 2026-03-04T10:00."
)
@click.option("--session", metavar="KEY", help="Of this session and its turns.")
@click.option(
    "--actor",
    metavar="GLOB",
    help="Of these actors, as `hermes tree` names them, and those below: root/gateway/adapters/telegram:*",
)
@click.option(
    "-n",
    "--lines",
    "most",
    metavar="N",
    type=click.IntRange(0),
    help=f"The last N of these entries. Default: {ENTRIES}; with --since, all.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document; with -f one for each entry.")
@home_option
def logs(
    *,
    home: Path,
    follow: bool,
    level: str | None,
    since: float | None,
    session: str | None,
    actor: str | None,
    most: int | None,
    as_json: bool,
) -> None:
    """Show the log: logs/gateway.log and the files it was rotated to."""
    from hermes.ops.logging import GATEWAY_LOG
    from supervisors.spec import path_segment

    actors = [actors_at(actor)] if actor is not None else []
    if session is not None:
        actors.append(session_at(path_segment(session)))
    question = Question(None if level is None else level.upper(), since, tuple(actors))
    if most is None and since is None:
        most = ENTRIES
    path = home / "logs" / GATEWAY_LOG
    try:
        reader = LogReader(path)
    except OSError as wrong:
        raise ControlError("unreadable", f"{path}: {wrong.strerror or wrong}") from wrong
    with reader:
        if not reader.exists and not follow:
            raise ControlError("no_log", f"there is no log at {path}", "`hermes run` writes one")
        entries = reader.newest(question, most)
        if not entries and most != 0 and (why := _why_nothing(reader, question, actor, session)):
            click.echo(plain(why), err=True)
        if follow:
            _follow(reader, question, entries, as_json)
        elif as_json:
            print_json({"entries": [entry.to_json() for entry in entries]})
        else:
            for entry in entries:
                click.echo(text_lines(entry))


def _why_nothing(reader: LogReader, question: Question, actor: str | None, session: str | None) -> str | None:
    """Why there is no entry of whom is asked for: he has none at all, or none like that. None if all are asked for."""
    wanted = actor or session
    if wanted is None:
        return None
    known = reader.actors()
    if any(all(meant(one) for meant in question.actors) for one in known):
        return f"{wanted} is in the log, but not with all that is asked for"
    if actor is None:
        within = f"{SESSIONS}/"
        keys = (unquote(path.removeprefix(within).split("/")[0]) for path in known if path.startswith(within))
        names = {key: key for key in keys}
    else:
        names = {path.rpartition("/")[2]: path for path in known} | {path: path for path in known}
    near = get_close_matches(wanted, names, 1) or sorted((one for one in names if wanted in one), key=len)
    return f"no entry of {wanted} is in the log" + (f"; did you mean {names[near[0]]}?" if near else "")


def _follow(reader: LogReader, question: Question, entries: list[Entry], as_json: bool) -> None:
    """Print ``entries`` and whatever comes, until the person has seen enough."""
    show = json_line if as_json else text_lines
    try:
        while True:
            for entry in filter(question.wants, entries):
                click.echo(show(entry))
            time.sleep(POLL_S)
            entries = reader.poll()
    except KeyboardInterrupt:
        return
