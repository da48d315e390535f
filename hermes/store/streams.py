"""Answers that are shown while they are written, as their lane finds them."""

import json
from collections.abc import Sequence

from hermes.delivery.stream import Fate, Stream
from hermes.store import queries
from hermes.store.port import Reader
from hermes.types.records import OutboxRow


def streams(reader: Reader, platform: str, account: str, chat_id: str) -> Sequence[tuple[Stream, Fate]]:
    """Those of a chat, and what has become of their turns."""
    rows = reader.execute(
        "SELECT delivery_id, state, sends, above, kept, segments, leftover,"
        " EXISTS (SELECT 1 FROM outbox AS o WHERE o.delivery_id = s.delivery_id"
        "  AND o.state IN ('prepared', 'sending', 'retry', 'unknown')) FROM streams AS s"
        " WHERE platform = ? AND account = ? AND chat_id = ?",
        (platform, account, chat_id),
    ).fetchall()
    found: list[tuple[Stream, Fate]] = []
    for delivery_id, state, sends, above, kept, segments, leftover, answered in rows:
        lists = (tuple(json.loads(names)) for names in (kept, segments, leftover))
        stream = Stream(delivery_id, state, sends, above, *lists)
        found.append((stream, "answered" if answered else _fate(reader, stream)))
    return found


def of_lane(
    reader: Reader, platform: str, account: str, chat_id: str, *, with_streams: bool
) -> tuple[OutboxRow | None, Sequence[tuple[Stream, Fate]] | None]:
    """The next message of a chat, and its streams, if they are wanted."""
    row = queries.next_open_row(reader, platform, account, chat_id)
    return row, streams(reader, platform, account, chat_id) if with_streams else None


def _fate(reader: Reader, stream: Stream) -> Fate:
    alive = reader.execute(
        "SELECT 1 FROM inbox WHERE state IN ('routed', 'in_turn') AND turn_id = ? LIMIT 1", (stream.turn_id,)
    )
    return "writing" if alive.fetchall() else "over"
