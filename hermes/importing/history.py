"""Which stretch belongs to which conversation. Pure.

Whose a session is says it itself, or the conversation whose present one it is, or the session that goes on from it. Else it is
a conversation of its own, that nobody goes on with: to be read and searched.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from hermes.importing.routes import conversation, instant, text
from hermes.store.import_ops import OldConversation, OldStretch
from hermes.store.original import Length, Row, parsed
from hermes.types.agent import MOST_TOKENS, MOST_USD, Usage
from hermes.types.ids import SessionId, SessionKey

NOWHERE = "past"
"""In the key of a conversation of its own, where others have the type of their chat."""

_STRANGE = re.compile(r"[^a-z0-9_-]+")
_STAMP = "%Y%m%d_%H%M%S"
_STAMP_CHARACTERS = 15
"""What the ids of sessions begin with: when they began, by the machine's clock."""


def stretches(
    known: Mapping[SessionKey, OldConversation],
    rows: Mapping[SessionId, Row],
    lengths: Mapping[str, Length],
    files: Iterable[SessionId],
    aliases: Mapping[str, str],
) -> list[OldStretch]:
    """All there are, as they began: of ``rows`` and of ``files``, and what is present of the conversations that are ``known``.

    ``lengths`` are those in the database.
    """
    presents = {one.present: one for one in known.values() if one.present is not None}
    began = {
        one: _began(one, rows.get(one), presents.get(one))
        for one in dict.fromkeys((*rows, *files, *presents))
    }
    ended = {one: max(at, _ended(rows.get(one), lengths.get(one))) for one, at in began.items()}
    keys = _keys(known, rows)
    by_key: dict[SessionKey, list[SessionId]] = {}
    for one in sorted(began, key=lambda one: (began[one], one)):
        by_key.setdefault(keys.get(one) or _own_key(one, rows.get(one)), []).append(one)
    found = []
    for key, mine in by_key.items():
        last = rows.get(mine[-1])
        whose = known.get(key)
        if whose is None and keys.get(mine[-1]) == key and last is not None:
            whose = _unrouted(key, mine[-1], last, aliases)
        if whose is None:
            user_id = text(None if last is None else last["user_id"]) or None
            whose = OldConversation(key, None, 0.0, 0.0, title=_title(last), user_id=user_id)
        present = whose.present if whose.present in ended else mine[-1]
        whose = replace(
            whose,
            created_at=whose.created_at or began[mine[0]],
            active_at=max(whose.active_at, ended[present or mine[-1]]),
        )
        found += [_stretch(whose, one, rows.get(one), began[one], ended[one]) for one in mine]
    return sorted(found, key=lambda one: (one.started_at, one.session_id))


def _keys(
    known: Mapping[SessionKey, OldConversation], rows: Mapping[SessionId, Row]
) -> dict[SessionId, SessionKey]:
    """Whose each session is, of those of which it is known."""
    keys = {
        session_id: SessionKey(row["session_key"])
        for session_id, row in rows.items()
        if isinstance(row["session_key"], str) and row["session_key"].startswith("agent:")
    }
    keys |= {one.present: key for key, one in known.items() if one.present is not None}
    for session_id, key in tuple(keys.items()):
        before, seen = _parent(session_id, rows), {session_id}
        while before is not None and before not in seen:
            keys.setdefault(before, key)
            seen.add(before)
            before = _parent(before, rows)
    return keys


def _parent(session_id: SessionId, rows: Mapping[SessionId, Row]) -> SessionId | None:
    row = rows.get(session_id)
    parent = None if row is None else row["parent_session_id"]
    return parent if parent in rows else None


def _own_key(session_id: SessionId, row: Row | None) -> SessionKey:
    source = _STRANGE.sub("-", text(None if row is None else row["source"]).lower())[:40] or "unknown"
    return SessionKey(f"agent:main:{source}:{NOWHERE}:{session_id}")


def _unrouted(
    key: SessionKey, present: SessionId, row: Row, aliases: Mapping[str, str]
) -> OldConversation | None:
    """A conversation that has been quiet for so long that no route leads to it any more."""
    origin = parsed(row["origin_json"])
    names = ("chat_id", "thread_id", "user_id")
    entry = {
        "session_id": present,
        "display_name": row["display_name"],
        "origin": origin if isinstance(origin, dict) else {name: row[name] for name in names},
    }
    with suppress(ValueError):
        return conversation(key, entry, aliases)
    return None


def _began(session_id: SessionId, row: Row | None, present_of: OldConversation | None) -> float:
    at = instant(None if row is None else row["started_at"])
    if at is None and present_of is not None:
        at = present_of.created_at
    if at is None:
        with suppress(ValueError, OverflowError, OSError):
            at = datetime.strptime(session_id[:_STAMP_CHARACTERS], _STAMP).astimezone().timestamp()
    return at or 0.0


def _ended(row: Row | None, length: Length | None) -> float:
    said = (None if row is None else row["ended_at"], None if length is None else length.last_at)
    return max((at for at in map(instant, said) if at is not None), default=0.0)


def _stretch(
    whose: OldConversation, session_id: SessionId, row: Row | None, began: float, ended: float
) -> OldStretch:
    if row is None:
        return OldStretch(whose, session_id, began, ended, "session_switch")
    reason = text(row["end_reason"]) or "session_switch"
    return OldStretch(whose, session_id, began, ended, reason, _title(row), _usage(row))


def _title(row: Row | None) -> str:
    return "" if row is None else text(row["title"])


def _usage(row: Row) -> Usage:
    def tokens(name: str) -> int:
        return int(_number(row[name], MOST_TOKENS))

    return Usage(
        input_tokens=tokens("input_tokens"),
        output_tokens=tokens("output_tokens"),
        cache_read_tokens=tokens("cache_read_tokens"),
        cache_write_tokens=tokens("cache_write_tokens"),
        cost_usd=float(_number(row["actual_cost_usd"] or row["estimated_cost_usd"], MOST_USD)),
    )


def _number(said: object, most: float) -> float:
    return said if isinstance(said, int | float) and 0 <= said <= most else 0
