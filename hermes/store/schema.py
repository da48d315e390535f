"""The tables of ``gateway.db``, and the only ways to open it.

A message's way through them:

    dedupe ◀─trigger─ inbox ──▶ sessions, stretches, turn_steps, transcript ──▶ outbox ──▶ receipts
                        └─trigger─▶ counters

A session is a conversation for good, a stretch of it what was said between two fresh starts. A row belongs to the stretch
it was routed into, whatever begins after it.

Payloads nobody queries are CBOR; a text that may have to be erased has a column of its own. Dedupe keys and counters
follow the inbox by trigger: no operation can forget them, and accepting stays one statement. Indices that scatter over
the chats leave out ``accepted`` rows: an accept dirties a handful of pages instead of one a chat (64 accepts: 1.4 ms, not
2.7), and the few rows that wait for a decision are found in a small index by age.
"""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from hermes.sessions.keys import chat_type_in
from hermes.store.errors import failure_of, mapped
from hermes.types.errors import STORE_CORRUPT, STORE_NEWER, Failure, GatewayError

SCHEMA_VERSION = 2
BUSY_TIMEOUT_S = 5.0
CHECKPOINT_PAGES = 4_000  # 16 MB of -wal: a page written by many batches is copied back once

_INITIAL = (
    """CREATE TABLE writer (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL,
        batch INTEGER NOT NULL,
        probed_at REAL)""",
    "INSERT INTO writer (id, epoch, batch) VALUES (1, 0, 0)",
    """CREATE TABLE counters (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID""",
    """INSERT INTO counters (name) VALUES ('received'), ('answered'), ('merged'), ('refused'), ('denied'),
        ('ignored'), ('stopped'), ('failed')""",
    """CREATE TABLE dedupe (
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        event_id TEXT NOT NULL,
        row_id INTEGER NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (platform, account, event_id)) WITHOUT ROWID""",
    """CREATE TABLE inbox (
        row_id INTEGER PRIMARY KEY,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        trace TEXT NOT NULL,
        received_at REAL NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('accepted', 'routed', 'in_turn', 'answered', 'merged', 'refused',
            'denied', 'ignored', 'stopped', 'failed')),
        rule TEXT NOT NULL DEFAULT '',
        session_key TEXT,
        seq INTEGER,
        turn_id TEXT,
        boot_id TEXT,
        incarnation INTEGER,
        crashes INTEGER NOT NULL DEFAULT 0,
        boots INTEGER NOT NULL DEFAULT 0,
        text TEXT NOT NULL DEFAULT '',
        event BLOB,
        raw BLOB)""",
    "CREATE INDEX inbox_accepted ON inbox (row_id, platform, account, chat_id) WHERE state = 'accepted'",
    "CREATE INDEX inbox_chat ON inbox (platform, account, chat_id, row_id) WHERE state <> 'accepted'",
    "CREATE INDEX inbox_owned ON inbox (session_key, seq) WHERE state IN ('routed', 'in_turn')",
    """CREATE TRIGGER inbox_received AFTER INSERT ON inbox BEGIN
        INSERT INTO dedupe VALUES (new.platform, new.account, new.event_id, new.row_id, new.received_at);
        UPDATE counters SET value = value + 1 WHERE name IN ('received', new.state);
    END""",
    """CREATE TRIGGER inbox_ended AFTER UPDATE OF state ON inbox WHEN new.state <> old.state BEGIN
        UPDATE counters SET value = value + 1 WHERE name = new.state;
    END""",
    """CREATE TABLE sessions (
        session_key TEXT PRIMARY KEY,
        session_id TEXT NOT NULL,
        generation INTEGER NOT NULL DEFAULT 0,
        last_seq INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        last_active_at REAL NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE turn_steps (
        turn_id TEXT NOT NULL,
        n INTEGER NOT NULL,
        at REAL NOT NULL,
        step BLOB NOT NULL,
        PRIMARY KEY (turn_id, n)) WITHOUT ROWID""",
    """CREATE TABLE transcript (
        line_id INTEGER PRIMARY KEY,
        session_key TEXT NOT NULL,
        session_id TEXT NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        at REAL NOT NULL,
        turn_id TEXT,
        seq INTEGER)""",
    "CREATE INDEX transcript_stretch ON transcript (session_key, session_id, line_id)",
    """CREATE VIRTUAL TABLE transcript_fts USING fts5 (
        text, content='transcript', content_rowid='line_id', tokenize='unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER transcript_added AFTER INSERT ON transcript BEGIN
        INSERT INTO transcript_fts (rowid, text) VALUES (new.line_id, new.text);
    END""",
    """CREATE TRIGGER transcript_removed AFTER DELETE ON transcript BEGIN
        INSERT INTO transcript_fts (transcript_fts, rowid, text) VALUES ('delete', old.line_id, old.text);
    END""",
    """CREATE TRIGGER transcript_changed AFTER UPDATE OF text ON transcript BEGIN
        INSERT INTO transcript_fts (transcript_fts, rowid, text) VALUES ('delete', old.line_id, old.text);
        INSERT INTO transcript_fts (rowid, text) VALUES (new.line_id, new.text);
    END""",
    """CREATE TABLE outbox (
        row_id INTEGER PRIMARY KEY,
        delivery_id TEXT NOT NULL UNIQUE,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        trace TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'prepared' CHECK (state IN ('prepared', 'sending', 'retry', 'unknown', 'sent',
            'dead')),
        parts_sent INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before REAL NOT NULL DEFAULT 0,
        failure TEXT NOT NULL DEFAULT '',
        boot_id TEXT,
        incarnation INTEGER,
        created_at REAL NOT NULL,
        changed_at REAL NOT NULL,
        expires_at REAL,
        secret INTEGER NOT NULL,
        text TEXT NOT NULL,
        message BLOB NOT NULL)""",
    "CREATE INDEX outbox_chat ON outbox (platform, account, chat_id, row_id)",
    """CREATE INDEX outbox_open ON outbox (platform, account, chat_id, row_id)
        WHERE state IN ('prepared', 'sending', 'retry', 'unknown')""",
    "CREATE INDEX outbox_dead ON outbox (row_id) WHERE state = 'dead'",
    """CREATE TRIGGER outbox_secret AFTER UPDATE OF state ON outbox
        WHEN new.secret AND new.state IN ('sent', 'dead') BEGIN
        UPDATE outbox SET text = '' WHERE row_id = new.row_id;
    END""",
    """CREATE TABLE receipts (
        outbox_row_id INTEGER NOT NULL,
        part INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (outbox_row_id, part)) WITHOUT ROWID""",
    "CREATE TABLE events (event_id INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
    """CREATE TABLE notes (
        note_id INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        at REAL NOT NULL)""",
    "CREATE TABLE login_codes (code_hash BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE browser_sessions (session_hash BLOB PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID",
)

