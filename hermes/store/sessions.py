"""Sessions as the operator sees and steers them: the same through the running gateway and on the file of one that is not.

Answers are plain data, as the command line prints it. Times are epoch seconds. Raises ``GatewayError`` with
``no_such_session``, ``ambiguous`` or ``no_such_stretch``, in words for a person.
"""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hermes.store import queries
from hermes.store.ops import Resume, StopTurn
from hermes.store.port import Reader
from hermes.types import texts
from hermes.types.content import Outbound
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import DeliveryId, SessionId, SessionKey

NO_SUCH_SESSION = "no_such_session"
NO_SUCH_STRETCH = "no_such_stretch"
AMBIGUOUS = "ambiguous"

RULE_RESET, RULE_RESUME = "operator:reset", "operator:resume"

NEAR = 3
NEAR_AMONG = 1_000
NEAR_ENOUGH = 0.6
PAGE_LINES = 1_000
PAGE_CHARACTERS = 2_000_000
"""What one answer holds of a transcript; it must fit into a frame of the control socket."""

_HEAD = "agent:main:"
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_SESSION = (
    "session_key",
    "session_id",
    "platform",
    "account",
    "chat_type",
    "chat_id",
    "thread_id",
    "title",
    "person",
    "created_at",
    "last_active_at",
    "suspended",
    "resume_reason",
    "resume_marked_at",
    "stretches",
    "last_reset_reason",
    "waiting",
    *_TOKENS,
    "cost_usd",
)
_SELECT = (
    "SELECT session_key, session_id, platform, account, chat_type, chat_id, thread_id, title,"
    " (SELECT iif(name = '', person_id, name) FROM persons WHERE persons.session_key = sessions.session_key),"
    " created_at, last_active_at,"
    " suspended, resume_reason, resume_marked_at,"
    " (SELECT count(*) FROM stretches AS s WHERE s.session_key = sessions.session_key),"
    " (SELECT end_reason FROM stretches AS s WHERE s.session_key = sessions.session_key AND ended_at IS NOT NULL"
    " ORDER BY ended_at DESC LIMIT 1),"
    " (SELECT count(*) FROM inbox WHERE inbox.session_key = sessions.session_key AND state IN ('routed', 'in_turn')),"
    + ",".join(
        f" (SELECT total({column}) FROM stretches AS s WHERE s.session_key = sessions.session_key)"
        for column in (*_TOKENS, "cost_usd")
    )
    + " FROM sessions"
)
_STRETCH = ("session_id", "started_at", "ended_at", "end_reason", "lines", *_TOKENS, "cost_usd")


def session_list(
    reader: Reader, platform: str | None, among: Sequence[str] | None, limit: int
) -> Sequence[dict[str, Any]]:
    """The sessions that were active last, first; only those ``among``, if given. What was asked in passing (``events.ONCE``) is
    among them as long as it is not answered; ``session_search`` and its key find it for good.
    """
    rows = reader.execute(
        f"{_SELECT} WHERE (?1 IS NULL OR platform = ?1)"
        " AND (?2 IS NULL OR session_key IN (SELECT value FROM json_each(?2)))"
        " AND (NOT once OR EXISTS (SELECT 1 FROM inbox WHERE inbox.session_key = sessions.session_key"
        " AND state IN ('routed', 'in_turn')))"
        " ORDER BY last_active_at DESC, session_key LIMIT ?3",
        (platform, None if among is None else json.dumps(among), limit),
    )
    return [_session(row) for row in rows]


def session_show(reader: Reader, typed: str) -> dict[str, Any]:
    """One session with all its stretches, oldest first. ``typed`` is its key, or enough of its beginning."""
    key = find_key(reader, typed)
    (row,) = reader.execute(f"{_SELECT} WHERE session_key = ?", (key,)).fetchall()
    stretches = reader.execute(
        "SELECT session_id, started_at, ended_at, end_reason, (SELECT count(*) FROM transcript AS t WHERE"
        " t.session_key = stretches.session_key AND t.session_id = stretches.session_id AND role <> 'system'),"
        f" {', '.join(_TOKENS)}, cost_usd FROM stretches WHERE session_key = ? ORDER BY started_at, session_id",
        (key,),
    )
    return _session(row) | {"history": [dict(zip(_STRETCH, one, strict=True)) for one in stretches]}


def session_search(reader: Reader, text: str, limit: int) -> Sequence[dict[str, Any]]:
    """Lines of all conversations that hold every word of ``text``, newest first."""
    return [asdict(hit) for hit in queries.search(reader, text, limit)]


