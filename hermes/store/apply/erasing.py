"""Erasing somebody: rows stay where they are counted, as shells, and everything else goes."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from hermes.cron.names import all_runs
from hermes.store.apply import forgotten
from hermes.store.apply.people import audit, user_key
from hermes.store.codec import encode_outbound
from hermes.store.people_ops import Audit, Erased, Forget
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId

RULE = "operator:forget"
NOBODY = "(forgotten)"

_SHELL = encode_outbound(Outbound(DeliveryId(NOBODY), "", "", "", ""))
_KEYS = "(SELECT value FROM json_each(:keys))"
_CHATS = "(SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:chats))"
_USERS = "(SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:users))"
_TURNS = "(SELECT turn_id FROM forgotten WHERE turn_id IS NOT NULL)"


def forget(connection: sqlite3.Connection, op: Forget) -> Erased:
    """What was sent and what was answered is gathered before anything that leads to it goes."""
    traces = op.traces
    values: dict[str, object] = {
        "keys": json.dumps(traces.keys),
        "chats": json.dumps(traces.chats),
        "users": json.dumps([user_key(user) for user in traces.users]),
        "rows": json.dumps((*traces.rows, *traces.raw)),
        "jobs": json.dumps([(name, *all_runs(name)) for name in traces.jobs]),
        "at": op.at,
        "rule": RULE,
        "nobody": NOBODY,
        "shell": _SHELL,
    }

    def run(sql: str) -> int:
        return connection.execute(sql, values).rowcount

    connection.execute("DROP TABLE IF EXISTS temp.forgotten")
    run(
        "CREATE TEMP TABLE forgotten AS SELECT row_id, turn_id, trace, session_key, seq FROM inbox"
        f" WHERE row_id IN (SELECT value FROM json_each(:rows)) OR session_key IN {_KEYS}"
        f" OR (platform, account, chat_id) IN {_CHATS}"
    )
    connection.execute("DROP TABLE IF EXISTS temp.unsaid")
    run(
        "CREATE TEMP TABLE unsaid AS SELECT row_id FROM outbox"
        f" WHERE (platform, account, chat_id) IN {_CHATS}"
        " OR trace IN (SELECT trace FROM forgotten WHERE trace <> '')"
        f" OR substr(delivery_id, 1, instr(delivery_id, ':') - 1) IN {_TURNS}"
        " OR EXISTS (SELECT 1 FROM json_each(:jobs) WHERE delivery_id >= value ->> 1 AND delivery_id < value ->> 2)"
    )
    erased = Erased(
        lines=run(
            f"DELETE FROM transcript WHERE session_key IN {_KEYS}"
            f" OR (role <> 'user' AND turn_id IN {_TURNS})"
            " OR (role = 'user' AND (session_key, seq) IN (SELECT session_key, seq FROM forgotten))"
        ),
        notes=run(f"DELETE FROM notes WHERE substr(key, 1, instr(key, '/') - 1) IN {_TURNS}"),
        approvals=run(
            f"DELETE FROM approvals WHERE session_key IN {_KEYS} OR turn_id IN {_TURNS}"
            f" OR (platform, account, user_id) IN {_USERS}"
        ),
        sessions=run(f"DELETE FROM sessions WHERE session_key IN {_KEYS}"),
        links=run(f"DELETE FROM identities WHERE (platform, account, user_id) IN {_USERS}"),
        runs=run("DELETE FROM cron_runs WHERE job_id IN (SELECT value ->> 0 FROM json_each(:jobs))"),
    )
    run(f"DELETE FROM stretches WHERE session_key IN {_KEYS}")
    run(f"DELETE FROM turn_steps WHERE turn_id IN {_TURNS}")
    # Somebody may have been linked since the traces were read; and a person with one user left is none.
    run(
        "DELETE FROM identities WHERE person_id IN"
        " (SELECT person_id FROM identities GROUP BY person_id HAVING count(*) = 1)"
    )
    run("DELETE FROM persons WHERE person_id NOT IN (SELECT person_id FROM identities)")
    for table in ("link_codes", "link_attempts"):
        run(f"DELETE FROM {table} WHERE (platform, account, user_id) IN {_USERS}")
    run(
        f"DELETE FROM streams WHERE (platform, account, chat_id) IN {_CHATS}"
        f" OR substr(delivery_id, 1, instr(delivery_id, ':') - 1) IN {_TURNS}"
    )
    for table in ("homes", "dead_targets"):
        run(f"DELETE FROM {table} WHERE (platform, account, chat_id) IN {_CHATS}")
    forgotten.bury_names(connection)
    forgotten.bury_events(connection, traces)
    erased = replace(erased, messages=_empty_inbox(run), answers=_empty_outbox(run))
    _empty_audit(connection, op)
    connection.execute("DROP TABLE temp.forgotten")
    connection.execute("DROP TABLE temp.unsaid")
    # The search index keeps the words of deleted lines until its segments are merged.
    connection.execute("INSERT INTO transcript_fts (transcript_fts) VALUES ('optimize')")
    connection.execute("UPDATE writer SET unclean = 1")
    audit(connection, Audit(op.actor, "forget", op.subject, f"{erased.messages} messages", op.at))
    return erased


def _empty_inbox(run: Callable[[str], int]) -> int:
    """Open rows get their end first: the trigger counts it, and voids what hangs on it."""
    mine = "row_id IN (SELECT row_id FROM forgotten)"
    run(
        f"UPDATE inbox SET state = 'stopped', rule = :rule WHERE {mine} AND state IN ('accepted', 'routed', 'in_turn')"
    )
    run(f"DELETE FROM missed WHERE {mine}")
    return run(
        "UPDATE inbox SET text = '', event = NULL, raw = NULL, chat_id = '', event_id = '', trace = '',"
        f" session_key = NULL, session_id = NULL, seq = NULL, turn_id = NULL WHERE {mine}"
    )


def _empty_outbox(run: Callable[[str], int]) -> int:
    """Those that had not arrived end as ``sent``, as expired ones do that stand in a history: nobody is to retry a shell."""
    mine = "row_id IN (SELECT row_id FROM unsaid)"
    run("DELETE FROM receipts WHERE outbox_row_id IN (SELECT row_id FROM unsaid)")
    return run(
        "UPDATE outbox SET failure = iif(state = 'sent', failure, 'forgotten'), state = 'sent', text = '', message = :shell,"
        f" chat_id = '', trace = '', delivery_id = 'forgotten:' || row_id, changed_at = :at WHERE {mine}"
    )


def _empty_audit(connection: sqlite3.Connection, op: Forget) -> None:
    """That something was done stays; to whom, goes."""
    names = [*map(str, op.traces.users), *op.traces.person_ids]
    for name in names:
        connection.execute(
            "UPDATE audit SET subject = iif(subject = ?1, ?2, subject), actor = iif(actor = ?1, ?2, actor),"
            " detail = '' WHERE subject = ?1 OR actor = ?1 OR instr(detail, ?1)",
            (name, NOBODY),
        )
