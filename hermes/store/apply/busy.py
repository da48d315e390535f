"""What comes while a turn runs: it interrupts the turn, joins it, waits, or changes what waits."""

import json
import sqlite3

from hermes.store.busy_ops import Interrupt, Revise, SetBusyMode, Steer
from hermes.store.codec import decode_event, without_quotes


def interrupt(connection: sqlite3.Connection, op: Interrupt) -> bool:
    """First the rows that take over: without one, the others would be merged into nothing."""
    taken_over = connection.execute(
        "UPDATE inbox SET turn_id = :turn WHERE row_id IN (SELECT value FROM json_each(:rows))"
        " AND session_key = :session AND state = 'routed' AND EXISTS (SELECT 1 FROM inbox WHERE session_key = :session"
        " AND state IN ('routed', 'in_turn') AND state = 'in_turn' AND turn_id = :turn)",
        {"turn": op.turn_id, "rows": json.dumps(op.row_ids), "session": op.session_key},
    )
    if not taken_over.rowcount:
        return False
    connection.execute(
        "UPDATE inbox SET state = 'merged', rule = 'merged:interrupt' WHERE session_key = ?"
        " AND state IN ('routed', 'in_turn') AND state = 'in_turn' AND turn_id = ?",
        (op.session_key, op.turn_id),
    )
    connection.execute(
        "UPDATE sessions SET generation = generation + 1 WHERE session_key = ?", (op.session_key,)
    )
    return True


def steer(connection: sqlite3.Connection, op: Steer) -> bool:
    """The generation is the turn's right to take more."""
    current = connection.execute(
        "SELECT 1 FROM sessions WHERE session_key = ? AND generation = ?", (op.session_key, op.generation)
    ).fetchall()
    if not current:
        return False
    connection.execute(
        "UPDATE inbox SET state = 'in_turn', turn_id = ?, boot_id = ?, incarnation = ?"
        " WHERE row_id IN (SELECT value FROM json_each(?)) AND session_key = ? AND state = 'routed'",
        (op.turn_id, op.boot_id, op.incarnation, json.dumps(op.row_ids), op.session_key),
    )
    return True


def revise(connection: sqlite3.Connection, op: Revise) -> bool:
    """The message's name is in its payload: few rows wait, and a column would be paid for by every accept."""
    found = connection.execute("SELECT 1 FROM inbox WHERE row_id = ? AND state = 'accepted'", (op.row_id,))
    if not found.fetchall():
        return False
    what = "delete" if op.text is None else "edit"
    target = _waiting(connection, op)
    if target is not None and op.text is not None:
        connection.execute("UPDATE inbox SET text = ? WHERE row_id = ?", (op.text, target))
    elif target is not None:
        _close(connection, target, "stopped", "stopped:deleted")
    state = "ignored" if target is None else "merged"
    _close(connection, op.row_id, state, f"{state}:{what}")
    return target is not None


def set_busy_mode(connection: sqlite3.Connection, op: SetBusyMode) -> bool:
    """It holds from the session's next look at its rows."""
    changed = connection.execute(
        "UPDATE sessions SET busy_mode = ? WHERE session_key = ?", (op.mode, op.session_key)
    )
    return changed.rowcount == 1


def _waiting(connection: sqlite3.Connection, op: Revise) -> int | None:
    """The row of the message in question. One with a turn's name has been in work, and may be again; and what a program is
    run with was decided on as it was.
    """
    rows = connection.execute(
        "SELECT row_id, event FROM inbox WHERE session_key = ? AND state IN ('routed', 'in_turn') AND state = 'routed'"
        " AND turn_id IS NULL AND rule NOT LIKE 'command:quick:%'",
        (op.session_key,),
    )
    sender = (op.origin.lane, op.origin.user_id)
    for row_id, payload in rows.fetchall():
        event = decode_event(payload, "")
        if event.message_id == op.message_id and (event.origin.lane, event.origin.user_id) == sender:
            return int(row_id)
    return None


def _close(connection: sqlite3.Connection, row_id: int, state: str, rule: str) -> None:
    """Nothing of what it said is kept, nor of what it quoted."""
    ((payload,),) = connection.execute("SELECT event FROM inbox WHERE row_id = ?", (row_id,)).fetchall()
    connection.execute(
        "UPDATE inbox SET state = ?, rule = ?, text = '', event = ? WHERE row_id = ?",
        (state, rule, without_quotes(payload), row_id),
    )
