from dataclasses import replace

import pytest

from hermes.delivery.plan import (
    BACKOFF_MAX_S,
    MAX_ATTEMPTS,
    after_failure,
    goes_plain,
    is_dead_chat,
    metadata,
    needs_mark,
    not_now,
    of_part,
    on_restart,
)
from hermes.types.content import Capabilities, Media, Outbound, Part
from hermes.types.errors import (
    FORMAT_REFUSED,
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

NOW = 1000.0
PLAIN = Capabilities()
IDEMPOTENT = Capabilities(idempotent_send=True)
MESSAGE = Outbound(DeliveryId("d"), "p", "default", "c", "hello")
ROW = OutboxRow(1, "prepared", MESSAGE)
UNCONFIRMED = replace(ROW, state="unknown", attempts=1, failure=SEND_UNCONFIRMED)

GONE = Failure(UNREACHABLE, scope="chat")
FLOOD = Failure("rate_limited", retry_after=77.0)
LINE_DOWN = Failure("connect_error")
FORBIDDEN = Failure("forbidden", severity="needs_operator", scope="chat")
REVOKED = Failure("unauthorized", severity="needs_operator", scope="adapter")
TIMEOUT = Failure("timeout")


def low() -> float:
    return 0.0


def high() -> float:
    return 0.999999


def step(
    row: OutboxRow, failure: Failure, phase: SendPhase, capabilities: Capabilities = PLAIN
) -> tuple[str, float]:
    following = after_failure(row, failure, phase, now=NOW, capabilities=capabilities, rng=low)
    return following.state, following.not_before


@pytest.mark.parametrize(
    ("row", "failure", "phase", "capabilities", "expected"),
    [
        (ROW, GONE, "not_sent", PLAIN, ("prepared", 0.0)),
        (replace(ROW, attempts=500), GONE, "not_sent", PLAIN, ("prepared", 0.0)),
        (ROW, REVOKED, "not_sent", PLAIN, ("prepared", 0.0)),
        (ROW, replace(FLOOD, scope="adapter"), "not_sent", PLAIN, ("prepared", NOW + 77)),
        (ROW, Failure("rate_limited", scope="adapter"), "not_sent", PLAIN, ("retry", NOW + 1)),
        (ROW, LINE_DOWN, "not_sent", PLAIN, ("retry", NOW + 1)),
        (ROW, FLOOD, "not_sent", PLAIN, ("retry", NOW + 77)),
        (ROW, FORBIDDEN, "not_sent", PLAIN, ("dead", 0.0)),
        (ROW, replace(FORBIDDEN, scope="message"), "not_sent", PLAIN, ("dead", 0.0)),
        (replace(ROW, attempts=MAX_ATTEMPTS - 2), LINE_DOWN, "not_sent", PLAIN, ("retry", NOW + 1)),
        (replace(ROW, attempts=MAX_ATTEMPTS - 1), LINE_DOWN, "not_sent", PLAIN, ("dead", 0.0)),
        (ROW, TIMEOUT, "unknown", PLAIN, ("unknown", NOW + 1)),
        (ROW, FLOOD, "unknown", PLAIN, ("unknown", NOW + 77)),
        (UNCONFIRMED, TIMEOUT, "unknown", PLAIN, ("dead", 0.0)),
        (UNCONFIRMED, LINE_DOWN, "not_sent", PLAIN, ("unknown", NOW + 1)),
        (UNCONFIRMED, GONE, "not_sent", PLAIN, ("unknown", NOW + 1)),
        (UNCONFIRMED, FORBIDDEN, "not_sent", PLAIN, ("dead", 0.0)),
        (ROW, TIMEOUT, "unknown", IDEMPOTENT, ("retry", 0.0)),
        (replace(ROW, attempts=1), TIMEOUT, "unknown", IDEMPOTENT, ("retry", NOW + 1)),
        (replace(ROW, attempts=MAX_ATTEMPTS - 1), TIMEOUT, "unknown", IDEMPOTENT, ("dead", 0.0)),
        (ROW, GONE, "unknown", IDEMPOTENT, ("retry", 0.0)),
    ],
)
def test_after_failure(
    row: OutboxRow,
    failure: Failure,
    phase: SendPhase,
    capabilities: Capabilities,
    expected: tuple[str, float],
) -> None:
    assert step(row, failure, phase, capabilities) == expected


def test_backoff_has_full_jitter_and_a_ceiling() -> None:
    def delay(attempts: int) -> float:
        row = replace(ROW, attempts=attempts)
        following = after_failure(row, LINE_DOWN, "not_sent", now=0.0, capabilities=PLAIN, rng=high)
        return round(following.not_before, 2)

    assert [delay(attempts) for attempts in (0, 1, 2, 7, 8, 18)] == [
        2,
        4,
        8,
        256,
        BACKOFF_MAX_S,
        BACKOFF_MAX_S,
    ]


def test_retry_after_is_a_lower_bound_only() -> None:
    soon = Failure("rate_limited", retry_after=0.5)
    assert step(ROW, soon, "not_sent") == ("retry", NOW + 1)


def test_a_copy_in_doubt_that_is_given_up_still_says_so() -> None:
    dead = after_failure(UNCONFIRMED, FORBIDDEN, "not_sent", now=NOW, capabilities=PLAIN, rng=low)
    assert (dead.state, dead.failure) == ("dead", "send_unconfirmed; then forbidden")


def test_what_has_to_wait_after_all_keeps_its_doubt() -> None:
    assert not_now(ROW).state == not_now(replace(ROW, state="retry")).state == "prepared"
    waits = not_now(UNCONFIRMED)
    assert (waits.state, waits.failure) == ("unknown", SEND_UNCONFIRMED)


def test_a_chat_is_dead_only_by_its_own_word() -> None:
    assert is_dead_chat(FORBIDDEN)
    assert is_dead_chat(Failure("chat_not_found", scope="chat"))
    assert not is_dead_chat(replace(FORBIDDEN, scope="message"))
    assert not is_dead_chat(GONE)


def test_the_failure_is_kept_in_words() -> None:
    blocked = replace(FORBIDDEN, detail="blocked")
    dead = after_failure(ROW, blocked, "not_sent", now=NOW, capabilities=PLAIN, rng=low)
    assert dead.failure == "forbidden: blocked"


@pytest.mark.parametrize(
    ("row", "capabilities", "state"),
    [
        (ROW, IDEMPOTENT, "retry"),
        (ROW, PLAIN, "unknown"),
        (replace(ROW, failure="connect_error"), PLAIN, "unknown"),
        (replace(ROW, failure=f"{SEND_UNCONFIRMED}: timeout"), PLAIN, "dead"),
    ],
)
def test_on_restart(row: OutboxRow, capabilities: Capabilities, state: str) -> None:
    following = on_restart(replace(row, state="sending"), capabilities)
    assert (following.state, following.not_before) == (state, 0.0)


def test_what_kills_its_sender_each_time_is_given_up_where_copies_are_dropped_too() -> None:
    row = replace(ROW, state="sending", attempts=MAX_ATTEMPTS - 1)
    assert on_restart(row, IDEMPOTENT).state == "retry"
    assert on_restart(replace(row, attempts=MAX_ATTEMPTS), IDEMPOTENT).state == "dead"


def test_at_most_one_marked_copy_even_across_a_crash() -> None:
    """timeout → unknown → marked copy in flight → crash → dead: never a third copy."""
    first = after_failure(ROW, TIMEOUT, "unknown", now=NOW, capabilities=PLAIN, rng=low)
    again = replace(ROW, state=first.state, failure=first.failure, attempts=1)
    assert needs_mark(again, 0, PLAIN)
    assert on_restart(replace(again, state="sending", attempts=2), PLAIN).state == "dead"


def test_AC_27_only_the_part_in_doubt_is_marked() -> None:
    row = replace(UNCONFIRMED, parts_sent=1)
    assert [needs_mark(row, index, PLAIN) for index in range(3)] == [False, True, False]
    assert not any(needs_mark(replace(row, state="retry"), index, PLAIN) for index in range(3))
    assert not any(needs_mark(row, index, IDEMPOTENT) for index in range(3))


MARKED_UP = Part(DeliveryId("d"), 1, 3, "*hello*", "telegram")


def test_AC_23_only_a_refused_format_goes_plain_and_only_once() -> None:
    refused = SendError(Failure(FORMAT_REFUSED), "not_sent")
    assert goes_plain(MARKED_UP, refused)
    assert not goes_plain(replace(MARKED_UP, dialect="plain"), refused)
    assert not goes_plain(replace(MARKED_UP, text="", media=(Media("image", "/a.png"),)), refused)
    assert not goes_plain(MARKED_UP, SendError(Failure(FORMAT_REFUSED), "unknown"))
    assert not goes_plain(MARKED_UP, SendError(Failure("bad_request"), "not_sent"))


@pytest.mark.parametrize("code", [FORMAT_REFUSED, TOO_LONG])
def test_AC_23_what_will_be_refused_again_is_given_up_in_words(code: str) -> None:
    failure = Failure(code, detail="the platform's words")
    assert step(ROW, failure, "not_sent") == ("dead", 0.0)
    dead = after_failure(ROW, failure, "not_sent", now=NOW, capabilities=PLAIN, rng=low)
    assert of_part(dead, MARKED_UP).failure == f"{code}: the platform's words (part 2 of 3)"
    assert of_part(dead, replace(MARKED_UP, total=1)) == dead
    again = replace(dead, state="retry")
    assert of_part(again, MARKED_UP) == again


def test_an_adapter_is_told_the_thread_unless_the_message_says_another() -> None:
    assert metadata(MESSAGE) == {}
    assert metadata(replace(MESSAGE, thread_id="7", metadata={"parse": "x"})) == {
        "thread_id": "7",
        "parse": "x",
    }
    assert metadata(replace(MESSAGE, thread_id="7", metadata={"thread_id": "8"})) == {"thread_id": "8"}


def test_where_people_read_from_our_store_nobody_has_to_be_told() -> None:
    stored, readers = Failure(STORED), Capabilities(history=True)

    assert step(ROW, stored, "not_sent", readers) == ("sent", 0.0)
    assert step(UNCONFIRMED, stored, "not_sent", readers) == ("sent", 0.0)
    assert step(ROW, stored, "not_sent", PLAIN)[0] == "retry"  # a plug-in may not lose a message by it
