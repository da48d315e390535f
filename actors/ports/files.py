"""Files of the home, read and written beside the loop."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import trio

from hermes.types.errors import Failure, GatewayError

FILES_DEADLINE_S = 5.0
FILES_SLOW = "files_slow"

P = ParamSpec("P")
T = TypeVar("T")

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a call that blocks; cancelled, the call runs on and nobody waits for it."""


class HomeFiles:
    """Runs functions that are given the home, each with a deadline."""

    def __init__(self, home: Path, in_thread: InThread, deadline_s: float = FILES_DEADLINE_S) -> None:
        self._home = home
        self._in_thread = in_thread
        self._deadline_s = deadline_s

    def within(self, deadline_s: float) -> "HomeFiles":
        """The same with another deadline, for what takes longer."""
        return HomeFiles(self._home, self._in_thread, deadline_s)

    async def run(self, function: Callable[Concatenate[Path, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function(home, …)`` returns. Raises what it raises, or ``GatewayError`` (``files_slow``) past the deadline."""
        with trio.move_on_after(self._deadline_s):
            found: T = await self._in_thread(lambda: function(self._home, *args, **kwargs))
            return found
        detail = f"the disk of {self._home} has not answered for {self._deadline_s:.0f} s"
        raise GatewayError(Failure(FILES_SLOW, scope="gateway", detail=detail))
