"""What is left of people who were forgotten, so that nothing of theirs is taken for new: digests, where names were.

A platform's name for an event may hold the id of its chat. Once its sender is forgotten, a salted digest stands in its place, for
as long as a platform may deliver the event again. Who has the database has the salt too, and could try all numbers; after eight
days there is nothing left to try.
"""

import hashlib
import json
import sqlite3
from collections.abc import Collection

import cbor2

from hermes.store.people_ops import Traces
from hermes.types.origin import lane_key
from hermes.types.paths import path_segment

Key = tuple[str, str, str]

_MINE = "FROM dedupe WHERE row_id IN (SELECT row_id FROM temp.forgotten)"


def known(connection: sqlite3.Connection, keys: Collection[Key]) -> dict[Key, int]:
    """Which of these events were accepted before, from people who are forgotten by now, and as which rows."""
    # One statement, and next to always it finds nothing.
    salts = connection.execute(
        "SELECT salt FROM writer WHERE EXISTS (SELECT 1 FROM forgotten_events)"
    ).fetchall()
    if not salts:
        return {}
    found: dict[Key, int] = {}
    for key in keys:
        digest = _digest(salts[0][0], key)
        for (row_id,) in connection.execute(
            "SELECT row_id FROM forgotten_events WHERE digest = ?", (digest,)
        ):
            found[key] = row_id
    return found


def bury_names(connection: sqlite3.Connection) -> None:
    """Of the rows in the table ``forgotten``: digests take the place of their dedupe keys."""
    ((salt,),) = connection.execute("SELECT salt FROM writer").fetchall()
    rows = connection.execute(f"SELECT platform, account, event_id, row_id, at {_MINE}").fetchall()
    connection.executemany(
        "INSERT OR REPLACE INTO forgotten_events (digest, row_id, at) VALUES (?, ?, ?)",
        [
            (_digest(salt, (platform, account, name)), row_id, at)
            for platform, account, name, row_id, at in rows
        ],
    )
    connection.execute(f"DELETE {_MINE}")


def bury_events(connection: sqlite3.Connection, traces: Traces) -> None:
    """What is told of actors that bore their conversations' or their chats' names."""
    names = {path_segment(name) for name in (*traces.keys, *(lane_key(*chat) for chat in traces.chats))}
    for name in names:
        found = connection.execute(
            "SELECT event_id, body FROM events WHERE instr(body, ?)", (name.encode(),)
        ).fetchall()
        gone = [event_id for event_id, body in found if name in str(cbor2.loads(body).get("path")).split("/")]
        connection.execute(
            "DELETE FROM events WHERE event_id IN (SELECT value FROM json_each(?))", (json.dumps(gone),)
        )


def _digest(salt: bytes, key: Key) -> bytes:
    return hashlib.sha256(salt + json.dumps(key).encode()).digest()
