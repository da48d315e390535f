"""Every read there is: functions over a read-only connection, handed to ``Store.read``.

Each sees one moment of the database. Lists are complete and in the order their owner works in.
"""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import cbor2

from hermes.delivery.limits import Scope
from hermes.store.codec import (
    LATE_RESULTS,
    SESSION,
    Undecodable,
    decode_event,
    decode_step,
    decode_used,
    session_record,
)
from hermes.store.outbox import DROPPED, ROW, outbox_row
from hermes.store.port import Reader
from hermes.types.agent import Step
from hermes.types.content import OutboxState
from hermes.types.ids import SessionId, SessionKey, TurnId
from hermes.types.records import (
    BusyMode,
    Counts,
    InboxRow,
    Line,
    Note,
    OutboxRow,
    SearchHit,
    SessionRecord,
    Standing,
    TranscriptLine,
)

Chat = tuple[str, str, str]
"""(platform, account, chat_id): what a lane and an inbound worker stand for."""

Work = tuple[Sequence[InboxRow], BusyMode | None]
"""What a session has to answer, and its own busy mode."""

_INBOX = "row_id, state, event, text, rule, session_key, session_id, seq, turn_id, boot_id, incarnation, crashes, boots"
_OPEN = "state IN ('prepared', 'sending', 'retry', 'unknown')"  # as in the partial index, to the letter
_WORD = re.compile(r"\w+")


def _inbox_row(row: tuple[Any, ...]) -> InboxRow:
    row_id, state, event, text, *rest = row
    return InboxRow(row_id, state, decode_event(event, text), *rest)


# --- inbound -----------------------------------------------------------------------------------------------------------


def accepted_chats(reader: Reader) -> Sequence[Chat]:
    """Chats with rows nobody has decided yet."""
    return reader.execute(
        "SELECT DISTINCT platform, account, chat_id FROM inbox WHERE state = 'accepted'"
    ).fetchall()


def accepted_of(reader: Reader, chats: Sequence[Chat], limit: int) -> Mapping[Chat, Sequence[InboxRow]]:
    """The rows of some chats that nobody has decided yet, in order: the oldest ``limit`` of all of them together, by chat."""
    found: dict[Chat, list[InboxRow]] = {}
    rows = reader.execute(
        f"SELECT {_INBOX}, platform, account, chat_id FROM inbox WHERE state = 'accepted' AND"
        f" (platform, account, chat_id) IN (VALUES {', '.join(['(?, ?, ?)'] * len(chats))}) ORDER BY row_id LIMIT ?",
        (*chain.from_iterable(chats), limit),
    )
    for *row, platform, account, chat_id in rows:
        found.setdefault((platform, account, chat_id), []).append(_inbox_row(tuple(row)))
    return found


def missed(reader: Reader, quiet_since: float) -> Sequence[Sequence[InboxRow]]:
    """By chat, oldest first, the rows that were too old and that it has not been told of; only of chats where the last
    such row was closed before ``quiet_since``.
    """
    chats = reader.execute(
        "SELECT platform, account, chat_id FROM missed GROUP BY 1, 2, 3 HAVING max(at) <= ?", (quiet_since,)
    ).fetchall()
    return [
        [
            _inbox_row(row)
            for row in reader.execute(
                f"SELECT {_INBOX} FROM inbox WHERE row_id IN"
                " (SELECT row_id FROM missed WHERE platform = ? AND account = ? AND chat_id = ?) ORDER BY row_id",
                chat,
            )
        ]
        for chat in chats
    ]


@dataclass(frozen=True, slots=True)
class OpenRows:
    """The rows that a session has to answer: its oldest and its newest one, by ``seq``; whether a turn has ``taken`` some."""

    oldest: int
    newest: int
    taken: bool


def open_sessions(reader: Reader) -> Mapping[SessionKey, OpenRows]:
    """Sessions that have rows to answer."""
    rows = reader.execute(
        "SELECT session_key, min(seq), max(seq), max(state = 'in_turn') FROM inbox"
        " WHERE state IN ('routed', 'in_turn') GROUP BY 1"
    )
    return {SessionKey(key): OpenRows(oldest, newest, bool(taken)) for key, oldest, newest, taken in rows}


# --- a session ---------------------------------------------------------------------------------------------------------


def session(reader: Reader, session_key: SessionKey) -> SessionRecord | None:
    """The session's record, if there ever was one."""
    found = reader.execute(f"SELECT {SESSION} FROM sessions WHERE session_key = ?", (session_key,)).fetchall()
    return session_record(found[0]) if found else None


