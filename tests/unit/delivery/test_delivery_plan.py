import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.delivery.plan import (
    BACKOFF_MAX_S,
    MAX_ATTEMPTS,
    after_failure,
    is_dead_chat,
    marked,
    metadata,
    needs_mark,
    not_now,
    on_restart,
    parts,
)
from hermes.types import texts
from hermes.types.content import Capabilities, Outbound, Part
from hermes.types.errors import SEND_UNCONFIRMED, UNREACHABLE, Failure, SendPhase
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
        (ROW, TIMEOUT, "unknown", PLAIN, ("unknown", 0.0)),
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
    assert on_restart(replace(row, state="sending"), capabilities).state == state


def test_what_kills_its_sender_each_time_is_given_up_where_copies_are_dropped_too() -> None:
    row = replace(ROW, state="sending", attempts=MAX_ATTEMPTS - 1)
    assert on_restart(row, IDEMPOTENT).state == "retry"
    assert on_restart(replace(row, attempts=MAX_ATTEMPTS), IDEMPOTENT).state == "dead"


def test_at_most_one_marked_copy_even_across_a_crash() -> None:
    """timeout → unknown → marked copy in flight → crash → dead: never a third copy."""
    first = after_failure(ROW, TIMEOUT, "unknown", now=NOW, capabilities=PLAIN, rng=low)
    again = replace(ROW, state=first.state, failure=first.failure, attempts=1)
    assert needs_mark(again, Part(DeliveryId("d"), 0, 1, "hello"), PLAIN)
    assert on_restart(replace(again, state="sending", attempts=2), PLAIN).state == "dead"


def test_only_the_part_in_doubt_is_marked() -> None:
    row = replace(UNCONFIRMED, parts_sent=1)
    cut = [Part(DeliveryId("d"), n, 3, "x") for n in range(3)]
    assert [needs_mark(row, part, PLAIN) for part in cut] == [False, True, False]
    assert not any(needs_mark(replace(row, state="retry"), part, PLAIN) for part in cut)
    assert not any(needs_mark(row, part, IDEMPOTENT) for part in cut)
    assert marked(cut[1]) == Part(DeliveryId("d"), 1, 3, texts.RESENT_MARK + "x")


def cut(text: str, length: int) -> list[str]:
    capabilities = Capabilities(max_length=length, idempotent_send=True)
    return [part.text for part in parts(replace(MESSAGE, text=text), capabilities)]


def test_a_short_text_is_one_part() -> None:
    assert parts(MESSAGE, PLAIN) == (Part(DeliveryId("d"), 0, 1, "hello"),)
    assert cut("", 10) == [""]
    assert cut("x" * 10, 10) == ["x" * 10]


def test_parts_are_numbered() -> None:
    capabilities = Capabilities(max_length=4, idempotent_send=True)
    numbers = [(part.index, part.total) for part in parts(replace(MESSAGE, text="x" * 9), capabilities)]
    assert numbers == [(0, 3), (1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("one two three four", ["one two ", "three four"]),
        ("aaaa\n\nbb\ncc dd", ["aaaa\n\n", "bb\ncc dd"]),
        ("aaaaaaa\nbb cc", ["aaaaaaa\n", "bb cc"]),
        ("x" * 21, ["x" * 10, "x" * 10, "x"]),
    ],
)
def test_cuts_at_the_end_of_a_paragraph_a_line_or_a_word(text: str, pieces: list[str]) -> None:
    assert cut(text, 10) == pieces


def test_a_code_block_stays_whole_when_it_can() -> None:
    intro, block = "x" * 14 + "\n", "```\na = 1\nb = 2\n```\n"
    assert cut(intro + block, 24) == [intro, block]


def test_a_code_block_that_is_too_long_is_cut_between_lines() -> None:
    block = "```\n" + "a = 1\n" * 8 + "```\n"
    assert all(piece.endswith("\n") for piece in cut(block, 24))


@given(st.text(alphabet=st.sampled_from("ab \n`é😀\u200d"), max_size=400), st.integers(1, 50))
def test_AC_23_parts_fit_and_join_to_the_original(text: str, length: int) -> None:
    pieces = cut(text, length)
    assert "".join(pieces) == text
    assert all(len(piece) <= length for piece in pieces)
    assert all(pieces) or text == ""


@given(st.text(max_size=600))
def test_AC_23_a_marked_part_fits_too(text: str) -> None:
    capabilities = Capabilities(max_length=200)
    assert all(len(marked(part).text) <= 200 for part in parts(replace(MESSAGE, text=text), capabilities))


def test_AC12_cutting_looks_at_each_line_a_few_times_however_many_fit_into_a_part() -> None:
    """It runs on the loop. Counted in calls: the work grew with the square of a part's lines."""
    lines, calls = 4_000, 0

    def count(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event == "c_call"

    sys.setprofile(count)
    try:
        pieces = cut("a\n" * lines, lines)
    finally:
        sys.setprofile(None)
    assert len(pieces) == 2
    assert calls < 20 * lines


def test_an_adapter_is_told_the_thread_unless_the_message_says_another() -> None:
    assert metadata(MESSAGE) == {}
    assert metadata(replace(MESSAGE, thread_id="7", metadata={"parse": "x"})) == {
        "thread_id": "7",
        "parse": "x",
    }
    assert metadata(replace(MESSAGE, thread_id="7", metadata={"thread_id": "8"})) == {"thread_id": "8"}
