"""``hermes dump``: all there is to see of one actor, at this moment."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.cli.tree import facts, show
from hermes.ops.control import client


@click.command()
@click.argument("path", default="root")
@click.option("--stacks", is_flag=True, help="Show where the tasks of the actor at PATH are.")
@click.option("--bodies", is_flag=True, help="Show the messages themselves, too; they may be private.")
@home_option
@json_option
def dump(path: str, home: Path, *, stacks: bool, bodies: bool, as_json: bool) -> None:
    """Show what the actor at PATH and those below it do: tree, mailboxes, last events.

    It asks the actors nothing, so a stuck one can be seen too. Secrets show as [redacted], messages by their type alone.
    """
    document = client.ask(home, "dump", {"path": path, "bodies": bodies})
    if not stacks:
        document["stacks"] = None
    if as_json:
        print_json(document)
        return
    show(document["node"], facts)
    for line in lines(document):
        click.echo(plain(line))


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What stands below the tree. A part that has nothing to tell is left out."""
    if document["stacks"] is not None:
        yield from _part("Tasks", (line for stack in document["stacks"] for line in _stack(stack)))
    yield from _part("Waiting in mailboxes", _waiting(document["mailboxes"]))
    letters = (f"{one['count']:,} × {one['message']}: {one['why']}" for one in document["letters"])
    yield from _part("Dead letters", letters)
    if document["bodies"] is not None:
        yield from _part("Messages", _bodies(document["bodies"]))
    yield from _part("Last events", map(_event, document["events"]))


def _part(title: str, said: Iterator[str]) -> Iterator[str]:
    found = list(said)
    if found:
        yield ""
        yield f"{title}:"
        yield from (f"  {line}" for line in found)


def _stack(stack: Mapping[str, Any]) -> Iterator[str]:
    yield str(stack["task"])
    yield from (f"  {line}" for line in stack["lines"])


def _waiting(mailboxes: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Iterator[str]:
    for path, lanes in mailboxes.items():
        told = [
            f"{count} {kind} ({lane})" for lane, counts in lanes.items() for kind, count in counts.items()
        ]
        yield f"{path}  {', '.join(told)}"


def _bodies(bodies: Mapping[str, str | Sequence[str] | None]) -> Iterator[str]:
    for lane, texts in bodies.items():
        for text in [texts] if isinstance(texts, str) else texts or ():
            yield f"{lane}: {text}"


def _event(event: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(event["at"]).strftime("%H:%M:%S")
    said = [
        str(event["detail"][name]) for name in ("reason", "decision") if event["detail"].get(name) is not None
    ]
    return f"{moment}  {event['kind']:<9} {event['path']}#{event['incarnation']}  {', '.join(said)}".rstrip()
