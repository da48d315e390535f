"""What commands change: lines taken back, stretches copied and named, homes."""

import json
import sqlite3

from hermes.store.apply.stretches import begin, set_title
from hermes.store.command_ops import Branch, SetHome, Undo
from hermes.types.ids import SessionKey


def at_rest(connection: sqlite3.Connection, session_key: SessionKey) -> bool:
    """True if the session has nothing that is worked on or waits."""
    open_row = connection.execute(
        "SELECT 1 FROM inbox WHERE session_key = ? AND state IN ('routed', 'in_turn') LIMIT 1", (session_key,)
    )
    return not open_row.fetchall()


def undo(connection: sqlite3.Connection, op: Undo) -> bool:
    """Marked and not deleted: an export shows what has been said, and what was then taken back."""
    last = connection.execute(
        "SELECT t.turn_id FROM transcript AS t JOIN sessions USING (session_key, session_id) WHERE session_key = ?"
        " AND session_id = ? AND NOT suspended AND turn_id IS NOT NULL AND undone_at IS NULL ORDER BY line_id DESC LIMIT 1",
        (op.session_key, op.session_id),
    ).fetchall()
    if not op.turn_ids or last != [(op.turn_ids[-1],)]:
        return False
    connection.execute(
        "UPDATE transcript SET undone_at = ? WHERE session_key = ? AND session_id = ? AND undone_at IS NULL"
        " AND turn_id IN (SELECT value FROM json_each(?))",
        (op.at, op.session_key, op.session_id, json.dumps(op.turn_ids)),
    )
    return True


def branch(connection: sqlite3.Connection, op: Branch) -> bool:
    """Looked at first, so that nobody goes on in an empty copy."""
    source = (op.source_key, op.source_id)
    found = connection.execute(
        "SELECT 1 FROM transcript WHERE session_key = ? AND session_id = ? AND role <> 'system' AND undone_at IS NULL"
        " AND EXISTS (SELECT 1 FROM sessions WHERE session_key = ?) LIMIT 1",
        (*source, op.session_key),
    )
    if not found.fetchall():
        return False
    begin(connection, op.session_key, op.session_id, op.at, op.reason)
    set_title(connection, op.session_key, op.title)
    connection.execute(
        "INSERT INTO transcript (session_key, session_id, role, text, at, turn_id, seq, used)"
        " SELECT ?, ?, role, text, at, turn_id, seq, used FROM transcript WHERE session_key = ? AND session_id = ?"
        " AND undone_at IS NULL ORDER BY line_id",
        (op.session_key, op.session_id, *source),
    )
    return True


def set_home(connection: sqlite3.Connection, op: SetHome) -> bool:
    """One for each account."""
    connection.execute(
        "INSERT INTO homes (platform, account, chat_id, thread_id, name, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        " ON CONFLICT (platform, account) DO UPDATE SET chat_id = ?3, thread_id = ?4, name = ?5, at = ?6",
        (op.platform, op.account, op.chat_id, op.thread_id, op.name, op.at),
    )
    return True
