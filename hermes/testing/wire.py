"""The adapter of a ``FakePlatform``, in the gateway that runs with faults."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import trio

from hermes.testing.platform import OK, PLATFORM, POLL_S, read_line
from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import RATE_LIMITED, SEND_UNCONFIRMED, Failure, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import DEFAULT_ACCOUNT, Origin
from hermes.types.ports import AdapterIO, Mount, TaskStatus

ADDRESS_VARIABLE = "HERMES_FAKE_PLATFORM"
"""``PORT[,idempotent]``: where the platform listens on 127.0.0.1."""

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


def from_environment() -> Sequence[Callable[[], WireAdapter]]:
    """What makes the adapter that ``ADDRESS_VARIABLE`` asks for, if it is set."""
    where, _, word = os.environ.get(ADDRESS_VARIABLE, "").partition(",")
    return (partial(WireAdapter, int(where), idempotent=word == "idempotent"),) if where else ()
