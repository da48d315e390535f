"""The API server as an adapter: a request is a message, and waits for the answer to it.

    POST /v1/chat/completions ─ read ─▶ accept (one commit) ─▶ Waiting ◀─ draft, send ── lane
                                                                  └─ written, or nobody waits any more: stored

A client that leaves stops what it has asked for, by the same ``/stop`` that a person would send.
"""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import trio

from hermes.platforms.api_server import wire
from hermes.platforms.api_server.entry import ENTRY
from hermes.platforms.api_server.waiting import Waiting
from hermes.registry.entry import AdapterSetup
from hermes.sessions.ids import new_trace_id
from hermes.types import faults
from hermes.types.content import Draft, Part, SendResult, answered
from hermes.types.errors import STORED, Failure, SendError
from hermes.types.events import ONCE, EventKind, InboundEvent
from hermes.types.origin import Origin
from hermes.types.ports import (
    AdapterIO,
    Mount,
    Request,
    Response,
    ResponseStream,
    Route,
    StreamRoute,
    TaskStatus,
)

PLATFORM = ENTRY.name
USER = "api"
"""Whoever has the key."""

MOST_AT_ONCE = 10
ACCEPT_DEADLINE_S = 5.0
ANSWER_DEADLINE_S = 3600.0
"""For what never ends in any other way: a turn has its own deadline, but an approval stops that clock."""

KEEP_ALIVE_S = 15.0
LOOK_S = 5.0
ID_HEX_DIGITS = 24

STOP = wire.Order("/stop")

_log = logging.getLogger("hermes.api_server")


