"""The tables of ``gateway.db``, and the only ways to open it.

A message's way through them:

    dedupe ◀─trigger─ inbox ──▶ sessions, stretches, turn_steps, transcript ──▶ outbox, streams ──▶ receipts
                        └─trigger─▶ counters                  └─▶ approvals

Beside it: persons and their identities (on which platforms they are), homes, chats that have moved, notes, audit,
the runs of jobs.

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
from hermes.store.codec import decode_event
from hermes.store.errors import failure_of, mapped
from hermes.store.migrations import FIFTH, FOURTH, INITIAL, SECOND, SEVENTH, SIXTH, THIRD
from hermes.types.errors import STORE_CORRUPT, STORE_NEWER, Failure, GatewayError

SCHEMA_VERSION = 7
BUSY_TIMEOUT_S = 5.0
CHECKPOINT_PAGES = 4_000  # 16 MB of -wal: a page written by many batches is copied back once
READER_CACHE_KB = 256


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
        # Whatever it has read is forgotten at the next commit of the writer's.
        connection.execute(f"PRAGMA cache_size = -{READER_CACHE_KB}")
        return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Make a fresh autocommit connection ready to write: refuse a newer schema, migrate an older one, be durable."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        (_, _, file) = connection.execute("PRAGMA database_list").fetchone()
        detail = f"{file} has schema {version}, this program knows {SCHEMA_VERSION}: use a newer program"
        raise GatewayError(Failure(STORE_NEWER, "fatal", "gateway", detail=detail))
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # for a new file, and for one that is written anew
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
        for statement in INITIAL:
            db.execute(statement)

    @migrations()
    def second(db: Database) -> None:
        for statement in SECOND:
            db.execute(statement)
        keys = db.execute("SELECT session_key FROM sessions").fetchall()
        db.conn.executemany(
            "UPDATE sessions SET chat_type = ? WHERE session_key = ?",
            [(chat_type_in(key), key) for (key,) in keys],
        )

    @migrations()
    def third(db: Database) -> None:
        for statement in THIRD:
            db.execute(statement)
        # Beside max(), a plain column is that row's. One scan, because no index leads there.
        newest = db.execute(
            "SELECT event, session_key, max(row_id) FROM inbox WHERE event IS NOT NULL AND session_key IN"
            " (SELECT session_key FROM sessions WHERE chat_type = 'dm') GROUP BY session_key"
        ).fetchall()
        db.conn.executemany(
            "UPDATE sessions SET user_id = ? WHERE session_key = ?",
            [(decode_event(event, "").origin.user_id, key) for event, key, _ in newest],
        )

    @migrations()
    def fourth(db: Database) -> None:
        for statement in FOURTH:
            db.execute(statement)

    @migrations()
    def fifth(db: Database) -> None:
        for statement in FIFTH:
            db.execute(statement)

    @migrations()
    def sixth(db: Database) -> None:
        for statement in SIXTH:
            db.execute(statement)

    @migrations()
    def seventh(db: Database) -> None:
        for statement in SEVENTH:
            db.execute(statement)

    migrations.apply(Database(connection))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
