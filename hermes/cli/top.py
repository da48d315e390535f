"""``hermes top``: the busiest actors, as top(1) shows processes."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.live import ANSWER_S, draw, need_terminal
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, plain
from hermes.cli.tree import STYLES, print_wide
from hermes.ops.control import client

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.measure import Measurement
    from rich.table import Table

INTERVAL_S = 1.0
LONGEST_STATE = len("starting")
LONGEST_UP = len("60 min")
PAUSE_S = 0.5
"""Between a frame and the next question, which itself takes ``INTERVAL_S``."""

HEAD_LINES = 3
ROWS, MOST = 20, 1_000


@click.command()
@click.option(
    "--by",
    type=click.Choice(["busy", "mailbox", "restarts"]),
    default="busy",
    show_default=True,
    help="What comes first: the share of the last second spent on messages, messages that wait, or restarts.",
)
@click.option("-n", "count", type=click.IntRange(1, MOST), metavar="N", help=f"How many.  [default: {ROWS}]")
@click.option("--once", is_flag=True, help="Print it once, for scripts; --json does too.")
@home_option
@json_option
def top(by: str, count: int | None, home: Path, *, once: bool, as_json: bool) -> None:
    """Show the busiest actors, again every second or so; Ctrl-C ends it."""
    rows = ROWS if count is None else count

    def ask(most: int) -> dict[str, Any]:
        asked = {"by": by, "count": most, "over_s": INTERVAL_S}
        document: dict[str, Any] = client.ask(home, "top", asked, INTERVAL_S + ANSWER_S)
        return document

    def frame(height: int) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        try:
            document = ask(min(rows, max(1, height - HEAD_LINES)))
        except client.NotRunning:
            return Text(plain(f"nothing runs on {home}; waiting for a gateway"), "yellow")
        except client.ControlError as error:
            return Text(plain(error.failure.detail), "yellow")
        moment = datetime.fromtimestamp(document["as_of"]).strftime("%H:%M:%S")
        return Group(Text(f"{moment}  {document['of']:,} actors, by {by}\n"), table(document))

    if as_json:
        print_json(ask(rows))
    elif once:
        document = ask(rows)
        print_wide(table(document))
        left_out = document["of"] - len(document["actors"])
        if left_out and count is None:
            actors = "actor" if left_out == 1 else "actors"
            click.echo(f"{left_out:,} more {actors}; -n {min(document['of'], MOST)} shows more", err=True)
    else:
        need_terminal("--once or --json")
        draw(frame, PAUSE_S)


def table(document: Mapping[str, Any]) -> "Table":
    """The actors, one a line."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for title in ("busy", "mailbox", "peak", "restarts", "lately"):
        shown.add_column(title, justify="right", no_wrap=True, min_width=len(title))
    shown.add_column("up", justify="right", no_wrap=True, min_width=LONGEST_UP)
    for title in ("state", "doing"):
        shown.add_column(title, no_wrap=True, min_width=LONGEST_STATE)
    shown.add_column("actor", ratio=1)  # the one that a narrow terminal cuts
    for node in document["actors"]:
        mailbox, current, state = node["mailbox"], node["current"], str(node["state"])
        shown.add_row(
            f"{node['busy']:.0%}",
            "–" if mailbox is None else f"{mailbox['used'] + mailbox['control']}/{mailbox['capacity']}",
            "–" if mailbox is None else f"{mailbox['peak']}",
            f"{node['restarts']:,}",
            f"{node['restarts_in_window']:,}",
            duration(node["uptime_s"]),
            Text(plain(state), STYLES.get(state, "dim")),
            "" if current is None else plain(f"{current['message']} {duration(current['for_s'])}"),
            _Tail(plain(f"{node['path']}#{node['incarnation']}")),
        )
    return shown


class _Tail:
    """A text that is cut at its beginning where it does not fit: many paths begin alike."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_measure__(self, console: "Console", options: "ConsoleOptions") -> "Measurement":
        from rich.cells import cell_len
        from rich.measure import Measurement

        return Measurement(1, max(1, cell_len(self._text)))

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.cells import cell_len, set_cell_size
        from rich.text import Text

        text, room = self._text, options.max_width
        if cell_len(text) > room:
            text = "…" + set_cell_size(text[::-1], room - 1)[::-1]
        yield Text(text, no_wrap=True)
