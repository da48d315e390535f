"""A screen that is drawn again and again, for ``--watch`` and ``top``: in the terminal's other buffer, so that what stood
there before comes back with Ctrl-C.
"""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

ANSWER_S = 3.0
"""How long a frame waits for a gateway that hangs before it says so."""


def need_terminal(instead: str) -> None:
    """Raise ``click.UsageError``, with what to do ``instead``, unless a person sits in front."""
    if not sys.stdout.isatty():
        raise click.UsageError(f"this draws on a terminal, and the output is none; use {instead}")


def draw(frame: "Callable[[int], RenderableType]", every_s: float) -> None:
    """Show what ``frame`` makes for the terminal's height, every ``every_s`` seconds after the last, until Ctrl-C."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    try:
        with Live(Text("…"), console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(frame(console.height), refresh=True)
                time.sleep(every_s)
    except KeyboardInterrupt:
        return
