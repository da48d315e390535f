"""A chat platform outside the gateway's process, with people in it and faults on demand; and the adapter that speaks to it.

    FakePlatform ── 127.0.0.1, one line of JSON each way per connection ──▶ WireAdapter ──▶ the gateway

The platform survives the gateway's death, and so it can tell what its people have seen. It is bounded: what it keeps of the
past is cut at ``KEPT``.

A fault is planned for the next call of a kind and strikes once:

    Status(429, retry_after=3)   answered, and not done               Hang()            neither answered nor closed
    Delay(2.0)                   done and answered, later             HalfClose()       done; the answer is an end of file
    Reset(acted=False)           cut off before anything is done      Reset(acted=True) done, then cut off without an answer
"""

import json
import os
import struct
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Literal, assert_never

import trio

from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import RATE_LIMITED, SEND_UNCONFIRMED, Failure, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import DEFAULT_ACCOUNT, Origin
from hermes.types.ports import AdapterIO, Mount, TaskStatus

PLATFORM = "wire"
ADDRESS_VARIABLE = "HERMES_FAKE_PLATFORM"
"""``PORT[,idempotent]``: where the platform listens on 127.0.0.1, for a gateway that runs with faults."""

KEPT = 100_000
LINE_BYTES = 1_000_000
POLL_S = 20.0
CALL_DEADLINE_S = 10.0
OK = 200
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500

Kind = Literal["send", "draft", "typing", "poll"]


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
        try:
            request = await _line(stream)
            if not request:
                return
            call = json.loads(request)
            kind: Kind = call["kind"]
            if not self._reachable:
                _reset(stream)
                return
            self.calls.append(Call(trio.current_time(), kind, call.get("chat", "")))
            fault = self._faults[kind].popleft() if self._faults[kind] else None
            await self._answer(stream, kind, call, fault)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the gateway was killed, or gave up

    async def _answer(
        self, stream: trio.SocketStream, kind: Kind, call: Mapping[str, Any], fault: Fault | None
    ) -> None:
        match fault:
            case None:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_until_closed, stream, nursery.cancel_scope)
                    await _say(stream, await self._act(kind, call))
                    nursery.cancel_scope.cancel()
            case Status(code, retry_after, scope):
                await _say(stream, {"status": code, "retry_after": retry_after, "scope": scope})
            case Delay(seconds):
                answer = await self._act(kind, call)
                await trio.sleep(seconds)
                await _say(stream, answer)
            case Hang():
                await stream.receive_some()
            case HalfClose():
                await self._act(kind, call)
                await stream.send_eof()
                await stream.receive_some()
            case Reset(acted):
                if acted:
                    await self._act(kind, call)
                _reset(stream)
            case _:
                assert_never(fault)

    async def _act(self, kind: Kind, call: Mapping[str, Any]) -> dict[str, Any]:
        match kind:
            case "send":
                return {"status": OK, "message_id": self._show(call)}
            case "poll":
                return {"status": OK, "events": await self._poll(call["after"], call.get("wait_s", POLL_S))}
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

    async def _poll(self, after: int, wait_s: float) -> list[dict[str, Any]]:
        """What has come after event ``after``, at once or within ``wait_s``. Two polls at once are two lives of an adapter."""
        self.polls += 1
        self.most_polls = max(self.most_polls, self.polls)
        try:
            with trio.move_on_after(wait_s):
                while self._reachable and not any(event["n"] > after for event in self._events):
                    await self._news.wait()
            return [event for event in self._events if event["n"] > after][:100]
        finally:
            self.polls -= 1


# --- the adapter -------------------------------------------------------------------------------------------------------


