"""A session's turns: take rows, commit steps, end in one transaction or be stopped."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import sqlite3
from collections.abc import Sequence

from hermes.store.apply.outbox import put
from hermes.store.codec import encode_step
from hermes.store.ops import AddStep, FinishTurn, Release, StopTurn, Take
from hermes.types.records import SessionRecord


def take(connection: sqlite3.Connection, op: Take) -> SessionRecord | None:
    """All rows or none: the count is part of the condition."""
    parameters = {
        "rows": json.dumps(op.row_ids),
        "count": len(op.row_ids),
        "session": op.session_key,
        "turn": op.turn_id,
        "boot": op.boot_id,
        "incarnation": op.incarnation,
    }
    mine = (  # constant: every value is a parameter
        "row_id IN (SELECT value FROM json_each(:rows)) AND session_key = :session"
        " AND (state = 'routed' OR (state = 'in_turn' AND turn_id = :turn))"
    )
    taken = connection.execute(
        "UPDATE inbox SET crashes = crashes + (state = 'in_turn' AND boot_id = :boot),"
        " boots = boots + (state = 'in_turn' AND boot_id <> :boot),"
        " state = 'in_turn', turn_id = :turn, boot_id = :boot, incarnation = :incarnation"
        f" WHERE {mine} AND (SELECT count(*) FROM inbox WHERE {mine}) = :count",
        parameters,
    )
    if taken.rowcount != len(op.row_ids):
        return None
    found = connection.execute(
        "UPDATE sessions SET generation = generation + 1, last_active_at = ? WHERE session_key = ?"
        " RETURNING session_key, session_id, generation, last_seq, created_at, last_active_at",
        (op.at, op.session_key),
    ).fetchall()
    return SessionRecord(*found[0]) if found else None


def add_step(connection: sqlite3.Connection, op: AddStep) -> bool:
    """A new step proves progress, so boots that found the rows in this turn no longer count against them."""
    added = connection.execute(
        "INSERT INTO turn_steps (turn_id, n, at, step)"
        " SELECT ?, ?, ?, ? FROM sessions WHERE session_key = ? AND generation = ?",
        (op.turn_id, op.n, op.at, encode_step(op.step), op.session_key, op.generation),
    )
    if not added.rowcount:
        return False
    connection.execute(
        "UPDATE inbox SET boots = 0 WHERE session_key = ? AND turn_id = ? AND state IN ('routed', 'in_turn')",
        (op.session_key, op.turn_id),
    )
    return True


def finish_turn(connection: sqlite3.Connection, op: FinishTurn) -> bool:
    """Look first: without rows there would be no update to carry the condition."""
    rows = json.dumps(op.row_ids)
    holding = connection.execute(
        "SELECT session_id FROM sessions WHERE session_key = ? AND generation = ? AND ? = (SELECT count(*) FROM inbox"
        " WHERE row_id IN (SELECT value FROM json_each(?)) AND state = 'in_turn' AND turn_id = ?)",
        (op.session_key, op.generation, len(op.row_ids), rows, op.turn_id),
    ).fetchall()
    if not holding:
        return False
    ((session_id,),) = holding
    connection.execute(
        "UPDATE inbox SET state = ?, rule = ? WHERE row_id IN (SELECT value FROM json_each(?))",
        (op.state, op.rule, rows),
    )
    connection.executemany(
        "INSERT INTO transcript (session_key, session_id, role, text, at, turn_id, seq) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (op.session_key, session_id, line.role, line.text, line.at, line.turn_id or op.turn_id, line.seq)
            for line in op.transcript
        ],
    )
    put(connection, op.outbound, op.at)
    connection.execute(
        "UPDATE sessions SET last_active_at = ? WHERE session_key = ?", (op.at, op.session_key)
    )
    _drop_steps(connection, [op.turn_id])
    return True


def release(connection: sqlite3.Connection, op: Release) -> int:
    """Only the mark of being worked on goes."""
    return connection.execute(
        "UPDATE inbox SET state = 'routed' WHERE session_key = ? AND turn_id = ? AND state = 'in_turn'",
        (op.session_key, op.turn_id),
    ).rowcount


def stop_turn(connection: sqlite3.Connection, op: StopTurn) -> int:
    """The raised generation is what makes a late FinishTurn or AddStep fail."""
    connection.execute(
        "UPDATE sessions SET generation = generation + 1, last_active_at = ?, session_id = ifnull(?, session_id)"
        " WHERE session_key = ?",
        (op.at, op.new_session_id, op.session_key),
    )
    stopped = connection.execute(
        "UPDATE inbox SET state = 'stopped', rule = ? WHERE session_key = ? AND state IN ('routed', 'in_turn')"
        " AND state = 'in_turn' RETURNING turn_id",
        (op.rule, op.session_key),
    ).fetchall()
    _drop_steps(connection, [turn_id for (turn_id,) in stopped])
    return len(stopped)


def _drop_steps(connection: sqlite3.Connection, turn_ids: Sequence[str]) -> None:
    """Steps serve a restart of their turn and nothing else; what was said is in the transcript."""
    connection.execute(
        "DELETE FROM turn_steps WHERE turn_id IN (SELECT value FROM json_each(?))", (json.dumps(turn_ids),)
    )
