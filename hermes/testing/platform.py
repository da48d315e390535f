"""A chat platform outside the gateway's process, with people in it and faults on demand.

    FakePlatform ── 127.0.0.1, one line of JSON each way per connection ──▶ hermes.testing.wire ──▶ the gateway

The platform survives the gateway's death, and so it can tell what its people have seen. It is bounded: what it keeps of the
past is cut at ``KEPT``.

A fault is planned for the next call of a kind and strikes once:

    Status(429, retry_after=3)   answered, and not done               Hang()            neither answered nor closed
    Delay(2.0)                   done and answered, later             HalfClose()       done; the answer is an end of file
    Reset(acted=False)           cut off before anything is done      Reset(acted=True) done, then cut off without an answer
"""

import json
import struct
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Literal, assert_never

import trio

PLATFORM = "wire"
KEPT = 100_000
LINE_BYTES = 1_000_000
POLL_S = 20.0
OK = 200
NOT_FOUND = 404

Kind = Literal["send", "edit", "delete", "draft", "typing", "poll"]

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)
"""The gateway was killed, or gave up."""


@dataclass(frozen=True, slots=True)
class Status:
    """Answer with an error; ``scope`` says what ``retry_after`` holds for."""

    code: int
    retry_after: float | None = None
    scope: Literal["chat", "adapter"] = "chat"


@dataclass(frozen=True, slots=True)
class Delay:
    """Do it, and answer after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Do nothing and say nothing, until the other side gives up."""


@dataclass(frozen=True, slots=True)
class HalfClose:
    """Do it, and close this direction without an answer."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Cut the connection off, before or after it is done."""

    acted: bool


Fault = Status | Delay | Hang | HalfClose | Reset


