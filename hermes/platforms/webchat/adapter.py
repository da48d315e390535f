"""Web chat as an adapter: chats are rooms of browser tabs, the protocol is ``hermes.net.clientlink``.

tab ──send──▶ io.accept (one commit) ──▶ accepted          lane ──send──▶ every tab ──▶ first ack = receipt
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

import trio

from hermes.net import clientlink
from hermes.platforms.webchat.room import Room, Tab
from hermes.render.html import to_html
from hermes.sessions.ids import new_trace_id
from hermes.types import faults, texts
from hermes.types.content import Capabilities, Draft, Part, SendResult
from hermes.types.errors import (
    SEND_UNCONFIRMED,
    TOO_LARGE,
    UNREACHABLE,
    Failure,
    GatewayError,
    SendError,
    SocketClosed,
)
from hermes.types.events import InboundEvent
from hermes.types.ids import Clock, IdSource
from hermes.types.origin import Origin
from hermes.types.ports import AdapterIO, Request, Route, Socket, SocketRoute, TaskStatus
from hermes.types.records import FeedItem

PLATFORM = "webchat"
DEFAULT_CHAT = "main"
OPERATOR = "operator"

ACK_DEADLINE_S = 10.0
HELLO_DEADLINE_S = 10.0
FEED_DEADLINE_S = 20.0
IDLE_DEADLINE_S = 75.0
WAITING_SENDS = 64
PAGE_ITEMS = 100
INLINE_RENDER_CHARS = 4_000

GOING_AWAY, POLICY_VIOLATION, MESSAGE_TOO_BIG, TRY_AGAIN_LATER = 1001, 1008, 1009, 1013

_CHAT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_log = logging.getLogger("hermes.webchat")


End = tuple[int, str]
"""Why a connection is closed: a web-socket code and words for the client's log."""


class WebChat:
    """Implements ``ports.Adapter`` and ``ports.Drafts``. Whoever gets through the door is the operator."""

    platform = PLATFORM
    capabilities = Capabilities(
        max_length=1_000_000, authenticated=True, idempotent_send=True, history=True, draft_interval_s=0.1
    )

    def __init__(self, clock: Clock, ids: IdSource) -> None:
        self._clock = clock
        self._ids = ids
        self._io: AdapterIO | None = None
        self._rooms: dict[str, Room] = {}

    def routes(self) -> Sequence[Route | SocketRoute]:
        """One socket; ``?chat=`` names the chat."""
        return (SocketRoute("/chat/socket", "token", self._open),)

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """There is nothing to log in to: ready at once, and its end closes every tab's connection."""
        self._io = io
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self._io = None
            for room in self._rooms.values():
                room.close()

    async def disconnect(self) -> None:
        """Nobody has to be told: the tabs see their sockets close."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Show ``part`` in every tab of the chat; the first ack is the receipt.

        Raises ``SendError``: ``not_sent`` with no tab open, ``unknown`` when none has acked within ``ACK_DEADLINE_S``.
        """
        html = await _render(part.text)
        item = clientlink.Item(part.delivery_id, "agent", part.text, self._clock.wall(), html, reply_to)
        room = self._rooms.get(chat_id)
        if room is None:
            raise SendError(Failure(UNREACHABLE, scope="chat", detail="no page shows this chat"), "not_sent")
        if not await room.deliver(item, ACK_DEADLINE_S):
            raise SendError(Failure(SEND_UNCONFIRMED, scope="chat", detail="no page has acked it"), "unknown")
        return SendResult(part.delivery_id)

    async def draft(self, chat_id: str, draft: Draft) -> None:
        """Show the newest text in every tab that keeps up."""
        if chat_id in self._rooms:
            html = await _render(draft.text)
            if room := self._rooms.get(chat_id):
                room.hint(clientlink.Draft(draft.draft_id, draft.reply_to, html))

    async def _open(self, request: Request, socket: Socket) -> None:
        """One connection, from hello to its end. Returns when the client leaves; raises only what is a defect."""
        chat_id, io = request.query.get("chat", DEFAULT_CHAT), self._io
        if io is None:
            await socket.close(TRY_AGAIN_LATER, "starting")
        elif not _CHAT_ID.fullmatch(chat_id):
            await socket.close(POLICY_VIOLATION, "a chat's name is 1 to 64 letters, digits, _ and -")
        else:
            tab, end = Tab(socket), (GOING_AWAY, "connect again")
            with self._joined(chat_id, tab) as room, tab.scope:
                end = await _greet(io, chat_id, tab) or await self._converse(io, chat_id, room, tab)
            await socket.close(*end)

    @contextmanager
    def _joined(self, chat_id: str, tab: Tab) -> Iterator[Room]:
        room = self._rooms.setdefault(chat_id, Room())
        room.join(tab)
        try:
            yield room
        finally:
            room.leave(tab)
            if room.empty:
                del self._rooms[chat_id]

    async def _converse(self, io: AdapterIO, chat_id: str, room: Room, tab: Tab) -> End:
        """Everything after the welcome. Acks and pings never wait behind a message that waits for the disk."""
        incoming, sends = trio.open_memory_channel[clientlink.Send](WAITING_SENDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tab.pump)
            nursery.start_soon(self._accept_all, io, chat_id, room, tab, sends)
            io.chat_up(chat_id)
            with incoming:
                end = await _listen(room, tab, incoming)
        return end

    async def _accept_all(
        self,
        io: AdapterIO,
        chat_id: str,
        room: Room,
        tab: Tab,
        sends: trio.MemoryReceiveChannel[clientlink.Send],
    ) -> None:
        """Commit one client's messages in the order they came; say so only after the commit."""
        async for frame in sends:
            if len(frame.text) > clientlink.MAX_TEXT_CHARS:
                words = texts.TOO_LONG.format(limit=clientlink.MAX_TEXT_CHARS)
                await tab.reply(clientlink.Refused(frame.id, TOO_LARGE, words))
                continue
            event = self._event(io, chat_id, frame)
            faults.point("after_decode")
            (accepted,) = await io.accept([event])
            faults.point("before_ack")
            await tab.reply(clientlink.Accepted(frame.id))
            if not accepted.duplicate:
                said = clientlink.Item(frame.id, "user", frame.text, event.received_at)
                room.tell(clientlink.Said(said), besides=tab)
        await tab.finish()

    def _event(self, io: AdapterIO, chat_id: str, frame: clientlink.Send) -> InboundEvent:
        """The dedupe key is chat and client id; only the id may hold a colon, so the pair stays unambiguous."""
        return InboundEvent(
            event_id=f"{chat_id}:{frame.id}",
            origin=Origin(PLATFORM, chat_id, account=io.account, user_id=OPERATOR),
            text=frame.text,
            received_at=self._clock.wall(),
            trace=new_trace_id(self._ids),
            message_id=frame.id,
            mentions_bot=True,
            extra={"client_id": frame.id},
        )


