"""What came with a turn's messages, fetched before its agent begins.

    attachment ─▶ had it before? ─▶ an http(s) URL: the guarded fetch ─┐
                                └─▶ else: the platform's own way ──────┴─▶ counted ─▶ the home's cache ─▶ LocalFile

No file fails a turn: one that cannot be had is a ``LocalFile`` with its problem in words; the log has the rest.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from actors.lease import Lease
from actors.ports.adapters import AdapterPort, AdapterTable
from actors.ports.files import FILES_SLOW, HomeFiles
from hermes.ops import inbound_files
from hermes.sessions import context
from hermes.types.agent import LocalFile
from hermes.types.errors import TOO_LARGE, UNREACHABLE, Failure, GatewayError
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import IdSource
from hermes.types.origin import Origin
from hermes.types.ports import FetchUrl

log = logging.getLogger(__name__)

MOST_FILES = 10
"""Of one turn."""

MOST_TOGETHER = 2
"""All files of a turn are at most as large as this many of the largest."""

DEADLINE_S = 60.0
"""For all files of a turn. They come side by side: a slow one keeps none from coming."""

AWAY_S = 10.0
"""How long an adapter that is not connected is waited for: after a restart its messages are there before it is."""

DROP_S = 0.5
PIECE_BYTES = 1 << 20
"""What goes to the disk at once."""

NOT_KEPT = "not_kept"
NOT_WHOLE = "not_whole"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A file: the ``index``-th attachment of the turn's ``n``-th event."""

    n: int
    event: InboundEvent
    index: int

    @property
    def attachment(self) -> Attachment:
        return self.event.attachments[self.index]


@dataclass(slots=True)
class _Room:
    """What a turn's files may still take, together."""

    left: int


class Fetching:
    """Fetches files for turns, under caps."""

    def __init__(
        self, adapters: AdapterTable, files: HomeFiles, fetch_url: FetchUrl, ids: IdSource, max_bytes: int
    ) -> None:
        """``max_bytes``: the largest file that is taken; 0: none is."""
        self._adapters = adapters
        self._files = files
        self._fetch_url = fetch_url
        self._ids = ids
        self._max_bytes = max_bytes

    async def fetch(self, events: Sequence[InboundEvent], lease: Lease) -> tuple[LocalFile, ...]:
        """What came with ``events``, in order: one for each attachment that is a file. Takes ``DEADLINE_S`` at most."""
        wanted = [
            _Wanted(n, event, index)
            for n, event in enumerate(events)
            for index, one in enumerate(event.attachments)
            if one.kind != "location"
        ]
        if not self._max_bytes:
            return tuple(_missing(one, context.NOT_TAKEN) for one in wanted)
        taken, beyond = wanted[:MOST_FILES], wanted[MOST_FILES:]
        come: dict[int, LocalFile] = {}
        room = _Room(MOST_TOGETHER * self._max_bytes)

        async def bring(place: int, one: _Wanted) -> None:
            come[place] = await self._bring(one, room)

        if taken:
            with trio.move_on_after(DEADLINE_S) as limit:
                lease.watch(limit)
                try:
                    async with trio.open_nursery() as nursery:
                        for place, one in enumerate(taken):
                            nursery.start_soon(bring, place, one)
                finally:
                    lease.watch()
        return (
            *(come.get(place) or _missing(one, context.TOOK_TOO_LONG) for place, one in enumerate(taken)),
            *(_missing(one, context.TOO_MANY) for one in beyond),
        )

    async def _bring(self, one: _Wanted, room: _Room) -> LocalFile:
        try:
            kept = await self._kept(one, room)
        except GatewayError as error:
            lost = error.failure.code in (FILES_SLOW, NOT_KEPT)
            return _missing(one, context.NOT_KEPT if lost else context.problem(error.failure), error)
        except Exception as error:
            log.exception("a file was not fetched for a reason that has no name")
            return _missing(one, context.NOT_REACHABLE, error)
        return LocalFile(one.n, one.attachment.kind, kept.path, kept.name, kept.mime, kept.size_bytes)

    async def _kept(self, one: _Wanted, room: _Room) -> inbound_files.Kept:
        files, attachment, key = self._files, one.attachment, inbound_files.file_key(one.event, one.index)
        try:
            if found := await files.run(inbound_files.find, key, attachment):
                return found
            if _said_size(attachment) > self._max_bytes:
                raise _too_large("as its platform says")
            part = await files.run(inbound_files.begin, key, self._ids.token(8), attachment)
            try:
                sink = _Sink(files, part, self._max_bytes, room)
                await self._pour(one, sink)
                await sink.close()
                return await files.run(inbound_files.keep, part, key, attachment)
            except BaseException:
                # What is left in spite of it is cleaned away with all that is old.
                with suppress(OSError, GatewayError), trio.move_on_after(DROP_S, shield=True):
                    await files.run(inbound_files.drop, part)
                raise
        except OSError as wrong:
            raise _not_kept(wrong) from wrong

    async def _pour(self, one: _Wanted, sink: "_Sink") -> None:
        ref = one.attachment.ref
        if ref.lower().startswith(("https://", "http://")):
            await self._fetch_url(ref, sink, deadline_s=DEADLINE_S, max_bytes=self._max_bytes)
        else:
            port = await self._connected(one.event.origin)
            await port.fetch(one.attachment, sink, DEADLINE_S)

    async def _connected(self, origin: Origin) -> AdapterPort:
        with trio.move_on_after(AWAY_S):
            return await self._adapters.connected(origin.platform, origin.account)
        raise GatewayError(Failure(UNREACHABLE, detail=f"the adapter has been away for {AWAY_S:g} s"))


