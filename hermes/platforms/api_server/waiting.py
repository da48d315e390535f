"""A request that waits for its answer."""

from collections.abc import Mapping

import trio

from hermes.platforms.api_server.wire import Answer
from hermes.types.content import Part


class Waiting:
    """What is known of the answer so far. ``over``: it waits no longer; ``written``: because it has its answer.

    ``row_id`` is that of its message in the inbox, once that has one.
    """

    def __init__(self, chat_id: str) -> None:
        self.chat_id = chat_id
        self.row_id: int | None = None
        self.draft = ""
        self.answer: Answer | None = None
        self.written = False
        self.over = trio.Event()
        self._parts: dict[int, str] = {}
        self._rung = trio.Event()

    def grow(self, draft: str) -> None:
        """The answer reads ``draft`` now; more is being written."""
        self.draft = draft
        self._rung.set()

    def add(self, part: Part, metadata: Mapping[str, str]) -> None:
        """A part of the answer; with the last one it is complete."""
        self._parts[part.index] = part.text
        if part.index + 1 == part.total:
            self.end(Answer("\n\n".join(self._parts.values()), metadata))

    def end(self, answer: Answer) -> None:
        """That is the answer."""
        self.answer = answer
        self._rung.set()

    async def news(self) -> None:
        """Return once ``draft`` or ``answer`` has changed. For one task."""
        await self._rung.wait()
        self._rung = trio.Event()
