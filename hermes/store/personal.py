"""Everything there is of one person: found by who wrote, handed out as one document, or named for ``Forget``. Scans."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from hermes.sessions.keys import KeyRules, build_session_key
from hermes.store.codec import decode_event, decode_outbound
from hermes.store.people import Canonical, as_document
from hermes.store.people_ops import Traces
from hermes.store.port import Reader
from hermes.store.sessions import session_lines, session_show
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey
from hermes.types.origin import DEFAULT_ACCOUNT, ITSELF, Origin
from hermes.types.people import Member, Person, UserRef

_KEYS = "(SELECT value FROM json_each(:keys))"
_ROWS = "(SELECT value FROM json_each(:rows))"
_CHATS = "(SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:chats))"
_USERS = "(SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:users))"
_APPROVALS = (
    "approval_id",
    "session_key",
    "action",
    "detail",
    "state",
    "asked_at",
    "decided_at",
    "decided_by",
    "reason",
)


def traces(reader: Reader, users: Sequence[UserRef], person: Person | None, canonical: Canonical) -> Traces:
    """What the tables hold of ``users`` (canonical), who are one person; ``person`` if they are linked.

    Of a conversation with others in it, only their own part; of one that they had alone, also in a group, all of it.
    """
    mine = set(users)
    members = [] if person is None else list(person.members)
    chats = {_chat(member) for member in members if member.chat_id is not None}
    keys = {member.own_key for member in members} | ({person.session_key} if person else set())
    rows: list[int] = []
    raw: list[int] = []
    alone: set[str] = set()
    shared: set[str] = set()
    for account in dict.fromkeys((user.platform, user.account) for user in users):
        for row_id, session_key, event in _events(reader, account):
            origin = event.origin
            own = canonical(UserRef(*account, origin.user_id or "")) in mine
            if own:
                rows.append(row_id)
            if own and origin.chat_type == "dm":
                chats.add((*account, origin.chat_id))
            elif session_key is not None and origin.chat_type != "dm":
                (alone if own else shared).add(session_key)
        for user in users:
            if (user.platform, user.account) == account:
                found = reader.execute(
                    "SELECT row_id FROM inbox WHERE platform = ? AND account = ? AND raw IS NOT NULL"
                    " AND instr(raw, CAST(? AS BLOB))",
                    (*account, user.user_id),
                )
                raw += [row_id for (row_id,) in found]
    keys |= {SessionKey(key) for key in alone - shared}
    # The messages themselves may be over and gone: then the conversation alone tells in which chat it was.
    for key, chat in tuple(_direct_sessions(reader, mine, chats, canonical)):
        keys.add(key)
        chats |= {chat} if chat[2] else set()
    return Traces(
        users=tuple(users),
        person_ids=() if person is None else (person.person_id,),
        keys=tuple(sorted(keys)),
        chats=tuple(
            sorted(chat for chat in chats if "\x00" not in "".join(chat))
        ),  # SQLite's JSON would cut it there
        rows=tuple(rows),
        raw=tuple(raw),
    )


def with_jobs(found: Traces, job_ids: Sequence[str], rules: KeyRules) -> Traces:
    """``found`` and what these jobs, which they made, have said: each in a conversation of its own with itself."""
    origins = [Origin(ITSELF, job_id) for job_id in job_ids]
    keys = [build_session_key(origin, rules) for origin in origins]
    chats = [(origin.platform, origin.account, origin.chat_id) for origin in origins]
    return replace(found, jobs=tuple(job_ids), keys=(*found.keys, *keys), chats=(*found.chats, *chats))


def export(reader: Reader, found: Traces, person: Person | None) -> dict[str, Any]:
    """All of it as one document, plain data; times are epoch seconds."""
    values = {
        "keys": json.dumps(found.keys),
        "chats": json.dumps(found.chats),
        "rows": json.dumps(found.rows),
        "users": json.dumps([(user.platform, user.account, user.user_id) for user in found.users]),
    }
    turns = f"(SELECT turn_id FROM inbox WHERE row_id IN {_ROWS} AND turn_id IS NOT NULL)"
    traced = f"(SELECT trace FROM inbox WHERE row_id IN {_ROWS} AND trace <> '')"
    messages = reader.execute(
        "SELECT row_id, platform, account, chat_id, session_key, state, rule, event, text FROM inbox"
        f" WHERE row_id IN {_ROWS} ORDER BY row_id",
        values,
    )
    outbox = reader.execute(
        "SELECT row_id, state, failure, created_at, changed_at, message, text FROM outbox"
        f" WHERE (platform, account, chat_id) IN {_CHATS} OR trace IN {traced}"
        f" OR substr(delivery_id, 1, instr(delivery_id, ':') - 1) IN {turns} ORDER BY row_id",
        values,
    )
    notes = reader.execute(
        f"SELECT note_id, text, at FROM notes WHERE substr(key, 1, instr(key, '/') - 1) IN {turns}", values
    )
    approvals = reader.execute(
        f"SELECT {', '.join(_APPROVALS)} FROM approvals WHERE session_key IN {_KEYS} OR turn_id IN {turns}"
        f" OR (platform, account, user_id) IN {_USERS} ORDER BY asked_at",
        values,
    )
    return {
        "person": None if person is None else as_document(person),
        "users": [str(user) for user in found.users],
        "sessions": [_session(reader, key) for key in found.keys if _known(reader, key)],
        "messages": [
            {
                "row": row_id,
                "place": f"{platform}:{account}:{chat_id}",
                "session_key": session_key,
                "state": state,
                "rule": rule,
                "event": None if event is None else asdict(decode_event(event, text)),
            }
            for row_id, platform, account, chat_id, session_key, state, rule, event, text in messages
        ],
        "outbox": [
            {
                "row": row_id,
                "state": state,
                "failure": failure,
                "created_at": created_at,
                "changed_at": changed_at,
                "message": _said(message, text),
            }
            for row_id, state, failure, created_at, changed_at, message, text in outbox
        ],
        "notes": [{"id": note_id, "text": text, "at": at} for note_id, text, at in notes],
        "approvals": [dict(zip(_APPROVALS, row, strict=True)) for row in approvals],
    }


def _chat(member: Member) -> tuple[str, str, str]:
    return member.ref.platform, member.ref.account, member.chat_id or ""


def _events(
    reader: Reader, account: tuple[str, str]
) -> Iterator[tuple[int, SessionKey | None, InboundEvent]]:
    rows = reader.execute(
        "SELECT row_id, session_key, event FROM inbox WHERE platform = ? AND account = ? AND event IS NOT NULL",
        account,
    )
    for row_id, session_key, payload in rows:
        yield row_id, session_key, decode_event(payload, "")


def _direct_sessions(
    reader: Reader, users: set[UserRef], chats: set[tuple[str, str, str]], canonical: Canonical
) -> Iterator[tuple[SessionKey, tuple[str, str, str]]]:
    """With their chats. Of those from before sessions knew their user, the chat says whose they are. One that was taken over
    with its user, and without its chat, is that user's.
    """
    rows = reader.execute(
        "SELECT session_key, platform, account, user_id, chat_id FROM sessions"
        " WHERE chat_type = 'dm' OR (platform = '' AND user_id IS NOT NULL AND session_key GLOB 'agent:*:*:*')"
    )
    for session_key, platform, account, user_id, chat_id in rows:
        at, on = (platform, account) if platform else (session_key.split(":")[2], DEFAULT_ACCOUNT)
        known = user_id is not None
        user = canonical(UserRef(at, on, user_id or ""))
        if (known and user in users) or (not known and (at, on, chat_id) in chats):
            yield SessionKey(session_key), (at, on, chat_id or "")


def _known(reader: Reader, key: str) -> bool:
    return bool(reader.execute("SELECT 1 FROM sessions WHERE session_key = ?", (key,)).fetchall())


def _session(reader: Reader, key: str) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = session_lines(reader, key, after)
        lines += page["lines"]
        after = page["next"]
    return {"session": session_show(reader, key), "lines": lines}


def _said(payload: bytes, text: str) -> dict[str, Any]:
    message = decode_outbound(payload, text)
    return {**asdict(message), "text": "" if message.secret else text, "metadata": dict(message.metadata)}
