"""``hermes tree``: the live actor tree, or the last known one of a gateway that is gone."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.live import ANSWER_S, draw, need_terminal
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, plain
from hermes.ops.control import client

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text
    from rich.tree import Tree

ROOT = "root"
WATCH_S = 1.0
HEAD_LINES = 3
"""What stands above a watched tree."""

LONG_S = 1.0
"""A message that waits for less waits for nothing."""

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
POLICY = (
    "restart",
    "intensity",
    "on_exceeded",
    "backoff",
    "factor",
    "reset_after",
    "shutdown",
    "on_stuck",
    "stall_s",
)
RARE = frozenset(("factor", "reset_after"))
"""Shown only where somebody has set them."""

STYLES = {
    "running": "green",
    "starting": "cyan",
    "paused": "magenta",
    "backoff": "yellow",
    "stale": "yellow",
    "disabled": "red",
    "unavailable": "red",
    "stuck": "bold red",
}
_PIPE_WIDTH = 10_000
"""Wide enough that nothing wraps: another program reads line by line."""


@click.command()
@click.argument("path", default=ROOT)
@home_option
@json_option
@click.option("--watch", is_flag=True, help="Draw it again every second, until Ctrl-C.")
@click.option("--policy", is_flag=True, help="Show how each actor is restarted, as --restart would say it.")
@click.pass_context
def tree(ctx: click.Context, path: str, home: Path, *, as_json: bool, watch: bool, policy: bool) -> None:
    """Show the actor tree, or the part of it at PATH.

    With no gateway running it shows the last known tree, says so, and exits with 3.
    """
    tell = _policy if policy else facts
    if watch:
        if as_json:
            raise click.UsageError("--watch is for people; for programs, ask again with --json")
        need_terminal("--json, again and again")
        draw(_Watch(home, path, tell).frame, WATCH_S)
        return
    try:
        document, gone = look(home, path), None
    except client.NotRunning as not_running:
        known, gone = last_known(home), not_running
        if known is None:
            raise
        document = _part(known, path)
    if as_json:
        print_json(document)
    else:
        show(document["root"], tell)
        if policy:
            click.echo("\n* set in the configuration or by --restart; all else is built in")
    if gone is not None:
        if not as_json:
            click.echo(f"This is the last known tree, as of {_as_of(document)}.", err=True)
        raise gone


def look(home: Path, path: str, timeout_s: float = client.TIMEOUT_S) -> dict[str, Any]:
    """The live tree at ``path``. Raises ``ControlError``, also where nothing is there."""
    document = client.ask(home, "tree", {} if path == ROOT else {"path": path}, timeout_s)
    if document["root"] is None:
        raise client.ControlError("starting", "the tree is not up yet", "try again in a moment")
    return _part(document, path)


def _part(document: dict[str, Any], path: str) -> dict[str, Any]:
    node = find(document["root"], path)
    if node is None:
        detail = f"there is no {path} in the tree"
        raise client.ControlError("no_such_actor", detail, "`hermes tree` shows all paths")
    return {**document, "root": node}


def _as_of(document: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(document["as_of"]).isoformat(" ", "seconds")


class _Watch:
    """The tree as it was last seen, and why it is not seen now; a gateway that is gone may come back."""

    def __init__(self, home: Path, path: str, tell: Callable[[Mapping[str, Any]], str]) -> None:
        self._home = home
        self._path = path
        self._tell = tell
        self._seen: dict[str, Any] | None = None

    def frame(self, height: int) -> "RenderableType":
        """What to draw now; no longer than ``height`` lines."""
        from rich.console import Group
        from rich.text import Text

        try:
            self._seen = look(self._home, self._path, ANSWER_S)
            head = Text(f"{_as_of(self._seen)}  Ctrl-C ends it")
        except client.NotRunning:
            self._seen = self._seen or self._last_known()
            known = f"; last known tree, as of {_as_of(self._seen)}" if self._seen else ""
            head = Text(plain(f"nothing runs on {self._home}{known}"), "yellow")
        except client.ControlError as error:
            head = Text(plain(error.failure.detail), "yellow")
        if self._seen is None:
            return head
        lines = max(1, height - HEAD_LINES)
        shown, left_out = _first(self._seen["root"], lines)
        more = f"; {left_out:,} more actors do not fit here: name a PATH" if left_out else ""
        head.append(f"{more}\n")
        return Group(head, _branch(shown, self._tell, cut=True))

    def _last_known(self) -> dict[str, Any] | None:
        known = last_known(self._home)
        try:
            return None if known is None else _part(known, self._path)
        except client.ControlError:
            return None


def _first(node: Mapping[str, Any], lines: int) -> tuple[dict[str, Any], int]:
    """``node`` with no more below it than fits into ``lines``, from above, and how many actors that leaves out."""
    children, left_out, room = [], 0, lines - 1
    for child in node["children"]:
        if room <= 0:
            left_out += _size(child)
            continue
        kept, missing = _first(child, room)
        children.append(kept)
        left_out += missing
        room -= _size(kept)
    return {**node, "children": children}, left_out


def _size(node: Mapping[str, Any]) -> int:
    return 1 + sum(map(_size, node["children"]))


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


def show(node: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], str]) -> None:
    """Draw ``node`` and all below it on stdout, each with what ``tell`` says of it: colours on a terminal, one actor a line
    elsewhere.
    """
    print_wide(_branch(node, tell))


def print_wide(what: "RenderableType") -> None:
    """Print for a person, or line by line for a program."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    Console(width=width, highlight=False).print(what, soft_wrap=width is not None)


