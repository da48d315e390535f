"""Links between users: made, proved by codes, and taken back."""

import sqlite3
from collections.abc import Sequence

from hermes.store.apply.outbox import put
from hermes.store.people_ops import (
    LOCKED_S,
    MOST_FAILURES,
    Audit,
    Link,
    PutLinkCode,
    Side,
    Unlink,
    UseLinkCode,
)
from hermes.types.people import UserRef

LINKED = "linked"
"""Why a stretch has ended that comes back once the link is gone."""

_IS_USER = "platform = ? AND account = ? AND user_id = ?"


def user_key(user: UserRef) -> tuple[str, str, str]:
    """The columns that name ``user``."""
    return user.platform, user.account, user.user_id


def put_link_code(connection: sqlite3.Connection, op: PutLinkCode) -> bool:
    """The earlier code goes, so that there is one a user at most to guess."""
    user = user_key(op.side.user)
    if _locked(connection, op.side.user, op.at):
        return False
    connection.execute(
        "DELETE FROM link_codes WHERE expires_at <= ? OR (platform = ? AND account = ? AND user_id = ?)",
        (op.at, *user),
    )
    connection.execute(
        "INSERT INTO link_codes (code_id, salt, hash, for_platform, platform, account, user_id, own_key, chat_id,"
        " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            op.code_id,
            op.salt,
            op.hash,
            op.for_platform,
            *user,
            op.side.own_key,
            op.side.chat_id,
            op.expires_at,
        ),
    )
    return True


def use_link_code(connection: sqlite3.Connection, op: UseLinkCode) -> bool:
    """Deleting the code is what makes it single use: of two at once, one deletes nothing, and has failed."""
    if _locked(connection, op.user, op.at):
        return False
    user = user_key(op.user)
    used = connection.execute(
        "DELETE FROM link_codes WHERE code_id = ? AND expires_at > ?", (op.code_id, op.at)
    ).rowcount
    if used and op.link is not None and link(connection, op.link) is not None:
        connection.execute(f"DELETE FROM link_attempts WHERE {_IS_USER}", user)  # noqa: S608 - a constant
        return True
    connection.execute(
        "INSERT INTO link_attempts (platform, account, user_id, failures) VALUES (?1, ?2, ?3, 1)"
        " ON CONFLICT (platform, account, user_id) DO UPDATE SET"
        " locked_until = iif(failures + 1 >= ?4, ?5, locked_until),"
        " failures = iif(failures + 1 >= ?4, 0, failures + 1)",
        (*user, MOST_FAILURES, op.at + LOCKED_S),
    )
    return False


def link(connection: sqlite3.Connection, op: Link) -> str | None:
    """First who they are by now, because codes and operators act side by side."""
    if op.first.user == op.second.user or _person_of(connection, op.second.user):
        return None
    person_id = _person_of(connection, op.first.user)
    if person_id is None:
        person_id = op.person_id
        connection.execute(
            "INSERT INTO persons (person_id, name, session_key, created_at) VALUES (?, ?, ?, ?)",
            (person_id, op.name or "", op.first.own_key, op.at),
        )
        _join(connection, person_id, op.first, op.at)
    elif op.name:
        connection.execute("UPDATE persons SET name = ? WHERE person_id = ?", (op.name, person_id))
    _join(connection, person_id, op.second, op.at)
    if op.ends:
        connection.execute(
            "UPDATE stretches SET ended_at = ?, end_reason = ? WHERE session_key = ? AND ended_at IS NULL",
            (op.at, LINKED, op.second.own_key),
        )
    put(connection, op.outbound, op.at)
    audit(connection, Audit(op.actor, "link", str(op.second.user), f"{op.first.user} {person_id}", op.at))
    return person_id