def standing(reader: Reader, session_key: SessionKey) -> Standing | None:
    """How the session stands before its next message; None if there is no session yet."""
    found = reader.execute(
        f"SELECT {SESSION}, EXISTS (SELECT 1 FROM transcript WHERE session_key = s.session_key"
        " AND session_id = s.session_id AND role <> 'system'),"
        " (SELECT max(received_at) FROM inbox WHERE session_key = s.session_key AND state IN ('routed', 'in_turn'))"
        " FROM sessions AS s WHERE session_key = ?",
        (session_key,),
    ).fetchall()
    if not found:
        return None
    *_, had_activity, open_since = found[0]
    return Standing(session_record(found[0]), bool(had_activity), open_since)


def busy_mode(reader: Reader, session_key: SessionKey) -> BusyMode | None:
    """The session's own busy mode, if it has one."""
    found = reader.execute("SELECT busy_mode FROM sessions WHERE session_key = ?", (session_key,)).fetchall()
    return cast("BusyMode | None", found[0][0]) if found else None


def open_work(reader: Reader, session_key: SessionKey, limit: int) -> Work:
    """What the session has to answer, in the order of ``seq``: all rows of a turn that was begun, then the oldest ``limit``
    of those that wait for one. A turn that is taken up again without one of its rows would leave it behind.
    """
    mine = "FROM inbox WHERE session_key = ?1 AND state IN ('routed', 'in_turn')"
    rows = reader.execute(
        f"SELECT {_INBOX}, (SELECT busy_mode FROM sessions WHERE session_key = ?1) FROM ("
        f"SELECT {_INBOX}, 1 + (state <> 'in_turn') AS rank {mine} AND turn_id IS NOT NULL UNION ALL SELECT * FROM"
        f" (SELECT {_INBOX}, 3 {mine} AND turn_id IS NULL ORDER BY seq LIMIT ?2)) ORDER BY rank, seq",
        (session_key, limit),
    ).fetchall()
    return [_inbox_row(row[:-1]) for row in rows], rows[0][-1] if rows else None


def readable_work(reader: Reader, session_key: SessionKey, limit: int) -> Work | None:
    """As ``open_work``, for a look beside a write, which no row that cannot be read may undo. None: its session looks itself."""
    try:
        return open_work(reader, session_key, limit)
    except Undecodable:
        return None


def line_behind(
    reader: Reader, session_key: SessionKey, turn_id: TurnId, row_ids: Sequence[int]
) -> tuple[Line | None, BusyMode | None]:
    """What waits behind a turn that was begun with ``row_ids``, taken yet or not, and ``busy_mode`` of the same moment."""
    behind = (
        "FROM inbox WHERE session_key = ? AND state IN ('routed', 'in_turn') AND state = 'routed'"
        " AND row_id NOT IN (SELECT value FROM json_each(?))"
    )
    parameters = (session_key, json.dumps(row_ids))
    last = reader.execute(f"SELECT {_INBOX} {behind} ORDER BY seq DESC LIMIT 1", parameters).fetchall()
    if not last:
        return None, busy_mode(reader, session_key)
    ((length,),) = reader.execute(f"SELECT count(*) {behind}", parameters).fetchall()
    ((merged,),) = reader.execute(
        "SELECT count(*) FROM inbox WHERE turn_id = ? AND state = 'merged'", (turn_id,)
    ).fetchall()
    return Line(length, _inbox_row(last[0]), merged), busy_mode(reader, session_key)


def any_open(reader: Reader, row_ids: Sequence[int]) -> bool:
    """Whether one of these rows at least has no end yet."""
    found = reader.execute(
        "SELECT 1 FROM inbox WHERE row_id IN (SELECT value FROM json_each(?)) AND state IN ('routed', 'in_turn') LIMIT 1",
        (json.dumps(row_ids),),
    )
    return bool(found.fetchall())


