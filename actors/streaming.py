"""What a lane shows of answers that are being written: by drafts, or by messages that it edits (hermes.delivery.stream).

    turn ─ draft ─▶ port ◀─ show, one call a stream and interval ── lane ─┬─ draft
                                                                          ├─ opening ─▶ send ─▶ open     each a commit
                                                                          └─ edit                        no commit
    the row of the answer ── settle ─▶ put: an edit in place of a send ─▶ receipt

Nothing is shown while a message waits. What fails here costs the answer its stream and nothing else.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import trio

from actors.pace import Pace
from actors.ports.services import Services
from actors.ports.wire import Wire
from actors.segments import Live, Segments
from hermes.delivery import plan, stream
from hermes.delivery.silence import may_become_silence
from hermes.delivery.stream import Stream
from hermes.store import ops, queries
from hermes.store.port import Reader
from hermes.store.stream_ops import ReceiptOfStream
from hermes.types import texts
from hermes.types.content import Draft, Outbound, Part, SendResult
from hermes.types.errors import SendError
from hermes.types.ids import DeliveryId, TurnId, answer_id, turn_of
from hermes.types.origin import LaneKey
from hermes.types.records import OutboxRow

log = logging.getLogger(__name__)

AWAY_S = 5.0
"""How soon an adapter that is away is looked for again."""


class Streaming:
    """The streams of one lane. Of its methods only ``show`` may lose something; the others serve the answers."""

    def __init__(
        self, services: Services, lane: LaneKey, pace: Pace, wire: Callable[[], Wire | None]
    ) -> None:
        self._services = services
        self._lane = lane
        self._platform, self._account, self._chat_id = lane.split(":", 2)
        self._pace = pace
        self._wire = wire
        self._segments = Segments(services, lane, pace)
        self._lives: dict[DeliveryId, Live] = {}
        self._adopted = False
        self._news_at = -math.inf

    # --- what the lane asks ----------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Something remains to be done, and can be."""
        wire = self._wire()
        return wire is not None and wire.up and self._rows

    @property
    def wake_at(self) -> float:
        """When to ``show``, in Trio's time."""
        at = min((live.due_at for live in self._lives.values()), default=math.inf)
        news = self._transport is not None and self._services.delivery.has_news(self._lane)
        return min(at, self._news_at) if news else at

    @property
    def looks(self) -> bool:
        """There may be streams in the store that are to be adopted."""
        return not self._pace.capabilities.own_page and (not self._adopted or self._rows)

    async def adopt(self, found: Sequence[tuple[Stream, stream.Fate]]) -> None:
        """What there is of streams in the store, and what has become of their turns."""
        self._adopted = True
        known = {row.delivery_id for row, _ in found}
        for gone in [name for name, live in self._lives.items() if live.row and name not in known]:
            del self._lives[gone]
        for row, fate in found:
            live = self._lives.setdefault(row.delivery_id, Live(row.delivery_id, self._interval_s))
            if live.row is None:
                live.row, live.seen = row, [None] * len(row.segments)
                if row.state == "opening" and not self._pace.capabilities.idempotent_send:
                    await self._segments.keep(live, replace(row, state="unknown"))  # whoever began it is gone
            if fate == "over":
                live.end()
            live.fate = fate

    async def show(self) -> None:
        """Show what is due, and tidy up what is over."""
        if trio.current_time() >= self._news_at:
            self._hear()
        for name, live in tuple(self._lives.items()):
            if self._lives.get(name) is live and live.due_at <= trio.current_time():
                await self._step(live)

    # --- what the answer asks --------------------------------------------------------------------------------------------

    async def settle(self, row: OutboxRow) -> Outbound:
        """What has yet to be said of the answer in ``row``; nothing more is shown of it before it is complete."""
        name = row.message.delivery_id
        self._services.delivery.drop_draft(self._lane, turn_of(name))
        live = self._lives.get(name)
        if live is None or live.row is None:
            return row.message
        settled = stream.before_answer(
            live.row,
            row.message,
            gave_up=live.gave_up,
            is_known=bool(live.text),
            parts_sent=row.parts_sent,
        )
        if settled != live.row:
            await self._segments.keep(live, settled)
        return stream.answer(settled, row.message)

    def needs_mark(self, row: OutboxRow, index: int, of_text: int) -> bool:
        """See ``hermes.delivery.stream``."""
        live = self._lives.get(row.message.delivery_id)
        known = None if live is None else live.row
        return stream.needs_mark(known, row, index, of_text, self._pace.capabilities)

    async def put(self, wire: Wire, row: OutboxRow, part: Part, of_text: int) -> SendResult | None:
        """Have ``part`` said by the message that has its place; None if there is none. Raises ``SendError``."""
        live = self._lives.get(row.message.delivery_id)
        if live is None or live.row is None:
            return None
        if live.row.state == "opening":
            # The platform drops a second copy of it: either way this is how the first one is called.
            opening = live.row
            result = await self._segments.send(wire, opening, row.message, part)
            if not await self._segments.sent(live, opening, result, None):
                return None
        message_id = stream.place(live.row, part.index, of_text)
        if message_id is None:
            return None
        if not stream.looks_like(live.seen[part.index], part):
            live.seen[part.index] = None
            metadata = plan.metadata(row.message)
            await wire.edit(self._chat_id, message_id, part, metadata=metadata, final=True)
            live.seen[part.index] = part
        return SendResult(message_id)

    async def gives_up(self, row: OutboxRow, part: Part, of_text: int, error: SendError) -> bool:
        """True if ``put`` has failed so that from ``part`` on the answer goes in new messages."""
        live = self._lives.get(row.message.delivery_id)
        if live is None or live.row is None or stream.place(live.row, part.index, of_text) is None:
            return False
        if not stream.ends_edits(row, part, error):
            return False
        log.warning("%s: an answer goes in new messages: %s", self._lane, error.failure)
        return await self._segments.keep(
            live, stream.given_up(live.row, part.index, doubt=error.phase == "unknown")
        )

    async def receipt(
        self, receipt: ops.Receipt, row: OutboxRow, part: Part, of_text: int
    ) -> tuple[bool, OutboxRow | None]:
        """Commit ``receipt`` of ``part``, with what it makes of the stream. As the operation, and the lane's next row then."""
        store, name = self._services.store, row.message.delivery_id
        live = self._lives.get(name)
        if live is None or live.row is None:
            return await store.write(ops.Then(receipt, self._next_row))
        after = stream.after_part(live.row, part, of_text)
        kept, following = await store.write(
            ops.Then(ReceiptOfStream(receipt, live.row, after), self._next_row)
        )
        if kept and after is None:
            del self._lives[name]
        elif kept and after is not None:
            live.now_is(after)
            if part.index + 1 == part.total:
                live.end()  # at once: nobody else wakes the lane for it
        return kept, following

    def _next_row(self, reader: Reader, _kept: bool) -> OutboxRow | None:
        return queries.next_open_row(reader, self._platform, self._account, self._chat_id)

    def came_between(self, message: Outbound) -> None:
        """``message`` was sent: what is said of other answers from now on goes below it."""
        for name, live in self._lives.items():
            elsewhere = live.draft is not None and live.draft.thread_id != message.thread_id
            live.covered |= name != message.delivery_id and not elsewhere

    # --- one step of one stream --------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        """Take note of what was written since; what is not written any more and was never shown is forgotten."""
        streaming, own_page = self._services.config.streaming, self._pace.capabilities.own_page
        patience_s = streaming.after_s if streaming.transport in ("auto", "off") and not own_page else 0.0
        self._news_at = trio.current_time() + self._interval_s
        drafts = {
            answer_id(TurnId(name)): one for name, one in self._services.delivery.drafts(self._lane).items()
        }
        for name in [name for name, live in self._lives.items() if live.row is None and name not in drafts]:
            del self._lives[name]
        for name, writing in drafts.items():
            live = self._lives.setdefault(name, Live(name, self._interval_s))
            if live.draft is not writing.draft:
                live.draft = writing.draft
                live.due_at = max(writing.began_at + patience_s, live.shown_at + live.interval_s)

    async def _step(self, live: Live) -> None:
        """At most one call, or two of a message that cannot be deleted."""
        live.due_at, wire = math.inf, self._wire()
        if live.fate == "answered":
            return  # soon enough: its row is on its way
        if wire is None or not wire.up:
            live.due_at = trio.current_time() + AWAY_S
        elif live.fate == "over":
            await self._end(live, wire)
        elif live.row is not None and live.row.segments and live.row.leftover:
            await self._segments.take_back(live, live.row, wire)
        elif live.draft is not None and self._segments.is_written(live):
            if self._transport == "draft":
                await self._draft(live, live.draft, wire)
            elif self._transport == "edit" and not live.gave_up:
                await self._write(live, live.draft, wire)

    async def _draft(self, live: Live, draft: Draft, wire: Wire) -> None:
        text = await self._segments.shown(draft)
        if text == live.text or may_become_silence(text):
            return
        if not self._segments.is_written(live) or not self._segments.may_call(live):
            return
        live.text, live.shown_at = text, trio.current_time()
        self._pace.shown(await wire.draft(self._chat_id, replace(draft, text=text)))

    async def _write(self, live: Live, draft: Draft, wire: Wire) -> None:
        """Bring the first segment up to date that is not, or begin one more."""
        row = live.row or Stream(live.name, "open")
        text, streaming = await self._segments.shown(draft), self._services.config.streaming
        rest = stream.rest(row, text)
        if row.state in ("closed", "unknown") or stream.is_held_back(text) or rest is None:
            return
        if live.covered and row.segments:
            await self._move_below(live, row, wire)
            return
        live.covered = False
        few = live.complete and abs(len(text) - len(live.text)) < streaming.buffer_threshold
        if few and trio.current_time() < live.shown_at + 2 * live.interval_s:
            live.due_at = math.inf if text == live.text else live.shown_at + 2 * live.interval_s
            return
        if not row.segments and stream.is_short(rest):
            return
        if not text.startswith(row.above):
            row = stream.begun_anew(row)
            if not await self._segments.keep(live, row):
                return
        wanted = await self._segments.pieces(live, rest, streaming.cursor)
        seen = [*live.seen, *[None] * len(wanted)]
        index = next((n for n, part in enumerate(wanted) if not stream.looks_like(seen[n], part)), None)
        if index is None:
            live.text, live.complete = text, True
            return
        if not self._segments.is_written(live) or not self._segments.may_call(live):
            return
        if index < len(row.segments):
            shown = await self._segments.edit(live, row, index, wanted[index], wire)
        else:
            shown = await self._segments.open(live, row, wanted[index], wire)
        if shown:
            live.text, live.complete = text, index + 1 == len(wanted)
            live.due_at = math.inf if live.complete else live.shown_at + live.interval_s

    async def _move_below(self, live: Live, row: Stream, wire: Wire) -> None:
        """Whole paragraphs stay above what has come between; the one that is being written goes on below it."""
        said = live.text if live.text.startswith(row.above) else row.above
        at = max(len(row.above), stream.whole_paragraphs(said))
        stays = said[len(row.above) : at]
        wanted = await self._segments.pieces(live, stays.lstrip("\n"))
        if not stays.strip() or len(wanted) > len(row.segments):
            stays, wanted = "", ()
        for index, part in enumerate(wanted):
            if not stream.looks_like(live.seen[index], part):
                if self._segments.may_call(live) and await self._segments.edit(live, row, index, part, wire):
                    live.due_at = live.shown_at + live.interval_s
                return
        live.covered = live.complete = False
        if await self._segments.keep(live, stream.moved_below(row, stays, len(wanted))):
            live.due_at = max(trio.current_time(), live.shown_at + live.interval_s)

    async def _end(self, live: Live, wire: Wire) -> None:
        """Its turn is no more: take the cursor away, and then what is said elsewhere."""
        row = live.row
        if row is None:
            return
        if row.segments and not live.gave_up:
            rest = stream.rest(row, live.text) if live.text else texts.STREAM_CUT_OFF
            wanted = await self._segments.pieces(live, rest or "")
            first = 0 if live.text else len(row.segments) - 1
            for index, part in enumerate(wanted[: len(row.segments) - first], first):
                if not stream.looks_like(live.seen[index], part):
                    if self._segments.may_call(live) and await self._segments.edit(
                        live, row, index, part, wire
                    ):
                        live.due_at = live.shown_at + live.interval_s
                    return
            row = replace(row, state="closed", segments=())
        elif row.segments:
            row = stream.given_up(row, 0)
        if row.leftover:
            await self._segments.take_back(live, row, wire)
        else:
            await self._segments.drop(live, row)

    # --- small words -------------------------------------------------------------------------------------------------------

    @property
    def _rows(self) -> bool:
        return any(live.row is not None for live in self._lives.values())

    @property
    def _transport(self) -> stream.Transport | None:
        return stream.transport(self._services.config, self._platform, self._pace.capabilities)

    @property
    def _interval_s(self) -> float:
        if self._transport == "draft":
            return self._pace.capabilities.draft_interval_s
        return self._services.config.streaming.edit_interval