def unlink(connection: sqlite3.Connection, op: Unlink) -> bool:
    """Whoever has no conversation to share any more goes on in their own."""
    person_id = _person_of(connection, op.user)
    if person_id is None:
        return False
    ((shared,),) = connection.execute(
        "SELECT session_key FROM persons WHERE person_id = ?", (person_id,)
    ).fetchall()
    ((own_key, chat_id),) = connection.execute(
        f"DELETE FROM identities WHERE {_IS_USER} RETURNING own_key, chat_id",  # noqa: S608 - a constant
        user_key(op.user),
    ).fetchall()
    rest = connection.execute(
        "SELECT platform, account, user_id, own_key, chat_id FROM identities WHERE person_id = ? ORDER BY place",
        (person_id,),
    ).fetchall()
    _settle(connection, shared, [(*user_key(op.user), own_key, chat_id), *rest])
    _come_back(connection, own_key, op.at)
    if own_key == shared:
        _come_back(connection, rest[0][3], op.at)
        connection.execute("UPDATE persons SET session_key = ? WHERE person_id = ?", (rest[0][3], person_id))
    if len(rest) == 1:
        connection.execute("DELETE FROM identities WHERE person_id = ?", (person_id,))
        connection.execute("DELETE FROM persons WHERE person_id = ?", (person_id,))
    put(connection, op.outbound, op.at)
    audit(connection, Audit(op.actor, "unlink", str(op.user), person_id, op.at))
    return True


def audit(connection: sqlite3.Connection, op: Audit) -> None:
    """One line; nobody changes it but a ``Forget`` of whom it names."""
    connection.execute(
        "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (op.at, op.actor, op.action, op.subject, op.detail),
    )


def _locked(connection: sqlite3.Connection, user: UserRef, at: float) -> bool:
    found = connection.execute(
        f"SELECT 1 FROM link_attempts WHERE {_IS_USER} AND locked_until > ?",  # noqa: S608 - a constant
        (*user_key(user), at),
    )
    return bool(found.fetchall())


def _person_of(connection: sqlite3.Connection, user: UserRef) -> str | None:
    found = connection.execute(
        f"SELECT person_id FROM identities WHERE {_IS_USER}",  # noqa: S608 - a constant
        user_key(user),
    ).fetchall()
    return found[0][0] if found else None


def _join(connection: sqlite3.Connection, person_id: str, side: Side, at: float) -> None:
    connection.execute(
        "INSERT INTO identities (platform, account, user_id, person_id, place, own_key, every_dm, chat_id, linked_at)"
        " SELECT ?1, ?2, ?3, ?4, 1 + ifnull(max(place), 0), ?5, ?6, ?7, ?8 FROM identities WHERE person_id = ?4",
        (*user_key(side.user), person_id, side.own_key, side.every_dm, side.chat_id, at),
    )


def _come_back(connection: sqlite3.Connection, session_key: str, at: float) -> None:
    """The stretch that a link has ended goes on. That counts as activity: it was not silence that kept people away."""
    came_back = connection.execute(
        "UPDATE stretches SET ended_at = NULL, end_reason = '' WHERE session_key = ?1 AND end_reason = ?2"
        " AND session_id = (SELECT session_id FROM sessions WHERE session_key = ?1)",
        (session_key, LINKED),
    )
    if came_back.rowcount:
        connection.execute(
            "UPDATE sessions SET last_active_at = max(last_active_at, ?) WHERE session_key = ?",
            (at, session_key),
        )


def _settle(
    connection: sqlite3.Connection, shared: str, members: Sequence[tuple[str, str, str, str, str | None]]
) -> None:
    """What was shared is where the one is whose own it is, and no longer where somebody wrote last."""
    for platform, account, user_id, own_key, chat_id in members:
        if own_key == shared:
            known = chat_id is not None
            connection.execute(
                "UPDATE sessions SET platform = ?, account = ?, chat_id = ?, user_id = ?, thread_id = NULL"
                " WHERE session_key = ?",
                (platform if known else "", account if known else "", chat_id or "", user_id, shared),
            )
