"""A chat becomes another one."""

import sqlite3
from dataclasses import replace

from hermes.store.chat_ops import MoveChat, MovedChat


def move(connection: sqlite3.Connection, op: MoveChat) -> MovedChat:
    """What has begun there on its own is not taken over: it would be lost to its people."""
    here, there = (op.platform, op.account, op.chat_id), (op.platform, op.account, op.moved_to)
    ((begun,),) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM sessions WHERE platform = ? AND account = ? AND chat_id = ?)", there
    ).fetchall()
    moved = MovedChat(*here, op.moved_to, goes_on=not begun)
    inserted = connection.execute(
        "INSERT OR IGNORE INTO moved_chats (platform, account, chat_id, moved_to, goes_on, at) VALUES (?, ?, ?, ?, ?, ?)",
        (*here, op.moved_to, moved.goes_on, op.at),
    )
    if not inserted.rowcount:
        ((moved_to, goes_on),) = connection.execute(
            "SELECT moved_to, goes_on FROM moved_chats WHERE platform = ? AND account = ? AND chat_id = ?",
            here,
        ).fetchall()
        return replace(moved, moved_to=moved_to, goes_on=bool(goes_on))
    for table in ("homes", *(("sessions",) if moved.goes_on else ())):
        connection.execute(
            f"UPDATE {table} SET chat_id = ?4 WHERE platform = ?1 AND account = ?2 AND chat_id = ?3",  # noqa: S608
            (*here, op.moved_to),
        )
    return moved
