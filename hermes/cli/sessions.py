"""``hermes sessions``: the conversations, through the running gateway, or on its file while none runs."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.offline import ask_or_read, ask_or_write
from hermes.cli.options import home_option, json_option, limit_option, print_json
from hermes.cli.text import duration, local_time, plain, plain_lines, typed_text

NOTICE_TTL_S = 7 * 86_400.0
"""How long the words to the people of a session wait for a gateway that is not there."""


@click.group(cls=ListByDefault)
def sessions() -> None:
    """List, show, search, export, reset and resume conversations. KEY is a session's key, or enough of its beginning; it may
    leave out agent:main: at the front.
    """


@sessions.command("list")
@click.option("--platform", metavar="NAME", help="Only those of this platform.")
@click.option("--active", is_flag=True, help="Only those that are awake.")
@limit_option
@home_option
@json_option
def list_(platform: str | None, active: bool, limit: int, home: Path, as_json: bool) -> None:
    """List the conversations, those that were active last first."""
    from hermes.store.sessions import session_list

    answer = ask_or_read(
        home,
        "sessions_list",
        {"platform": platform, "active": active, "limit": limit},
        lambda reader: {
            "sessions": [
                _asleep(row) for row in session_list(reader, platform, [] if active else None, limit)
            ]
        },
    )
    if as_json:
        print_json(answer)
        return
    for one in answer["sessions"]:
        click.echo(plain(line(one)))
    if not answer["sessions"]:
        click.echo("No conversation is awake." if active else "There is no conversation yet.")


@sessions.command()
@click.argument("key")
@home_option
@json_option
def show(key: str, home: Path, as_json: bool) -> None:
    """Show one conversation: what it is, what it has cost, and its stretches between one fresh start and the next."""
    session = _show(home, key)
    if as_json:
        print_json(session)
        return
    for shown in lines(session):
        click.echo(plain(shown))


@sessions.command()
@click.argument("text")
@limit_option
@home_option
@json_option
def search(text: str, limit: int, home: Path, as_json: bool) -> None:
    """Find the lines of all conversations that hold every word of TEXT, newest first."""
    from hermes.store.sessions import session_search

    words = typed_text(text)
    answer = ask_or_read(
        home,
        "sessions_search",
        {"text": words, "limit": limit},
        lambda reader: {"hits": session_search(reader, words, limit)},
    )
    if as_json:
        print_json(answer)
        return
    for hit in answer["hits"]:
        excerpt = " ".join(hit["excerpt"].split())
        click.echo(plain(f"{local_time(hit['at'])}  {hit['session_key']}  {hit['role']}: {excerpt}"))
    if not answer["hits"]:
        click.echo("Nothing is found.")


@sessions.command()
@click.argument("key")
@click.option(
    "--format",
    "form",
    type=click.Choice(("md", "json", "jsonl")),
    default="md",
    show_default=True,
    help="Markdown to read, one JSON document, or a JSON object a line.",
)
@home_option
def export(key: str, form: str, home: Path) -> None:
    """Print everything that was said in a conversation, all its stretches in order."""
    session = _show(home, key)
    said = _lines(home, session["session_key"])
    match form:
        case "json":
            print_json({"session": session, "lines": list(said)})
        case "jsonl":
            for one in said:
                click.echo(json.dumps(one, ensure_ascii=False))
        case _:
            for words in _markdown(session, said):
                click.echo(words)


@sessions.command()
@click.argument("key")
@home_option
@json_option
def reset(key: str, home: Path, as_json: bool) -> None:
    """Begin a conversation anew, as /new does. What is worked on is stopped; what was said can still be searched and resumed."""
    answer = ask_or_write(home, "sessions_reset", {"key": typed_text(key)}, _reset_directly)
    if as_json:
        print_json(answer)
    else:
        click.echo(plain(f"{answer['session_key']}  begins anew as {answer['session_id']}"))


@sessions.command()
@click.argument("key")
@click.argument("session_id", required=False)
@home_option
@json_option
def resume(key: str, session_id: str | None, home: Path, as_json: bool) -> None:
    """Go on with an earlier stretch of a conversation: SESSION_ID as `show` names it, else the one that was suspended or ended
    last.
    """
    wanted = None if session_id is None else typed_text(session_id)
    answer = ask_or_write(
        home, "sessions_resume", {"key": typed_text(key), "session_id": wanted}, _resume_directly
    )
    if as_json:
        print_json(answer)
    else:
        click.echo(plain(f"{answer['session_key']}  goes on with {answer['session_id']}"))


# --- through the gateway, or without ---------------------------------------------------------------------------------------


def _show(home: Path, key: str) -> dict[str, Any]:
    from hermes.store.sessions import session_show

    typed = typed_text(key)
    session: dict[str, Any] = ask_or_read(
        home, "sessions_show", {"key": typed}, lambda reader: _asleep(session_show(reader, typed))
    )
    return session


def _lines(home: Path, key: str) -> Iterator[dict[str, Any]]:
    """Page by page, so that a conversation of years fits."""
    after: int | None = 0
    while after is not None:
        page = _page(home, key, after)
        yield from page["lines"]
        after = page["next"]


def _page(home: Path, key: str, after: int) -> Any:
    from hermes.store.sessions import session_lines

    args = {"key": key, "after": after}
    return ask_or_read(home, "sessions_lines", args, lambda reader: session_lines(reader, key, after))


def _reset_directly(database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.store import sessions as desk
    from hermes.store.direct import write

    session, now = desk.session_show(database, args["key"]), time.time()
    fresh = _new_name(now)
    write(database, desk.reset(session, fresh, now, now + NOTICE_TTL_S))
    return {"session_key": session["session_key"], "session_id": fresh}


def _resume_directly(database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.store import sessions as desk
    from hermes.store.direct import write

    session, now = desk.session_show(database, args["key"]), time.time()
    wanted = args["session_id"]
    resumed = write(database, desk.resume(session, wanted, _new_name(now), now, now + NOTICE_TTL_S))
    if resumed is None:
        raise desk.no_such_stretch(session, wanted)
    return {"session_key": session["session_key"], "session_id": resumed}


def _new_name(now: float) -> Any:
    from hermes.ops.clock import SystemIds
    from hermes.sessions.ids import new_session_id

    return new_session_id(now, SystemIds())


def _asleep(session: dict[str, Any]) -> dict[str, Any]:
    """With no gateway, nobody is awake."""
    return {**session, "state": "asleep"}


# --- for people ------------------------------------------------------------------------------------------------------------


def line(one: Mapping[str, Any]) -> str:
    """A conversation on one line."""
    marks = [one["state"]]
    if one["suspended"]:
        marks.append("suspended")
    elif one["resume_reason"]:
        marks.append("interrupted")
    if one["waiting"]:
        marks.append(f"{one['waiting']} open")
    title = f"  {one['title']}" if one["title"] else ""
    person = f"  of {one['person']}" if one["person"] else ""
    return f"{one['session_key']}  {_ago(one['last_active_at'])}  {', '.join(marks)}{title}{person}"


def lines(one: Mapping[str, Any]) -> Iterator[str]:
    """A conversation in full."""
    yield line(one)
    yield f"where     {':'.join((one['platform'], one['account'], one['chat_id']))}, {one['chat_type'] or 'unknown'}"
    yield f"began     {local_time(one['created_at'])}, last active {local_time(one['last_active_at'])}"
    if one["resume_marked_at"] is not None:
        yield f"cut off   {local_time(one['resume_marked_at'])}: {one['resume_reason']}"
    yield f"used      {_cost(one)}"
    yield "stretches"
    for stretch in one["history"]:
        end = (
            "now"
            if stretch["ended_at"] is None
            else f"{local_time(stretch['ended_at'])} ({stretch['end_reason']})"
        )
        when = f"{local_time(stretch['started_at'])} to {end}"
        yield f"  {stretch['session_id']}  {when}, {stretch['lines']:,} lines, {_cost(stretch)}"


def _cost(one: Mapping[str, Any]) -> str:
    cached = one["cache_read_tokens"] + one["cache_write_tokens"]
    return f"{one['input_tokens']:,} tokens in, {one['output_tokens']:,} out, {cached:,} cached, ${one['cost_usd']:.4f}"


def _markdown(session: Mapping[str, Any], said: Iterator[dict[str, Any]]) -> Iterator[str]:
    yield f"# {plain_lines(session['title'] or session['session_key'])}"
    stretch = None
    for one in said:
        if one["session_id"] != stretch:
            stretch = one["session_id"]
            yield f"\n## {stretch}"
        yield f"\n**{one['role']}** {local_time(one['at'])}\n\n{plain_lines(one['text'])}"


def _ago(at: float) -> str:
    return f"{duration(max(0.0, time.time() - at))} ago"
