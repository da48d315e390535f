"""``hermes`` with Telegram, web chat and a fake platform whose adapters fail to order.

A file ``<HERMES_SABOTAGE>/<platform>`` holds the order: a place of ``PLACES`` and an error of ``ERRORS``. The adapter raises it
the next time it comes by, once; then the file is gone.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from actors.ports import delivery
from hermes.platforms.telegram.entry import ENTRY as TELEGRAM
from hermes.platforms.webchat.entry import ENTRY as WEBCHAT
from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.testing import wire

VARIABLE = "HERMES_SABOTAGE"

PLACES = ("connect", "receive", "send", "callback", "close")
ERRORS: dict[str, Callable[[], BaseException]] = {
    "ValueError": partial(ValueError, "a bug"),
    "ExceptionGroup": lambda: BaseExceptionGroup("several", [ValueError("a bug"), KeyError("another")]),
    "SystemExit": partial(SystemExit, 3),
    "RecursionError": partial(RecursionError, "maximum recursion depth exceeded"),
    "MemoryError": MemoryError,
}


class FaultyIO:
    """An ``AdapterIO`` in front of which the adapter's receive loop fails."""

    def __init__(self, io: Any, strike: Callable[[str], None]) -> None:
        self._io = io
        self._strike = strike

    def __getattr__(self, name: str) -> Any:
        return getattr(self._io, name)

    async def accept(self, events: Any) -> Any:
        """Fail, or hand in."""
        self._strike("receive")
        return await self._io.accept(events)


def faulty(entry: PlatformEntry, orders: Path) -> PlatformEntry:
    """``entry``, with adapters that follow ``orders``."""
    order = orders / entry.name

    def strike(place: str) -> None:
        if order.exists():
            where, error = order.read_text().split()
            if where == place:
                order.unlink()
                raise ERRORS[error]()

    def make(setup: AdapterSetup) -> Any:
        adapter: Any = entry.factory(setup)
        connect, send, typing, disconnect = (
            adapter.connect,
            adapter.send,
            adapter.typing,
            adapter.disconnect,
        )

        async def faulty_connect(io: Any, *, task_status: Any) -> None:
            strike("connect")
            await connect(FaultyIO(io, strike), task_status=task_status)

        async def faulty_send(*args: Any, **named: Any) -> Any:
            strike("send")
            return await send(*args, **named)

        async def faulty_typing(*args: Any) -> None:
            strike("callback")
            await typing(*args)

        async def faulty_disconnect() -> None:
            strike("close")
            await disconnect()

        adapter.connect, adapter.send = faulty_connect, faulty_send
        adapter.typing, adapter.disconnect = faulty_typing, faulty_disconnect
        return adapter

    return replace(entry, factory=make)


if __name__ == "__main__":
    delivery.TYPING_AFTER_S = 0.0  # at each answer somebody is seen typing, so that a callback can fail
    entries = (TELEGRAM, WEBCHAT, *wire.from_environment())
    sabotaged = [faulty(entry, Path(os.environ[VARIABLE])) for entry in entries]
    raise SystemExit(import_module("hermes.cli").main(platforms=sabotaged))
