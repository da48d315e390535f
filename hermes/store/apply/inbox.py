"""Accepting and deciding: a message's way from the wire to a session."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain

from hermes.store.apply import forgotten
from hermes.store.apply.outbox import put
from hermes.store.apply.stretches import add_note_line, begin, open_stretch
from hermes.store.codec import encode_event, without_quotes
from hermes.store.ops import Accept, Close, NotRouted, Renewal, Route, TellMissed, Undecodable
from hermes.types.events import InboundEvent
from hermes.types.origin import Origin
from hermes.types.ports import Accepted

_ROWS_PER_STATEMENT = 256

_Key = tuple[str, str, str]


def accept(connection: sqlite3.Connection, run: Sequence[Accept]) -> list[tuple[Accepted, ...]]:
    """All events of all operations; the trigger on inbox adds their dedupe keys and counts them."""
    rows: dict[_Key, int] = {}
    fresh: set[_Key] = set()
    events: dict[_Key, InboundEvent] = {}
    for op in run:
        for event in op.events:
            events.setdefault(_key(event), event)
    rows.update(forgotten.known(connection, events))
    keys = [key for key in events if key not in rows]
    for start in range(0, len(keys), _ROWS_PER_STATEMENT):
        some = keys[start : start + _ROWS_PER_STATEMENT]
        cursor = connection.execute(
            _insert_sql(_padded(len(some))), _parameters([_columns(key, events[key]) for key in some])
        )
        first = (cursor.lastrowid or 0) - cursor.rowcount + 1
        if cursor.rowcount == len(some):  # row ids ascend within one INSERT
            rows.update(zip(some, range(first, first + len(some)), strict=True))
            fresh.update(some)
            continue
        for key in some:
            rows[key] = _known(connection, key)
            if cursor.rowcount and rows[key] >= first:
                fresh.add(key)
    return [tuple(_accepted(_key(event), rows, fresh) for event in op.events) for op in run]


def undecodable(connection: sqlite3.Connection, op: Undecodable) -> Accepted:
    """Terminal at once: nobody can do anything with it but look."""
    key = (op.platform, op.account, op.event_id)
    if row_id := forgotten.known(connection, [key]).get(key):
        return Accepted(row_id, duplicate=True)
    cursor = connection.execute(
        "INSERT INTO inbox (platform, account, chat_id, event_id, trace, received_at, state, rule, raw)"
        " SELECT ?1, ?2, '', ?3, '', ?4, 'failed', 'undecodable', ?5"
        " WHERE NOT EXISTS (SELECT 1 FROM dedupe WHERE platform = ?1 AND account = ?2 AND event_id = ?3)",
        (*key, op.at, op.raw),
    )
    return Accepted(_known(connection, key), duplicate=cursor.rowcount == 0)


def route(connection: sqlite3.Connection, op: Route) -> int | NotRouted:
    """First the row, because its state decides whether there is a session to make."""
    renewal = op.renewal
    if renewal is not None and not _still(connection, op, renewal):
        return "changed"
    moved = connection.execute(
        "UPDATE inbox SET state = 'routed', rule = ?2, session_key = ?3,"
        " seq = 1 + ifnull((SELECT last_seq FROM sessions WHERE session_key = ?3), 0),"
        " session_id = iif(?6, ?5, ifnull((SELECT session_id FROM sessions WHERE session_key = ?3), ?5)),"
        " text = ifnull(?7, text)"
        " WHERE row_id = ?1 AND state = 'accepted' AND (?4 IS NULL OR ?4 >"
        " (SELECT count(*) FROM inbox WHERE session_key = ?3 AND state IN ('routed', 'in_turn')))"
        " AND (?6 OR NOT EXISTS (SELECT 1 FROM sessions WHERE session_key = ?3 AND suspended))",
        (op.row_id, op.rule, op.session_key, op.most, op.new_session_id, renewal is not None, op.text),
    )
    if not moved.rowcount:
        return _why_not(connection, op)
    if renewal is not None:
        begin(connection, op.session_key, op.new_session_id, op.at, renewal.reason)
        add_note_line(connection, op.session_key, op.new_session_id, renewal.note, op.at)
        put(connection, renewal.outbound, op.at)
    origin = op.origin
    ((seq,),) = connection.execute(
        "INSERT INTO sessions (session_key, session_id, last_seq, created_at, last_active_at, platform, account,"
        " chat_type, chat_id, thread_id, title, user_id, once) VALUES (?1, ?2, 1, ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        " ON CONFLICT (session_key) DO UPDATE SET last_seq = last_seq + 1, last_active_at = max(last_active_at, ?3),"
        " platform = ?4, account = ?5, chat_type = ?6, chat_id = ?7, thread_id = ?8,"
        " title = iif(?9 = '' OR substr(title, 1, length(?9) + 3) = ?9 || ' / ', title, ?9),"
        " user_id = ?10, once = ?11"
        " RETURNING last_seq",
        (
            op.session_key,
            op.new_session_id,
            op.at,
            origin.platform,
            origin.account,
            origin.chat_type,
            origin.chat_id,
            origin.thread_id,
            _title(origin),
            op.user_id,
            op.once,
        ),
    ).fetchall()
    if seq == 1:
        open_stretch(connection, op.session_key, op.new_session_id, op.at)
    return int(seq)


def _title(origin: Origin) -> str:
    """What people call the chat. Not every message of a topic says what that is called; what one has said stays."""
    name = origin.chat_name or (origin.user_name if origin.chat_type == "dm" else None) or ""
    return f"{name} / {origin.chat_topic}" if name and origin.thread_id and origin.chat_topic else name


def _still(connection: sqlite3.Connection, op: Route, renewal: Renewal) -> bool:
    """True if the session is what the renewal was decided from."""
    seen = renewal.seen
    found = connection.execute(
        "SELECT 1 FROM sessions WHERE session_key = ? AND session_id = ? AND last_active_at = ?",
        (op.session_key, seen.session_id, seen.last_active_at),
    )
    return bool(found.fetchall())


def is_accepted(connection: sqlite3.Connection, row_id: int) -> bool:
    """True if nobody has decided about the row."""
    found = connection.execute("SELECT 1 FROM inbox WHERE row_id = ? AND state = 'accepted'", (row_id,))
    return bool(found.fetchall())


def _why_not(connection: sqlite3.Connection, op: Route) -> NotRouted:
    suspended = connection.execute(
        "SELECT 1 FROM sessions WHERE session_key = ? AND suspended", (op.session_key,)
    ).fetchall()
    if not is_accepted(connection, op.row_id):
        return "decided"
    return "changed" if suspended and op.renewal is None else "full"


def close(connection: sqlite3.Connection, op: Close) -> bool:
    """A decision that needs no session; its effect and what is said about it are the caller's."""
    moved = connection.execute(
        "UPDATE inbox SET state = ?2, rule = ?3, text = iif(?4, text, '') WHERE row_id = ?1 AND state = 'accepted'",
        (op.row_id, op.state, op.rule, op.keep_text),
    )
    if not moved.rowcount:
        return False
    if op.missed:
        connection.execute(
            "INSERT INTO missed SELECT row_id, platform, account, chat_id, ? FROM inbox WHERE row_id = ?",
            (op.at, op.row_id),
        )
    if not op.keep_text:
        _forget_quotes(connection, op.row_id)
    return True


