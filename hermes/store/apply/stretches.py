"""The stretches of a session: where one ends and another begins, and what each has cost."""

import sqlite3

from hermes.store.ops import Suspension
from hermes.types.agent import Usage
from hermes.types.ids import SessionId, SessionKey


def begin(
    connection: sqlite3.Connection, session_key: SessionKey, session_id: SessionId, at: float, end_reason: str
) -> None:
    """The present stretch ends for ``end_reason``, and ``session_id`` begins or goes on; nothing of the old one holds."""
    connection.execute(
        "UPDATE stretches SET ended_at = ?, end_reason = ? WHERE session_key = ?"
        " AND session_id = (SELECT session_id FROM sessions WHERE session_key = stretches.session_key)",
        (at, end_reason, session_key),
    )
    connection.execute(
        "UPDATE sessions SET session_id = ?, suspended = 0, resume_reason = '', resume_marked_at = NULL"
        " WHERE session_key = ?",
        (session_id, session_key),
    )
    open_stretch(connection, session_key, session_id, at)


def open_stretch(
    connection: sqlite3.Connection, session_key: SessionKey, session_id: SessionId, at: float
) -> None:
    """A stretch that is known goes on."""
    connection.execute(
        "INSERT INTO stretches (session_key, session_id, started_at) VALUES (?, ?, ?)"
        " ON CONFLICT (session_key, session_id) DO UPDATE SET ended_at = NULL, end_reason = '', kept = 0",
        (session_key, session_id, at),
    )


def set_title(connection: sqlite3.Connection, session_key: SessionKey, title: str) -> bool:
    """The present stretch is called so; its conversation has the name of its chat."""
    named = connection.execute(
        "UPDATE stretches SET title = ?2 WHERE session_key = ?1"
        " AND session_id = (SELECT session_id FROM sessions WHERE session_key = ?1)",
        (session_key, title),
    )
    return named.rowcount == 1


def bring_along(connection: sqlite3.Connection, session_key: SessionKey, session_id: SessionId) -> None:
    """What waits for its turn belongs to ``session_id`` from now on."""
    connection.execute(
        "UPDATE inbox SET session_id = ? WHERE session_key = ? AND state IN ('routed', 'in_turn') AND state = 'routed'",
        (session_id, session_key),
    )


def last_before(
    connection: sqlite3.Connection, session_key: SessionKey, present: SessionId
) -> SessionId | None:
    """The stretch that ended last, of those in which something was said."""
    found = connection.execute(
        "SELECT session_id FROM stretches WHERE session_key = ? AND session_id <> ? AND EXISTS (SELECT 1 FROM transcript AS t"
        " WHERE t.session_key = stretches.session_key AND t.session_id = stretches.session_id AND role <> 'system')"
        " ORDER BY ended_at DESC LIMIT 1",
        (session_key, present),
    ).fetchall()
    return SessionId(found[0][0]) if found else None


def add_note_line(
    connection: sqlite3.Connection, session_key: SessionKey, session_id: SessionId, text: str, at: float
) -> None:
    """A line for the agent alone."""
    connection.execute(
        "INSERT INTO transcript (session_key, session_id, role, text, at) VALUES (?, ?, 'system', ?, ?)",
        (session_key, session_id, text, at),
    )


def suspend(
    connection: sqlite3.Connection,
    session_key: SessionKey,
    session_id: SessionId,
    suspension: Suspension,
    at: float,
) -> None:
    """A stretch that is over already needs no suspension, and what waits must not wait for another message to come."""
    present = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM inbox WHERE session_key = ?1 AND state IN ('routed', 'in_turn')) FROM sessions"
        " WHERE session_key = ?1 AND session_id = ?2",
        (session_key, session_id),
    ).fetchall()
    if not present:
        return
    if present == [(1,)]:
        begin(connection, session_key, suspension.session_id, at, "suspended")
        add_note_line(connection, session_key, suspension.session_id, suspension.note, at)
        bring_along(connection, session_key, suspension.session_id)
    else:
        connection.execute(
            "UPDATE sessions SET suspended = 1, resume_reason = '', resume_marked_at = NULL WHERE session_key = ?",
            (session_key,),
        )


def mark_interrupted(connection: sqlite3.Connection, session_key: SessionKey, reason: str, at: float) -> None:
    """It waits to be taken up. Where it is suspended, that goes before."""
    connection.execute(
        "UPDATE sessions SET resume_reason = ?, resume_marked_at = ? WHERE session_key = ? AND NOT suspended",
        (reason, at, session_key),
    )


def count(
    connection: sqlite3.Connection, session_key: SessionKey, session_id: SessionId, usage: Usage
) -> None:
    """Add up what an answer has cost."""
    connection.execute(
        "UPDATE stretches SET input_tokens = input_tokens + ?, output_tokens = output_tokens + ?,"
        " cache_read_tokens = cache_read_tokens + ?, cache_write_tokens = cache_write_tokens + ?,"
        " cost_usd = cost_usd + ? WHERE session_key = ? AND session_id = ?",
        (
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.cost_usd,
            session_key,
            session_id,
        ),
    )
