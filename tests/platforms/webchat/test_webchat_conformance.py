"""The conformance suite, applied to web chat with one tab: its platform comes to it, so nothing is asked of it in silence."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import trio
from chat_double import FakeTab

from hermes.platforms.webchat.adapter import WebChat
from hermes.testing.conformance import AdapterConformance, Refusal, SendFault, Shown, Subject
from hermes.testing.fakes import FakeIds, TrioClock
from hermes.types.errors import UNREACHABLE
from hermes.types.ports import Request, Route


class WebChatSubject(Subject):
    adapter = WebChat
    chat = "main"
    send_faults: ClassVar[Mapping[SendFault, Refusal]] = {"refused": Refusal(UNREACHABLE, "not_sent", "chat")}

    def __init__(self) -> None:
        self._said = 0
        self._accepted: set[str] = set()
        self._shown: list[Shown] = []
        self._drafts: list[str] = []
        self._typed = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as self._nursery:
            yield
            self._nursery.cancel_scope.cancel()

    def make(self) -> WebChat:
        self._adapter = WebChat(TrioClock(), FakeIds())
        return self._adapter

    async def connected(self) -> None:
        """The page is opened."""
        self._tab = FakeTab()
        socket, _ = self._adapter.routes()
        query = {"chat": self.chat}
        self._nursery.start_soon(socket.handler, Request("GET", socket.path, query), self._tab)
        self._tab.say(t="hello", client="test")
        assert (await self._tab.hear())["t"] == "welcome"
        self._looking = trio.CancelScope()
        self._nursery.start_soon(self._look, self._tab, self._adapter.routes()[1])

    async def _look(self, tab: FakeTab, files: Route) -> None:
        with self._looking:
            while True:
                await self._take(await tab.hear(), tab, files)

    async def _take(self, frame: Mapping[str, Any], tab: FakeTab, files: Route) -> None:
        match frame:
            case {"t": "accepted", "id": name}:
                self._accepted.add(name)
            case {"t": "message", "item": item}:
                self._shown.append(await self._show(item, files))
                tab.say(t="ack", item=item["item_id"])
            case {"t": "draft", "html": html}:
                self._drafts.append(html.removeprefix("<p>").removesuffix("</p>\n"))
            case {"t": "typing", "on": True}:
                self._typed += 1

    async def _show(self, item: Mapping[str, Any], files: Route) -> Shown:
        bodies = [(await files.handler(Request("GET", file["ref"]))).body for file in item["files"]]
        return Shown(item["item_id"], item["text"], item["reply_to"], files=tuple(bodies))

    async def say(self, text: str) -> None:
        self._said += 1
        self._tab.say(t="send", id=self.message_id(), text=text)

    async def repeat(self) -> None:
        self._tab.say(t="send", id=self.message_id(), text="hello")

    def message_id(self) -> str:
        return f"c{self._said}"

    def unacknowledged(self) -> int:
        return self._said - len(self._accepted)

    def read(self) -> Sequence[Shown]:
        return self._shown

    async def break_sending(self, fault: SendFault) -> None:
        """Nobody has the page open."""
        self._looking.cancel()
        await trio.testing.wait_all_tasks_blocked()
        self._tab.leave()
        while self._adapter.room(self.chat):
            await trio.sleep(0.001)

    def drafts(self) -> Sequence[str]:
        return self._drafts

    def typed(self) -> int:
        return self._typed


class TestWebChat(AdapterConformance):
    subject_type = WebChatSubject
