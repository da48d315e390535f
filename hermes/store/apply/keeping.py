"""Everything that is no message: supervision events, notes, browser logins."""

import sqlite3

import cbor2

from hermes.store.keeping_ops import AddNote, CloseBrowserSession, DropNote, PutLoginCode, RedeemLoginCode
from hermes.store.ops import LogEvents, Probe
from hermes.types.records import Note


def log_events(connection: sqlite3.Connection, op: LogEvents) -> None:
    """Ids only ever grow, so the newest ``keep`` are those above a line."""
    connection.executemany(
        "INSERT INTO events (body) VALUES (?)", [(cbor2.dumps(event),) for event in op.events]
    )
    connection.execute(
        "DELETE FROM events WHERE event_id <= (SELECT max(event_id) FROM events) - ?", (op.keep,)
    )


def add_note(connection: sqlite3.Connection, op: AddNote) -> Note:
    """A turn that runs again hands in the same key again."""
    connection.execute(
        "INSERT INTO notes (key, text, at) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (op.key, op.text, op.at),
    )
    (found,) = connection.execute("SELECT note_id, text, at FROM notes WHERE key = ?", (op.key,)).fetchall()
    return Note(*found)


def drop_note(connection: sqlite3.Connection, op: DropNote) -> bool:
    """Gone for good."""
    return connection.execute("DELETE FROM notes WHERE note_id = ?", (op.note_id,)).rowcount == 1


def put_login_code(connection: sqlite3.Connection, op: PutLoginCode) -> None:
    """Hashes only; the code itself is in a link somebody was shown."""
    connection.execute("DELETE FROM login_codes WHERE expires_at <= ?", (op.at,))
    connection.execute(
        "INSERT INTO login_codes (code_hash, expires_at) VALUES (?, ?)", (op.code_hash, op.expires_at)
    )


def redeem_login_code(connection: sqlite3.Connection, op: RedeemLoginCode) -> bool:
    """Deleting is what makes it single use: of two at once, one deletes nothing."""
    used = connection.execute(
        "DELETE FROM login_codes WHERE code_hash = ? AND expires_at > ?", (op.code_hash, op.at)
    )
    if not used.rowcount:
        return False
    connection.execute(
        "INSERT INTO browser_sessions (session_hash, expires_at) VALUES (?, ?)",
        (op.session_hash, op.session_expires_at),
    )
    return True


def close_browser_session(connection: sqlite3.Connection, op: CloseBrowserSession) -> bool:
    """A browser has logged out."""
    return bool(
        connection.execute("DELETE FROM browser_sessions WHERE session_hash = ?", (op.session_hash,)).rowcount
    )


def probe(connection: sqlite3.Connection, op: Probe) -> None:
    """Small, but a real write."""
    connection.execute("UPDATE writer SET probed_at = ?", (op.at,))
