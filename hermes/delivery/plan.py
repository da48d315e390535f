"""What a lane does next, as pure decisions.

                       ┌────── not sent: wait ─────▶ prepared (no attempt)
    prepared ─ sending ┼────── not sent: again ────▶ retry ── … 20 attempts ─▶ dead
                       ├────── perhaps sent: wait ─▶ unknown ─ one marked copy ─▶ sent | dead
                       └────── receipts ───────────▶ sent

``row`` is always the row as the lane read it, before it marked this attempt as ``sending``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hermes.types import texts
from hermes.types.backoff import Backoff, delay
from hermes.types.content import Capabilities, Outbound, Part
from hermes.types.errors import (
    CHAT_NOT_FOUND,
    FORBIDDEN,
    FORMAT_REFUSED,
    RATE_LIMITED,
    SEND_UNCONFIRMED,
    STORED,
    TOO_LONG,
    UNREACHABLE,
    Failure,
    SendError,
    SendPhase,
)
from hermes.types.ids import DeliveryId
from hermes.types.records import OutboxRow

MAX_ATTEMPTS = 20
BACKOFF_MIN_S = 1.0
BACKOFF_MAX_S = 300.0
_BACKOFF = Backoff(min=BACKOFF_MIN_S, max=BACKOFF_MAX_S)

UNDECODABLE = "undecodable"

FOR_GOOD = frozenset({FORMAT_REFUSED, TOO_LONG})
"""What the same part will be refused for again, whatever the adapter says of its severity."""


@dataclass(frozen=True, slots=True)
class Next:
    """The state a row goes to and why; ``not_before`` is in epoch seconds, 0 for at once.

    ``prepared``: that was no attempt, and there is nothing to do until a wake-up says that the chat is up
    again. ``sent``: where people read from our store, nobody has to be told.
    """

    state: Literal["prepared", "retry", "unknown", "sent", "dead"]
    not_before: float
    failure: str


ALL_SAID = Next("sent", 0.0, "")


def undecodable(row: OutboxRow) -> Next:
    """What becomes of a row that this program cannot read. A newer one may: an operator can have it sent again."""
    failure = Failure(UNDECODABLE, detail=row.undecodable)
    return Next("dead", 0.0, f"{row.failure}; then {failure}" if was_unconfirmed(row) else str(failure))


def metadata(message: Outbound) -> Mapping[str, str]:
    """What the adapter is told beside the text: with the thread, unless the message says another one."""
    thread = {} if message.thread_id is None else {"thread_id": message.thread_id}
    return {**thread, **message.metadata}


def needs_mark(row: OutboxRow, index: int, capabilities: Capabilities) -> bool:
    """True for the one part that may have arrived already: the next one of a row in ``unknown``. Where the platform drops
    copies itself, there is nothing to mark.
    """
    return row.state == "unknown" and index == row.parts_sent and not capabilities.idempotent_send


def goes_plain(part: Part, error: SendError) -> bool:
    """True if the platform takes no offence but at the markup of ``part``: it is sent once more at once, without."""
    refused = error.failure.code == FORMAT_REFUSED and error.phase == "not_sent"
    return refused and bool(part.text) and part.dialect != "plain"


def not_now(row: OutboxRow) -> Next:
    """What becomes of a row that was about to be sent when it turned out that the platform takes nothing yet."""
    if row.state == "unknown":
        return Next("unknown", row.not_before, row.failure)
    return Next("prepared", row.not_before, row.failure)


def is_dead_chat(failure: Failure) -> bool:
    """Nobody is reached in that chat any more, until something arrives there: deleted, or we were shut out."""
    return failure.scope == "chat" and failure.code in (FORBIDDEN, CHAT_NOT_FOUND)


def after_failure(
    row: OutboxRow,
    failure: Failure,
    phase: SendPhase,
    *,
    now: float,
    capabilities: Capabilities,
    rng: Callable[[], float],
) -> Next:
    """What follows a send that failed, by what was said about it and whether it may have arrived.

    ``now`` is in epoch seconds; ``rng`` gives numbers in [0, 1).
    """
    if failure.code == STORED and capabilities.history:
        return Next("sent", 0.0, STORED)
    if phase == "unknown":
        return _perhaps_sent(row, failure, now, capabilities, rng)
    unreachable = is_down(failure)
    unconfirmed = row.state == "unknown"
    if unreachable and not unconfirmed:
        return Next("prepared", now + failure.retry_after if failure.retry_after else 0.0, str(failure))
    if _exhausted(row) or (_is_final(failure) and not unreachable):
        # The doubt stays in the words: an operator who has it sent again must not send an unmarked copy.
        return Next("dead", 0.0, f"{row.failure}; then {failure}" if unconfirmed else str(failure))
    not_before = now + max(failure.retry_after or 0.0, _backoff(row.attempts, rng))
    if unconfirmed:
        # This copy never left, but an earlier one may have arrived: the next one must carry the mark as well.
        return Next("unknown", not_before, row.failure)
    return Next("retry", not_before, str(failure))


def of_part(following: Next, part: Part) -> Next:
    """``following``, and if it is the end of a message in several parts, which of them it ended with."""
    if following.state != "dead" or part.total == 1:
        return following
    return replace(following, failure=f"{following.failure} (part {part.index + 1} of {part.total})")


def of_the_rest(row: OutboxRow) -> Outbound | None:
    """What its chat is told of a message that is given up when some of its parts have arrived; None if none has."""
    if not row.parts_sent:
        return None
    message = row.message
    return Outbound(
        delivery_id=DeliveryId(f"{message.delivery_id}:rest"),
        platform=message.platform,
        account=message.account,
        chat_id=message.chat_id,
        text=texts.REST_MISSING,
        kind="notice",
        thread_id=message.thread_id,
        trace=message.trace,
        expires_at=message.expires_at,
    )


def on_restart(row: OutboxRow, capabilities: Capabilities) -> Next:
    """What a lane does first with a row in ``sending``: its sender is gone, so it may have arrived."""
    failure = Failure(SEND_UNCONFIRMED, detail="interrupted while sending")
    if capabilities.idempotent_send:
        # What kills its sender each time must not hold up its chat for ever.
        return Next("dead" if row.attempts >= MAX_ATTEMPTS else "retry", 0.0, str(failure))
    return _second_copy(row, failure, 0.0)  # the platform has done nothing wrong


def _perhaps_sent(
    row: OutboxRow, failure: Failure, now: float, capabilities: Capabilities, rng: Callable[[], float]
) -> Next:
    unconfirmed = Failure(SEND_UNCONFIRMED, detail=str(failure))
    not_before = now + max(failure.retry_after or 0.0, _backoff(row.attempts, rng))
    if not capabilities.idempotent_send:
        # There is one copy alone: it is not wasted on a platform that has been ill a moment ago.
        return _second_copy(row, unconfirmed, not_before)
    if _exhausted(row):
        return Next("dead", 0.0, str(unconfirmed))
    # At once the first time; a peer that never confirms must not make the lane spin.
    return Next("retry", not_before if row.attempts else 0.0, str(unconfirmed))


def is_down(failure: Failure) -> bool:
    """Somebody will say when it is worth trying again. A platform that has had enough and does not say until when will not."""
    if failure.code == RATE_LIMITED and not failure.retry_after:
        return False
    return failure.scope in ("adapter", "gateway") or failure.code == UNREACHABLE


def _is_final(failure: Failure) -> bool:
    return failure.severity != "transient" or failure.code in FOR_GOOD


def _second_copy(row: OutboxRow, unconfirmed: Failure, not_before: float) -> Next:
    if was_unconfirmed(row):
        return Next("dead", 0.0, str(unconfirmed))
    return Next("unknown", not_before, str(unconfirmed))


def was_unconfirmed(row: OutboxRow) -> bool:
    """True if the last attempt at ``row`` may have got through."""
    # A crash leaves ``sending`` in the row, whatever it was before; its last failure still tells.
    return row.state == "unknown" or row.failure.startswith(SEND_UNCONFIRMED)


def _exhausted(row: OutboxRow) -> bool:
    return row.attempts + 1 >= MAX_ATTEMPTS


def _backoff(attempts: int, rng: Callable[[], float]) -> float:
    return delay(_BACKOFF, attempts + 1, rng)