def _branch(
    node: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], str], *, cut: bool = False
) -> "Tree":
    """``cut``: each actor has one line, and what does not fit into it is not shown."""
    from rich.tree import Tree

    label = _label(node, tell)
    if cut:
        label.no_wrap, label.overflow = True, "ellipsis"
    branch = Tree(label, guide_style="dim")
    for child in node["children"]:
        branch.children.append(_branch(child, tell, cut=cut))
    return branch


def facts(node: Mapping[str, Any]) -> str:
    """What an actor does, in a few words."""
    told = [f"#{node['incarnation']}"]
    if node["uptime_s"] is not None:
        told.append(f"up {duration(node['uptime_s'])}")
    if node["restarts"]:
        lately = node.get("restarts_in_window")
        often = f"{node['restarts']:,} restart{'s' if node['restarts'] != 1 else ''}"
        told.append(f"{often} ({lately:,} lately)" if lately else often)
    if mailbox := node["mailbox"]:
        told.append(f"mailbox {mailbox['used']}/{mailbox['capacity']}")
        if (waits := mailbox.get("oldest_s")) is not None and waits >= LONG_S:
            told.append(f"oldest {duration(waits)}")
        if peak := mailbox.get("peak"):
            told.append(f"peak {peak}")
    if current := node.get("current"):
        told.append(f"{current['message']} for {duration(current['for_s'])}")
    if node["next_start_in_s"] is not None:
        told.append(f"next start in {duration(node['next_start_in_s'])}")
    return ", ".join(told)


def _policy(node: Mapping[str, Any]) -> str:
    """In the notation of --restart, with a mark on what is not built in. The root has none: nobody restarts it."""
    policy = node.get("policy")
    if not isinstance(policy, Mapping) or "/" not in str(node["path"]):
        return ""
    overridden = policy.get("overridden")
    marked = overridden if isinstance(overridden, list) else ()
    words = []
    for key in POLICY:
        value, mark = policy.get(key), "*" if key in marked else ""
        if value is not None and (mark or key not in RARE):
            shown = f"{value:g}" if isinstance(value, float) else plain(str(value))
            words.append(f"{shown}{mark}" if key == "restart" else f"{key.removesuffix('_s')}={shown}{mark}")
    return ", ".join(words)


def _label(node: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], str]) -> "Text":
    from rich.text import Text

    # An actor that runs may be deaf; nobody should look twice for that.
    state = "stale" if node.get("health") == "stale" else str(node["state"])
    label = Text.assemble(
        (plain(str(node["name"])), "bold"),
        "  ",
        (plain(state), STYLES.get(state, "dim")),
    )
    if words := tell(node):
        label.append(f"  {words}", "dim")
    if node["last_error"]:
        label.append(f"  {plain(str(node['last_error']))}", "red")
    return label
