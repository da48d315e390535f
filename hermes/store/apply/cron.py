"""Claims of firings, and what became of them."""

import json
import sqlite3

from hermes.store.cron_ops import (
    Claim,
    Claimed,
    Claims,
    CronRun,
    EndRun,
    Reclaim,
    ReleaseClaims,
    SettleDelivery,
    StartRun,
)

RUNS_KEPT = 10_000


def claim(connection: sqlite3.Connection, op: Claim) -> Claimed:
    """The key (job, instant) is what makes a second claim none."""
    ((total,),) = connection.execute(
        "SELECT count(*) FROM cron_runs WHERE job_id = ? AND due_at >= ? AND NOT by_hand AND run_state <> 'skipped'",
        (op.job_id, op.since),
    ).fetchall()
    runs = []
    for due_at in op.due_at:
        if op.most is not None and total >= op.most:
            break
        made = connection.execute(
            "INSERT INTO cron_runs (job_id, due_at, name, by_hand, run_state, claimed_at, ended_at, boot_id, error)"
            " VALUES (?1, ?2, ?3, ?4, iif(?7 = '', 'claimed', 'skipped'), ?5, iif(?7 = '', NULL, ?5), ?6, ?7)"
            " ON CONFLICT DO NOTHING RETURNING run_id",
            (op.job_id, due_at, op.name, op.by_hand, op.at, op.boot_id, op.skipped),
        ).fetchall()
        if made:
            runs.append(CronRun(made[0][0], op.job_id, due_at, 0, op.by_hand))
            total += not op.skipped
    return Claimed(tuple(runs), total)


def claim_all(connection: sqlite3.Connection, op: Claims) -> tuple[Claimed, ...]:
    """One after the other."""
    return tuple(claim(connection, one) for one in op.claims)


def release(connection: sqlite3.Connection, op: ReleaseClaims) -> tuple[CronRun, ...]:
    """All that are open: whoever asks has only just begun, so nobody carries them out."""
    rows = connection.execute(
        "UPDATE cron_runs SET run_state = 'interrupted', ended_at = ? WHERE run_state IN ('claimed', 'running')"
        " RETURNING run_id, job_id, due_at, attempts, by_hand",
        (op.at,),
    ).fetchall()
    return tuple(
        CronRun(run_id, job_id, due_at, attempts, bool(by_hand))
        for run_id, job_id, due_at, attempts, by_hand in sorted(rows)
    )


def reclaim(connection: sqlite3.Connection, op: Reclaim) -> bool:
    """Under the name of the boot that goes on with it."""
    changed = connection.execute(
        "UPDATE cron_runs SET run_state = 'claimed', boot_id = ?, ended_at = NULL, error = ''"
        " WHERE run_id = ? AND run_state = 'interrupted'",
        (op.boot_id, op.run_id),
    )
    return changed.rowcount == 1


def start(connection: sqlite3.Connection, op: StartRun) -> bool:
    """The first start is kept: how long a run took includes the time in which nobody was there."""
    changed = connection.execute(
        "UPDATE cron_runs SET run_state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, ?)"
        " WHERE run_id = ? AND run_state = 'claimed' AND boot_id = ?",
        (op.at, op.run_id, op.boot_id),
    )
    return changed.rowcount == 1


def end(connection: sqlite3.Connection, op: EndRun) -> bool:
    """Also of one that was just called interrupted: whoever goes on with it may find that there is nothing to do."""
    changed = connection.execute(
        "UPDATE cron_runs SET run_state = ?, ended_at = ?, error = ?, delivery_state = ?, delivery_error = ?,"
        " deliveries = ?, output = ? WHERE run_id = ? AND run_state IN ('claimed', 'running', 'interrupted')",
        (
            op.state,
            op.at,
            op.error,
            op.delivery_state,
            op.delivery_error,
            json.dumps(op.deliveries),
            op.output,
            op.run_id,
        ),
    )
    connection.execute(
        "DELETE FROM cron_runs WHERE run_id <= (SELECT max(run_id) FROM cron_runs) - ?"
        " AND run_state NOT IN ('claimed', 'running') AND delivery_state <> 'pending'",
        (RUNS_KEPT,),
    )
    return changed.rowcount == 1


def settle(connection: sqlite3.Connection, op: SettleDelivery) -> bool:
    """Once."""
    changed = connection.execute(
        "UPDATE cron_runs SET delivery_state = ?1, delivery_error = iif(?2 = '', delivery_error, ?2)"
        " WHERE run_id = ?3 AND delivery_state = 'pending'",
        (op.state, op.error, op.run_id),
    )
    return changed.rowcount == 1