_SECOND = (
    # Sessions: where their people are, what has become of them, and what each stretch has cost.
    "ALTER TABLE sessions ADD COLUMN platform TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN chat_type TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN chat_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN thread_id TEXT",
    "ALTER TABLE sessions ADD COLUMN title TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN resume_reason TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN resume_marked_at REAL",
    """UPDATE sessions SET (platform, account, chat_id) = (
        SELECT platform, account, chat_id FROM inbox WHERE inbox.session_key = sessions.session_key
        ORDER BY row_id DESC LIMIT 1)
        WHERE session_key IN (SELECT session_key FROM inbox)""",
    """CREATE TABLE stretches (
        session_key TEXT NOT NULL,
        session_id TEXT NOT NULL,
        started_at REAL NOT NULL,
        ended_at REAL,
        end_reason TEXT NOT NULL DEFAULT '',
        input_tokens INTEGER NOT NULL DEFAULT 0,
        output_tokens INTEGER NOT NULL DEFAULT 0,
        cache_read_tokens INTEGER NOT NULL DEFAULT 0,
        cache_write_tokens INTEGER NOT NULL DEFAULT 0,
        cost_usd REAL NOT NULL DEFAULT 0,
        PRIMARY KEY (session_key, session_id)) WITHOUT ROWID""",
    """INSERT INTO stretches (session_key, session_id, started_at, ended_at, end_reason)
        SELECT session_key, session_id, min(at), max(at), 'session_reset' FROM transcript GROUP BY 1, 2""",
    """INSERT INTO stretches (session_key, session_id, started_at)
        SELECT session_key, session_id, last_active_at FROM sessions WHERE true
        ON CONFLICT (session_key, session_id) DO UPDATE SET ended_at = NULL, end_reason = ''""",
    "ALTER TABLE inbox ADD COLUMN session_id TEXT",
    """UPDATE inbox SET session_id = (SELECT session_id FROM sessions WHERE sessions.session_key = inbox.session_key)
        WHERE state IN ('routed', 'in_turn')""",
    # Busy conversations: their own mode, and the messages that an interrupted turn answers with the others.
    "ALTER TABLE sessions ADD COLUMN busy_mode TEXT CHECK (busy_mode IN ('interrupt', 'queue', 'steer', 'collect'))",
    "CREATE INDEX inbox_merged ON inbox (turn_id) WHERE state = 'merged'",
    # A message's way with its times: by trigger, so that no operation can forget it. No index: people ask, rarely.
    "ALTER TABLE writer ADD COLUMN at REAL NOT NULL DEFAULT 0",
    """CREATE TABLE journey (
        row_id INTEGER NOT NULL,
        at REAL NOT NULL,
        state TEXT NOT NULL,
        rule TEXT NOT NULL,
        turn_id TEXT,
        boot_id TEXT,
        incarnation INTEGER)""",
    """CREATE TRIGGER inbox_moved AFTER UPDATE OF state ON inbox BEGIN
        INSERT INTO journey SELECT new.row_id, writer.at, new.state, new.rule, new.turn_id, new.boot_id, new.incarnation
            FROM writer;
    END""",
    "ALTER TABLE outbox ADD COLUMN sending_at REAL",
    # What a chat has still to be told that it has missed.
    """CREATE TABLE missed (
        row_id INTEGER PRIMARY KEY,
        platform TEXT NOT NULL,
        account TEXT NOT NULL,
        chat_id TEXT NOT NULL,
        at REAL NOT NULL)""",
)


