"""A web chat client over a real web socket: what the page does, without the page.

It keeps every message until the gateway has accepted or refused it, reconnects for ever, sends again under the same id, acks each
answer, and remembers what a person would have seen, in that order. Protocol: ``hermes.net.clientlink``.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import httpx
import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

CONNECT_DEADLINE_S = 20.0
CLOSE_DEADLINE_S = 1.0
RECONNECT_PAUSE_S = 0.05


@dataclass(frozen=True)
class Answer:
    """A message of the agent as it first appeared on the page; ``live`` unless it came with a welcome. ``answers`` are the
    ids of the messages that wait no longer.
    """

    item_id: str
    text: str
    reply_to: str | None
    live: bool
    answers: tuple[str, ...] = ()


async def log_in(base_url: str, code: str) -> str:
    """Use up a one-time code; returns the Cookie header of the browser session. Any number of clients may share it."""
    async with httpx.AsyncClient(trust_env=False, timeout=CONNECT_DEADLINE_S) as http:
        response = await http.post(f"{base_url}/login", json={"code": code}, headers={"origin": base_url})
    response.raise_for_status()
    cookies = SimpleCookie(response.headers["set-cookie"])
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())


@asynccontextmanager
async def chat_socket(
    base_url: str, cookie: str, chat: str = "main", *, origin: str | None = None
) -> AsyncIterator[WebSocketConnection]:
    """An open socket of one chat, before its hello; ``origin`` stands in for the page's own.

    The TCP connection is ours: trio-websocket leaves one that the peer has cut to the garbage collector.
    """
    authority = base_url.removeprefix("http://")
    host, _, port = authority.rpartition(":")
    headers = [(b"origin", (origin or base_url).encode()), (b"cookie", cookie.encode())]
    async with await trio.open_tcp_stream(host, int(port)) as stream, trio.open_nursery() as nursery:
        with trio.fail_after(CONNECT_DEADLINE_S):
            socket = await wrap_client_stream(
                nursery, stream, authority, f"/chat/socket?chat={chat}", extra_headers=headers
            )
        yield socket
        with trio.move_on_after(CLOSE_DEADLINE_S):
            await socket.aclose()
        nursery.cancel_scope.cancel()


class WebChatClient:
    """One tab that shows one chat. ``run`` is its life; everything else may be called at any time."""

    def __init__(self, base_url: str, cookie: str, chat: str = "main") -> None:
        self.chat = chat
        self.answers: list[Answer] = []
        self.user_items: list[str] = []
        self.drafts: list[str] = []
        self.refused: dict[str, str] = {}
        self.problems: list[str] = []
        self.connects = 0
        self.boots: set[str] = set()
        self.last_trouble = ""
        self._base_url = base_url
        self._cookie = cookie
        self._unaccepted: dict[str, str] = {}
        self._sent = 0
        self._cursor: str | None = None
        self._texts: dict[str, str] = {}
        self._changed = trio.Event()

    def send(self, text: str) -> str:
        """Hand in a message, connected or not; returns its id."""
        self._sent += 1
        message_id = f"{self.chat}.{self._sent}"
        self._unaccepted[message_id] = text
        self._notify()
        return message_id

    @property
    def unaccepted(self) -> list[str]:
        """Ids of messages that the gateway has not said to be safe, in the order they were sent."""
        return list(self._unaccepted)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for a condition on this client; it is asked again after every frame."""
        while not true():
            await self._changed.wait()

    async def ask(self, text: str) -> str:
        """Send one message and return the text of the next answer; for a client that has nothing else on its way."""
        known = len(self.answers)
        self.send(text)
        await self.until(lambda: len(self.answers) > known)
        return self.answers[known].text

    async def run(self) -> None:
        """Be connected until cancelled."""
        while True:
            try:
                await self._connection()
            except* (
                OSError,
                HandshakeError,
                ConnectionClosed,
                trio.TooSlowError,
            ) as gone:
                self.last_trouble = repr(gone.exceptions)
            await trio.sleep(RECONNECT_PAUSE_S)

    async def _connection(self) -> None:
        async with chat_socket(self._base_url, self._cookie, self.chat) as socket:
            self.connects += 1
            await _write(socket, t="hello", client=f"e2e {self.chat}", since=self._cursor)
            welcomed = trio.Event()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_unaccepted, socket, welcomed)
                await self._read(socket, welcomed)

    async def _write_unaccepted(self, socket: WebSocketConnection, welcomed: trio.Event) -> None:
        """Everything that is not safe yet, once in this connection and in the order it was sent."""
        await welcomed.wait()
        written: set[str] = set()
        while True:
            changed = self._changed
            for message_id, text in list(self._unaccepted.items()):
                if message_id not in written:
                    written.add(message_id)
                    await _write(socket, t="send", id=message_id, text=text)
            await changed.wait()

    async def _read(self, socket: WebSocketConnection, welcomed: trio.Event) -> None:
        while True:
            frame = json.loads(await socket.get_message())
            match frame["t"]:
                case "welcome":
                    self.boots.add(frame["boot"])
                    self._cursor = frame["cursor"]
                    for item in frame["items"]:
                        self._show(item, live=False)
                    welcomed.set()
                case "accepted":
                    self._unaccepted.pop(frame["id"], None)
                case "refused":
                    self._unaccepted.pop(frame["id"], None)
                    self.refused[frame["id"]] = frame["message"]
                case "message":
                    self._show(frame["item"], live=True)
                    await _write(socket, t="ack", item=frame["item"]["item_id"])
                case "draft":
                    self.drafts.append(frame["html"])
                case "said":
                    self._show(frame["item"], live=True)
                case "pong" | "typing":
                    pass
                case _:
                    self.problems.append(f"unexpected frame: {frame}")
            self._notify()

    def _show(self, item: dict[str, Any], *, live: bool) -> None:
        item_id, text = item["item_id"], item["text"]
        if self._texts.setdefault(item_id, text) != text:
            self.problems.append(f"{item_id} was {self._texts[item_id]!r} and is now {text!r}")
        elif item["role"] == "user":
            if item_id not in self.user_items:
                self.user_items.append(item_id)
        elif all(answer.item_id != item_id for answer in self.answers):
            self.answers.append(Answer(item_id, text, item.get("reply_to"), live, tuple(item["answers"])))

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


async def _write(socket: WebSocketConnection, **frame: str | None) -> None:
    await socket.send_message(json.dumps(frame))
