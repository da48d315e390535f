"""The half of an adapter that web chat and console share: chats are rooms of clients that speak ``clientlink``.

client ──send──▶ io.accept (one commit) ──▶ accepted          lane ──send──▶ every client ──▶ first ack = receipt
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

import trio

from hermes.net import clientlink
from hermes.net.room import Client, Room
from hermes.sessions.ids import new_trace_id
from hermes.types import faults, texts
from hermes.types.content import REFUSAL, Media, Part, SendResult, answered
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
from hermes.types.ports import AdapterIO, Socket, TaskStatus
from hermes.types.records import FeedItem

ACK_DEADLINE_S = 10.0
HELLO_DEADLINE_S = 10.0
FEED_DEADLINE_S = 20.0
IDLE_DEADLINE_S = 75.0
WAITING_SENDS = 64

GOING_AWAY, POLICY_VIOLATION, MESSAGE_TOO_BIG, TRY_AGAIN_LATER = 1001, 1008, 1009, 1013

_log = logging.getLogger("hermes.linkchat")


End = tuple[int, str]
"""Why a connection is closed: a web-socket code and words for the client's log."""


class LinkChat(ABC):
    """``connect``, ``disconnect`` and ``send`` of ``ports.Adapter``, and ``ports.Typing``; ``open`` for whoever has got
    through the door.

    An adapter adds its platform, its capabilities, what it mounts, and whose a chat is.
    """

    platform: str
    history_items = 100
    """The page of history that a client sees which has seen nothing yet, and the page in which it catches up."""

    def __init__(self, clock: Clock, ids: IdSource) -> None:
        self._clock = clock
        self._ids = ids
        self._io: AdapterIO | None = None
        self._rooms: dict[str, Room] = {}

    @abstractmethod
    def user_of(self, chat_id: str) -> str:
        """The id of the person who writes in ``chat_id``."""

    async def html(self, text: str) -> str | None:
        """``text`` of the agent as safe HTML, where the platform's clients show it."""
        return None

    def place(self, delivery_id: str, index: int, media: Media) -> str:
        """Where clients find the file that is ``index`` of those of a message."""
        return media.ref

    async def connect(self, io: AdapterIO, *, task_status: TaskStatus) -> None:
        """There is nothing to log in to: ready at once, and its end closes every client's connection."""
        self._io = io
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            self._io = None
            for room in self._rooms.values():
                room.close()

    async def disconnect(self) -> None:  # noqa: B027 - nobody has to be told anything
        """The clients see their sockets close."""

    async def send(
        self, chat_id: str, part: Part, *, reply_to: str | None, metadata: Mapping[str, str]
    ) -> SendResult:
        """Show ``part`` to the chat's clients; the first ack is the receipt. The first part brings all files of its message, so
        its receipt is also theirs.

        Raises ``SendError``: ``not_sent`` with nobody there, ``unknown`` when none has acked within ``ACK_DEADLINE_S``.
        """
        if part.media and part.index:
            await trio.lowlevel.checkpoint()
            return SendResult(part.delivery_id)
        html = await self.html(part.text)
        begins = not part.index and (part.media or part.total > 1)
        media = await self._io.attachments(part.delivery_id) if self._io and begins else ()
        item = clientlink.Item(
            part.delivery_id,
            "agent",
            part.text,
            self._clock.wall(),
            html,
            reply_to,
            answers=answered(reply_to, metadata),
            refusal=metadata.get(REFUSAL),
            files=self._files(part.delivery_id, media),
        )
        room = self._rooms.get(chat_id)
        if room is None:
            raise SendError(
                Failure(UNREACHABLE, scope="chat", detail="nobody has this chat open"), "not_sent"
            )
        if not await room.deliver(item, ACK_DEADLINE_S):
            raise SendError(Failure(SEND_UNCONFIRMED, scope="chat", detail="nobody has acked it"), "unknown")
        return SendResult(part.delivery_id)

    async def typing(self, chat_id: str, thread_id: str | None, on: bool) -> None:
        """See ``ports.Typing``."""
        if room := self._rooms.get(chat_id):
            room.hint(clientlink.Typing(on))
        await trio.lowlevel.checkpoint()

    def room(self, chat_id: str) -> Room | None:
        """Who has this chat open."""
        return self._rooms.get(chat_id)

    async def open(self, chat_id: str, socket: Socket) -> None:
        """One connection, from hello to its end. Returns when the client leaves; raises only what is a defect."""
        io = self._io
        if io is None:
            await socket.close(TRY_AGAIN_LATER, "starting")
            return
        hello = await _hello(socket)
        if not isinstance(hello, clientlink.Hello):
            await socket.close(*hello)
            return
        _log.debug("%s opens %s chat %s", ascii(hello.client), self.platform, ascii(chat_id))
        client, end = Client(socket, own=hello.own), (GOING_AWAY, "connect again")
        with self._joined(chat_id, client) as room, client.scope:
            end = await self._welcome(io, chat_id, hello.since, client) or await self._converse(
                io, chat_id, room, client
            )
        await socket.close(*end)

    @contextmanager
    def _joined(self, chat_id: str, client: Client) -> Iterator[Room]:
        room = self._rooms.setdefault(chat_id, Room())
        room.join(client)
        try:
            yield room
        finally:
            room.leave(client)
            if room.empty:
                del self._rooms[chat_id]

    async def _welcome(self, io: AdapterIO, chat_id: str, since: str | None, client: Client) -> End | None:
        """Tell what the client missed. Runs before the pump, so that a welcome is ahead of everything pushed since."""
        try:
            while True:
                with trio.fail_after(FEED_DEADLINE_S):
                    page = await io.feed(chat_id, since, self.history_items)
                items = [await self._item(item) for item in page]
                cursor = page[-1].cursor if page else since
                await client.write(clientlink.encode(clientlink.Welcome(io.boot_id, cursor, tuple(items))))
                if since is None or len(page) < self.history_items:
                    return None
                since = cursor
        except trio.TooSlowError:
            return TRY_AGAIN_LATER, "too slow"
        except GatewayError as error:
            return TRY_AGAIN_LATER, error.failure.detail

    async def _item(self, item: FeedItem) -> clientlink.Item:
        """A row of the chat as its clients show it; what people typed is never read as Markdown."""
        html = await self.html(item.text) if item.role == "agent" else None
        return clientlink.Item(
            item.item_id,
            item.role,
            item.text,
            item.at,
            html,
            item.reply_to,
            item.cursor,
            item.answers,
            item.refusal,
            self._files(item.item_id, item.files),
        )

    def _files(self, delivery_id: str, media: Sequence[Media]) -> tuple[clientlink.File, ...]:
        return tuple(
            clientlink.File(one.name, one.kind, self.place(delivery_id, n, one), one.size_bytes)
            for n, one in enumerate(media)
        )

    async def _converse(self, io: AdapterIO, chat_id: str, room: Room, client: Client) -> End:
        """Everything after the welcome. Acks and pings never wait behind a message that waits for the disk."""
        incoming, sends = trio.open_memory_channel[clientlink.Send](WAITING_SENDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.pump)
            nursery.start_soon(self._accept_all, io, chat_id, room, client, sends)
            io.chat_up(chat_id)
            with incoming:
                end = await _listen(room, client, incoming)
        return end

    async def _accept_all(
        self,
        io: AdapterIO,
        chat_id: str,
        room: Room,
        client: Client,
        sends: trio.MemoryReceiveChannel[clientlink.Send],
    ) -> None:
        """Commit one client's messages in the order they came; say so only after the commit."""
        async for frame in sends:
            if len(frame.text) > clientlink.MAX_TEXT_CHARS:
                words = texts.TOO_LONG.format(limit=clientlink.MAX_TEXT_CHARS)
                await client.reply(clientlink.Refused(frame.id, TOO_LARGE, words))
                continue
            if client.own:
                client.asked.add(frame.id)
            event = self._event(io, chat_id, frame)
            faults.point("after_decode")
            (accepted,) = await io.accept([event])
            faults.point("before_ack")
            await client.reply(clientlink.Accepted(frame.id))
            if not accepted.duplicate:
                said = clientlink.Item(frame.id, "user", frame.text, event.received_at)
                room.tell(clientlink.Said(said), besides=client)
        await client.finish()

    def _event(self, io: AdapterIO, chat_id: str, frame: clientlink.Send) -> InboundEvent:
        """The dedupe key is chat and client id; no client id holds a slash, so the pair stays unambiguous."""
        return InboundEvent(
            event_id=f"{chat_id}/{frame.id}",
            origin=Origin(self.platform, chat_id, account=io.account, user_id=self.user_of(chat_id)),
            text=frame.text,
            received_at=self._clock.wall(),
            trace=new_trace_id(self._ids),
            message_id=frame.id,
            mentions_bot=True,
            extra={"client_id": frame.id},
        )


