"""What the gateway says of itself, its lives, and chats that another program knows to be dead."""

import json
import sqlite3
from dataclasses import asdict
from typing import cast

from hermes.delivery.targets import Place
from hermes.store.apply.outbox import put
from hermes.store.notice_ops import AdoptDeadTargets, Before, Begin, End, Ended, Notify

BOOTS_KEPT = 100


def notify(connection: sqlite3.Connection, op: Notify) -> bool:
    """Two in one slot have one delivery id; of the slot before, the time is asked."""
    found = connection.execute(
        "SELECT 1 FROM outbox WHERE delivery_id = ? AND created_at > ?",
        (op.notice.earlier, op.at - op.notice.every_s),
    ).fetchall()
    return not found and put(connection, [op.notice.message], op.at) == 1


def begin(connection: sqlite3.Connection, op: Begin) -> Before:
    """Idempotent, for the actor that begins a boot may itself begin anew."""
    connection.execute("INSERT OR IGNORE INTO boots (boot_id, at) VALUES (?, ?)", (op.boot_id, op.at))
    connection.execute("DELETE FROM boots WHERE n <= (SELECT max(n) FROM boots) - ?", (BOOTS_KEPT,))
    found = connection.execute(
        "SELECT ended, asked_by FROM boots WHERE n < (SELECT n FROM boots WHERE boot_id = ?) ORDER BY n DESC LIMIT 1",
        (op.boot_id,),
    ).fetchall()
    if not found:
        return Before("none")
    ended, asked_by = found[0]
    return Before(cast("Ended", ended), Place(**json.loads(asked_by)) if asked_by else None)


def end(connection: sqlite3.Connection, op: End) -> None:
    """A boot that did not get so far as to begin has no row, and needs none."""
    asked_by = "" if op.asked_by is None else json.dumps(asdict(op.asked_by))
    connection.execute(
        "UPDATE boots SET ended = ?, asked_by = ? WHERE boot_id = ?", (op.ended, asked_by, op.boot_id)
    )


def adopt_dead_targets(connection: sqlite3.Connection, op: AdoptDeadTargets) -> int:
    """A chat that was cleared keeps its row, so that an old file cannot bury it again."""
    return connection.executemany(
        "INSERT OR IGNORE INTO dead_targets (platform, account, chat_id, failure, at) VALUES (?, ?, ?, ?, ?)",
        [(one.platform, one.account, one.chat_id, one.failure, op.at) for one in op.targets],
    ).rowcount