class ApiServer:
    """Implements ``ports.Adapter`` and ``ports.Drafts``."""

    platform = PLATFORM
    capabilities = ENTRY.capabilities

    def __init__(self, setup: AdapterSetup) -> None:
        config = setup.config
        self._clock = setup.clock
        self._ids = setup.ids
        self._key = config.text("key")
        self._model = config.text("model_name") or wire.MODEL
        self._most = config.number("max_concurrent_runs", MOST_AT_ONCE) or math.inf
        self._io: AdapterIO | None = None
        self._waiting: dict[str, Waiting] = {}
        self._left, self._to_stop = trio.open_memory_channel[str](math.inf)
        self._began_at = self._clock.wall()

    def routes(self) -> Sequence[Mount]:
        """The two that every client knows."""
        return (
            StreamRoute("/v1/chat/completions", "key", self._complete, key=self._key),
            Route("/v1/models", "key", self._models, key=self._key),
        )

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """There is nothing to log in to: ready at once."""
        self._io = io
        if not self._key:
            _log.warning("no API_SERVER_KEY is set: every program of this machine may speak to the agent")
        task_status.started()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_for_those_who_left, io)
                nursery.start_soon(self._look_for_ends, io)
        finally:
            self._io = None

    async def disconnect(self) -> None:
        """Requests that wait end with their routes."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Hand ``part`` to the requests it answers, and return once the last one of its message is written to one of them.

        It is called as the first of them. Raises ``SendError`` (``stored``, ``not_sent``) where nobody waits for it: whoever left
        does not come back for it.
        """
        names = answered(reply_to, metadata)
        audience = {name: self._waiting[name] for name in names if name in self._waiting}
        for one in audience.values():
            one.add(part, metadata)
        if part.index + 1 == part.total:
            for one in audience.values():
                await one.over.wait()
            audience = {name: one for name, one in audience.items() if one.written}
        await trio.lowlevel.checkpoint()
        if not audience:
            raise SendError(Failure(STORED, detail="nobody waits for it"), "not_sent")
        return SendResult(next(iter(audience)))

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """See ``ports.Drafts``."""
        if one := self._waiting.get(draft.reply_to or ""):
            one.grow(draft.text)
        await trio.lowlevel.checkpoint()

    async def _stop_for_those_who_left(self, io: AdapterIO) -> None:
        async for chat_id in self._to_stop:
            if chat_id not in self._chats():
                await io.accept([self._event(io, chat_id, self._new_name("stop"), STOP, kind="command")])

    async def _look_for_ends(self, io: AdapterIO) -> None:
        """A message may end without a word: stopped from elsewhere, or taken away by a hook."""
        while True:
            await trio.sleep(LOOK_S)
            rows = {one.row_id: one for one in self._waiting.values() if one.row_id is not None}
            for row_id in await io.unanswered(rows.keys()) if rows else ():
                if rows[row_id].answer is None:
                    rows[row_id].end(wire.NO_ANSWER)

    # --- requests ---------------------------------------------------------------------------------------------------------

    async def _models(self, _request: Request) -> Response:
        await trio.lowlevel.checkpoint()
        return wire.models(self._model, self._began_at)

    async def _complete(self, request: Request, out: ResponseStream) -> Response | None:
        """One request, from its body to the last byte of its answer."""
        try:
            order = wire.read(request)
        except wire.Refused as refused:
            return refused.response
        if len(self._waiting) >= self._most:
            words = f"{len(self._waiting)} requests are being answered already; please try again."
            return wire.error(429, "too_many_requests", words, headers={"Retry-After": "5"})
        name = self._new_name("chatcmpl")
        waiting = Waiting(order.session_id or name)
        said = wire.Completion(name, self._clock.wall(), order)
        answer: Response | None = None
        with self._waits(name, waiting):
            async with trio.open_nursery() as nursery:

                async def watch() -> None:
                    await out.gone()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(watch)
                answer = await self._answer(said, waiting, out)
                nursery.cancel_scope.cancel()
        return answer

    async def _answer(self, said: wire.Completion, waiting: Waiting, out: ResponseStream) -> Response | None:
        io = self._io
        if io is None:
            return wire.error(503, "starting", "Not up yet; please try again.", headers={"Retry-After": "5"})
        with trio.move_on_after(ACCEPT_DEADLINE_S):
            event = self._event(io, waiting.chat_id, said.completion_id, said.order)
            faults.point("after_decode")
            (accepted,) = await io.accept([event])
            waiting.row_id = accepted.row_id
        if waiting.row_id is None:
            # It may be taken in all the same, and is then stopped as if its client had left.
            words = "Nothing is taken in just now; please try again."
            return wire.error(503, "paused", words, headers={"Retry-After": "5"})
        headers = {wire.SESSION_HEADER: waiting.chat_id}
        with trio.move_on_after(ANSWER_DEADLINE_S):
            return await (self._stream if said.order.stream else self._whole)(said, waiting, out, headers)
        return wire.error(504, "timeout", "There was no answer in time.", headers=wire.NO_RETRY)

    async def _whole(
        self, said: wire.Completion, waiting: Waiting, out: ResponseStream, headers: Mapping[str, str]
    ) -> Response:
        while waiting.answer is None:
            await waiting.news()
        waiting.written = True
        response = waiting.answer.failure or said.whole(waiting.answer)
        return wire.with_headers(response, headers)

    async def _stream(
        self, said: wire.Completion, waiting: Waiting, out: ResponseStream, headers: Mapping[str, str]
    ) -> Response | None:
        """Begun with the first thing there is to say, so that what fails before has a status of its own."""
        sent, begun = "", False
        while True:
            with trio.move_on_after(KEEP_ALIVE_S) as silence:
                await waiting.news()
            answer = waiting.answer
            failure = answer.failure if answer else None
            if failure and not begun:
                waiting.written = True
                return wire.with_headers(failure, headers)
            if not begun:
                await out.begin(wire.with_headers(wire.STREAM, headers))
                await out.send(said.role())
                begun = True
            if failure:
                await out.send(wire.failed(failure))
            elif answer:
                rest = wire.addition(sent, answer.text)
                await out.send((said.content(rest) if rest else b"") + said.end(answer))
            elif more := wire.growth(sent, waiting.draft):
                sent += more
                await out.send(said.content(more))
            elif silence.cancelled_caught:
                await out.send(wire.KEEP_ALIVE)
            if answer:
                waiting.written = True
                return None

    @contextmanager
    def _waits(self, name: str, waiting: Waiting) -> Iterator[None]:
        self._waiting[name] = waiting
        try:
            yield
        finally:
            del self._waiting[name]
            waiting.over.set()
            # Who shares the conversation still waits for what this one has asked, too.
            if waiting.answer is None and waiting.chat_id not in self._chats():
                self._left.send_nowait(waiting.chat_id)

    def _chats(self) -> set[str]:
        return {one.chat_id for one in self._waiting.values()}

    def _new_name(self, prefix: str) -> str:
        return f"{prefix}-{self._ids.token(ID_HEX_DIGITS)}"

    def _event(
        self, io: AdapterIO, chat_id: str, name: str, order: wire.Order, kind: EventKind = "message"
    ) -> InboundEvent:
        return InboundEvent(
            event_id=name,
            origin=Origin(PLATFORM, chat_id, account=io.account, user_id=USER),
            text=order.text,
            received_at=self._clock.wall(),
            trace=new_trace_id(self._ids),
            kind=kind,
            message_id=name,
            attachments=order.images,
            earlier=order.earlier,
            mentions_bot=True,
            extra={} if order.session_id else {ONCE: ""},
        )
