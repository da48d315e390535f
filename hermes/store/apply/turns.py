"""A session's turns: take rows, commit steps, end in one transaction or be stopped."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from hermes.store.apply.outbox import put
from hermes.store.apply.stretches import begin, count, last_before, mark_interrupted, set_title, suspend
from hermes.store.codec import (
    LATE_RESULTS,
    SESSION,
    encode_step,
    encode_used,
    session_record,
    without_earlier,
)
from hermes.store.ops import AddStep, FinishTurn, Release, Resume, StopTurn, Take
from hermes.types.ids import SessionId
from hermes.types.records import SessionRecord


def take(connection: sqlite3.Connection, op: Take) -> SessionRecord | None:
    """All rows or none. Taking is nobody's activity: it may come long after the words, in another boot."""
    parameters = {
        "rows": json.dumps(op.row_ids),
        "session": op.session_key,
        "turn": op.turn_id,
        "boot": op.boot_id,
        "incarnation": op.incarnation,
    }
    mine = (  # constant: every value is a parameter
        "row_id IN (SELECT value FROM json_each(:rows)) AND session_key = :session"
        " AND (state = 'routed' OR (state = 'in_turn' AND turn_id = :turn))"
    )
    ((found, _, session_id, interrupted),) = connection.execute(  # beside max(), a plain column is that row's
        "SELECT count(*), max(seq), session_id, total(state = 'in_turn' AND boot_id <> :boot) FROM inbox"
        f" WHERE {mine}",
        parameters,
    ).fetchall()
    if found != len(op.row_ids):
        return None
    connection.execute(
        "UPDATE inbox SET crashes = crashes + (state = 'in_turn' AND boot_id = :boot),"
        " boots = boots + (state = 'in_turn' AND boot_id <> :boot),"
        " state = 'in_turn', turn_id = :turn, boot_id = :boot, incarnation = :incarnation"
        f" WHERE {mine}",
        parameters,
    )
    if interrupted:
        mark_interrupted(connection, op.session_key, "restart_interrupted", op.at)
    session = connection.execute(
        f"UPDATE sessions SET generation = generation + 1 WHERE session_key = ? RETURNING {SESSION}",
        (op.session_key,),
    ).fetchall()
    return replace(session_record(session[0]), session_id=session_id) if session else None


def add_step(connection: sqlite3.Connection, op: AddStep) -> bool:
    """A new step proves progress, so boots that found the rows in this turn no longer count against them."""
    added = connection.execute(
        "INSERT INTO turn_steps (turn_id, n, at, step)"
        " SELECT ?, ?, ?, ? FROM sessions WHERE session_key = ? AND generation = ?",
        (op.turn_id, op.n, op.at, encode_step(op.step), op.session_key, op.generation),
    )
    if not added.rowcount:
        count_late(connection)
        return False
    connection.execute(
        "UPDATE inbox SET boots = 0 WHERE session_key = ? AND turn_id = ? AND state IN ('routed', 'in_turn')",
        (op.session_key, op.turn_id),
    )
    return True


