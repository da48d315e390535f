"""What people ask of their own conversation: its stretches, its last exchanges, what it has cost."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

from collections.abc import Sequence
from dataclasses import dataclass

from hermes.store.codec import decode_event
from hermes.store.port import Reader
from hermes.types.agent import Usage
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, SessionKey, TurnId
from hermes.types.records import Stretch

_VISIBLE = "role <> 'system' AND undone_at IS NULL"
_USAGE = "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd"


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was said, and what was answered, by one turn; the last of each."""

    turn_id: TurnId
    said: str


@dataclass(frozen=True, slots=True)
class LastSaid:
    """What a retry answers: the messages, in order, and by which turn they were answered; None if that was stopped."""

    events: tuple[InboundEvent, ...]
    turn_id: TurnId | None


def stretches(reader: Reader, session_key: SessionKey) -> Sequence[Stretch]:
    """Those in which something was said, and the present one; oldest first."""
    rows = reader.execute(
        "SELECT session_id, title, started_at, lines, present FROM (SELECT s.session_id, s.title, s.started_at,"
        f" (SELECT count(*) FROM transcript AS t WHERE t.session_key = s.session_key AND t.session_id = s.session_id"
        f" AND {_VISIBLE}) AS lines, s.session_id = sessions.session_id AS present"
        " FROM stretches AS s JOIN sessions USING (session_key) WHERE session_key = ?)"
        " WHERE lines OR present ORDER BY started_at, session_id",
        (session_key,),
    )
    return [
        Stretch(number, session_id, title, started_at, lines, bool(present))
        for number, (session_id, title, started_at, lines, present) in enumerate(rows, 1)
    ]


def exchanges(
    reader: Reader, session_key: SessionKey, limit: int
) -> tuple[SessionId, Sequence[Exchange]] | None:
    """The present stretch and its last exchanges, oldest first; None if there is no such session."""
    found = reader.execute("SELECT session_id FROM sessions WHERE session_key = ?", (session_key,)).fetchall()
    if not found:
        return None
    ((session_id,),) = found
    rows = reader.execute(
        f"SELECT turn_id, max(line_id) AS last FROM transcript WHERE session_key = ? AND session_id = ? AND {_VISIBLE}"
        " AND turn_id IS NOT NULL GROUP BY turn_id ORDER BY last DESC LIMIT ?",
        (session_key, session_id, limit),
    ).fetchall()
    return session_id, [
        Exchange(turn_id, _said(reader, session_key, session_id, turn_id)) for turn_id, _ in reversed(rows)
    ]


def _said(reader: Reader, session_key: SessionKey, session_id: SessionId, turn_id: TurnId) -> str:
    rows = reader.execute(
        "SELECT text FROM transcript WHERE session_key = ? AND session_id = ? AND turn_id = ? AND role = 'user'"
        " ORDER BY line_id DESC LIMIT 1",
        (session_key, session_id, turn_id),
    )
    return "".join(text for (text,) in rows)


def last_said(reader: Reader, session_key: SessionKey) -> LastSaid | None:
    """What was said last in the present stretch and is not taken back; None if there is nothing, or it was erased.

    It is looked for from the newest message back: no index, for people ask rarely.
    """
    present = exchanges(reader, session_key, 1)
    if present is None:
        return None
    session_id, last = present
    stopped = reader.execute(
        "SELECT state, event, text FROM inbox WHERE session_key = ? AND session_id = ?"
        " AND state IN ('answered', 'failed', 'stopped') ORDER BY row_id DESC LIMIT 1",
        (session_key, session_id),
    ).fetchall()
    for state, event, text in stopped:
        if state == "stopped" and text:
            return LastSaid((decode_event(event, text),), None)
    if not last:
        return None
    turn_id = last[-1].turn_id
    rows = reader.execute(
        "SELECT event, text, emptied FROM inbox WHERE turn_id = ?1 ORDER BY row_id DESC LIMIT (SELECT count(*) FROM transcript"
        " WHERE session_key = ?2 AND session_id = ?3 AND turn_id = ?1 AND role = 'user')",
        (turn_id, session_key, session_id),
    ).fetchall()
    if any(event is None or emptied for event, _, emptied in rows):
        return None  # half of what was said is another question
    events = tuple(decode_event(event, text) for event, text, _ in reversed(rows))
    return LastSaid(events, turn_id) if events else None


def title(reader: Reader, session_key: SessionKey) -> str | None:
    """The present stretch's; None if there is no such session."""
    found = reader.execute(
        "SELECT stretches.title FROM stretches JOIN sessions USING (session_key, session_id) WHERE session_key = ?",
        (session_key,),
    ).fetchall()
    return str(found[0][0]) if found else None


def usage(reader: Reader, session_key: SessionKey) -> tuple[Usage, Usage]:
    """What the present stretch has cost, and the whole conversation."""
    mine = reader.execute(
        f"SELECT session_id = (SELECT session_id FROM sessions WHERE session_key = ?1), {_USAGE} FROM stretches"
        " WHERE session_key = ?1",
        (session_key,),
    ).fetchall()
    return _sum([row[1:] for row in mine if row[0]]), _sum([row[1:] for row in mine])


def _sum(rows: Sequence[tuple[float, ...]]) -> Usage:
    given, said, read, written, cost = map(sum, zip(*rows, strict=True)) if rows else (0, 0, 0, 0, 0.0)
    return Usage(int(given), int(said), int(read), int(written), float(cost))
