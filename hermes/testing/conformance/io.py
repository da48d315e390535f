"""The gateway as an adapter under test sees it: a durable inbox, and an ``AdapterIO`` for each of its lives."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import trio

from hermes.types.content import Media
from hermes.types.errors import UNREACHABLE, Failure, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId
from hermes.types.ports import Accepted
from hermes.types.records import FeedItem

T = TypeVar("T")


class Inbox:
    """What is durable; it outlives the lives that fill it. ``events`` holds no second copy, ``copies`` counts those.

    ``pause`` has every ``accept`` wait until ``resume``; ``refuse`` has the next one raise.
    """

    def __init__(self) -> None:
        self.events: list[InboundEvent] = []
        self.copies = 0
        self.undecodable: list[tuple[str, bytes]] = []
        self.moved: dict[str, str] = {}
        self.waiting = 0
        self._refusal: Exception | None = None
        self._open = trio.Event()
        self._open.set()

    @property
    def texts(self) -> list[str]:
        """What was said, in the order of the commits."""
        return [event.text for event in self.events]

    def pause(self) -> None:
        """The store is away."""
        self._open = trio.Event()

    def resume(self) -> None:
        """End ``pause``."""
        self._open.set()

    def refuse(self, error: Exception) -> None:
        """Have the next ``accept`` fail."""
        self._refusal = error

    async def passage(self) -> None:
        """Wait while paused."""
        self.waiting += 1
        try:
            await trio.lowlevel.checkpoint()
            await self._open.wait()
        finally:
            self.waiting -= 1
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise refusal

    def keep(self, event_id: str, raw: bytes) -> None:
        """Commit one that cannot be read."""
        if (event_id, raw) not in self.undecodable:
            self.undecodable.append((event_id, raw))

    def add(self, event: InboundEvent) -> Accepted:
        """Commit one event."""
        for row, known in enumerate(self.events):
            if known.event_id == event.event_id:
                self.copies += 1
                return Accepted(row, duplicate=True)
        self.events.append(event)
        return Accepted(len(self.events) - 1, duplicate=False)


class FakeAdapterIO:
    """Implements ``ports.AdapterIO`` for one life; useless after ``close``. It records what it is told."""

    boot_id = BootId("conformance")

    def __init__(self, inbox: Inbox, account: str, incarnation: int = 1) -> None:
        self.account = account
        self.incarnation = incarnation
        self.beats = 0
        self.batches: list[tuple[InboundEvent, ...]] = []
        self.identity: tuple[str, str | None] | None = None
        self.ups: list[str] = []
        self.files: Sequence[Media] = ()
        self._inbox = inbox
        self._closed = False

    @property
    def events(self) -> list[InboundEvent]:
        """All that this life has handed in."""
        return [event for batch in self.batches for event in batch]

    def close(self) -> None:
        """This life is over."""
        self._closed = True

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        """See ``ports.AdapterIO``."""
        return await self._commit(lambda: self._take(events))

    async def undecodable(self, event_id: str, raw: bytes) -> None:
        """See ``ports.AdapterIO``."""
        await self._commit(lambda: self._inbox.keep(event_id, raw))

    def identify(self, bot_id: str, bot_name: str | None = None) -> None:
        """See ``ports.AdapterIO``."""
        self.identity = (bot_id, bot_name)

    def beat(self) -> None:
        """See ``ports.AdapterIO``."""
        self.beats += 1

    def chat_up(self, chat_id: str) -> None:
        """See ``ports.AdapterIO``."""
        self.ups.append(chat_id)

    async def chat_moved(self, chat_id: str, moved_to: str) -> None:
        """See ``ports.AdapterIO``."""
        await self._commit(lambda: self._inbox.moved.update({chat_id: moved_to}))

    def commands(self) -> Sequence[tuple[str, str]]:
        """One."""
        return (("help", "What you can do here"),)

    async def feed(self, chat_id: str, since: str | None, limit: int) -> Sequence[FeedItem]:
        """No history."""
        await trio.lowlevel.checkpoint()
        return ()

    async def unanswered(self, row_ids: Collection[int]) -> Collection[int]:
        """None: here all are answered."""
        await trio.lowlevel.checkpoint()
        return ()

    async def attachments(self, delivery_id: str) -> Sequence[Media]:
        """Those of the message that the suite sends."""
        await trio.lowlevel.checkpoint()
        return self.files

    def _take(self, events: Sequence[InboundEvent]) -> Sequence[Accepted]:
        self.batches.append(tuple(events))
        return [self._inbox.add(event) for event in events]

    async def _commit(self, write: Callable[[], T]) -> T:
        if self._closed:
            raise SendError(Failure(UNREACHABLE, scope="adapter", detail="this life has ended"), "not_sent")
        await self._inbox.passage()
        return write()
