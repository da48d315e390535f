"""Reads for those who tell the operator something, or decide whom not to write to."""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

from collections.abc import Sequence
from typing import Any

from hermes.delivery.backlog import EVERY_S, Standing
from hermes.delivery.notices import PREFIX
from hermes.store.outbox import DROPPED
from hermes.store.port import Reader

_OPEN = "state IN ('prepared', 'sending', 'retry', 'unknown')"  # as in the partial index, to the letter


def standings(reader: Reader, now: float) -> Sequence[Standing]:
    """The accounts that have messages on their way out, or dead letters; by name."""
    rows = reader.execute(
        "SELECT platform, account, sum(open), min(oldest_at), sum(dead), sum(lately) FROM ("
        f"SELECT platform, account, 1 AS open, created_at AS oldest_at, 0 AS dead, 0 AS lately FROM outbox"
        f" WHERE {_OPEN} AND delivery_id NOT GLOB ?3"
        " UNION ALL SELECT platform, account, 0, NULL, 1, changed_at > ?1 FROM outbox"
        " WHERE state = 'dead' AND failure <> ?2 AND delivery_id NOT GLOB ?3) GROUP BY 1, 2 ORDER BY 1, 2",
        (now - EVERY_S, DROPPED, f"{PREFIX}*"),
    )
    return [Standing(*row) for row in rows]


def dead_target_list(reader: Reader, limit: int) -> Sequence[dict[str, Any]]:
    """Those chats for people, with why and since when (epoch seconds), the newest first."""
    rows = reader.execute(
        "SELECT platform, account, chat_id, failure, at FROM dead_targets WHERE cleared_at IS NULL"
        " ORDER BY at DESC, platform, account, chat_id LIMIT ?",
        (limit,),
    )
    return [dict(zip(("platform", "account", "chat_id", "failure", "at"), row, strict=True)) for row in rows]


def dead_targets(reader: Reader) -> frozenset[tuple[str, str, str]]:
    """(platform, account, chat_id) of the chats in which nobody is reached any more."""
    rows = reader.execute("SELECT platform, account, chat_id FROM dead_targets WHERE cleared_at IS NULL")
    return frozenset((platform, account, chat_id) for platform, account, chat_id in rows)
