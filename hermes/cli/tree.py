"""``hermes tree``: the live actor tree, or the last known one of a gateway that is gone."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, plain
from hermes.ops.control import client

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

LAST_KNOWN = "tree.json"
SHOWN = frozenset(
    (
        "path",
        "name",
        "state",
        "incarnation",
        "uptime_s",
        "restarts",
        "mailbox",
        "next_start_in_s",
        "last_error",
        "children",
    )
)
_STYLES = {
    "running": "green",
    "starting": "cyan",
    "backoff": "yellow",
    "disabled": "red",
    "stuck": "bold red",
}
_PIPE_WIDTH = 10_000
"""Wide enough that nothing wraps: another program reads line by line."""


@click.command()
@click.argument("path", default="root")
@home_option
@json_option
@click.pass_context
def tree(ctx: click.Context, path: str, home: Path, as_json: bool) -> None:
    """Show the actor tree, or the part of it at PATH.

    With no gateway running it shows the last known tree, says so, and exits with 3.
    """
    try:
        document = client.ask(home, "tree")
        gone = None
    except client.NotRunning as not_running:
        document, gone = last_known(home), not_running
        if document is None:
            raise
    if document["root"] is None:
        raise client.ControlError("starting", "the tree is not up yet", "try again in a moment")
    node = find(document["root"], path)
    if node is None:
        raise client.ControlError(
            "no_such_path", f"there is no {path} in the tree", "`hermes tree` shows all paths"
        )
    if as_json:
        print_json({**document, "root": node})
    else:
        show(node)
    if gone is not None:
        if not as_json:
            as_of = datetime.fromtimestamp(document["as_of"]).isoformat(" ", "seconds")
            click.echo(f"This is the last known tree, as of {as_of}.", err=True)
        raise gone


def last_known(home: Path) -> dict[str, Any] | None:
    """The tree that the last gateway of ``home`` left behind, marked as not live; None if there is none to be read."""
    try:
        document = json.loads((home / "run" / LAST_KNOWN).read_bytes())
    except (OSError, ValueError):
        return None
    match document:
        case {"as_of": int() | float(), "root": root} if _is_node(root):
            return {**document, "live": False}
        case _:
            return None


def _is_node(value: object) -> bool:
    """Whether a file that anybody may have written holds what is shown of a node."""
    return isinstance(value, dict) and value.keys() >= SHOWN and all(map(_is_node, value["children"]))


def find(node: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """The node at ``path``, below ``node`` or ``node`` itself."""
    if node["path"] == path:
        return node
    return next((found for child in node["children"] if (found := find(child, path))), None)


def show(node: Mapping[str, Any]) -> None:
    """Draw ``node`` and all below it on stdout: colours on a terminal, one actor a line elsewhere."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(width=width, highlight=False).print(_branch(node), soft_wrap=width is not None)


def _branch(node: Mapping[str, Any]) -> "Tree":
    from rich.tree import Tree

    branch = Tree(_label(node), guide_style="dim")
    for child in node["children"]:
        branch.children.append(_branch(child))
    return branch


def _label(node: Mapping[str, Any]) -> "Text":
    from rich.text import Text

    state = str(node["state"])
    facts = [f"#{node['incarnation']}", f"up {duration(node['uptime_s'])}"]
    if node["restarts"]:
        facts.append(f"{node['restarts']:,} restart{'s' if node['restarts'] != 1 else ''}")
    if mailbox := node["mailbox"]:
        facts.append(f"mailbox {mailbox['used']}/{mailbox['capacity']}")
    if node["next_start_in_s"] is not None:
        facts.append(f"next start in {duration(node['next_start_in_s'])}")
    label = Text.assemble(
        (plain(str(node["name"])), "bold"),
        "  ",
        (plain(state), _STYLES.get(state, "dim")),
        "  ",
        (", ".join(facts), "dim"),
    )
    if node["last_error"]:
        label.append(f"  {plain(str(node['last_error']))}", "red")
    return label
