"""Keeping house: what is over goes, a few rows at a time."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import sqlite3

from hermes.store.codec import without_words
from hermes.store.upkeep_ops import (
    MOST_TRIES,
    ExpireSession,
    GiveBack,
    NoteUpkeep,
    Prune,
    PruneExpired,
    Remembered,
)

_ENDED = "state NOT IN ('accepted', 'routed', 'in_turn')"

_BY_NUMBER = {
    "journey": "DELETE FROM journey WHERE rowid = ?",
    "transcript": "DELETE FROM transcript WHERE line_id = ?",
    "inbox": f"DELETE FROM inbox WHERE row_id = ? AND {_ENDED}",
    "approvals": "DELETE FROM approvals WHERE approval_id = ? AND state <> 'pending'",
    "audit": "DELETE FROM audit WHERE audit_id = ?",
    "forgotten": "DELETE FROM forgotten_events WHERE digest = ?",
}


def prune(connection: sqlite3.Connection, op: Prune) -> int:
    """Each row is asked again: a dead letter may have been sent once more since the look."""
    match op.kind:
        case "words":
            return _empty(connection, op)
        case "outbox":
            return _delivered(connection, op)
        case "dedupe":
            return connection.executemany(
                "DELETE FROM dedupe WHERE platform = ? AND account = ? AND event_id = ?",
                [name for name in op.names if isinstance(name, tuple)],
            ).rowcount
        case kind:
            return connection.executemany(_BY_NUMBER[kind], [(name,) for name in op.names]).rowcount


def _empty(connection: sqlite3.Connection, op: Prune) -> int:
    """Where it came from and from whom is what others ask it for."""
    rows = connection.execute(
        f"SELECT row_id, event FROM inbox WHERE row_id IN (SELECT value FROM json_each(?)) AND {_ENDED} AND NOT emptied",
        (json.dumps(op.names),),
    ).fetchall()
    connection.executemany(
        "UPDATE inbox SET text = '', raw = NULL, emptied = 1, event = ? WHERE row_id = ?",
        [(None if payload is None else without_words(payload), row_id) for row_id, payload in rows],
    )
    return len(rows)


def _delivered(connection: sqlite3.Connection, op: Prune) -> int:
    gone = connection.execute(
        "DELETE FROM outbox WHERE row_id IN (SELECT value FROM json_each(?)) AND state IN ('sent', 'dead') RETURNING row_id",
        (json.dumps(op.names),),
    ).fetchall()
    connection.executemany("DELETE FROM receipts WHERE outbox_row_id = ?", gone)
    return len(gone)


def prune_expired(connection: sqlite3.Connection, op: PruneExpired) -> int:
    """Small tables, all of them."""
    return (
        connection.execute("DELETE FROM login_codes WHERE expires_at <= ?", (op.at,)).rowcount
        + connection.execute("DELETE FROM browser_sessions WHERE expires_at <= ?", (op.at,)).rowcount
        + connection.execute("DELETE FROM floods WHERE until <= ?", (op.at,)).rowcount
    )


def expire_session(connection: sqlite3.Connection, op: ExpireSession) -> bool:
    """The mark is the activity that it is about: with the next one it holds no more, and nobody has to take it back."""
    marked = connection.execute(
        "UPDATE sessions SET expired_at = last_active_at WHERE session_key = ?1 AND session_id = ?2 AND last_active_at = ?3"
        " AND expired_at IS NOT last_active_at AND NOT EXISTS"
        " (SELECT 1 FROM inbox WHERE session_key = ?1 AND state IN ('routed', 'in_turn'))",
        (op.session_key, op.session_id, op.last_active_at),
    )
    return marked.rowcount == 1


def remembered(connection: sqlite3.Connection, op: Remembered) -> None:
    """A stretch that goes on, or gets another line of a turn that was at work, is told of again, from this line on."""
    connection.execute(
        "UPDATE stretches SET tries = iif(done, 0, tries + 1), kept_line = iif(done, max(kept_line, ?3), kept_line),"
        " kept = done AND ended_at IS NOT NULL AND NOT more FROM (SELECT ?4 OR tries + 1 >= ?5 AS done, EXISTS"
        " (SELECT 1 FROM transcript WHERE session_key = ?1 AND session_id = ?2 AND line_id > ?3 AND role <> 'system')"
        " OR EXISTS (SELECT 1 FROM inbox WHERE session_key = ?1 AND state IN ('routed', 'in_turn') AND session_id = ?2) AS more"
        " FROM stretches WHERE session_key = ?1 AND session_id = ?2) WHERE session_key = ?1 AND session_id = ?2",
        (op.session_key, op.session_id, op.line_id, op.kept, MOST_TRIES),
    )


def note_upkeep(connection: sqlite3.Connection, op: NoteUpkeep) -> None:
    """The last time of each task."""
    connection.execute(
        "INSERT OR REPLACE INTO upkeep (task, at, took_s, done) VALUES (?, ?, ?, ?)",
        (op.task, op.at, op.took_s, json.dumps(dict(op.done))),
    )


def give_back(connection: sqlite3.Connection, op: GiveBack) -> int:
    """Does nothing for a file that was made by an older version, until it is written anew."""
    connection.execute(f"PRAGMA incremental_vacuum({int(op.pages)})").fetchall()
    ((free,),) = connection.execute("PRAGMA freelist_count").fetchall()
    return int(free)