def unanswered(reader: Reader, platform: str, account: str, row_ids: Sequence[int]) -> frozenset[int]:
    """Those of an account's rows that have ended, and nobody answers any more. What was merged into another is answered with
    that; and as long as anything is on its way to a chat, it may be the answer.
    """
    found = reader.execute(
        "SELECT row_id FROM inbox AS one WHERE row_id IN (SELECT value FROM json_each(?1)) AND platform = ?2 AND account = ?3"
        " AND (state IN ('denied', 'ignored', 'stopped') OR (state = 'merged' AND NOT EXISTS (SELECT 1 FROM inbox"
        " WHERE session_key = one.session_key AND state IN ('routed', 'in_turn'))))"
        f" AND NOT EXISTS (SELECT 1 FROM outbox WHERE platform = ?2 AND account = ?3 AND chat_id = one.chat_id AND {_OPEN})",
        (json.dumps(row_ids), platform, account),
    )
    return frozenset(row_id for (row_id,) in found)


def open_count(reader: Reader, session_key: SessionKey) -> int:
    """How many rows of the session are worked on or wait."""
    ((count,),) = reader.execute(
        "SELECT count(*) FROM inbox WHERE session_key = ? AND state IN ('routed', 'in_turn')", (session_key,)
    ).fetchall()
    return int(count)


def turn_rows(reader: Reader, session_key: SessionKey, turn_id: TurnId) -> Sequence[InboxRow]:
    """What a turn answers, in the order of ``seq``: its own rows, and those it had when it was interrupted."""
    rows = reader.execute(
        f"SELECT {_INBOX} FROM inbox WHERE session_key = ?1 AND state IN ('routed', 'in_turn') AND state = 'in_turn'"
        f" AND turn_id = ?2 UNION ALL SELECT {_INBOX} FROM inbox WHERE session_key = ?1 AND turn_id = ?2"
        " AND state = 'merged' ORDER BY seq",
        (session_key, turn_id),
    )
    return [_inbox_row(row) for row in rows]


def history(
    reader: Reader, session_key: SessionKey, session_id: SessionId, limit: int
) -> Sequence[TranscriptLine]:
    """The newest ``limit`` lines of a stretch that were not taken back, oldest first.

    As one row: each row costs a way back to the interpreter, beside a busy loop up to a switch interval.
    """
    ((lines,),) = reader.execute(
        "SELECT json_group_array(json_array(line_id, role, text, printf('%!.17g', at), turn_id, seq, used)) FROM"
        " (SELECT line_id, role, text, at, turn_id, seq, used FROM transcript WHERE session_key = ? AND session_id = ?"
        " AND undone_at IS NULL ORDER BY line_id DESC LIMIT ?)",
        (session_key, session_id, limit),
    ).fetchall()
    return [
        TranscriptLine(role, text, float(at), turn_id, seq, decode_used(used))
        for _, role, text, at, turn_id, seq, used in sorted(json.loads(lines))
    ]


@dataclass(frozen=True, slots=True)
class Begun:
    """What a turn that has taken its rows begins with: these, what was said before, and what it has done already."""

    record: SessionRecord
    rows: Sequence[InboxRow]
    history: Sequence[TranscriptLine]
    steps: Sequence[Step]


def begun(reader: Reader, record: SessionRecord | None, turn_id: TurnId, lines: int) -> Begun | None:
    """For the turn that took its rows as ``record`` says; None if it could not, or has been stopped since."""
    rows = record and turn_rows(reader, record.session_key, turn_id)
    if record is None or not rows:
        return None
    said = history(reader, record.session_key, record.session_id, lines)
    return Begun(record, rows, said, steps(reader, turn_id))


def steps(reader: Reader, turn_id: TurnId) -> Sequence[Step]:
    """What an unfinished turn has done so far, in order."""
    rows = reader.execute("SELECT step FROM turn_steps WHERE turn_id = ? ORDER BY n", (turn_id,))
    return [decode_step(step) for (step,) in rows]


# --- delivery ----------------------------------------------------------------------------------------------------------


def open_lanes(reader: Reader) -> Sequence[Chat]:
    """Chats with messages that have not arrived, or with a stream."""
    return reader.execute(
        f"SELECT platform, account, chat_id FROM outbox WHERE {_OPEN} UNION SELECT platform, account, chat_id FROM streams"
    ).fetchall()


def next_open_row(reader: Reader, platform: str, account: str, chat_id: str) -> OutboxRow | None:
    """The oldest message of a lane that has not arrived; its ``not_before`` may lie ahead: order goes before speed."""
    found = reader.execute(
        f"SELECT {ROW} FROM outbox WHERE platform = ? AND account = ? AND chat_id = ? AND {_OPEN}"
        " ORDER BY row_id LIMIT 1",
        (platform, account, chat_id),
    ).fetchall()
    return outbox_row(reader, found[0]) if found else None