class WireAdapter:
    """Implements ``ports.Adapter`` for a ``FakePlatform``: a poll at a time, its cursor moved only after the commit.

    The cursor is memory: after a restart everything the platform still has comes again, and is dropped as known.
    """

    platform = PLATFORM

    def __init__(
        self,
        port: int,
        *,
        idempotent: bool = False,
        account: str = DEFAULT_ACCOUNT,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.capabilities = Capabilities(
            max_length=4096, idempotent_send=idempotent, send_timeout_s=2 * CALL_DEADLINE_S
        )
        self._port = port
        self._account = account
        self._now = now

    def routes(self) -> Sequence[Mount]:
        """None."""
        return ()

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """Poll until cancelled, the first time without waiting; raise what goes wrong."""
        after = -1
        started = False
        while True:
            request = {"kind": "poll", "after": after, "wait_s": POLL_S if started else 0.0}
            answer = await self._call(request, POLL_S + CALL_DEADLINE_S)
            io.beat()
            if not started:
                started = True
                task_status.started()
            events = answer["events"]
            if events:
                await io.accept([self._event(event) for event in events])
                after = events[-1]["n"]

    async def disconnect(self) -> None:
        """There is nobody to say goodbye to."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """One connection for one part."""
        key = f"{part.delivery_id}/{part.index}"
        request = {"kind": "send", "chat": chat_id, "text": part.text, "key": key, "reply_to": reply_to}
        answer = await self._call(request, CALL_DEADLINE_S)
        return SendResult(answer["message_id"])

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """See ``ports.Drafts``."""
        await self._call({"kind": "draft", "chat": chat_id, "text": draft.text}, CALL_DEADLINE_S)

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> None:
        """See ``ports.Typing``."""
        await self._call({"kind": "typing", "chat": chat_id, "on": on}, CALL_DEADLINE_S)

    def _event(self, event: Mapping[str, Any]) -> InboundEvent:
        return InboundEvent(
            event_id=event["event"],
            origin=Origin(PLATFORM, event["chat"], account=self._account, user_id=event["user"]),
            text=event["text"],
            received_at=self._now(),
            trace=TraceId(f"wire-{event['event']}"),
            message_id=event["event"],
        )

    async def _call(self, request: Mapping[str, Any], deadline_s: float) -> dict[str, Any]:
        """One request. Raises ``SendError``, with the phase that its connection had come to."""
        try:
            with trio.fail_after(deadline_s):
                stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        except (OSError, trio.TooSlowError) as error:
            raise SendError(Failure("connect_failed", detail=str(error)), "not_sent") from error
        try:
            with trio.fail_after(deadline_s):
                async with stream:
                    await stream.send_all(json.dumps(request).encode() + b"\n")
                    line = await _line(stream)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError) as error:
            raise SendError(Failure(SEND_UNCONFIRMED, detail=type(error).__name__), "unknown") from error
        if not line:
            raise SendError(Failure(SEND_UNCONFIRMED, detail="no answer"), "unknown")
        answer: dict[str, Any] = json.loads(line)
        if answer["status"] == TOO_MANY_REQUESTS:
            raise SendError(
                Failure(RATE_LIMITED, scope=answer["scope"], retry_after=answer["retry_after"]), "not_sent"
            )
        if answer["status"] >= SERVER_ERROR:
            raise SendError(Failure("server_error", retry_after=answer["retry_after"]), "not_sent")
        if answer["status"] != OK:
            raise SendError(Failure("refused", "needs_operator", detail=str(answer["status"])), "not_sent")
        return answer


def from_environment() -> Sequence[Callable[[], WireAdapter]]:
    """What makes the adapter that ``ADDRESS_VARIABLE`` asks for, if it is set."""
    where, _, word = os.environ.get(ADDRESS_VARIABLE, "").partition(",")
    return (partial(WireAdapter, int(where), idempotent=word == "idempotent"),) if where else ()


async def _line(stream: trio.abc.ReceiveStream) -> bytes:
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
    with suppress(trio.BrokenResourceError):
        await stream.receive_some()
    call.cancel()


async def _say(stream: trio.SocketStream, answer: Mapping[str, Any]) -> None:
    await stream.send_all(json.dumps(answer).encode() + b"\n")


def _reset(stream: trio.SocketStream) -> None:
    stream.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()
