"""Delivery: put messages out, and what became of each part."""

import sqlite3
from collections.abc import Sequence

from hermes.store.codec import encode_outbound
from hermes.store.ops import Enqueue, Expire, Receipt, Sending, Unsent
from hermes.types.content import Outbound


def put(connection: sqlite3.Connection, messages: Sequence[Outbound], at: float) -> int:
    """Add messages whose delivery id is new; returns how many were."""
    if not messages:
        return 0
    return connection.executemany(
        "INSERT INTO outbox (delivery_id, platform, account, chat_id, trace, created_at, changed_at, expires_at, secret,"
        " text, message) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (delivery_id) DO NOTHING",
        [
            (
                message.delivery_id,
                message.platform,
                message.account,
                message.chat_id,
                message.trace,
                at,
                message.expires_at,
                message.secret,
                message.text,
                encode_outbound(message),
            )
            for message in messages
        ],
    ).rowcount


def enqueue(connection: sqlite3.Connection, op: Enqueue) -> bool:
    """A message that answers nothing."""
    return put(connection, [op.message], op.at) == 1


def sending(connection: sqlite3.Connection, op: Sending) -> bool:
    """From here on a crash makes the row ``unknown``."""
    moved = connection.execute(
        "UPDATE outbox SET state = 'sending', attempts = attempts + 1, boot_id = ?1, incarnation = ?2, changed_at = ?3,"
        " sending_at = ?3 WHERE row_id = ?4 AND state IN ('prepared', 'sending', 'retry', 'unknown')",
        (op.boot_id, op.incarnation, op.at, op.row_id),
    )
    return moved.rowcount == 1


def receipt(connection: sqlite3.Connection, op: Receipt) -> bool:
    """The receipt's key, not a count, says whether this part is new."""
    added = connection.execute(
        "INSERT INTO receipts (outbox_row_id, part, message_id, at)"
        " SELECT row_id, ?2, ?3, ?4 FROM outbox WHERE row_id = ?1 AND state = 'sending'"
        " ON CONFLICT (outbox_row_id, part) DO NOTHING",
        (op.row_id, op.part, op.message_id, op.at),
    )
    if not added.rowcount:
        return False
    connection.execute(
        "UPDATE outbox SET parts_sent = parts_sent + 1, state = iif(parts_sent + 1 >= ?2, 'sent', state), failure = '',"
        " changed_at = ?3 WHERE row_id = ?1",
        (op.row_id, op.total, op.at),
    )
    return True


def unsent(connection: sqlite3.Connection, op: Unsent) -> bool:
    """Back to ``prepared`` takes back the attempt: nobody was there to send to."""
    moved = connection.execute(
        "UPDATE outbox SET state = ?2, not_before = ?3, failure = ?4, changed_at = ?5,"
        " attempts = attempts - (?2 = 'prepared') WHERE row_id = ?1 AND state = 'sending'",
        (op.row_id, op.state, op.not_before, op.failure, op.at),
    )
    return moved.rowcount == 1


def expire(connection: sqlite3.Connection, op: Expire) -> int:
    """A row that is being sent right now belongs to its lane, expired or not."""
    return connection.execute(
        "UPDATE outbox SET state = iif(?2, 'sent', 'dead'), failure = iif(?2, 'stored', 'expired'), changed_at = ?3"
        " WHERE platform = ?1 AND expires_at <= ?3 AND state IN ('prepared', 'sending', 'retry', 'unknown')"
        " AND state <> 'sending'",
        (op.platform, op.stored, op.at),
    ).rowcount
