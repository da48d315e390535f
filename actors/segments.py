"""The messages of streams: sent, edited and taken back, each call by leave of the limits and each send after a commit.

opening ─▶ send ─▶ open        a crash in between leaves ``opening``: it may be there, and nobody knows its name
"""

import math
from dataclasses import dataclass, field, replace
from functools import partial

import trio

from actors.cutting import aside
from actors.pace import Pace
from actors.ports.services import Services
from actors.ports.wire import Wire
from hermes.delivery import plan, stream
from hermes.delivery.stream import Fate, Stream
from hermes.store.stream_ops import DropStream, KeepStream, OpenStream
from hermes.types import texts
from hermes.types.content import Draft, Outbound, Part, SendResult
from hermes.types.errors import SendError
from hermes.types.ids import DeliveryId
from hermes.types.origin import LaneKey


@dataclass(slots=True)
class Live:
    """What a lane knows of one stream. ``row``: what the store knows, once a message of it was begun.

    ``seen`` is what each segment shows, None where that is not known; ``text`` what of the answer they show, all of it if
    ``complete``; both as of ``shown_at``. ``due_at``: when there may be something to do. ``covered``: something else has come
    below it. Times are Trio's.
    """

    name: DeliveryId
    interval_s: float
    row: Stream | None = None
    fate: Fate = "writing"
    draft: Draft | None = None
    seen: list[Part | None] = field(default_factory=list)
    text: str = ""
    complete: bool = False
    shown_at: float = -math.inf
    due_at: float = math.inf
    strikes: int = 0
    broken: bool = False
    covered: bool = False

    @property
    def gave_up(self) -> bool:
        """It is left alone until its answer is complete."""
        return self.broken or self.strikes >= stream.MOST_STRIKES

    def now_is(self, row: Stream) -> None:
        """What the store knows from now on."""
        self.row = row
        del self.seen[len(row.segments) :]

    def end(self) -> None:
        """Its turn is no more: what is left is tidied up soon."""
        if self.fate != "over":
            self.fate, self.strikes = "over", 0
            self.due_at = max(trio.current_time(), self.shown_at + self.interval_s)


