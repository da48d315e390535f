"""The original's database, ``state.db``: sessions, routes and messages, by the names of its columns, of any of its versions.

    state.db, -wal, -journal ─▶ a private copy, taken while nobody writes ─▶ what columns there are ─▶ rows

SQLite never opens the file itself: reading a database in WAL mode makes files beside it, and leaves them there.
"""

# ruff: noqa: S608 - only names of columns that this module knows are joined into SQL; every value is a parameter

import errno
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hermes.store.copies import copy_at_rest
from hermes.store.errors import mapped
from hermes.types.errors import STORE_CORRUPT, STORE_DEGRADED, Failure, GatewayError

NAME = "state.db"
NEWEST_KNOWN = 22
"""The schema of 0.19. A later one is read as far as its columns are called the same."""

PAGE_MESSAGES = 200
MOST_RESULT_CHARACTERS = 20_000
"""Of what a tool has said. A conversation's words are taken whole."""

_SESSION = (
    "id",
    "source",
    "session_key",
    "parent_session_id",
    "user_id",
    "chat_id",
    "thread_id",
    "display_name",
    "origin_json",
    "title",
    "started_at",
    "ended_at",
    "end_reason",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "estimated_cost_usd",
    "actual_cost_usd",
)
_MESSAGE = (
    "session_id",
    "role",
    "content",
    "tool_call_id",
    "tool_calls",
    "tool_name",
    "timestamp",
    "active",
    "compacted",
)
_NEEDED = {"sessions": {"id"}, "messages": {"id", "session_id", "role", "content"}}

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Row = Mapping[str, Any]
"""What a row says, by column; a column that this version has not is None."""


@dataclass(frozen=True, slots=True)
class Length:
    """How many messages a session has, and when the last one was said (epoch seconds; None: nobody knows)."""

    messages: int
    last_at: object


class OriginalDatabase:
    """A copy that is open. ``faults`` say in words what of it cannot be read; that is then as if it were empty."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self.faults: list[str] = []
        self.schema = self._schema()
        self._has = {table: self._columns(table) for table in ("sessions", "messages", "gateway_routing")}
        for table, needed in _NEEDED.items():
            if missing := needed - self._has[table]:
                self.faults.append(f"its table {table} has no {', '.join(sorted(missing))}: not read")
                self._has[table] = frozenset()

    def routes(self) -> Sequence[tuple[str, str, str]]:
        """(directory, session key, entry as JSON) of each conversation, those that were changed last, last."""
        if not {"scope", "session_key", "entry_json"} <= self._has["gateway_routing"]:
            return []
        order = "updated_at" if "updated_at" in self._has["gateway_routing"] else "rowid"
        return self._all(f"SELECT scope, session_key, entry_json FROM gateway_routing ORDER BY {order}")

    def sessions(self) -> Sequence[Row]:
        """All of them, in no order."""
        return self._rows("sessions", _SESSION, "")

    def lengths(self) -> Mapping[str, Length]:
        """By session."""
        has = self._has["messages"]
        if not has:
            return {}
        last = "max(timestamp)" if "timestamp" in has else "NULL"
        rows = self._all(f"SELECT session_id, count(*), {last} FROM messages GROUP BY 1")
        return {session_id: Length(count, at) for session_id, count, at in rows}

    def undelivered(self) -> int:
        """Answers that may not have arrived."""
        if "state" not in self._columns("delivery_obligations"):
            return 0
        ((count,),) = self._all(
            "SELECT count(*) FROM delivery_obligations WHERE state NOT IN ('delivered', 'done', 'sent')"
        )
        return int(count)

    def pages(self) -> Iterator[Sequence[Row]]:
        """All messages in the order in which they were said, ``PAGE_MESSAGES`` at a time."""
        after: object = -(1 << 62)
        order = f"WHERE id > ? ORDER BY id LIMIT {PAGE_MESSAGES}"
        while page := self._rows("messages", _MESSAGE, order, after):
            yield page
            after = page[-1]["id"]

    def _rows(self, table: str, wanted: Iterable[str], rest: str, *values: object) -> Sequence[Row]:
        has = self._has[table]
        if not has:
            return ()
        names = sorted({*wanted, "id"} & has)
        columns = (
            f"iif(role = 'tool', substr(content, 1, {MOST_RESULT_CHARACTERS}), content)"
            if name == "content"
            else name
            for name in names
        )
        absent = dict.fromkeys(wanted)
        rows = self._all(f"SELECT {', '.join(columns)} FROM {table} {rest}", *values)
        return [absent | dict(zip(names, row, strict=True)) for row in rows]

    def _all(self, sql: str, *values: object) -> list[Any]:
        with _naming(self._path), mapped():
            return self._connection.execute(sql, values).fetchall()

    def _columns(self, table: str) -> frozenset[str]:
        return frozenset(name for _, name, *_ in self._all("SELECT * FROM pragma_table_info(?)", table))

    def _schema(self) -> int | None:
        if "version" not in self._columns("schema_version"):
            return None
        ((version,),) = self._all("SELECT max(version) FROM schema_version")
        return version if isinstance(version, int) else None


@contextmanager
def original_database(path: Path) -> Iterator[OriginalDatabase]:
    """What stands in ``path``, in a copy that is gone afterwards; ``path`` and the files beside it stay as they are, to the byte.

    Blocks. Raises ``GatewayError``, and so does what is asked of it: ``store_corrupt`` where it is no database, or damaged,
    ``store_degraded`` if somebody writes to it all the time, or the disk has no room for the copy.
    """
    with tempfile.TemporaryDirectory(prefix="hermes-") as directory:
        with _naming(path), mapped():
            copy = _copied(path, Path(directory))
        with closing(sqlite3.connect(copy, isolation_level=None, check_same_thread=False)) as connection:
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            connection.execute("PRAGMA trusted_schema = OFF")
            yield OriginalDatabase(path, connection)


def _copied(path: Path, directory: Path) -> Path:
    try:
        return copy_at_rest(path, directory)
    except OSError as wrong:
        if wrong.errno not in _NO_ROOM:
            raise
        words = f"{directory.parent} has no room for a copy of it; TMPDIR names another place"
        raise GatewayError(Failure(STORE_DEGRADED, scope="gateway", detail=words)) from wrong


def parsed(text: object) -> object:
    """What ``text`` is as JSON; None if it is none."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """The errors of SQLite name no file, and the copy has another name."""
    try:
        yield
    except sqlite3.Error as wrong:  # a column of another kind than it is called by
        raise GatewayError(Failure(STORE_CORRUPT, scope="gateway", detail=f"{path}: {wrong}")) from wrong
    except GatewayError as wrong:
        failure = wrong.failure
        if str(path) in failure.detail:
            raise
        # Never fatal: it is nothing of ours.
        detail = f"{path}: {failure.detail}"
        raise GatewayError(Failure(failure.code, scope="gateway", detail=detail)) from wrong
