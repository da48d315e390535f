"""Who is linked with whom, as the tables say, and what was done about it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from hermes.store.port import Reader
from hermes.types.ids import SessionKey
from hermes.types.people import Member, Person, UserRef

Canonical = Callable[[UserRef], UserRef]
"""Gives the one form of a user's id on its platform."""


@dataclass(frozen=True, slots=True)
class LinkCode:
    """A code that may still be used: its hash, by whom it was asked for and where, and for which platform alone it is."""

    code_id: str
    salt: str
    hash: str
    for_platform: str | None
    user: UserRef
    own_key: SessionKey
    chat_id: str


def persons(reader: Reader) -> list[Person]:
    """Everybody who is linked, those first who were so first."""
    rows = reader.execute(
        "SELECT person_id, name, session_key, created_at, platform, account, user_id, own_key, every_dm, linked_at,"
        " identities.chat_id FROM persons JOIN identities USING (person_id) ORDER BY created_at, person_id, place"
    )
    return [
        Person(person_id, name, session_key, created_at, tuple(map(_member, members)))
        for (person_id, name, session_key, created_at), members in groupby(rows, key=lambda row: row[:4])
    ]


def _member(row: tuple[Any, ...]) -> Member:
    person_id, _, _, _, platform, account, user_id, own_key, every_dm, linked_at, chat_id = row
    user = UserRef(platform, account, user_id)
    return Member(user, person_id, own_key, bool(every_dm), linked_at, chat_id)


def link_codes(reader: Reader, now: float) -> list[LinkCode]:
    """The codes that may be used at ``now``."""
    rows = reader.execute(
        "SELECT code_id, salt, hash, for_platform, platform, account, user_id, own_key, chat_id FROM link_codes"
        " WHERE expires_at > ?",
        (now,),
    )
    return [
        LinkCode(code_id, salt, kept, for_platform, UserRef(platform, account, user_id), own_key, chat_id)
        for code_id, salt, kept, for_platform, platform, account, user_id, own_key, chat_id in rows
    ]


def last_chat(reader: Reader, user: UserRef, canonical: Canonical) -> tuple[SessionKey, str] | None:
    """The conversation and the chat in which ``user`` wrote last, directly and outside of threads; None: never."""
    rows = reader.execute(
        "SELECT user_id, session_key, chat_id FROM sessions WHERE platform = ? AND account = ? AND chat_type = 'dm'"
        " AND thread_id IS NULL AND user_id IS NOT NULL ORDER BY last_active_at DESC",
        (user.platform, user.account),
    )
    for user_id, session_key, chat_id in rows:
        if canonical(UserRef(user.platform, user.account, user_id)) == user:
            return SessionKey(session_key), chat_id
    return None


def audit(reader: Reader, limit: int) -> list[dict[str, Any]]:
    """What operators have done, and who has linked whom, newest first."""
    rows = reader.execute(
        "SELECT audit_id, at, actor, action, subject, detail FROM audit ORDER BY audit_id DESC LIMIT ?",
        (limit,),
    )
    return [dict(zip(("id", "at", "actor", "action", "subject", "detail"), row, strict=True)) for row in rows]


def as_document(person: Person) -> dict[str, Any]:
    """``person`` as ``--json`` prints it."""
    return {
        "person_id": person.person_id,
        "name": person.name,
        "session_key": person.session_key,
        "created_at": person.created_at,
        "identities": [
            {
                "user": str(member.ref),
                "platform": member.ref.platform,
                "account": member.ref.account,
                "user_id": member.ref.user_id,
                "own_key": member.own_key,
                "linked_at": member.linked_at,
            }
            for member in person.members
        ],
    }