def tell_missed(connection: sqlite3.Connection, op: TellMissed) -> bool:
    """The rows go and the notice comes in one commit, so that nobody is told twice."""
    rows = json.dumps(op.row_ids)
    untold = "missed WHERE row_id IN (SELECT value FROM json_each(?))"
    ((waiting,),) = connection.execute(f"SELECT count(*) FROM {untold}", (rows,)).fetchall()
    if waiting != len(op.row_ids):
        return False
    connection.execute(f"DELETE FROM {untold}", (rows,))
    return put(connection, [op.notice], op.at) == 1


def _forget_quotes(connection: sqlite3.Connection, row_id: int) -> None:
    ((payload,),) = connection.execute("SELECT event FROM inbox WHERE row_id = ?", (row_id,)).fetchall()
    if (kept := without_quotes(payload)) != payload:
        connection.execute("UPDATE inbox SET event = ? WHERE row_id = ?", (kept, row_id))


def _key(event: InboundEvent) -> _Key:
    return event.origin.platform, event.origin.account, event.event_id


def _columns(key: _Key, event: InboundEvent) -> tuple[object, ...]:
    return (*key, event.origin.chat_id, event.trace, event.received_at, event.text, encode_event(event))


_WIDTH = 8


def _padded(count: int) -> int:
    """The next power of two, so that nine statements, compiled once, serve every size of a run."""
    return 1 << (count - 1).bit_length()


def _parameters(rows: list[tuple[object, ...]]) -> list[object]:
    flat = list(chain.from_iterable(rows))
    flat.extend([None] * (_WIDTH * (_padded(len(rows)) - len(rows))))
    return flat


@cache
def _insert_sql(count: int) -> str:
    """One INSERT for ``count`` rows, the padding skipped.

    Measured beside a thread that never yields, 64 rows: one statement 21 ms, executemany 268 ms. VALUES and not
    json_each(?): as fast, but blobs stay blobs and a NUL in an id stays a NUL (SQLite's JSON would cut it there, and
    two ids might become one).
    """
    row = "(" + ", ".join("?" * _WIDTH) + ")"
    return (
        "INSERT INTO inbox (platform, account, event_id, chat_id, trace, received_at, text, event, state)"
        " WITH new (platform, account, event_id, chat_id, trace, received_at, text, event) AS (VALUES "
        + ", ".join([row] * count)
        + ") SELECT *, 'accepted' FROM new WHERE platform IS NOT NULL AND NOT EXISTS (SELECT 1 FROM dedupe"
        " WHERE dedupe.platform = new.platform AND dedupe.account = new.account AND dedupe.event_id = new.event_id)"
    )


def _known(connection: sqlite3.Connection, key: _Key) -> int:
    ((row_id,),) = connection.execute(
        "SELECT row_id FROM dedupe WHERE platform = ? AND account = ? AND event_id = ?", key
    ).fetchall()
    return int(row_id)


def _accepted(key: _Key, rows: dict[_Key, int], fresh: set[_Key]) -> Accepted:
    """Only the first of several equal events in one run is new."""
    duplicate = key not in fresh
    fresh.discard(key)
    return Accepted(rows[key], duplicate)
