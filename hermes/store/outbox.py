"""Messages on their way out as the operator sees and steers them: the same through the running gateway and on the file.

Answers are plain data, as the command line prints it. Times are epoch seconds. Raises ``GatewayError`` (``no_such_message``,
``not_possible``), in words for a person. What is secret is never shown.
"""

# ruff: noqa: S608 - only constants of this module are joined into SQL; every value is a parameter

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hermes.store.codec import Undecodable, decode_outbound
from hermes.store.port import Reader
from hermes.types.content import Media, Outbound, OutboxState
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import DeliveryId
from hermes.types.origin import LaneKey, lane_key
from hermes.types.records import OutboxRow

NO_SUCH_MESSAGE = "no_such_message"
NOT_POSSIBLE = "not_possible"

DROPPED = "dropped"
"""The failure of a message that nobody misses: the operator has given it up, or it was a notice that is no news any more. It
is no dead letter.
"""

ROW = "row_id, state, message, text, parts_sent, attempts, not_before, failure, boot_id, created_at"
"""The columns that ``outbox_row`` reads."""

OPEN = ("prepared", "sending", "retry", "unknown")
EXCERPT_CHARACTERS = 80

_COLUMNS = (
    *(
        "row_id",
        "delivery_id",
        "platform",
        "account",
        "chat_id",
        "state",
        "attempts",
        "parts_sent",
        "not_before",
    ),
    *("failure", "created_at", "changed_at", "expires_at", "secret", "trace", "text", "message"),
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM outbox"


def outbox_row(reader: Reader, row: tuple[Any, ...]) -> OutboxRow:
    """The row whose ``ROW`` columns ``row`` holds; also one that is ``undecodable``, which is no trouble of its neighbours."""
    row_id, state, payload, text, parts_sent, attempts, not_before, failure, boot_id, created_at = row
    undecodable = ""
    try:
        message = decode_outbound(payload, text)
    except Undecodable as wrong:
        undecodable = str(wrong)
        ((delivery_id, platform, account, chat_id),) = reader.execute(
            "SELECT delivery_id, platform, account, chat_id FROM outbox WHERE row_id = ?", (row_id,)
        ).fetchall()
        message = Outbound(delivery_id, platform, account, chat_id, "")
    said = files = 0
    if parts_sent:
        ((said, files),) = reader.execute(
            "SELECT ifnull(sum(said), 0), ifnull(sum(files), 0) FROM receipts WHERE outbox_row_id = ?",
            (row_id,),
        ).fetchall()
    way = (attempts, not_before, failure, boot_id, created_at)
    return OutboxRow(row_id, state, message, parts_sent, *way, said, files, undecodable)


def outbox_list(
    reader: Reader, state: str | None, platform: str | None, limit: int
) -> Sequence[dict[str, Any]]:
    """Messages that have not arrived, oldest first: the open ones and the dead letters, or those in ``state`` alone."""
    states = json.dumps((state,) if state else (*OPEN, "dead"))
    rows = reader.execute(
        f"{_SELECT} WHERE state IN (SELECT value FROM json_each(?1)) AND failure <> ?2"
        " AND (?3 IS NULL OR platform = ?3) ORDER BY row_id LIMIT ?4",
        (states, DROPPED, platform, limit),
    )
    return [_shown(row, whole=False) for row in rows]


def outbox_show(reader: Reader, row_id: int) -> dict[str, Any]:
    """One message, with its text and the receipts of its parts."""
    found = reader.execute(f"{_SELECT} WHERE row_id = ?", (row_id,)).fetchall()
    if not found:
        raise GatewayError(Failure(NO_SUCH_MESSAGE, detail=f"there is no message {row_id} in the outbox"))
    receipts = reader.execute(
        "SELECT part, message_id, at FROM receipts WHERE outbox_row_id = ? ORDER BY part", (row_id,)
    )
    return _shown(found[0], whole=True) | {
        "receipts": [{"part": part, "message_id": message_id, "at": at} for part, message_id, at in receipts]
    }


@dataclass(frozen=True, slots=True)
class Ending:
    """How far a message is; ``ended_at`` (epoch seconds) is None while it is on its way."""

    platform: str
    state: OutboxState
    ended_at: float | None


def ends(reader: Reader, delivery_ids: Sequence[DeliveryId]) -> dict[DeliveryId, Ending]:
    """How far messages are, by their delivery ids; those that nobody knows are left out."""
    rows = reader.execute(
        "SELECT delivery_id, platform, state, changed_at FROM outbox"
        " WHERE delivery_id IN (SELECT value FROM json_each(?))",
        (json.dumps(delivery_ids),),
    )
    return {
        delivery_id: Ending(platform, state, None if state in OPEN else changed_at)
        for delivery_id, platform, state, changed_at in rows
    }


def attachments(reader: Reader, delivery_id: str, platform: str, account: str) -> tuple[Media, ...]:
    """The files of a message that went out by that account; none if it did not, is secret, or has none."""
    rows = reader.execute(
        "SELECT message, text FROM outbox WHERE delivery_id = ? AND platform = ? AND account = ? AND NOT secret",
        (delivery_id, platform, account),
    ).fetchall()
    return decode_outbound(*rows[0]).attachments if rows else ()


def lane_of(message: dict[str, Any]) -> LaneKey:
    """The lane of a message as ``outbox_show`` gives it."""
    return lane_key(message["platform"], message["account"], message["chat_id"])


def not_possible(message: dict[str, Any], what: str) -> GatewayError:
    """It has gone another way meanwhile."""
    detail = f"message {message['id']} is {message['state']} and cannot be {what}"
    if message["secret"] and message["state"] == "dead":
        detail = f"message {message['id']} was secret and is erased; have a new one made"
    return GatewayError(Failure(NOT_POSSIBLE, detail=detail))


def _shown(row: tuple[Any, ...], *, whole: bool) -> dict[str, Any]:
    one = dict(zip(_COLUMNS, row, strict=True))
    text, message = one.pop("text"), one.pop("message")
    secret, thread_id, kind = bool(one["secret"]), None, ""
    with contextlib.suppress(Undecodable):  # its failure says so
        sent = decode_outbound(message, text)
        thread_id, kind = sent.thread_id, sent.kind
    said = "" if secret else text
    return {
        "id": one.pop("row_id"),
        **one,
        "secret": secret,
        "not_before": one["not_before"] or None,
        "thread_id": thread_id,
        "kind": kind,
        "text": said if whole else said[:EXCERPT_CHARACTERS],
    }
