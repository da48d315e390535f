"""``hermes crashes``: what is kept of actors that crashed; read from files, so no gateway has to run."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.ops import dossiers
from hermes.ops.control.client import ControlError
from hermes.ops.dossiers import Dossier, NotADossier

_LISTED = ("id", "when", "at", "path", "incarnation", "reason", "decision", "delay_s", "count", "last_at")
_ALL = "`hermes crashes list` shows all"


class ListByDefault(click.Group):
    """Without a subcommand, it is ``list``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before options that stand alone; help stays the group's."""
        if not args or (args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx)):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ListByDefault)
def crashes() -> None:
    """Show what is kept of actors that crashed: a list, or one of them in full."""


@crashes.command("list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List the crashes that are kept, newest first."""
    found, unreadable = dossiers.read_all(home / dossiers.DIRECTORY)
    if as_json:
        rows = [{name: row[name] for name in _LISTED} for row in map(Dossier.to_json, found)]
        print_json({"crashes": rows, "unreadable": unreadable})
        return
    for dossier in found:
        times = f"{dossier.count:,} times  " if dossier.count > 1 else ""
        click.echo(plain(f"{dossier.id}  {_local(dossier.at)}  {dossier.path}  {times}{dossier.reason}"))
    if not found and not unreadable:
        click.echo("No crash is kept.")
    for why in unreadable:
        click.echo(plain(f"hermes: {why}"), err=True)


@crashes.command()
@click.argument("id")
@home_option
@json_option
def show(id: str, home: Path, as_json: bool) -> None:
    """Show one crash in full. The first characters of its ID are enough."""
    dossier = find(home / dossiers.DIRECTORY, id)
    if as_json:
        print_json(dossier.to_json())
    else:
        for line in lines(dossier):
            click.echo(plain(line.expandtabs()))


def find(directory: Path, wanted: str) -> Dossier:
    """The dossier whose id begins with ``wanted``. Raises ``ControlError`` that names those it may be."""
    known = dossiers.ids(directory)
    match dossiers.matching(known, wanted):
        case [id]:
            pass
        case []:
            near = dossiers.near(known, wanted)
            kept = f"; there are {', '.join(near)}" if near else ": none is kept"
            raise ControlError("no_such_crash", f"there is no crash {wanted}{kept}", _ALL)
        case [*several]:
            detail = f"{len(several)} crashes begin with {wanted}: {', '.join(several)}"
            raise ControlError("ambiguous", detail, "type more of it")
    try:
        return dossiers.read(directory, id)
    except LookupError:
        raise ControlError("no_such_crash", f"the crash {id} has just been deleted", _ALL) from None
    except NotADossier as wrong:
        raise ControlError("unreadable", str(wrong), _ALL) from wrong


def lines(dossier: Dossier) -> Iterator[str]:
    """A dossier for people. Times are local, as in the log."""
    delay = "" if dossier.delay_s is None else f" in {dossier.delay_s:.1f} s"
    again = f"  {dossier.count:,} times, last at {_local(dossier.last_at)}" if dossier.count > 1 else ""
    yield f"{dossier.id}  {_local(dossier.at)}{again}"
    yield f"actor     {dossier.path} #{dossier.incarnation}"
    yield f"reason    {dossier.reason}"
    if dossier.through:
        yield f"came by   {'/'.join(dossier.through)}"
    yield f"decision  {dossier.decision}{delay}"
    if dossier.message is not None:
        again = "" if dossier.attempt in (None, 1) else f", attempt {dossier.attempt}"
        yield f"message   {dossier.message}{again}"
    yield f"process   version {dossier.version}, boot {dossier.boot_id}, loop lag {dossier.loop_lag_ms:g} ms"
    if dossier.traceback:
        yield ""
        yield from dossier.traceback.splitlines()
    if dossier.events:
        yield ""
        yield "Events up to it:"
        for event in dossier.events:
            yield f"  {_event(event, dossier.at)}"
    if dossier.tree is not None:
        yield ""
        yield "The actor then:"
        yield from _nodes(dossier.tree, "  ")


def _event(event: Mapping[str, Any], crashed_at: float) -> str:
    known = {"at", "kind", "path", "incarnation", "reason", "decision"}
    at = event.get("at")
    moment = f"{at - crashed_at:+9.2f} s" if isinstance(at, int | float) else ""
    said = [f"{event[name]}" for name in ("reason", "decision") if event.get(name) is not None]
    more = [f"{name} {value}" for name, value in event.items() if name not in known and value is not None]
    actor = f"{event.get('path')} #{event.get('incarnation')}"
    return f"{moment}  {event.get('kind')}  {actor}  {', '.join(said + more)}".rstrip()


def _nodes(node: Mapping[str, Any], indent: str) -> Iterator[str]:
    facts = [f"#{node.get('incarnation')}", f"{node.get('restarts')} restarts"]
    if isinstance(mailbox := node.get("mailbox"), dict):
        facts.append(f"mailbox {mailbox.get('used')}/{mailbox.get('capacity')}")
    yield f"{indent}{node.get('name')}  {node.get('state')}  {', '.join(facts)}"
    children = node.get("children")
    for child in children if isinstance(children, list) else ():
        if isinstance(child, dict):
            yield from _nodes(child, f"{indent}  ")
    if left_out := node.get("left_out"):
        yield f"{indent}  … {left_out} more"


def _local(at: float) -> str:
    return datetime.fromtimestamp(at).isoformat(" ", "seconds")