class _Sink:
    """Implements ``FileSink`` for one file: counts what comes, whatever was said of it, and writes it in pieces."""

    def __init__(self, files: HomeFiles, part: Path, left: int, room: _Room) -> None:
        self._files = files
        self._part = part
        self._left = left
        self._room = room
        self._piece = bytearray()
        self._whole = True

    async def write(self, data: bytes) -> None:
        """See ``FileSink``."""
        self._check()
        self._whole = False  # and stays so if this does not get to its end, whoever makes light of it
        self._left -= len(data)
        self._room.left -= len(data)
        if self._left < 0 or self._room.left < 0:
            raise _too_large("as it came")
        self._piece += data
        if len(self._piece) >= PIECE_BYTES:
            await self._flush()
        self._whole = True

    async def close(self) -> None:
        """All of it has come. Raises ``GatewayError`` if it has not."""
        self._check()
        await self._flush()

    async def _flush(self) -> None:
        piece, self._piece = bytes(self._piece), bytearray()
        try:
            await self._files.run(inbound_files.add, self._part, piece)
        except OSError as wrong:
            raise _not_kept(wrong) from wrong

    def _check(self) -> None:
        if not self._whole:
            raise GatewayError(Failure(NOT_WHOLE, detail="a piece of it has not come"))


def _missing(one: _Wanted, problem: str, error: Exception | None = None) -> LocalFile:
    attachment, event = one.attachment, one.event
    log.warning(
        "%s: file %d of event %s is not there: %s",
        event.origin.lane,
        one.index + 1,
        ascii(event.event_id),
        error or problem,
    )
    name = inbound_files.safe_name(attachment.name, attachment.kind) if attachment.name else ""
    return LocalFile(one.n, attachment.kind, "", name, attachment.mime, _said_size(attachment), problem)


def _said_size(attachment: Attachment) -> int:
    """In bytes; 0 where nothing is said that could be a size."""
    return max(0, attachment.size_bytes) if isinstance(attachment.size_bytes, int) else 0


def _too_large(why: str) -> GatewayError:
    return GatewayError(Failure(TOO_LARGE, detail=why))


def _not_kept(wrong: OSError) -> GatewayError:
    return GatewayError(Failure(NOT_KEPT, detail=wrong.strerror or type(wrong).__name__))
