"""What is sent on its own, and the line that a conversation keeps of it."""

import sqlite3

from hermes.store.apply.outbox import put
from hermes.store.send_ops import Mirror, Send
from hermes.types.content import Outbound


def send(connection: sqlite3.Connection, op: Send) -> bool:
    """The mirror goes with the message: a repeated order leaves one line."""
    if put(connection, [op.message], op.at) != 1:
        return False
    if op.mirror is not None:
        _mirror(connection, op.message, op.mirror, op.at)
    return True


def _mirror(connection: sqlite3.Connection, message: Outbound, mirror: Mirror, at: float) -> None:
    """Into the present stretch, with no generation raised: a turn that runs goes on, and sees the line the next time."""
    found = connection.execute(
        "SELECT session_key, session_id FROM sessions WHERE platform = ?1 AND account = ?2 AND chat_id = ?3"
        " AND thread_id IS ?4 AND (?5 IS NULL OR user_id = ?5) AND NOT EXISTS (SELECT 1 FROM stretches AS s"
        " WHERE s.session_key = sessions.session_key AND s.session_id = sessions.session_id AND end_reason = 'linked')"
        " LIMIT 2",
        (message.platform, message.account, message.chat_id, message.thread_id, mirror.user_id),
    ).fetchall() or _linked(connection, message)
    if len(found) != 1:
        return
    connection.execute(
        "INSERT INTO transcript (session_key, session_id, role, text, at) VALUES (?, ?, ?, ?, ?)",
        (*found[0], mirror.role, mirror.text, at),
    )


def _linked(connection: sqlite3.Connection, message: Outbound) -> list[tuple[str, str]]:
    """The conversation of a person who was last heard on another platform: a direct chat's newest message belongs to it."""
    if message.thread_id is not None:
        return []
    return connection.execute(
        "SELECT session_key, session_id FROM sessions WHERE chat_type = 'dm' AND (platform, account, chat_id) <> (?1, ?2, ?3)"
        " AND session_key = (SELECT session_key FROM inbox WHERE platform = ?1 AND account = ?2 AND chat_id = ?3"
        " AND state <> 'accepted' AND session_key IS NOT NULL ORDER BY row_id DESC LIMIT 1)",
        (message.platform, message.account, message.chat_id),
    ).fetchall()