async def _greet(io: AdapterIO, chat_id: str, tab: Tab) -> End | None:
    """Read the hello, tell what it missed. Runs before the pump, so that a welcome is ahead of everything pushed since."""
    try:
        with trio.fail_after(HELLO_DEADLINE_S):
            hello = clientlink.decode_client(await tab.socket.receive())
        if not isinstance(hello, clientlink.Hello):
            return POLICY_VIOLATION, "hello comes first"
        _log.debug("%s looks at chat %s", ascii(hello.client), chat_id)
        since = hello.since
        while True:
            with trio.fail_after(FEED_DEADLINE_S):
                page = await io.feed(chat_id, since, PAGE_ITEMS)
            items = [await _item(item) for item in page]
            cursor = page[-1].cursor if page else since
            await tab.write(clientlink.encode(clientlink.Welcome(io.boot_id, cursor, tuple(items))))
            if since is None or len(page) < PAGE_ITEMS:
                return None
            since = cursor
    except SocketClosed:
        return GOING_AWAY, "gone"
    except trio.TooSlowError:
        return TRY_AGAIN_LATER, "too slow"
    except GatewayError as error:
        theirs = error.failure.code in (clientlink.BAD_FRAME, TOO_LARGE)
        return POLICY_VIOLATION if theirs else TRY_AGAIN_LATER, error.failure.detail


async def _listen(room: Room, tab: Tab, incoming: trio.MemorySendChannel[clientlink.Send]) -> End:
    """Take frames in order until the client leaves, falls silent or cannot go on."""
    while True:
        try:
            with trio.fail_after(IDLE_DEADLINE_S):
                text = await tab.socket.receive()
            frame = clientlink.decode_client(text)
        except SocketClosed:
            tab.scope.cancel()
            return GOING_AWAY, "gone"
        except trio.TooSlowError:
            return GOING_AWAY, "silent for too long"
        except GatewayError as error:
            await tab.reply(clientlink.Error(error.failure.code, error.failure.detail))
            if error.failure.code == TOO_LARGE:
                return MESSAGE_TOO_BIG, error.failure.detail
            continue
        match frame:
            case clientlink.Send():
                await incoming.send(frame)
            case clientlink.Ack(item):
                room.acked(item)
            case clientlink.Ping():
                await tab.reply(clientlink.Pong())
            case clientlink.Hello():
                await tab.reply(clientlink.Error(clientlink.BAD_FRAME, "one hello is enough"))
            case _:
                assert_never(frame)


async def _item(item: FeedItem) -> clientlink.Item:
    """A row of the chat as its page shows it; what people typed is never read as Markdown."""
    html = await _render(item.text) if item.role == "agent" else None
    return clientlink.Item(item.item_id, item.role, item.text, item.at, html, item.reply_to, item.cursor)


async def _render(text: str) -> str:
    """Safe HTML without holding up the loop: some ten milliseconds a kilobyte at worst, so long texts go to a thread."""
    if len(text) > INLINE_RENDER_CHARS:
        return await trio.to_thread.run_sync(to_html, text)
    await trio.lowlevel.checkpoint()
    return to_html(text)
