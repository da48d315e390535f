"""What may go because of its age: found beside the writer, a piece at a time, and taken away by it (``upkeep_ops.Prune``).

    over(kind, …, after) ─▶ names ─▶ Prune, a slice at a time ─▶ over(kind, …, the last name) ─▶ … ─▶ none

A row that is open is never over, whatever its age. What people read from our own store (``history``) is as lasting as the
transcripts. A message that came into a conversation loses its words and stays: whose lines and notes those of its turn are
is told by it, and ``forget`` asks.
"""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hermes.store.codec import decode_event
from hermes.store.port import Reader
from hermes.store.upkeep_ops import Kind, Name
from hermes.types.events import InboundEvent

LOOK_ROWS = 2_000

_OPEN = (
    "SELECT row_id FROM inbox WHERE state = 'accepted' UNION ALL"
    " SELECT row_id FROM inbox WHERE state IN ('routed', 'in_turn')"
)
_OPEN_TURNS = "SELECT turn_id FROM inbox WHERE state IN ('routed', 'in_turn') AND turn_id IS NOT NULL"
_ENDED = "state NOT IN ('accepted', 'routed', 'in_turn')"
_OURS = "platform IN (SELECT value FROM json_each(:history))"
_HAS_NOTES = "EXISTS (SELECT 1 FROM notes WHERE key >= turn_id || '/' AND key < turn_id || '0')"


@dataclass(frozen=True, slots=True)
class Ages:
    """Before when what is over may go, in epoch seconds; 0: never."""

    messages: float
    deliveries: float
    dead_letters: float
    transcripts: float
    approvals: float
    audit: float
    dedupe: float


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of ``table``, in the order of ``key``, that are ``over``. ``dated`` ascends with ``key``: behind the first row that is
    younger than all of ``ages`` nothing is looked at.
    """

    table: str
    key: str
    over: str
    dated: str = ""
    ages: tuple[str, ...] = ()


_KINDS: dict[Kind, _Rows] = {
    "journey": _Rows("journey", "rowid", f"at < :messages AND row_id NOT IN ({_OPEN})", "at", ("messages",)),
    "transcript": _Rows("transcript", "line_id", "at < :transcripts", "at", ("transcripts",)),
    "words": _Rows(
        "inbox",
        "row_id",
        f"NOT emptied AND session_key IS NOT NULL AND {_ENDED}"
        f" AND received_at < iif({_OURS}, :transcripts, :messages)",
        "received_at",
        ("messages", "transcripts"),
    ),
    # The newest stays, so that no number is given twice. What lines and notes hang on goes after them.
    "inbox": _Rows(
        "inbox",
        "row_id",
        f"{_ENDED} AND row_id NOT IN (SELECT row_id FROM missed) AND row_id < (SELECT max(row_id) FROM inbox) AND"
        f" ((session_key IS NULL AND received_at < iif({_OURS}, :transcripts, :messages))"
        f" OR (received_at < :transcripts - 86400 AND NOT {_HAS_NOTES}))",
        "received_at",
        ("messages", "transcripts"),
    ),
    "outbox": _Rows(
        "outbox",
        "row_id",
        "state IN ('sent', 'dead') AND row_id < (SELECT max(row_id) FROM outbox)"
        " AND delivery_id NOT IN (SELECT delivery_id FROM streams)"
        f" AND changed_at < CASE WHEN state = 'dead' THEN :dead_letters WHEN {_OURS} THEN :transcripts ELSE :deliveries END",
        "created_at",
        ("deliveries", "dead_letters", "transcripts"),
    ),
    "approvals": _Rows(
        "approvals",
        "approval_id",
        f"state <> 'pending' AND asked_at < :approvals AND turn_id NOT IN ({_OPEN_TURNS})",
    ),
    "audit": _Rows("audit", "audit_id", "at < :audit", "at", ("audit",)),
    "forgotten": _Rows("forgotten_events", "digest", "at < :dedupe"),
}


def open_events(reader: Reader) -> Sequence[InboundEvent]:
    """The messages that are not answered yet, without their words: what they bring is still wanted."""
    rows = reader.execute(f"SELECT event FROM inbox WHERE row_id IN ({_OPEN}) AND event IS NOT NULL")
    return [decode_event(payload, "") for (payload,) in rows]


def over(
    reader: Reader, kind: Kind, ages: Ages, history: Sequence[str], after: Name | None
) -> Sequence[Name]:
    """The next rows of ``kind`` that may go, behind ``after``; at most ``LOOK_ROWS``, none: that was all. ``history``: the
    platforms whose people read from our store.
    """
    if kind == "dedupe":
        keys = reader.execute(
            "SELECT platform, account, event_id FROM dedupe WHERE at < ? AND (platform, account, event_id) > (?, ?, ?)"
            f" ORDER BY platform, account, event_id LIMIT {LOOK_ROWS}",
            (ages.dedupe, *(after if isinstance(after, tuple) else ("", "", ""))),
        )
        return [(platform, account, event_id) for platform, account, event_id in keys]
    rows = _KINDS[kind]
    values: dict[str, object] = {**asdict(ages), "history": json.dumps(history), "after": after}
    bounds = [] if after is None else [f"{rows.key} > :after"]
    if rows.dated:
        values["upto"] = _upto(reader, rows, max(getattr(ages, name) for name in rows.ages))
        bounds.append(f"{rows.key} < :upto")
    found = reader.execute(
        f"SELECT {rows.key} FROM {rows.table} WHERE {' AND '.join((*bounds, rows.over))}"
        f" ORDER BY {rows.key} LIMIT {LOOK_ROWS}",
        values,
    )
    return [name for (name,) in found]


def _upto(reader: Reader, rows: _Rows, youngest: float) -> int:
    """The first number whose row is not older than ``youngest``, by halves: dates ascend with numbers, as good as always."""
    ((low, high),) = reader.execute(
        f"SELECT min({rows.key}), max({rows.key}) + 1 FROM {rows.table}"
    ).fetchall()
    if low is None:
        return 0
    while low < high:
        middle = (low + high) // 2
        found = reader.execute(
            f"SELECT {rows.key}, {rows.dated} FROM {rows.table} WHERE {rows.key} >= ? ORDER BY {rows.key} LIMIT 1",
            (middle,),
        ).fetchall()
        if found and found[0][1] < youngest:
            low = found[0][0] + 1
        else:
            high = middle
    return int(low)
