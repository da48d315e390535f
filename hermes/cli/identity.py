"""``hermes identity``, ``hermes forget`` and ``hermes audit``: who is who, through the running gateway, or on its file."""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.offline import ask_or_read, ask_or_write
from hermes.cli.options import home_option, json_option, limit_option, print_json
from hermes.cli.text import local_time, plain, typed_text
from hermes.ops.files import write_private

if TYPE_CHECKING:
    from hermes.store.identity import World
    from hermes.store.linking import Occasion

NOTICE_TTL_S = 7 * 86_400.0
"""How long the words to who was linked wait for a gateway that is not there."""

LONG_S = 600.0
"""For what reads everything, or writes the whole file anew."""

NAME_DIGITS = 12

_ERASED = (
    *("messages", "answers", "lines", "sessions", "notes", "approvals", "links", "jobs", "runs"),
    "pairings",
)


@click.group(cls=ListByDefault)
def identity() -> None:
    """Show and change who is the same person on several platforms. A user is written PLATFORM:USER or PLATFORM@ACCOUNT:USER,
    a person as one of their users or by id or name.
    """


@identity.command("list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List everybody who is linked, each with their users in the order of their links."""
    from hermes.store.identity import listing

    answer = ask_or_read(home, "identity_list", {}, lambda reader: {"persons": listing(reader)})
    if as_json:
        print_json(answer)
        return
    for person in answer["persons"]:
        for line in lines(person):
            click.echo(plain(line))
    if not answer["persons"]:
        click.echo("Nobody is linked.")


@identity.command()
@click.argument("first")
@click.argument("second")
@click.option("--name", metavar="NAME", help="What to call the person.")
@home_option
@json_option
def link(first: str, second: str, name: str | None, home: Path, as_json: bool) -> None:
    """Make SECOND the same person as FIRST: SECOND goes on in the conversation of FIRST. Both are told."""
    person = link_users(
        home, typed_text(first), typed_text(second), None if name is None else typed_text(name)
    )
    if as_json:
        print_json(person)
        return
    for line in lines(person):
        click.echo(plain(line))


@identity.command()
@click.argument("user")
@home_option
@json_option
def unlink(user: str, home: Path, as_json: bool) -> None:
    """Give USER a conversation of their own again. What was said together stays with whose conversation it was."""
    args = {"user": typed_text(user)}
    answer = ask_or_write(home, "identity_unlink", args, lambda database, args: _unlink(home, database, args))
    if as_json:
        print_json(answer)
    else:
        click.echo(plain(f"{answer['user']} is linked with nobody any more."))


@identity.command()
@click.argument("person")
@click.option(
    "-o",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it there, for nobody else to read.",
)
@home_option
@json_option
def export(person: str, file: Path | None, home: Path, as_json: bool) -> None:
    """Print everything there is of PERSON as one JSON document, with --json or without."""
    document = _export(home, typed_text(person))
    if file is None:
        print_json(document)
        return
    write_private(file, json.dumps(document, indent=2, ensure_ascii=False).encode(errors="replace") + b"\n")
    click.echo(
        plain(f"{len(document['messages'])} messages, {len(document['sessions'])} conversations: {file}"),
        err=True,
    )


@click.command()
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
@json_option
def forget(person: str, yes: bool, home: Path, as_json: bool) -> None:
    """Erase everything there is of PERSON, for good: what they said and were told, their conversations, links, pairings and jobs.

    Lists in the configuration that name them stay as they are, and so do logs, crash dossiers and backups.
    """
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise click.UsageError("this cannot be undone; say --yes if it is meant")
        _say_outline(_outline(home, typed_text(person)))
        click.confirm(plain(f"Erase everything there is of {person}? This cannot be undone."), abort=True)
    args = {"person": typed_text(person)}
    answer = ask_or_write(
        home, "identity_forget", args, lambda database, args: _forget(home, database, args), timeout_s=LONG_S
    )
    if as_json:
        print_json(answer)
        return
    click.echo(plain(f"Forgotten: {', '.join(answer['users'])}"))
    for name in _ERASED:
        click.echo(f"  {name:<9} {answer[name]:>9,}")


@click.command()
@limit_option
@home_option
@json_option
def audit(limit: int, home: Path, as_json: bool) -> None:
    """List what the operator has done to people and pairings, and who has linked whom, newest first."""
    from hermes.store.people import audit as noted

    answer = ask_or_read(
        home, "identity_audit", {"limit": limit}, lambda reader: {"audit": noted(reader, limit)}
    )
    if as_json:
        print_json(answer)
        return
    for one in answer["audit"]:
        click.echo(
            plain(
                f"{local_time(one['at'])}  {one['actor']}  {one['action']}  {one['subject']}  {one['detail']}".rstrip()
            )
        )
    if not answer["audit"]:
        click.echo("Nothing is noted yet.")


def link_users(
    home: Path, first: str, second: str, name: str | None = None, chat_id: str | None = None
) -> Mapping[str, Any]:
    """Have ``second`` be the same person as ``first``; returns the person. ``chat_id``: where ``second`` is told of it, if that
    is known. Raises ``GatewayError`` as ``store.identity``.
    """
    args = {"first": first, "second": second, "name": name, "chat_id": chat_id}
    return ask_or_write(home, "identity_link", args, lambda database, args: _link(home, database, args))


# --- without a gateway -----------------------------------------------------------------------------------------------------


def _world(home: Path) -> "World":
    """As the gateway of this home would have it."""
    from functools import partial

    from actors.ports.access import canonical_form
    from hermes.config.load import load
    from hermes.ops.whatsapp_aliases import read_aliases
    from hermes.sessions.keys import KeyRules
    from hermes.store.identity import World

    aliases = read_aliases(home).aliases
    scope = load(home, os.environ).config.identity.scope
    return World(partial(canonical_form, aliases=aliases), KeyRules(whatsapp_aliases=aliases), scope)


def _occasion() -> "Occasion":
    from hermes.ops.clock import SystemIds
    from hermes.store.linking import Occasion

    now = time.time()
    return Occasion(SystemIds().token(NAME_DIGITS), now, now + NOTICE_TTL_S)


def _link(home: Path, database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.store import identity as desk
    from hermes.store.direct import write

    two = args["first"], args["second"], args["name"]
    link = desk.link(database, *two, _world(home), _occasion(), chat_id=args["chat_id"])
    person_id = write(database, link)
    assert person_id is not None  # noqa: S101 - nobody else writes
    return desk.linked_document(database, person_id)


def _unlink(home: Path, database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.store import identity as desk
    from hermes.store.direct import write

    unlink, person = desk.unlink(database, args["user"], _world(home), _occasion())
    write(database, unlink)
    return {"user": str(unlink.user), "person_id": person.person_id}


def _export(home: Path, person: str) -> dict[str, Any]:
    from hermes.store import identity as desk

    def directly(reader: Any) -> dict[str, str]:
        return {"document": json.dumps(desk.export(reader, person, *_known(home)))}

    answer = ask_or_read(home, "identity_export", {"person": person}, directly, timeout_s=LONG_S)
    document: dict[str, Any] = json.loads(answer["document"])
    return document


def _outline(home: Path, person: str) -> Mapping[str, Any]:
    from hermes.store import identity as desk

    def directly(reader: Any) -> Mapping[str, Any]:
        return desk.outline(reader, person, *_known(home))

    answer: Mapping[str, Any] = ask_or_read(
        home, "identity_outline", {"person": person}, directly, timeout_s=LONG_S
    )
    return answer


def _known(home: Path) -> tuple["World", Any, Any]:
    """And what the files say: of pairings, and of jobs."""
    from hermes.ops.cron_files import entries_in

    return _world(home), _pairing(home).look().books, entries_in(home)


def _forget(home: Path, database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from functools import partial

    from hermes.config.load import load
    from hermes.cron import orders as cron_orders
    from hermes.ops import cron_files
    from hermes.pairing import orders
    from hermes.pairing.records import book_name
    from hermes.store import identity as desk
    from hermes.store.direct import write

    files, now = _pairing(home), time.time()
    world, books, jobs = _known(home)
    forget, whom = desk.forget(database, args["person"], world, books, jobs, now)
    revoked = 0
    for user in whom.users:
        name = book_name(user.platform, user.account)
        revoked += files.carry_out(name, orders.Forget(user.user_id), now)[0]
    erased = write(database, forget)
    theirs = desk.made_by(whom, forget.traces.chats, world)
    if made := len(list(filter(theirs, jobs))):
        cron_files.drop_outputs(home, forget.traces.jobs)
        zone = cron_files.zone_for(load(home, os.environ).config.timezone)
        cron_files.change(home, zone, now, partial(cron_orders.forget, which=theirs))
    return desk.forgotten_document(whom, erased, made, revoked)


def _pairing(home: Path) -> Any:
    from hermes.ops.pairing_files import PairingFiles

    return PairingFiles(home, _world(home).canonical_form)


# --- for people ------------------------------------------------------------------------------------------------------------


def lines(person: Mapping[str, Any]) -> Iterator[str]:
    """A person in full."""
    yield f"{person['person_id']}  {person['name'] or '(no name)'}  {person['session_key']}"
    for one in person["identities"]:
        yield f"  {one['user']}  since {local_time(one['linked_at'])}"


def _say_outline(found: Mapping[str, Any]) -> None:
    """What would be erased."""
    counts = (
        f"{found['messages']:,} messages, {found['sessions']:,} conversations, {len(found['jobs']):,} jobs"
    )
    click.echo(plain(f"{', '.join(found['users'])}: {counts}"))
    for name in found["jobs"]:
        click.echo(plain(f"  job {name}"))
