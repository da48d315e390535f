"""The store in figures, for monitors: all of one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hermes.delivery.backlog import Standing
from hermes.store import queries
from hermes.store.notices import standings
from hermes.store.port import Reader
from hermes.types.content import OutboxState
from hermes.types.records import Counts


@dataclass(frozen=True, slots=True)
class Figures:
    """``oldest_pending_at``: when the oldest message that has no end came, in epoch seconds; None if all have one."""

    counts: Counts
    oldest_pending_at: float | None
    late_results: int
    outbox: Mapping[OutboxState, int]
    standings: Sequence[Standing]
    sessions: int
    dead_targets: int


def figures(reader: Reader, now: float) -> Figures:
    """As ``hermes status`` has them, and how long somebody has waited."""
    ((oldest,),) = reader.execute(
        "SELECT min(at) FROM (SELECT min(received_at) AS at FROM inbox WHERE state = 'accepted'"
        " UNION ALL SELECT min(received_at) FROM inbox WHERE state IN ('routed', 'in_turn'))"
    ).fetchall()
    ((gone,),) = reader.execute("SELECT count(*) FROM dead_targets WHERE cleared_at IS NULL").fetchall()
    return Figures(
        counts=queries.counts(reader),
        oldest_pending_at=oldest,
        late_results=queries.late_results(reader),
        outbox=queries.outbox_counts(reader),
        standings=standings(reader, now),
        sessions=queries.sessions_known(reader),
        dead_targets=gone,
    )