def session_lines(reader: Reader, typed: str, after: int) -> dict[str, Any]:
    """A page of everything that was said in a session, in order: the lines that follow line ``after``. ``next`` is the line
    to go on after; None with the last page.
    """
    key = find_key(reader, typed)
    rows = reader.execute(
        "SELECT line_id, session_id, role, text, at, undone_at FROM transcript WHERE session_key = ? AND line_id > ?"
        " ORDER BY line_id LIMIT ?",
        (key, after, PAGE_LINES + 1),
    )
    lines: list[dict[str, Any]] = []
    room = PAGE_CHARACTERS
    for line_id, session_id, role, text, at, undone_at in rows:
        if lines and (room < len(text) or len(lines) == PAGE_LINES):
            return {"lines": lines, "next": lines[-1]["line"]}
        room -= len(text)
        line = {"line": line_id, "session_id": session_id, "role": role, "text": text, "at": at}
        lines.append(line | {"undone_at": undone_at})
    return {"lines": lines, "next": None}


def find_key(reader: Reader, typed: str) -> SessionKey:
    """The key that ``typed`` is, or the only one that it begins, with or without ``agent:main:`` before it."""
    for key in (typed, _HEAD + typed):
        if reader.execute("SELECT 1 FROM sessions WHERE session_key = ?", (key,)).fetchall():
            return SessionKey(key)
    found = [
        key
        for (key,) in reader.execute(
            "SELECT session_key FROM sessions WHERE substr(session_key, 1, length(?1)) = ?1"
            " OR substr(session_key, 1, length(?2)) = ?2 ORDER BY last_active_at DESC LIMIT ?3",
            (typed, _HEAD + typed, NEAR + 1),
        )
    ]
    if len(found) == 1:
        return SessionKey(found[0])
    if found:
        more = ", …" if len(found) > NEAR else ""
        detail = f"several sessions begin with {typed}: {', '.join(found[:NEAR])}{more}"
        raise GatewayError(Failure(AMBIGUOUS, detail=detail))
    near = _near(reader, typed)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    raise GatewayError(Failure(NO_SUCH_SESSION, detail=f"there is no session {typed}{meant}"))


def _near(reader: Reader, typed: str) -> list[str]:
    known = {
        key.removeprefix(_HEAD): key
        for (key,) in reader.execute(
            "SELECT session_key FROM sessions ORDER BY last_active_at DESC LIMIT ?", (NEAR_AMONG,)
        )
    }
    close = difflib.get_close_matches(typed.removeprefix(_HEAD), known, NEAR, NEAR_ENOUGH)
    return [known[name] for name in close]


def _session(row: tuple[Any, ...]) -> dict[str, Any]:
    shown = dict(zip(_SESSION, row, strict=True))
    shown["suspended"] = bool(shown["suspended"])
    for name in _TOKENS:  # total() does not overflow, but makes a float
        shown[name] = int(shown[name])
    return shown


# --- steering ----------------------------------------------------------------------------------------------------------


def reset(session: Mapping[str, Any], session_id: SessionId, at: float, expires_at: float) -> StopTurn:
    """The write that begins a new stretch; ``session`` as ``session_show`` gives it. Its people are told."""
    told = _told(session, f"{session_id}:reset", texts.OPERATOR_RESET, expires_at)
    return StopTurn(session["session_key"], RULE_RESET, at, session_id, told)


def resume(
    session: Mapping[str, Any], session_id: SessionId | None, name: str, at: float, expires_at: float
) -> Resume:
    """The write that goes on with an earlier stretch. ``name`` is new: it names the words to its people."""
    told = _told(session, f"{name}:resume", texts.OPERATOR_RESUME, expires_at)
    return Resume(session["session_key"], session_id, RULE_RESUME, at, told)


def no_such_stretch(session: Mapping[str, Any], session_id: SessionId | None) -> GatewayError:
    """There is nothing to resume."""
    key = session["session_key"]
    detail = f"{key} has nothing before its present stretch"
    if session_id is not None:
        names = [one["session_id"] for one in session["history"]]
        near = difflib.get_close_matches(session_id, names, NEAR, NEAR_ENOUGH) or names[-NEAR:]
        detail = f"{key} has no stretch {session_id}; it has {', '.join(near)}"
    return GatewayError(Failure(NO_SUCH_STRETCH, detail=detail))


def _told(session: Mapping[str, Any], name: str, text: str, expires_at: float) -> tuple[Outbound, ...]:
    if not session["platform"]:  # from before sessions knew where their people are
        return ()
    return (
        Outbound(
            delivery_id=DeliveryId(name),
            platform=session["platform"],
            account=session["account"],
            chat_id=session["chat_id"],
            thread_id=session["thread_id"],
            text=text,
            kind="notice",
            session_key=session["session_key"],
            expires_at=expires_at,
        ),
    )
