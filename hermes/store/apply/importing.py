"""Conversations of another program: made once, and never over something that was said here since."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

from hermes.store.apply.commands import at_rest
from hermes.store.apply.stretches import begin
from hermes.store.codec import encode_used
from hermes.store.import_ops import OldConversation, OldStretch, TakeLines, TakeStretches

_FIRST_SEQ = 1
"""Of a session with nothing of ours: with 0, its first message would begin a stretch of its own."""


def take_stretches(connection: sqlite3.Connection, op: TakeStretches) -> int:
    """Each is made as one that is over; then what goes on does."""
    made = 0
    for one in op.stretches:
        # Noted apart from what is made: what was forgotten since does not come back.
        fresh = connection.execute(
            "INSERT INTO imported (session_id, messages) VALUES (?, 0) ON CONFLICT DO NOTHING",
            (one.session_id,),
        ).rowcount
        if fresh:
            _stretch(connection, one)
            made += 1
        if one.session_id == (one.conversation.present or one.session_id):
            _session(connection, one.conversation, one, fresh=bool(fresh))
    return made


def _stretch(connection: sqlite3.Connection, one: OldStretch) -> None:
    connection.execute(
        "INSERT INTO stretches (session_key, session_id, started_at, ended_at, end_reason, title, kept, input_tokens,"
        " output_tokens, cache_read_tokens, cache_write_tokens, cost_usd) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (
            one.conversation.session_key,
            one.session_id,
            one.started_at,
            one.ended_at,
            one.end_reason,
            one.title,
            *astuple(one.usage),
        ),
    )


def _session(
    connection: sqlite3.Connection, old: OldConversation, stretch: OldStretch, *, fresh: bool
) -> None:
    made = (
        fresh
        and connection.execute(
            "INSERT INTO sessions (session_key, session_id, last_seq, created_at, last_active_at, platform, account, chat_type,"
            " chat_id, thread_id, title, user_id, suspended, resume_reason, resume_marked_at, expired_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                old.session_key,
                stretch.session_id,
                _FIRST_SEQ,
                old.created_at,
                old.active_at,
                old.platform,
                old.account,
                old.chat_type,
                old.chat_id,
                old.thread_id,
                old.title,
                old.user_id,
                old.suspended,
                old.resume_reason,
                old.resume_marked_at,
                old.active_at if old.finalized or not old.platform else None,
            ),
        ).rowcount
    )
    if old.present is None:
        return
    if made:
        connection.execute(
            "UPDATE stretches SET ended_at = NULL, end_reason = '', kept = 0 WHERE session_key = ? AND session_id = ?",
            (old.session_key, stretch.session_id),
        )
        return
    newer = connection.execute(
        "SELECT 1 FROM sessions WHERE session_key = ? AND session_id <> ? AND last_active_at < ?",
        (old.session_key, stretch.session_id, old.active_at),
    ).fetchall()
    if newer and at_rest(connection, old.session_key):
        begin(connection, old.session_key, stretch.session_id, old.active_at, "session_switch")
    connection.execute(
        "UPDATE sessions SET last_active_at = max(last_active_at, ?) WHERE session_key = ? AND session_id = ?",
        (old.active_at, old.session_key, stretch.session_id),
    )


def take_lines(connection: sqlite3.Connection, op: TakeLines) -> bool:
    """All of it or nothing: looked at first."""
    for one in op.taken:
        found = connection.execute(
            "SELECT messages FROM imported WHERE session_id = ?", (one.session_id,)
        ).fetchall()
        if (found[0][0] if found else 0) != one.before:
            return False
    connection.executemany(
        "INSERT OR REPLACE INTO imported (session_id, messages) VALUES (?, ?)",
        [(one.session_id, one.now) for one in op.taken],
    )
    connection.executemany(
        "INSERT INTO transcript (session_key, session_id, role, text, at, used, undone_at) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7"
        " WHERE EXISTS (SELECT 1 FROM stretches WHERE session_key = ?1 AND session_id = ?2)",
        _rows(op),
    )
    return True


def _rows(op: TakeLines) -> Sequence[tuple[object, ...]]:
    return [
        (
            one.session_key,
            one.session_id,
            one.line.role,
            one.line.text,
            one.line.at,
            encode_used(one.line.used),
            one.line.at if one.undone else None,
        )
        for one in op.lines
    ]