def open_writer(path: Path) -> sqlite3.Connection:
    """Open ``path`` for writing, made (0600, whatever the umask) and brought to the current schema if need be.

    The connection is in autocommit mode: its owner says BEGIN and COMMIT. ``synchronous=FULL``: a commit is on the disk
    when it returns. -wal and -shm take over the mode of the database. Raises ``GatewayError``: ``store_newer``,
    ``store_corrupt``, ``store_degraded`` (the disk), ``home_unusable`` (a symlink or a directory stands there).
    """
    with mapped():
        _make_private(path)
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open ``path`` for reading only; any thread may use the connection, one at a time. Raises ``GatewayError``."""
    with mapped():
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA query_only = ON")
        return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Make a fresh autocommit connection ready to write: refuse a newer schema, migrate an older one, be durable."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
        detail = f"{file} has schema {version}, this program knows {SCHEMA_VERSION}: use a newer program"
        raise GatewayError(Failure(STORE_NEWER, "fatal", "gateway", detail=detail))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA temp_store = MEMORY")
    if version < SCHEMA_VERSION:
        _migrate(connection)


def check_and_set_aside(path: Path, suffix: str) -> Path | None:
    """Check the whole file; if it is damaged, rename it (with -wal and -shm) to end in ``suffix`` and return its new path.

    Slow, and nobody may have the file open: for the boot after the store gave up. Raises ``GatewayError`` if the disk
    is in the way of the check: then nothing is moved.
    """
    if not path.exists() or _is_sound(path):
        return None
    with mapped():
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            file = path.with_name(name)
            if file.exists():
                file.rename(path.with_name(name + suffix))
    return path.with_name(path.name + suffix)


def _is_sound(path: Path) -> bool:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    except sqlite3.Error as error:
        failure = failure_of(error)
        if failure is None or failure.code == STORE_CORRUPT:
            return False
        raise GatewayError(failure) from error
    finally:
        connection.close()


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, so that no umask can widen it; O_NOFOLLOW because a planted symlink would."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _migrate(connection: sqlite3.Connection) -> None:
    # Imported here: sqlite-utils costs 130 ms, and a start with an up-to-date file needs none of it.
    from sqlite_utils import Database, Migrations

    migrations = Migrations("gateway")

    @migrations()
    def initial(db: Database) -> None:
        for statement in _INITIAL:
            db.execute(statement)

    @migrations()
    def second(db: Database) -> None:
        for statement in _SECOND:
            db.execute(statement)
        keys = db.execute("SELECT session_key FROM sessions").fetchall()
        db.conn.executemany(
            "UPDATE sessions SET chat_type = ? WHERE session_key = ?",
            [(chat_type_in(key), key) for (key,) in keys],
        )

    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
