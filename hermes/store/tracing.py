"""Where a message is and how it got there: what the tables know of one message's way, for a person who asks. Scans."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from hermes.store import approvals
from hermes.store.codec import decode_event
from hermes.store.port import Reader
from hermes.types.approvals import Approval
from hermes.types.ids import TurnId

MOST = 20
"""A platform's message ids are unique in their chat at best, so that one name may be that of several messages."""


@dataclass(frozen=True, slots=True)
class Move:
    """A step of an inbox row: the state it came into, and whose turn it was in. Times are epoch seconds."""

    at: float
    state: str
    rule: str
    turn_id: str | None
    boot_id: str | None
    incarnation: int | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Part ``part`` (from 0) has arrived as ``message_id``."""

    part: int
    message_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Came:
    """An inbox row without its text. ``message_id`` and ``user_id`` are None for what could not be decoded. ``asked``: what
    its turn has asked a person.
    """

    row_id: int
    trace: str
    platform: str
    account: str
    chat_id: str
    event_id: str
    message_id: str | None
    user_id: str | None
    received_at: float
    state: str
    rule: str
    session_key: str | None
    session_id: str | None
    seq: int | None
    turn_id: str | None
    moves: tuple[Move, ...]
    asked: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Went:
    """An outbox row without its text. ``boot_id`` and ``incarnation`` are those of the lane that had it in hand last."""

    delivery_id: str
    platform: str
    account: str
    chat_id: str
    state: str
    attempts: int
    failure: str
    created_at: float
    sending_at: float | None
    changed_at: float
    boot_id: str | None
    incarnation: int | None
    receipts: tuple[Receipt, ...]


Way = tuple[Came | None, tuple[Went, ...]]
"""A message and what was said about it; None if it answers nothing."""


def ways(reader: Reader, wanted: str) -> list[Way]:
    """Every message that ``wanted`` names, oldest first: by trace id, number of its inbox row, the platform's id of the
    event or of the message, or delivery id; or by the platform's id of what we have sent. At most ``MOST``.
    """
    if not wanted:
        return []  # what could not be decoded has no trace
    went = _outbox(
        reader,
        "delivery_id = ?1 OR row_id IN (SELECT outbox_row_id FROM receipts WHERE message_id = ?1)",
        wanted,
    )
    turns = {name for name, _, _ in (one.delivery_id.rpartition(":") for one, _ in went)}
    came = _inbox(reader, wanted, {trace for _, trace in went} - {""}, turns)
    found: list[Way] = [(row, tuple(one for one, _ in _answers(reader, row))) for row in came]
    said = {one.delivery_id for _, answers in found for one in answers}
    found += [(None, (one,)) for one, _ in went if one.delivery_id not in said]
    return found


def _inbox(reader: Reader, wanted: str, traces: Set[str], turns: Set[str]) -> list[Came]:
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else -1
    rows = reader.execute(
        "SELECT row_id, trace, platform, account, chat_id, event_id, received_at, state, rule, session_key, session_id,"
        " seq, turn_id, event FROM inbox WHERE row_id = ?1 OR event_id = ?2 OR trace = ?2"
        " OR instr(event, CAST(?2 AS BLOB)) OR trace IN (SELECT value FROM json_each(?3))"
        " OR turn_id IN (SELECT value FROM json_each(?4)) ORDER BY row_id",
        (number, wanted, json.dumps(list(traces)), json.dumps(list(turns))),
    )
    found = []
    for row in rows:
        one = _came(reader, row)
        names = {one.trace, one.event_id, one.message_id}
        if one.row_id == number or wanted in names or one.trace in traces or (one.turn_id or "") in turns:
            found.append(one)
            if len(found) == MOST:
                break
    return found


def _came(reader: Reader, row: tuple[Any, ...]) -> Came:
    *_, payload = row
    (
        row_id,
        trace,
        platform,
        account,
        chat_id,
        event_id,
        received_at,
        state,
        rule,
        key,
        session_id,
        seq,
        turn_id,
        _,
    ) = row
    event = None if payload is None else decode_event(payload, "")
    moves = reader.execute(
        "SELECT at, state, rule, turn_id, boot_id, incarnation FROM journey WHERE row_id = ? ORDER BY rowid",
        (row_id,),
    )
    return Came(
        row_id=row_id,
        trace=trace,
        platform=platform,
        account=account,
        chat_id=chat_id,
        event_id=event_id,
        message_id=None if event is None else event.message_id,
        user_id=None if event is None else event.origin.user_id,
        received_at=received_at,
        state=state,
        rule=rule,
        session_key=key,
        session_id=session_id,
        seq=seq,
        turn_id=turn_id,
        moves=tuple(Move(*move) for move in moves),
        asked=tuple(approvals.of_turn(reader, TurnId(turn_id))) if turn_id else (),
    )


def _answers(reader: Reader, row: Came) -> Sequence[tuple[Went, str]]:
    """By its trace, and by its turn: one answer may answer several messages, and bears the trace of the last."""
    turn = row.turn_id or ""
    return _outbox(
        reader,
        "(?1 <> '' AND trace = ?1) OR (?2 <> '' AND delivery_id >= ?2 || ':' AND delivery_id < ?2 || ';')",
        row.trace,
        turn,
    )


def _outbox(reader: Reader, where: str, *args: str) -> Sequence[tuple[Went, str]]:
    rows: list[tuple[Any, ...]] = reader.execute(
        "SELECT row_id, trace, delivery_id, platform, account, chat_id, state, attempts, failure, created_at, sending_at,"
        f" changed_at, boot_id, incarnation FROM outbox WHERE {where} ORDER BY row_id LIMIT {MOST}",
        args,
    ).fetchall()
    return [(Went(*(*facts, _receipts(reader, row_id))), trace) for row_id, trace, *facts in rows]


def _receipts(reader: Reader, row_id: int) -> tuple[Receipt, ...]:
    rows = reader.execute(
        "SELECT part, message_id, at FROM receipts WHERE outbox_row_id = ? ORDER BY part", (row_id,)
    )
    return tuple(Receipt(*row) for row in rows)