async def _hello(socket: Socket) -> clientlink.Hello | End:
    """The first frame, or why there will be no second."""
    try:
        with trio.fail_after(HELLO_DEADLINE_S):
            hello = clientlink.decode_client(await socket.receive())
    except SocketClosed:
        return GOING_AWAY, "gone"
    except trio.TooSlowError:
        return TRY_AGAIN_LATER, "too slow"
    except GatewayError as error:
        return POLICY_VIOLATION, error.failure.detail
    return hello if isinstance(hello, clientlink.Hello) else (POLICY_VIOLATION, "hello comes first")


async def _listen(room: Room, client: Client, incoming: trio.MemorySendChannel[clientlink.Send]) -> End:
    """Take frames in order until the client leaves, falls silent or cannot go on."""
    while True:
        try:
            with trio.fail_after(IDLE_DEADLINE_S):
                text = await client.socket.receive()
            frame = clientlink.decode_client(text)
        except SocketClosed:
            client.scope.cancel()
            return GOING_AWAY, "gone"
        except trio.TooSlowError:
            return GOING_AWAY, "silent for too long"
        except GatewayError as error:
            await client.reply(clientlink.Error(error.failure.code, error.failure.detail))
            if error.failure.code == TOO_LARGE:
                return MESSAGE_TOO_BIG, error.failure.detail
            continue
        match frame:
            case clientlink.Send():
                await incoming.send(frame)
            case clientlink.Ack(item):
                room.acked(item)
            case clientlink.Ping():
                await client.reply(clientlink.Pong())
            case clientlink.Hello():
                await client.reply(clientlink.Error(clientlink.BAD_FRAME, "one hello is enough"))
            case _:
                assert_never(frame)