def floods(reader: Reader) -> dict[Scope, float]:
    """Until when each scope is to be left alone, in epoch seconds."""
    return dict(reader.execute("SELECT scope, until FROM floods").fetchall())


def outbox_counts(reader: Reader) -> dict[OutboxState, int]:
    """How many messages are in each state but ``sent``."""
    counts: dict[OutboxState, int] = {"prepared": 0, "sending": 0, "retry": 0, "unknown": 0, "dead": 0}
    counts.update(
        reader.execute(f"SELECT state, count(*) FROM outbox WHERE {_OPEN} GROUP BY state").fetchall()
    )
    ((counts["dead"],),) = reader.execute(
        "SELECT count(*) FROM outbox WHERE state = 'dead' AND failure <> ?", (DROPPED,)
    ).fetchall()
    return counts


# --- the gateway as a whole --------------------------------------------------------------------------------------------


def counts(reader: Reader) -> Counts:
    """The counters, and beside them the rows that really are open: two sources, so that they can disagree."""
    values: dict[str, int] = dict(
        reader.execute("SELECT name, value FROM counters WHERE name <> ?", (LATE_RESULTS,)).fetchall()
    )
    ((pending,),) = reader.execute(
        "SELECT (SELECT count(*) FROM inbox WHERE state = 'accepted')"
        " + (SELECT count(*) FROM inbox WHERE state IN ('routed', 'in_turn'))"
    ).fetchall()
    return Counts(**values, pending=pending)


def late_results(reader: Reader) -> int:
    """How much has come of turns that were over, and was dropped: answers, steps, and drafts, once for each turn."""
    found = reader.execute("SELECT value FROM counters WHERE name = ?", (LATE_RESULTS,)).fetchall()
    return int(found[0][0]) if found else 0


def sessions_known(reader: Reader) -> int:
    """How many sessions there ever were."""
    ((known,),) = reader.execute("SELECT count(*) FROM sessions").fetchall()
    return int(known)


def last_events(reader: Reader, limit: int) -> Sequence[dict[str, object]]:
    """The newest ``limit`` supervision events, oldest first."""
    rows = reader.execute("SELECT body FROM events ORDER BY event_id DESC LIMIT ?", (limit,)).fetchall()
    return [cbor2.loads(body) for (body,) in reversed(rows)]


# --- what people ask for -----------------------------------------------------------------------------------------------


def search(reader: Reader, text: str, limit: int, of: SessionKey | None = None) -> Sequence[SearchHit]:
    """Lines that hold all words of ``text``, newest first: of one conversation, or of all. The text is words and nothing
    else: no query syntax.

    What was taken back is not found, and what several branches of a conversation have in common is found once.
    """
    words = _WORD.findall(text)
    if not words:
        return []
    rows = reader.execute(
        "SELECT session_key, role, snippet(transcript_fts, 0, '[', ']', '…', 24), at, turn_id, seq"
        " FROM transcript_fts JOIN transcript ON line_id = transcript_fts.rowid"
        " WHERE transcript_fts MATCH :words AND role <> 'system' AND undone_at IS NULL"
        " AND (:of IS NULL OR session_key = :of) ORDER BY transcript_fts.rowid DESC",
        {"words": " ".join(f'"{word}"' for word in words), "of": of},
    )
    found: dict[tuple[object, ...], SearchHit] = {}
    for key, role, excerpt, at, turn_id, seq in rows:
        if len(found) == limit:
            break
        place = (turn_id, role, seq) if turn_id else (len(found),)
        found.setdefault(place, SearchHit(key, role, excerpt, at))
    return list(found.values())


def notes(reader: Reader, of: SessionKey | None = None) -> Sequence[Note]:
    """Notes, oldest first: those made in one conversation, or all. A note's key begins with its turn."""
    rows = reader.execute(
        "SELECT note_id, text, at FROM notes WHERE :of IS NULL OR substr(key, 1, instr(key, '/') - 1) IN"
        " (SELECT turn_id FROM inbox WHERE session_key = :of AND turn_id IS NOT NULL) ORDER BY note_id",
        {"of": of},
    )
    return [Note(*row) for row in rows]


def browser_session_expiry(reader: Reader, session_hash: bytes) -> float | None:
    """Until when the browser session of that hash is good, in epoch seconds; None if there is none."""
    found = reader.execute(
        "SELECT expires_at FROM browser_sessions WHERE session_hash = ?", (session_hash,)
    ).fetchall()
    return float(found[0][0]) if found else None
