"""What a lane does next, as pure decisions.

                       ┌────── not sent: wait ─────▶ prepared (no attempt)
    prepared ─ sending ┼────── not sent: again ────▶ retry ── … 20 attempts ─▶ dead
                       ├────── perhaps sent ───────▶ unknown ─ one marked copy ─▶ sent | dead
                       └────── receipts ───────────▶ sent

``row`` is always the row as the lane read it, before it marked this attempt as ``sending``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from hermes.types import texts
from hermes.types.content import Capabilities, Outbound, Part
from hermes.types.errors import (
    CHAT_NOT_FOUND,
    FORBIDDEN,
    RATE_LIMITED,
    SEND_UNCONFIRMED,
    UNREACHABLE,
    Failure,
    SendPhase,
)
from hermes.types.records import OutboxRow

MAX_ATTEMPTS = 20
BACKOFF_MIN_S = 1.0
BACKOFF_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class Next:
    """The state a row goes to and why; ``not_before`` is in epoch seconds, 0 for at once.

    ``prepared``: that was no attempt, and there is nothing to do until a wake-up says that the chat is up
    again.
    """

    state: Literal["prepared", "retry", "unknown", "dead"]
    not_before: float
    failure: str


def parts(message: Outbound, capabilities: Capabilities) -> tuple[Part, ...]:
    """Cut ``message`` into one or more parts of at most ``max_length`` characters that join to its text.

    The same message is always cut alike, so that the receipts of an earlier attempt still fit. Cuts prefer
    the end of a paragraph, of a line, of a word, and stay out of code blocks where they can. Room for the
    mark of a second copy is kept.
    """
    room = capabilities.max_length
    if not capabilities.idempotent_send:
        room -= len(texts.RESENT_MARK)
    pieces = _cut(message.text, max(room, 1))
    return tuple(Part(message.delivery_id, n, len(pieces), text) for n, text in enumerate(pieces))


def metadata(message: Outbound) -> Mapping[str, str]:
    """What the adapter is told beside the text: with the thread, unless the message says another one."""
    thread = {} if message.thread_id is None else {"thread_id": message.thread_id}
    return {**thread, **message.metadata}


def marked(part: Part) -> Part:
    """``part`` as a second copy that says that it may be one."""
    return Part(part.delivery_id, part.index, part.total, texts.RESENT_MARK + part.text)


def needs_mark(row: OutboxRow, part: Part, capabilities: Capabilities) -> bool:
    """True for the one part that may have arrived already: the next one of a row in ``unknown``. Where the platform drops
    copies itself, there is nothing to mark.
    """
    return row.state == "unknown" and part.index == row.parts_sent and not capabilities.idempotent_send


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
    if phase == "unknown":
        return _perhaps_sent(row, failure, now, capabilities, rng)
    unreachable = _is_down(failure)
    unconfirmed = row.state == "unknown"
    if unreachable and not unconfirmed:
        return Next("prepared", now + failure.retry_after if failure.retry_after else 0.0, str(failure))
    if _exhausted(row) or (failure.severity != "transient" and not unreachable):
        # The doubt stays in the words: an operator who has it sent again must not send an unmarked copy.
        return Next("dead", 0.0, f"{row.failure}; then {failure}" if unconfirmed else str(failure))
    not_before = now + max(failure.retry_after or 0.0, _backoff(row.attempts, rng))
    if unconfirmed:
        # This copy never left, but an earlier one may have arrived: the next one must carry the mark as well.
        return Next("unknown", not_before, row.failure)
    return Next("retry", not_before, str(failure))


def on_restart(row: OutboxRow, capabilities: Capabilities) -> Next:
    """What a lane does first with a row in ``sending``: its sender is gone, so it may have arrived."""
    failure = Failure(SEND_UNCONFIRMED, detail="interrupted while sending")
    if capabilities.idempotent_send:
        # What kills its sender each time must not hold up its chat for ever.
        return Next("dead" if row.attempts >= MAX_ATTEMPTS else "retry", 0.0, str(failure))
    return _second_copy(row, failure)


def _perhaps_sent(
    row: OutboxRow, failure: Failure, now: float, capabilities: Capabilities, rng: Callable[[], float]
) -> Next:
    unconfirmed = Failure(SEND_UNCONFIRMED, detail=str(failure))
    if not capabilities.idempotent_send:
        return _second_copy(row, unconfirmed)
    if _exhausted(row):
        return Next("dead", 0.0, str(unconfirmed))
    # At once the first time; a peer that never confirms must not make the lane spin.
    not_before = now + _backoff(row.attempts, rng) if row.attempts else 0.0
    return Next("retry", not_before, str(unconfirmed))


def _is_down(failure: Failure) -> bool:
    """Somebody will say when it is worth trying again. A platform that has had enough and does not say until when will not."""
    if failure.code == RATE_LIMITED and not failure.retry_after:
        return False
    return failure.scope in ("adapter", "gateway") or failure.code == UNREACHABLE


def _second_copy(row: OutboxRow, unconfirmed: Failure) -> Next:
    return Next("dead" if _was_unconfirmed(row) else "unknown", 0.0, str(unconfirmed))


def _was_unconfirmed(row: OutboxRow) -> bool:
    # A crash leaves ``sending`` in the row, whatever it was before; its last failure still tells.
    return row.state == "unknown" or row.failure.startswith(SEND_UNCONFIRMED)


def _exhausted(row: OutboxRow) -> bool:
    return row.attempts + 1 >= MAX_ATTEMPTS


def _backoff(attempts: int, rng: Callable[[], float]) -> float:
    """Full jitter: anywhere between the minimum and a ceiling that doubles with each attempt."""
    ceiling = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2.0 ** (attempts + 1))
    return BACKOFF_MIN_S + rng() * (ceiling - BACKOFF_MIN_S)


def _cut(text: str, room: int) -> tuple[str, ...]:
    pieces = []
    begin, in_fence = 0, False
    while len(text) - begin > room:
        window = text[begin : begin + room]
        piece = window[: _cut_at(window, in_fence)]
        pieces.append(piece)
        in_fence ^= _fences(piece)
        begin += len(piece)
    return (*pieces, text[begin:])


def _cut_at(window: str, in_fence: bool) -> int:
    """Looks at each line once: it runs on the loop, and a platform of ours takes a million characters."""
    half = len(window) // 2
    begin = paragraph = outside = line = 0  # the last end of each in the second half
    while (newline := window.find("\n", begin)) >= 0:
        in_fence ^= _is_fence(window[begin:newline])
        if newline >= half:
            line = newline + 1
            if not in_fence:
                outside = line
                paragraph = line if begin == newline else paragraph
        begin = newline + 1
    if found := paragraph or outside or line:
        return found
    words = window.rfind(" ") + 1
    return words if words > half else len(window)


def _fences(text: str) -> bool:
    """True if an odd number of lines of ``text`` open or close a code block."""
    return sum(map(_is_fence, text.split("\n"))) % 2 == 1


def _is_fence(line: str) -> bool:
    return line.lstrip().startswith("```")
