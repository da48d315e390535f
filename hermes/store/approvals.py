"""The reads about approvals: functions over a ``Reader``."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hermes.store.codec import decode_outbound
from hermes.store.port import Reader
from hermes.types.approvals import Approval
from hermes.types.content import Outbound
from hermes.types.ids import SessionKey, TurnId

APPROVAL = (
    "approval_id, session_key, number, turn_id, platform, account, chat_id, user_id, action, detail, state, asked_at,"
    " expires_at, decided_at, decided_by, reason"
)
"""The columns that ``approval`` reads."""


def approval(row: tuple[Any, ...]) -> Approval:
    """The approval whose ``APPROVAL`` columns ``row`` is."""
    return Approval(*row)


def approval_of(reader: Reader, approval_id: str) -> Approval | None:
    """The row of that id; None once its person's data are forgotten."""
    found = reader.execute(
        f"SELECT {APPROVAL} FROM approvals WHERE approval_id = ?", (approval_id,)
    ).fetchall()
    return approval(found[0]) if found else None


def pending(reader: Reader, session_key: SessionKey) -> Sequence[Approval]:
    """What waits for a person in a session, oldest first."""
    rows = reader.execute(
        f"SELECT {APPROVAL} FROM approvals WHERE session_key = ? AND state = 'pending' ORDER BY number",
        (session_key,),
    )
    return [approval(row) for row in rows]


def sessions_asking(reader: Reader) -> Sequence[SessionKey]:
    """Sessions in which something waits for a person."""
    rows = reader.execute("SELECT DISTINCT session_key FROM approvals WHERE state = 'pending'")
    return [SessionKey(key) for (key,) in rows]


def of_turn(reader: Reader, turn_id: TurnId) -> Sequence[Approval]:
    """All that a turn has asked for, oldest first."""
    rows = reader.execute(f"SELECT {APPROVAL} FROM approvals WHERE turn_id = ? ORDER BY number", (turn_id,))
    return [approval(row) for row in rows]


def prompts(reader: Reader, asked: Approval) -> Sequence[tuple[Outbound, Sequence[str]]]:
    """What has been shown of ``asked``, one for each boot, with the ids of its messages; only what has arrived as a whole."""
    rows = reader.execute(
        "SELECT message, text, (SELECT json_group_array(message_id) FROM (SELECT message_id FROM receipts"
        " WHERE outbox_row_id = outbox.row_id ORDER BY part)) FROM outbox"
        " WHERE delivery_id >= ?1 || ':' AND delivery_id < ?1 || ';' AND state = 'sent'",
        (prompt_name(asked.turn_id, asked.number),),
    )
    shown = [(decode_outbound(message, text), json.loads(ids)) for message, text, ids in rows]
    return [(message, ids) for message, ids in shown if ids]


def prompt_name(turn_id: TurnId, number: int) -> str:
    """What the deliveries of a prompt are called, before the boot's name."""
    return f"{turn_id}:ask{number}"


def latest(reader: Reader, limit: int) -> Sequence[Approval]:
    """What waits, and then the newest of the rest; at most ``limit``, for the operator. Scans."""
    rows = reader.execute(
        f"SELECT {APPROVAL} FROM approvals ORDER BY state <> 'pending', asked_at DESC, number DESC LIMIT ?",
        (limit,),
    )
    return [approval(row) for row in rows]


def listing(reader: Reader, limit: int, *, bodies: bool = False) -> dict[str, Any]:
    """The document of ``hermes approvals list --json``."""
    return {"approvals": [shown(one, bodies=bodies) for one in latest(reader, limit)]}


def shown(one: Approval, *, bodies: bool = False) -> dict[str, Any]:
    """One as a document; ``detail`` may quote anything, so it is shown only on demand."""
    document = asdict(one)
    detail = document.pop("detail")
    return {**document, "detail": detail} if bodies else document
