"""Delivery: put messages out, and what became of each part."""

# ruff: noqa: S608 - a constant alone is joined into SQL; every value is a parameter

import json
import sqlite3
from collections.abc import Sequence

from hermes.delivery.notices import PREFIX
from hermes.store.codec import encode_outbound
from hermes.store.ops import Enqueue, Expire, Flood, Receipt, Sending, Unsent
from hermes.store.outbox import DROPPED, ROW, outbox_row
from hermes.store.outbox_ops import Drop, Retry
from hermes.types.content import Outbound
from hermes.types.errors import SEND_UNCONFIRMED
from hermes.types.records import OutboxRow


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
        "INSERT INTO receipts (outbox_row_id, part, message_id, at, said, files)"
        " SELECT row_id, ?2, ?3, ?4, ?5, ?6 FROM outbox WHERE row_id = ?1 AND state = 'sending'"
        " ON CONFLICT (outbox_row_id, part) DO NOTHING",
        (op.row_id, op.part, op.message_id, op.at, op.said, op.files),
    )
    if not added.rowcount:
        return False
    connection.execute(
        "UPDATE outbox SET parts_sent = parts_sent + 1, state = iif(parts_sent + 1 >= ?2, 'sent', state), failure = '',"
        " changed_at = ?3 WHERE row_id = ?1",
        (op.row_id, op.total, op.at),
    )
    return True


def flood(connection: sqlite3.Connection, op: Flood) -> None:
    """What the platform has said last may not shorten what it said before."""
    connection.execute(
        "INSERT INTO floods (scope, until) VALUES (?1, ?2) ON CONFLICT (scope) DO UPDATE SET until = max(until, ?2)",
        (op.scope, op.until),
    )


def unsent(connection: sqlite3.Connection, op: Unsent) -> bool:
    """Back to ``prepared`` takes back the attempt: nobody was there to send to."""
    if op.flood is not None:
        flood(connection, op.flood)
    moved = connection.execute(
        "UPDATE outbox SET state = ?2, not_before = ?3, failure = ?4, changed_at = ?5,"
        " attempts = attempts - (?2 = 'prepared') WHERE row_id = ?1 AND state = 'sending'",
        (op.row_id, op.state, op.not_before, op.failure, op.at),
    )
    if moved.rowcount and op.told is not None:
        put(connection, [op.told], op.at)
    if moved.rowcount and op.dead_chat:
        connection.execute(
            "INSERT INTO dead_targets (platform, account, chat_id, failure, at)"
            " SELECT platform, account, chat_id, ?2, ?3 FROM outbox WHERE row_id = ?1"
            " ON CONFLICT (platform, account, chat_id) DO UPDATE SET failure = ?2, at = ?3, cleared_at = NULL",
            (op.row_id, op.failure, op.at),
        )
    return moved.rowcount == 1


def expire(connection: sqlite3.Connection, op: Expire) -> tuple[OutboxRow, ...]:
    """A row that is being sent right now belongs to its lane, expired or not. That one may have arrived stays in its words; of
    a notice that is no news any more, nobody has to hear.

    The plus has SQLite go by the index of open rows, and not through all there are.
    """
    ended = connection.execute(
        "UPDATE outbox SET changed_at = ?2, (state, failure) = (SELECT iif(kept, 'sent', 'dead'),"
        " CASE WHEN kept THEN 'stored' WHEN delivery_id GLOB ?3 THEN ?4"
        " WHEN state = 'unknown' THEN failure || '; then expired' ELSE 'expired' END"
        " FROM (SELECT platform IN (SELECT value FROM json_each(?1)) AS kept))"
        " WHERE row_id IN (SELECT row_id FROM outbox WHERE expires_at <= ?2"
        " AND state IN ('prepared', 'sending', 'retry', 'unknown') AND state <> 'sending' ORDER BY +row_id LIMIT ?5)"
        f" RETURNING {ROW}",
        (json.dumps(op.stored), op.at, f"{PREFIX}*", DROPPED, op.most),
    ).fetchall()
    return tuple(outbox_row(connection, row) for row in ended)


def retry(connection: sqlite3.Connection, op: Retry) -> bool:
    """What may have arrived, also before it was given up, is or stays ``unknown``, and due: its next copy has to be marked."""
    moved = connection.execute(
        "UPDATE outbox SET attempts = 0, not_before = 0, changed_at = ?2, expires_at = ?3, (state, failure) = ("
        "SELECT CASE WHEN doubt <> '' THEN 'unknown' ELSE 'prepared' END, doubt FROM (SELECT CASE"
        " WHEN state = 'unknown' OR failure LIKE ?4 || '%' THEN failure"
        " WHEN failure = ?5 AND attempts > 0 THEN ?4 || ': ' || ?5 ELSE '' END AS doubt))"
        " WHERE row_id = ?1 AND state IN ('dead', 'retry', 'unknown') AND NOT (secret AND text = '')",
        (op.row_id, op.at, op.expires_at, SEND_UNCONFIRMED, DROPPED),
    )
    return moved.rowcount == 1


def drop(connection: sqlite3.Connection, op: Drop) -> bool:
    """A lane that is just about to send it finds it ended."""
    moved = connection.execute(
        "UPDATE outbox SET state = 'dead', failure = ?3, changed_at = ?2"
        " WHERE row_id = ?1 AND state IN ('prepared', 'retry', 'unknown', 'dead')",
        (op.row_id, op.at, DROPPED),
    )
    return moved.rowcount == 1
