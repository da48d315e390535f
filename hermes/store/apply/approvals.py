"""Approvals: ask, decide, expire. What voids one is a trigger on the inbox."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import sqlite3
from dataclasses import replace

from hermes.store.apply.outbox import put
from hermes.store.approval_ops import FAIR_S, Ask, Decide, Expire, ShiftApprovals
from hermes.store.approvals import APPROVAL, approval, approval_of, prompt_name
from hermes.types import texts
from hermes.types.approvals import APPROVAL_ID, Approval
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId


def ask(connection: sqlite3.Connection, op: Ask) -> Approval | None:
    """The generation is the turn's right to ask."""
    current = connection.execute(
        "SELECT 1 FROM sessions WHERE session_key = ? AND generation = ?", (op.session_key, op.generation)
    ).fetchall()
    if not current:
        return None
    found = _same(connection, op) or _insert(connection, op)
    if found.state != "pending":
        return found
    connection.execute(
        "UPDATE inbox SET boots = 0 WHERE session_key = ? AND turn_id = ? AND state IN ('routed', 'in_turn')",
        (op.session_key, op.turn_id),
    )
    until = max(found.expires_at, op.at + min(FAIR_S, op.timeout_s))
    if put(connection, [_prompt(op, found, until)], op.at):
        # This boot shows it for the first time.
        connection.execute(
            "UPDATE approvals SET boot_id = ?, expires_at = ? WHERE approval_id = ?",
            (op.boot_id, until, found.approval_id),
        )
    return approval_of(connection, found.approval_id)


def decide(connection: sqlite3.Connection, op: Decide) -> int:
    """The step that the turn is at says for how long the decision holds."""
    return connection.execute(
        "UPDATE approvals SET state = ?, decided_at = ?, decided_by = ?, reason = ?,"
        " decided_step = (SELECT count(*) FROM turn_steps WHERE turn_steps.turn_id = approvals.turn_id)"
        " WHERE approval_id IN (SELECT value FROM json_each(?)) AND state = 'pending' AND (expires_at > ? OR boot_id <> ?)",
        (
            "approved" if op.approved else "denied",
            op.at,
            op.by,
            op.reason,
            json.dumps(op.approval_ids),
            op.at,
            op.boot_id,
        ),
    ).rowcount


def expire(connection: sqlite3.Connection, op: Expire) -> Approval | None:
    """Whichever of this and a decision commits first wins."""
    connection.execute(
        "UPDATE approvals SET state = 'expired', decided_at = ?2 WHERE approval_id = ?1 AND state = 'pending'"
        " AND expires_at <= ?2",
        (op.approval_id, op.at),
    )
    return approval_of(connection, op.approval_id)


def shift(connection: sqlite3.Connection, op: ShiftApprovals) -> int:
    """Nobody's chance to answer has passed."""
    return connection.execute(
        "UPDATE approvals SET expires_at = expires_at + ? WHERE state = 'pending'", (op.by_s,)
    ).rowcount


def _same(connection: sqlite3.Connection, op: Ask) -> Approval | None:
    """The last row for that very request, unless it is void or its decision was for something done since."""
    found = connection.execute(
        f"SELECT {APPROVAL} FROM approvals WHERE turn_id = ?1 AND action = ?2 AND detail = ?3 AND number ="
        " (SELECT max(number) FROM approvals WHERE turn_id = ?1 AND action = ?2 AND detail = ?3)"
        " AND state <> 'void' AND (decided_step IS NULL"
        " OR decided_step = (SELECT count(*) FROM turn_steps WHERE turn_id = ?1))",
        (op.turn_id, op.request.action, op.request.detail),
    ).fetchall()
    return approval(found[0]) if found else None


def _insert(connection: sqlite3.Connection, op: Ask) -> Approval:
    place = op.prompt
    (row,) = connection.execute(
        "INSERT INTO approvals (approval_id, session_key, number, turn_id, platform, account, chat_id, user_id, action,"
        " detail, asked_at, expires_at, boot_id) SELECT ?1, ?2, 1 + ifnull(max(number), 0), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
        f" ?11, ?12 FROM approvals WHERE session_key = ?2 RETURNING {APPROVAL}",
        (
            op.approval_id,
            op.session_key,
            op.turn_id,
            place.platform,
            place.account,
            place.chat_id,
            op.user_id,
            op.request.action,
            op.request.detail,
            op.at,
            op.at + op.timeout_s,
            op.boot_id,
        ),
    ).fetchall()
    return approval(row)


def _prompt(op: Ask, asked: Approval, until: float) -> Outbound:
    """Named after the turn, the number and the boot, so that each boot shows it once."""
    prompt, how = op.prompt, texts.APPROVAL_HOW.format(number=asked.number, seconds=until - op.at)
    return replace(
        prompt,
        delivery_id=DeliveryId(f"{prompt_name(op.turn_id, asked.number)}:{op.boot_id}"),
        text=f"{prompt.text}\n\n{how}",
        metadata={**prompt.metadata, APPROVAL_ID: asked.approval_id},
    )