class Segments:
    """What can be done to the messages of one lane's streams. Failures cost the stream, and are never raised but where said."""

    def __init__(self, services: Services, lane: LaneKey, pace: Pace) -> None:
        self._services = services
        self._lane = lane
        self._platform, self._account, self._chat_id = lane.split(":", 2)
        self._pace = pace

    def is_written(self, live: Live) -> bool:
        """True as long as its turn shows something."""
        return live.draft is not None and self._services.delivery.is_written(self._lane, live.draft.draft_id)

    def may_call(self, live: Live) -> bool:
        """True if a call may be made now, and is; else ``live`` is due later."""
        if self._pace.may_show:
            self._pace.called()
            return True
        live.due_at = trio.current_time() + max(live.interval_s, self._pace.window_s)
        return False

    async def shown(self, draft: Draft) -> str:
        """What people see of ``draft``."""
        return await aside(self._services, draft.text, partial(stream.shown, draft.text))

    async def pieces(self, live: Live, text: str, cursor: str = "") -> tuple[Part, ...]:
        """``text`` as the segments show it."""
        call = partial(stream.pieces, self._message(live, text), self._pace.capabilities, cursor)
        return await aside(self._services, text, call)

    async def edit(self, live: Live, row: Stream, index: int, part: Part, wire: Wire) -> bool:
        """Have segment ``index`` show ``part``; False if it does not."""
        metadata = plan.metadata(self._message(live, ""))
        try:
            await wire.edit(self._chat_id, row.segments[index], part, metadata=metadata, final=False)
        except SendError as error:
            if error.phase == "unknown":
                live.seen[index] = None
            self._struck(live, error)
            return False
        live.seen[index] = part
        self._shown(live)
        return True

    async def open(self, live: Live, row: Stream, part: Part, wire: Wire) -> bool:
        """Begin one more segment, which shows ``part``; False if it does not, as far as anybody knows."""
        opening = row
        if row.state != "opening":
            opening = replace(row, state="opening", sends=row.sends + 1)
        store, now = self._services.store, self._services.clock.wall()
        chat = (self._platform, self._account, self._chat_id)
        if not await store.write(OpenStream(opening, *chat, self._services.boot_id, now)):
            live.draft = None  # its turn is over; what was shown of it is its answer's
            return False
        live.row = opening
        if self._pace.window_s > 0 or not self.is_written(live):
            return await self._unopened(live, row)
        try:
            result = await self.send(wire, opening, self._message(live, ""), part)
        except SendError as error:
            self._struck(live, error)
            if error.phase == "not_sent":
                return await self._unopened(live, row)
            if not self._pace.capabilities.idempotent_send:
                await self.keep(live, replace(opening, state="unknown"))
            return False
        self._shown(live)
        return await self.sent(live, opening, result, part)

    async def send(self, wire: Wire, opening: Stream, message: Outbound, part: Part) -> SendResult:
        """Under a name of its own: what the platform takes for its second copy must never be the answer. Raises ``SendError``."""
        name, index = DeliveryId(f"{opening.turn_id}:stream"), opening.sends - 1
        named = replace(part, delivery_id=name, index=index, total=index + 1)
        return await wire.send(
            self._chat_id, named, reply_to=message.reply_to, metadata=plan.metadata(message)
        )

    async def sent(self, live: Live, opening: Stream, result: SendResult, part: Part | None) -> bool:
        """It was sent; ``part`` None: what it shows is not known."""
        segments = (*opening.segments, result.message_id)
        live.seen.append(part)
        return await self.keep(live, replace(opening, state="open", segments=segments))

    async def take_back(self, live: Live, row: Stream, wire: Wire) -> None:
        """Delete the first message that is left over; where that cannot be, have it say that it counts no more."""
        if not self.may_call(live):
            return
        message_id, *others = row.leftover
        failure = await wire.delete(self._chat_id, message_id)
        if failure is not None and not stream.may_pass(failure):
            (note,) = await self.pieces(live, texts.STREAM_MOVED)
            metadata = plan.metadata(self._message(live, ""))
            self._pace.called()
            try:
                await wire.edit(self._chat_id, message_id, note, metadata=metadata, final=True)
                failure = None
            except SendError as error:
                failure = error.failure
        self._pace.shown(failure)
        self._shown(live)
        live.due_at = live.shown_at + max(live.interval_s, self._pace.window_s)
        if failure is not None and stream.may_pass(failure) and live.strikes < stream.MOST_STRIKES:
            live.strikes += 1
            others.insert(0, message_id)
        row = replace(row, leftover=tuple(others))
        if row.is_done and live.fate == "over":
            await self.drop(live, row)
        else:
            await self.keep(live, row)

    async def keep(self, live: Live, row: Stream) -> bool:
        """Commit what it is now; False, and forgotten, if it is gone: its person is."""
        if await self._services.store.write(KeepStream(row, self._services.clock.wall())):
            live.now_is(row)
            return True
        live.row = live.draft = None
        return False

    async def drop(self, live: Live, row: Stream) -> None:
        """It has served."""
        await self._services.store.write(DropStream(row))
        live.row = live.draft = None

    async def _unopened(self, live: Live, before: Stream) -> bool:
        """It did not leave: the stream is what it was."""
        if before.sends:
            await self.keep(live, before)
        else:
            await self._services.store.write(DropStream(before))
            live.row = None
        return False

    def _shown(self, live: Live) -> None:
        live.shown_at = trio.current_time()

    def _struck(self, live: Live, error: SendError) -> None:
        """A platform that has had enough is asked half as often; what fails otherwise is left alone."""
        self._pace.shown(error.failure)
        self._shown(live)
        if stream.is_flood(error.failure):
            live.strikes += 1
            live.interval_s *= 2
        else:
            live.broken = True
        live.due_at = live.shown_at + max(live.interval_s, self._pace.window_s)

    def _message(self, live: Live, text: str) -> Outbound:
        thread_id, reply_to = (live.draft.thread_id, live.draft.reply_to) if live.draft else (None, None)
        return Outbound(
            live.name,
            self._platform,
            self._account,
            self._chat_id,
            text,
            thread_id=thread_id,
            reply_to=reply_to,
        )
