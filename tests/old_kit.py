"""Homes as the original leaves them, of either generation, and what a second look at one shows."""

import hashlib
import json
import sqlite3
import stat
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[2] / "shared/reference"
ANN = "agent:main:telegram:dm:99"
FIRST, SECOND = "20260101_100000_aaaaaaaa", "20260201_100000_bbbbbbbb"

SESSIONS_0_13 = (
    "id TEXT PRIMARY KEY, source TEXT NOT NULL, user_id TEXT, parent_session_id TEXT, started_at REAL NOT NULL,"
    " ended_at REAL, end_reason TEXT, input_tokens INTEGER DEFAULT 0, estimated_cost_usd REAL, title TEXT"
)
SESSIONS = f"{SESSIONS_0_13}, session_key TEXT, chat_id TEXT, origin_json TEXT, display_name TEXT"
MESSAGES_0_13 = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT,"
    " tool_call_id TEXT, tool_calls TEXT, tool_name TEXT, timestamp REAL NOT NULL"
)
MESSAGES = f"{MESSAGES_0_13}, active INTEGER NOT NULL DEFAULT 1, compacted INTEGER NOT NULL DEFAULT 0"
ROUTING = "scope TEXT, session_key TEXT, entry_json TEXT, updated_at REAL, PRIMARY KEY (scope, session_key)"


def entry(session_id: str, **more: Any) -> dict[str, Any]:
    """One of sessions.json."""
    origin = {"platform": "telegram", "chat_id": "99", "chat_type": "dm", "user_id": "99", "user_name": "Ann"}
    return {
        "session_id": session_id,
        "created_at": "2026-02-01T10:00:00",
        "updated_at": "2026-02-01T10:05:00",
        "origin": origin,
    } | more


def mirror(home: Path, entries: object) -> Path:
    """sessions/sessions.json with these."""
    path = home / "sessions/sessions.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return path


def transcript(home: Path, session_id: str, *messages: object) -> Path:
    """sessions/<id>.jsonl with these."""
    path = home / f"sessions/{session_id}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in messages))
    return path


def state(
    home: Path,
    sessions: Iterable[Mapping[str, Any]] = (),
    messages: Iterable[Mapping[str, Any]] = (),
    *,
    schema: int = 22,
    session_columns: str = SESSIONS,
    message_columns: str = MESSAGES,
    routes: Iterable[tuple[str, str, object]] = (),
) -> Path:
    """state.db of that generation, added to if it is there."""
    path = home / "state.db"
    home.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        if new:
            database.execute("CREATE TABLE schema_version (version INTEGER)")
            database.execute("INSERT INTO schema_version VALUES (?)", (schema,))
            database.execute(f"CREATE TABLE sessions ({session_columns})")
            database.execute(f"CREATE TABLE messages ({message_columns})")
            database.execute(f"CREATE TABLE gateway_routing ({ROUTING})")
        for table, rows in (("sessions", sessions), ("messages", messages)):
            for row in rows:
                marks = ", ".join("?" * len(row))
                database.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values())
                )
        for scope, key, written in routes:
            text = written if isinstance(written, str) else json.dumps(written)
            database.execute("INSERT INTO gateway_routing VALUES (?, ?, ?, 1.0)", (scope, key, text))
    path.chmod(0o600)
    return path


def session(session_id: str, at: float = 1_000.0, **more: Any) -> dict[str, Any]:
    """A row of sessions."""
    return {"id": session_id, "source": "telegram", "started_at": at} | more


def message(session_id: str, role: str, content: Any, at: float = 1_000.0, **more: Any) -> dict[str, Any]:
    """A row of messages."""
    return {"session_id": session_id, "role": role, "content": content, "timestamp": at} | more


def prints(home: Path) -> dict[str, tuple[str, int]]:
    """Of every file of the original's: a digest, and its mode. What is ours, and the lock, are left out."""
    ours = ("gateway.db", "gateway.lock", "backups/")
    return {
        name: (hashlib.sha256(path.read_bytes()).hexdigest(), stat.S_IMODE(path.stat().st_mode))
        for path in sorted(home.rglob("*"))
        if path.is_file() and not (name := path.relative_to(home).as_posix()).startswith(ours)
    }
