"""Reads about the firings of jobs."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hermes.store.port import Reader
from hermes.store.sends import delivery_statuses
from hermes.types.ids import SessionKey

_RUN = (
    "run_id, job_id, name, due_at, by_hand, run_state, delivery_state, attempts, claimed_at, started_at, ended_at,"
    " error, delivery_error, deliveries, output"
)
_COLUMNS = tuple(_RUN.replace(" ", "").split(","))


@dataclass(frozen=True, slots=True)
class Pending:
    """A run whose words are on their way; ``error`` is what has gone wrong with another of its targets."""

    run_id: int
    job_id: str
    name: str
    due_at: float
    deliveries: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True)
class Asked:
    """How a question that a job has put stands. ``state`` is that of its inbox row; ``text`` what was answered, or said
    in place of an answer (``role``: assistant or notice).
    """

    state: str
    rule: str
    role: str
    text: str

    @property
    def ended(self) -> bool:
        """Nothing more comes of it."""
        return self.state not in ("accepted", "routed", "in_turn")


def runs(reader: Reader, job_id: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
    """The newest runs, newest first. ``underway``: how each message that has no end yet stands in the outbox."""
    rows = reader.execute(
        f"SELECT {_RUN} FROM cron_runs WHERE ?1 IS NULL OR job_id = ?1 ORDER BY run_id DESC LIMIT ?2",
        (job_id, limit),
    )
    found = [_document(row) for row in rows]
    pending = [name for one in found if one["delivery_state"] == "pending" for name in one["deliveries"]]
    open_now = {
        str(one.delivery_id): {"state": one.state, "failure": one.failure}
        for one in delivery_statuses(reader, pending)
        if not one.ended
    }
    return [
        one | {"underway": [open_now[name] for name in one["deliveries"] if name in open_now]}
        for one in found
    ]


def counts(reader: Reader) -> Mapping[str, int]:
    """How many runs there are in each state, of those that are kept."""
    rows = reader.execute("SELECT run_state, count(*) FROM cron_runs GROUP BY 1")
    return dict(rows.fetchall())


def pending(reader: Reader) -> Sequence[Pending]:
    """Runs whose words are on their way, oldest first."""
    rows = reader.execute(
        "SELECT run_id, job_id, name, due_at, deliveries, delivery_error FROM cron_runs"
        " WHERE delivery_state = 'pending' ORDER BY run_id"
    )
    return [
        Pending(run_id, job_id, name, due_at, tuple(json.loads(deliveries)), error)
        for run_id, job_id, name, due_at, deliveries, error in rows
    ]


def last_outputs(reader: Reader, job_ids: Sequence[str]) -> Mapping[str, str]:
    """Where the last answer of each of these jobs is kept."""
    rows = reader.execute(
        "SELECT job_id, output, max(run_id) FROM cron_runs WHERE run_state IN ('ok', 'silent') AND output <> ''"
        " AND job_id IN (SELECT value FROM json_each(?)) GROUP BY job_id",
        (json.dumps(job_ids),),
    )
    return {job_id: output for job_id, output, _ in rows}


def is_known(reader: Reader, platform: str, account: str, event_id: str) -> bool:
    """True if the event was accepted before."""
    found = reader.execute(
        "SELECT 1 FROM dedupe WHERE platform = ? AND account = ? AND event_id = ?",
        (platform, account, event_id),
    )
    return bool(found.fetchall())


def asked(reader: Reader, row_id: int, session_key: SessionKey) -> Asked:
    """How the question in inbox row ``row_id`` stands."""
    found = reader.execute(
        "SELECT state, rule, turn_id, session_id FROM inbox WHERE row_id = ?", (row_id,)
    ).fetchall()
    if not found:
        return Asked("failed", "gone", "", "")
    ((state, rule, turn_id, session_id),) = found
    said = reader.execute(
        "SELECT role, text FROM transcript WHERE session_key = ? AND session_id = ? AND turn_id = ?"
        " AND role IN ('assistant', 'notice') ORDER BY line_id DESC LIMIT 1",
        (session_key, session_id, turn_id),
    ).fetchall()
    role, text = said[0] if said else ("", "")
    return Asked(state, rule or "", role, text)


def _document(row: Sequence[Any]) -> dict[str, Any]:
    document = dict(zip(_COLUMNS, row, strict=True))
    return document | {"by_hand": bool(document["by_hand"]), "deliveries": json.loads(document["deliveries"])}
