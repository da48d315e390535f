"""A few lines for the operator, where a person sees them."""

import sys
from collections.abc import Callable

import trio

SHOW_DEADLINE_S = 1.0


async def announce(show: Callable[[str], None], link: str) -> None:
    """Have ``show`` put the one-time link before a person; stdout may be a pipe that nobody reads."""
    with trio.move_on_after(SHOW_DEADLINE_S):
        await trio.to_thread.run_sync(
            show,
            f"\n  Open  {link}\n  (works once, for 10 minutes; `hermes web link` makes another)\n",
            abandon_on_cancel=True,
        )


def on_stdout(text: str) -> None:
    """Print ``text``."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stderr.write("the link could not be printed; `hermes web link` makes another\n")