@dataclass(frozen=True, slots=True)
class Call:
    """A call that came in, whatever became of it; ``at`` is in Trio's time."""

    at: float
    kind: Kind
    chat: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as the people of a chat see it. ``key`` names the part, so that a second copy can be told from a first."""

    chat: str
    text: str
    key: str
    message_id: str
    reply_to: str | None


class FakePlatform:
    """The platform. ``idempotent``: it drops a second copy of the same part, as the adapter's capabilities then say."""

    def __init__(self, *, idempotent: bool = False) -> None:
        self.idempotent = idempotent
        self.port = 0
        self.calls: deque[Call] = deque(maxlen=KEPT)
        self.seen: deque[Seen] = deque(maxlen=KEPT)
        self.polls = 0
        self.most_polls = 0
        self.connections = 0
        self.connections_ever = 0
        self.acknowledged = -1
        """The last event that a poll said it has."""
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._faults: defaultdict[Kind, deque[Fault]] = defaultdict(deque)
        self._keys: dict[str, str] = {}
        self._written = 0
        self._delivered = 0
        self._shown = 0
        self._news = trio.Event()
        self._reachable = True

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator["FakePlatform"]:
        """Serve on 127.0.0.1 until the block is left."""
        async with trio.open_nursery() as nursery:
            serve = partial(trio.serve_tcp, self.serve, port, host="127.0.0.1")
            listeners = await nursery.start(serve)
            self.port = listeners[0].socket.getsockname()[1]
            yield self
            nursery.cancel_scope.cancel()

    # --- its people ----------------------------------------------------------------------------------------------------

    def write(self, chat: str, text: str, *, user: str | None = None) -> str:
        """Somebody writes; returns the id of the message."""
        self._written += 1
        name = f"e{self._written}"
        event = {
            "id": self._written,
            "event": name,
            "chat": chat,
            "user": user or f"user-{chat}",
            "text": text,
        }
        self._deliver(event)
        return name

    def garble(self) -> None:
        """Deliver an event that says nothing but its name."""
        self._written += 1
        self._deliver({"id": self._written, "event": f"e{self._written}"})

    def repeat(self, name: str) -> None:
        """Deliver an event once more, as platforms do after a reconnect."""
        self._deliver(next(event for event in self._events if event["event"] == name))

    def read(self, chat: str) -> list[str]:
        """What the people of ``chat`` see, oldest first."""
        return [seen.text for seen in self.seen if seen.chat == chat]

    def _deliver(self, event: Mapping[str, Any]) -> None:
        self._events.append(dict(event) | {"n": self._delivered})
        self._delivered += 1
        self._news.set()
        self._news = trio.Event()

    # --- what goes wrong -----------------------------------------------------------------------------------------------

    def plan(self, kind: Kind, *faults: Fault) -> None:
        """Have the next calls of ``kind`` go wrong, one each."""
        self._faults[kind].extend(faults)

    @property
    def unacknowledged(self) -> int:
        """Events that no poll has said it has."""
        return self._delivered - 1 - self.acknowledged

    @property
    def planned(self) -> int:
        """Faults that have not struck yet."""
        return sum(map(len, self._faults.values()))

    def cut_off(self, *, reachable: bool) -> None:
        """Pull the plug, or put it back: while it is out, every connection is reset before anything is done."""
        self._reachable = reachable
        self._news.set()
        self._news = trio.Event()

    # --- the wire ------------------------------------------------------------------------------------------------------

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection: one request, one answer."""
        self.connections += 1
        self.connections_ever += 1
        try:
            await self._serve(stream)
        finally:
            self.connections -= 1

    async def _serve(self, stream: trio.SocketStream) -> None:
        try:
            request = await read_line(stream)
            if not request:
                return
            call = json.loads(request)
            kind: Kind = call["kind"]
            if not self._reachable:
                reset(stream)
                return
            self.calls.append(Call(trio.current_time(), kind, call.get("chat", "")))
            fault = self._faults[kind].popleft() if self._faults[kind] else None
        except _GONE:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_closed, stream, nursery.cancel_scope)
            with suppress(*_GONE):
                await self._answer(stream, kind, call, fault)
            nursery.cancel_scope.cancel()

    async def _answer(
        self, stream: trio.SocketStream, kind: Kind, call: Mapping[str, Any], fault: Fault | None
    ) -> None:
        match fault:
            case None:
                await _say(stream, await self._act(kind, call))
            case Status(code, retry_after, scope):
                await _say(stream, {"status": code, "retry_after": retry_after, "scope": scope})
            case Delay(seconds):
                answer = await self._act(kind, call)
                await trio.sleep(seconds)
                await _say(stream, answer)
            case Hang():
                await trio.sleep_forever()
            case HalfClose():
                await self._act(kind, call)
                await stream.send_eof()
                await trio.sleep_forever()
            case Reset(acted):
                if acted:
                    await self._act(kind, call)
                reset(stream)
            case _:
                assert_never(fault)

    async def _act(self, kind: Kind, call: Mapping[str, Any]) -> dict[str, Any]:
        match kind:
            case "send":
                return {"status": OK, "message_id": self._show(call)}
            case "poll":
                return {"status": OK, "events": await self._poll(call["after"], call.get("wait_s", POLL_S))}
            case "edit":
                return {"status": OK if self._change(call["message_id"], call["text"]) else NOT_FOUND}
            case "delete":
                return {"status": OK if self._change(call["message_id"], None) else NOT_FOUND}
            case "draft" | "typing":
                return {"status": OK}
            case _:
                assert_never(kind)

    def _show(self, call: Mapping[str, Any]) -> str:
        key = call["key"]
        if self.idempotent and key in self._keys:
            return self._keys[key]
        self._shown += 1
        message_id = f"m{self._shown}"
        self._keys[key] = message_id
        if len(self._keys) > KEPT:
            del self._keys[next(iter(self._keys))]
        self.seen.append(Seen(call["chat"], call["text"], key, message_id, call["reply_to"]))
        return message_id

    def _change(self, message_id: str, text: str | None) -> bool:
        """Have a message say ``text`` from now on, or nothing, and be gone; False if there is none."""
        for place, seen in enumerate(self.seen):
            if seen.message_id == message_id:
                if text is None:
                    del self.seen[place]
                else:
                    self.seen[place] = replace(seen, text=text)
                return True
        return False

    async def _poll(self, after: int, wait_s: float) -> list[dict[str, Any]]:
        """What has come after event ``after``, at once or within ``wait_s``. Two polls at once are two lives of an adapter."""
        self.acknowledged = max(self.acknowledged, after)
        self.polls += 1
        self.most_polls = max(self.most_polls, self.polls)
        try:
            with trio.move_on_after(wait_s):
                while self._reachable and not any(event["n"] > after for event in self._events):
                    await self._news.wait()
            return [event for event in self._events if event["n"] > after][:100]
        finally:
            self.polls -= 1


async def read_line(stream: trio.abc.ReceiveStream) -> bytes:
    """Everything up to a newline; empty if the other side closes before."""
    buffer = bytearray()
    while not buffer.endswith(b"\n"):
        received = await stream.receive_some()
        if not received or len(buffer) > LINE_BYTES:
            return b""
        buffer += received
    return bytes(buffer)


async def _until_closed(stream: trio.SocketStream, call: trio.CancelScope) -> None:
    """A caller that has died waits for nothing any more."""
    with suppress(*_GONE):
        await stream.receive_some()
    call.cancel()


async def _say(stream: trio.SocketStream, answer: Mapping[str, Any]) -> None:
    await stream.send_all(json.dumps(answer).encode() + b"\n")


def reset(stream: trio.SocketStream) -> None:
    """Cut a connection off, as a host does that has gone."""
    stream.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()
