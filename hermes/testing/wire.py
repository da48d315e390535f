"""The adapter of a ``FakePlatform``, in the gateway that runs with faults."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import trio

from hermes.registry.entry import PlatformEntry
from hermes.testing.platform import OK, PLATFORM, POLL_S, read_line
from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import RATE_LIMITED, SEND_UNCONFIRMED, Failure, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import DEFAULT_ACCOUNT, Origin
from hermes.types.ports import AdapterIO, Mount, TaskStatus

ADDRESS_VARIABLE = "HERMES_FAKE_PLATFORM"
"""``PORT[,idempotent][,edits]``: where the platform listens on 127.0.0.1. ``edits``: it shows answers by edits, not by drafts."""

CALL_DEADLINE_S = 10.0
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


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
        edits: bool = False,
        account: str = DEFAULT_ACCOUNT,
        now: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
        call_deadline_s: float = CALL_DEADLINE_S,
    ) -> None:
        self.capabilities = Capabilities(
            max_length=4096,
            streaming=("edit",) if edits else ("draft",),
            idempotent_send=idempotent,
            send_timeout_s=2 * call_deadline_s,
        )
        self._port = port
        self._poll_s = poll_s
        self._call_deadline_s = call_deadline_s
        self._account = account
        self._now = now
        self.receive_deadline_s = poll_s + call_deadline_s

    def routes(self) -> Sequence[Mount]:
        """None."""
        return ()

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """Poll until cancelled, the first time without waiting; raise what goes wrong."""
        after = -1
        started = False
        while True:
            request = {"kind": "poll", "after": after, "wait_s": self._poll_s if started else 0.0}
            answer = await self._call(request, self._poll_s + self._call_deadline_s)
            io.beat()
            if not started:
                started = True
                task_status.started()
            events = answer["events"]
            if events:
                await self._hand_in(io, events)
                after = events[-1]["n"]

    async def disconnect(self) -> None:
        """There is nobody to say goodbye to."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """One connection for one part."""
        key = f"{part.delivery_id}/{part.index}"
        request = {"kind": "send", "chat": chat_id, "text": part.text, "key": key, "reply_to": reply_to}
        answer = await self._call(request, self._call_deadline_s)
        return SendResult(answer["message_id"])

    async def edit(
        self, chat_id: str, message_id: str, part: Part, *, metadata: Mapping[str, str], final: bool
    ) -> None:
        """See ``ports.Edits``."""
        request = {"kind": "edit", "chat": chat_id, "message_id": message_id, "text": part.text}
        await self._call(request, self._call_deadline_s)

    async def delete(self, chat_id: str, message_id: str) -> None:
        """See ``ports.Deletes``."""
        await self._call({"kind": "delete", "chat": chat_id, "message_id": message_id}, self._call_deadline_s)

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """See ``ports.Drafts``."""
        await self._call({"kind": "draft", "chat": chat_id, "text": draft.text}, self._call_deadline_s)

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> None:
        """See ``ports.Typing``."""
        await self._call({"kind": "typing", "chat": chat_id, "on": on}, self._call_deadline_s)

    async def _hand_in(self, io: AdapterIO, events: Sequence[Mapping[str, Any]]) -> None:
        readable = []
        for event in events:
            try:
                readable.append(self._event(event))
            except KeyError:
                await io.undecodable(event["event"], json.dumps(event).encode())
        if readable:
            await io.accept(readable)

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
                    line = await read_line(stream)
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


def from_environment() -> Sequence[PlatformEntry]:
    """The platform that ``ADDRESS_VARIABLE`` asks for, if it is set."""
    where, *words = os.environ.get(ADDRESS_VARIABLE, "").split(",")
    return (entry(int(where), idempotent="idempotent" in words, edits="edits" in words),) if where else ()


def entry(port: int, *, idempotent: bool = False, edits: bool = False) -> PlatformEntry:
    """The platform that listens on ``port``."""
    make = partial(WireAdapter, port, idempotent=idempotent, edits=edits)
    return PlatformEntry(
        name=PLATFORM,
        label="Fake platform",
        factory=lambda setup: make(account=setup.account, now=setup.clock.wall),
        capabilities=make().capabilities,
        plugin_name="hermes.testing",
        always=True,
    )