def finish_turn(connection: sqlite3.Connection, op: FinishTurn) -> bool:
    """Look first: without rows there would be no update to carry the condition; and most turns leave nothing else to do."""
    rows = json.dumps(op.row_ids)
    holding = connection.execute(
        "SELECT (SELECT count(*) FROM inbox WHERE session_key = ?1 AND state IN ('routed', 'in_turn') AND state = 'in_turn'"
        " AND turn_id = ?2), EXISTS (SELECT 1 FROM turn_steps WHERE turn_id = ?2) FROM sessions WHERE session_key = ?1"
        " AND generation = ?3 AND ?4 = (SELECT count(*) FROM inbox"
        " WHERE row_id IN (SELECT value FROM json_each(?5)) AND state = 'in_turn' AND turn_id = ?2)",
        (op.session_key, op.turn_id, op.generation, len(op.row_ids), rows),
    ).fetchall()
    if not holding:
        count_late(connection)
        return False
    ((held, has_steps),) = holding
    connection.execute(
        "UPDATE inbox SET state = ?, rule = ? WHERE row_id IN (SELECT value FROM json_each(?))",
        (op.state, op.rule, rows),
    )
    if held > len(
        op.row_ids
    ):  # handed to its agent when that did not look any more: they wait for the next one
        connection.execute(
            "UPDATE inbox SET state = 'routed', turn_id = NULL WHERE session_key = ? AND state IN ('routed', 'in_turn')"
            " AND state = 'in_turn' AND turn_id = ?",
            (op.session_key, op.turn_id),
        )
    if op.transcript:
        said = (
            (line.role, line.text, line.at, line.turn_id or op.turn_id, line.seq, encode_used(line.used))
            for line in op.transcript
        )
        connection.execute(
            "INSERT INTO transcript (session_key, session_id, role, text, at, turn_id, seq, used) VALUES "
            + ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * len(op.transcript)),
            [value for line in said for value in (op.session_key, op.session_id, *line)],
        )
    put(connection, op.outbound, op.at)
    connection.execute(
        "UPDATE sessions SET last_active_at = max(last_active_at, ?2), resume_reason = iif(?3, '', resume_reason),"
        " resume_marked_at = iif(?3, NULL, resume_marked_at) WHERE session_key = ?1",
        (op.session_key, op.active_at, op.state == "answered"),
    )
    if op.usage is not None:
        count(connection, op.session_key, op.session_id, op.usage)
    if op.suspend is not None:
        suspend(connection, op.session_key, op.session_id, op.suspend, op.at)
    for row_id in op.lighten:
        ((payload,),) = connection.execute("SELECT event FROM inbox WHERE row_id = ?", (row_id,)).fetchall()
        connection.execute("UPDATE inbox SET event = ? WHERE row_id = ?", (without_earlier(payload), row_id))
    if has_steps:
        _drop_steps(connection, [op.turn_id])
    return True


def count_late(connection: sqlite3.Connection) -> None:
    """Something came of a turn that is over, and is dropped. No message: it stands beside the others in no sum."""
    connection.execute(
        "INSERT INTO counters (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
        (LATE_RESULTS,),
    )


def release(connection: sqlite3.Connection, op: Release) -> int:
    """Only the mark of being worked on goes."""
    released = connection.execute(
        "UPDATE inbox SET state = 'routed' WHERE session_key = ? AND turn_id = ? AND state = 'in_turn'",
        (op.session_key, op.turn_id),
    ).rowcount
    if released:
        mark_interrupted(connection, op.session_key, op.reason, op.at)
    return released


def stop_turn(connection: sqlite3.Connection, op: StopTurn) -> int:
    """The raised generation is what makes a late FinishTurn or AddStep fail."""
    known = connection.execute(
        "UPDATE sessions SET generation = generation + 1, last_active_at = max(last_active_at, ?) WHERE session_key = ?",
        (op.at, op.session_key),
    )
    if not known.rowcount:
        return 0
    stopped = connection.execute(
        "UPDATE inbox SET state = 'stopped', rule = ? WHERE session_key = ? AND state IN ('routed', 'in_turn')"
        " RETURNING turn_id",
        (op.rule, op.session_key),
    ).fetchall()
    _drop_steps(connection, [turn_id for (turn_id,) in stopped])
    if op.new_session_id is not None:
        begin(connection, op.session_key, op.new_session_id, op.at, "session_reset")
        set_title(connection, op.session_key, op.title)
    put(connection, op.outbound, op.at)
    return len(stopped)


def resume(connection: sqlite3.Connection, op: Resume) -> SessionId | None:
    """What runs is stopped, because its answer belongs to the stretch that is left."""
    found = connection.execute(
        "SELECT session_id, suspended FROM sessions WHERE session_key = ?", (op.session_key,)
    ).fetchall()
    if not found:
        return None
    ((present, suspended),) = found
    wanted: SessionId | None = op.session_id or (
        present if suspended else last_before(connection, op.session_key, present)
    )
    known = connection.execute(
        "SELECT 1 FROM stretches WHERE session_key = ? AND session_id = ?", (op.session_key, wanted)
    ).fetchall()
    if wanted is None or not known:
        return None
    if wanted != present or suspended:
        stop_turn(connection, StopTurn(op.session_key, op.rule, op.at))
        begin(connection, op.session_key, wanted, op.at, "session_switch")
        put(connection, op.outbound, op.at)
    return wanted


def _drop_steps(connection: sqlite3.Connection, turn_ids: Sequence[str]) -> None:
    """Steps serve a restart of their turn and nothing else; what was said is in the transcript."""
    connection.execute(
        "DELETE FROM turn_steps WHERE turn_id IN (SELECT value FROM json_each(?))", (json.dumps(turn_ids),)
    )
