"""Answers that are shown while they are written."""

import json
import sqlite3

from hermes.delivery.stream import Stream
from hermes.store.apply.outbox import receipt
from hermes.store.stream_ops import DropStream, KeepStream, OpenStream, ReceiptOfStream


def open_stream(connection: sqlite3.Connection, op: OpenStream) -> bool:
    """A turn that is over shows nothing more, whatever it has handed out before."""
    stream = op.stream
    added = connection.execute(
        "INSERT INTO streams (delivery_id, state, sends, above, kept, segments, leftover, at, platform, account, chat_id,"
        " boot_id) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 WHERE EXISTS"
        " (SELECT 1 FROM inbox WHERE state IN ('routed', 'in_turn') AND turn_id = ?13)"
        " ON CONFLICT (delivery_id) DO UPDATE SET (state, sends, above, kept, segments, leftover, at, boot_id)"
        " = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?12)",
        (*_values(stream), op.at, op.platform, op.account, op.chat_id, op.boot_id, stream.turn_id),
    )
    return added.rowcount == 1


def keep_stream(connection: sqlite3.Connection, op: KeepStream) -> bool:
    """One that is gone does not come back."""
    return _keep(connection, op.stream, op.at)


def drop_stream(connection: sqlite3.Connection, op: DropStream) -> None:
    """It has served."""
    connection.execute("DELETE FROM streams WHERE delivery_id = ?", (op.stream.delivery_id,))


def receipt_of_stream(connection: sqlite3.Connection, op: ReceiptOfStream) -> bool:
    """Together, so that no answer has arrived whose stream is still open."""
    if not receipt(connection, op.receipt):
        return False
    if op.after is None:
        drop_stream(connection, DropStream(op.stream))
    elif op.after != op.stream:
        _keep(connection, op.after, op.receipt.at)
    return True


def _keep(connection: sqlite3.Connection, stream: Stream, at: float) -> bool:
    kept = connection.execute(
        "UPDATE streams SET (state, sends, above, kept, segments, leftover, at) = (?2, ?3, ?4, ?5, ?6, ?7, ?8)"
        " WHERE delivery_id = ?1",
        (*_values(stream), at),
    )
    return kept.rowcount == 1


def _values(stream: Stream) -> tuple[object, ...]:
    lists = (json.dumps(names) for names in (stream.kept, stream.segments, stream.leftover))
    return stream.delivery_id, stream.state, stream.sends, stream.above, *lists
