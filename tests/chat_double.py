"""A gateway and its clients as an adapter that speaks ``hermes.net.clientlink`` sees them, for a virtual clock."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import trio

from hermes.types import ports
from hermes.types.content import Media
from hermes.types.errors import SendError, SocketClosed
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId
from hermes.types.records import FeedItem


class FakeIO:
    """A gateway that commits at once, unless told to wait."""

    account = "default"
    boot_id = BootId("boot")
    incarnation = 1

    def __init__(self) -> None:
        self.events: list[InboundEvent] = []
        self.up: list[str] = []
        self.history: list[FeedItem] = []
        self.files: dict[str, Sequence[Media]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.open = trio.Event()
        self.open.set()

    async def accept(self, events: Sequence[InboundEvent]) -> Sequence[ports.Accepted]:
        await self.open.wait()
        await trio.lowlevel.checkpoint()
        known = {event.event_id for event in self.events}
        self.events.extend(event for event in events if event.event_id not in known)
        return [ports.Accepted(len(self.events), event.event_id in known) for event in events]

    async def undecodable(self, event_id: str, raw: bytes) -> None:
        raise AssertionError("what is no frame is refused, and keeps no cursor")

    def identify(self, bot_id: str, bot_name: str | None = None) -> None:
        raise AssertionError("nobody here is a bot")

    def beat(self) -> None:
        raise AssertionError("a socket of a tab proves nothing about the platform")

    def chat_up(self, chat_id: str) -> None:
        self.up.append(chat_id)

    async def chat_moved(self, chat_id: str, moved_to: str) -> None:
        raise AssertionError("no tab becomes another chat")

    def commands(self) -> Sequence[tuple[str, str]]:
        raise AssertionError("no tab shows a menu")

    async def attachments(self, delivery_id: str) -> Sequence[Media]:
        await trio.lowlevel.checkpoint()
        return self.files.get(delivery_id, ())

    async def feed(self, chat_id: str, since: str | None, limit: int) -> Sequence[FeedItem]:
        await trio.lowlevel.checkpoint()
        self.asked.append((chat_id, since))
        if since is None:
            return self.history[-limit:]
        return [item for item in self.history if int(item.cursor) > int(since)][:limit]


class FakeTab:
    """The browser's end of a socket, and the Socket that the adapter gets."""

    def __init__(self) -> None:
        self._to, self._inbox = trio.open_memory_channel[str](math.inf)
        self._outbox, self._from = trio.open_memory_channel[str](0)
        self.closed: tuple[int, str] | None = None

    # the adapter's end

    async def receive(self) -> str:
        try:
            return await self._inbox.receive()
        except trio.EndOfChannel:
            raise SocketClosed from None

    async def send(self, text: str) -> None:
        try:
            await self._outbox.send(text)
        except trio.BrokenResourceError:
            raise SocketClosed from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await trio.lowlevel.checkpoint()
        self.closed = self.closed or (code, reason)

    # the browser's end

    def say(self, **frame: Any) -> None:
        self._to.send_nowait(json.dumps(frame))

    def say_raw(self, text: str) -> None:
        self._to.send_nowait(text)

    async def hear(self) -> dict[str, Any]:
        return json.loads(await self._from.receive())

    async def hear_until(self, kind: str) -> dict[str, Any]:
        while (frame := await self.hear())["t"] != kind:
            pass
        return frame

    def leave(self) -> None:
        self._to.close()
        self._from.close()


class Outcome:
    """What became of a send that runs beside the test."""

    def __init__(self) -> None:
        self.message_id: str | None = None
        self.error: SendError | None = None
        self.known = trio.Event()

    async def of(self, send: Callable) -> None:
        try:
            self.message_id = (await send()).message_id
        except SendError as error:
            self.error = error
        self.known.set()
