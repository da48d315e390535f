"""Conversations whose time is over, and what memory has not been told of yet. All of it scans; nobody waits for it."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

from collections.abc import Sequence
from dataclasses import dataclass

from hermes.store.port import Reader
from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import ITSELF, ChatType, Origin
from hermes.types.records import TranscriptLine

MOST_LINES = 1_000
"""Of one stretch that memory is told of: the last ones."""

_UNMARKED = f"expired_at IS NOT last_active_at AND platform <> '{ITSELF}'"
_QUIET = "NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.session_key = sessions.session_key AND state IN ('routed', 'in_turn'))"


@dataclass(frozen=True, slots=True)
class Quietest:
    """Of the conversations of a kind: when something was last said in the one that has been quiet for longest."""

    platform: str
    chat_type: ChatType
    last_active_at: float


@dataclass(frozen=True, slots=True)
class Idle:
    """A conversation in which nobody has said anything for a while, and its present stretch."""

    session_key: SessionKey
    session_id: SessionId
    last_active_at: float


@dataclass(frozen=True, slots=True)
class Unkept:
    """A stretch that is over, and that memory does not have to its end; ``reason``: why it ended, "" if its session expired."""

    session_key: SessionKey
    session_id: SessionId
    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """What memory does not have of a stretch, oldest first, up to ``line_id``. ``origin``: where it was last, if known."""

    lines: tuple[TranscriptLine, ...]
    line_id: int
    origin: Origin | None


def quietest(reader: Reader) -> Sequence[Quietest]:
    """One for each kind of conversation in which something was said since it last expired, if it ever did."""
    rows = reader.execute(
        f"SELECT platform, chat_type, min(last_active_at) FROM sessions WHERE {_UNMARKED} AND {_QUIET} GROUP BY 1, 2"
    )
    return [Quietest(*row) for row in rows]


def idle(reader: Reader, kind: Quietest, before: float, limit: int) -> Sequence[Idle]:
    """Conversations of that kind in which nothing was said since before ``before``, those first that were quiet first."""
    rows = reader.execute(
        "SELECT session_key, session_id, last_active_at FROM sessions WHERE platform = ? AND chat_type = ?"
        f" AND last_active_at < ? AND {_UNMARKED} AND {_QUIET} ORDER BY last_active_at, session_key LIMIT ?",
        (kind.platform, kind.chat_type, before, limit),
    )
    return [Idle(*row) for row in rows]


def unkept(reader: Reader, limit: int) -> Sequence[Unkept]:
    """Those that have ended and were not told of to their end, and those of expired sessions that were told of in vain."""
    rows = reader.execute(
        "SELECT session_key, session_id, end_reason FROM stretches WHERE ended_at IS NOT NULL AND kept = 0"
        " UNION ALL SELECT session_key, session_id, '' FROM stretches JOIN sessions USING (session_key, session_id)"
        " WHERE tries > 0 AND ended_at IS NULL AND expired_at IS last_active_at LIMIT ?",
        (limit,),
    )
    return [Unkept(*row) for row in rows]


def said(reader: Reader, session_key: SessionKey, session_id: SessionId) -> Said:
    """What was said in a stretch since memory was last told of it, without what only the agent was told or was taken back."""
    rows = reader.execute(
        "SELECT line_id, role, text, at, turn_id, seq FROM transcript WHERE session_key = ?1 AND session_id = ?2"
        " AND line_id > ifnull((SELECT kept_line FROM stretches WHERE session_key = ?1 AND session_id = ?2), 0)"
        " AND role <> 'system' AND undone_at IS NULL ORDER BY line_id DESC LIMIT ?3",
        (session_key, session_id, MOST_LINES),
    ).fetchall()
    place = reader.execute(
        "SELECT platform, chat_id, account, chat_type, thread_id, user_id FROM sessions WHERE session_key = ?",
        (session_key,),
    ).fetchall()
    return Said(
        tuple(TranscriptLine(*rest) for _, *rest in reversed(rows)),
        rows[0][0] if rows else 0,
        Origin(*place[0]) if place and place[0][0] else None,
    )
