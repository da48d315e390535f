import sqlite3

import pytest
from store_kit import (
    BOOT,
    CHAT,
    KEY,
    STRETCH,
    TURN,
    accept,
    do,
    event,
    finish,
    in_turn,
    outbound,
    route,
    states,
    take,
)

from hermes.store import queries
from hermes.store.ops import AddStep, Release, StopTurn
from hermes.types.agent import Step
from hermes.types.ids import BootId, SessionId, SessionKey, TurnId


def _step(generation: int, n: int) -> AddStep:
    return AddStep(KEY, generation, TURN, n, Step("reply", "model", f"step {n}"), 103.0)


def _crashes(db: sqlite3.Connection) -> list[tuple[int, int]]:
    return [(row.crashes, row.boots) for row in queries.open_work(db, KEY, 100)[0]]


def test_take_raises_the_generation_and_marks_the_rows(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db, event("a"), event("b"))
    assert (record.generation, record.last_seq) == (1, 2)
    assert record == queries.session(db, KEY)
    assert [
        (r.row_id, r.state, r.turn_id, r.boot_id, r.incarnation) for r in queries.open_work(db, KEY, 100)[0]
    ] == [(row, "in_turn", TURN, BOOT, 1) for row in rows]


def test_take_is_all_or_nothing(db: sqlite3.Connection) -> None:
    first, second = accept(db, event("a"), event("b"))
    do(db, route(first))
    assert do(db, take(first, second)) is None
    assert states(db) == ["routed", "accepted"]
    record = queries.session(db, KEY)
    assert record is not None
    assert record.generation == 0


def test_take_leaves_other_turns_and_sessions_alone(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    assert do(db, take(*rows, turn_id=TurnId("another"))) is None
    assert do(db, take(*rows, key=SessionKey("another"))) is None
    assert _crashes(db) == [(0, 0)]


def test_taken_again_counts_crashes_in_one_boot_and_boots_across(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    again = do(db, take(*rows))
    assert again is not None
    assert again.generation == 2
    assert _crashes(db) == [(1, 0)]
    do(db, take(*rows, boot=BootId("boot-2")))
    do(db, take(*rows, boot=BootId("boot-3")))
    assert _crashes(db) == [(1, 2)]


def test_a_step_clears_boots_but_not_crashes(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    do(db, take(*rows))
    record = do(db, take(*rows, boot=BootId("boot-2")))
    assert record is not None
    assert do(db, _step(record.generation, 0)) is True
    assert _crashes(db) == [(1, 0)]


def test_steps_come_back_in_order(db: sqlite3.Connection) -> None:
    _, record = in_turn(db)
    for n in (1, 0):
        do(db, _step(record.generation, n))
    assert [step.text for step in queries.steps(db, TURN)] == ["step 0", "step 1"]


def test_a_stale_generation_adds_no_step(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    do(db, take(*rows))
    assert do(db, _step(record.generation, 0)) is False
    assert queries.steps(db, TURN) == []


def test_finish_commits_everything_in_one(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    do(db, _step(record.generation, 0))
    assert do(db, finish(record.generation, *rows)) is True
    assert states(db) == ["answered"]
    assert [line.text for line in queries.history(db, KEY, STRETCH, 10)] == ["hello", "hi"]
    assert [line.turn_id for line in queries.history(db, KEY, STRETCH, 10)] == [TURN, TURN]
    row = queries.next_open_row(db, *CHAT)
    assert row is not None
    assert (row.message, row.state, row.created_at) == (outbound(), "prepared", 103.0)
    assert queries.steps(db, TURN) == []
    counts = queries.counts(db)
    assert (counts.answered, counts.pending, counts.unaccounted) == (1, 0, 0)


def test_a_turn_finishes_once(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    assert do(db, finish(record.generation, *rows)) is True
    assert do(db, finish(record.generation, *rows, outbound=(outbound("d2"),))) is False
    assert len(queries.history(db, KEY, STRETCH, 10)) == 2
    assert states(db, "outbox") == ["prepared"]
    assert queries.counts(db).answered == 1


@pytest.mark.parametrize("change", [{"generation": 0}, {"turn_id": TurnId("other")}, {"row_ids": (1, 99)}])
def test_a_finish_that_does_not_hold_writes_nothing(
    db: sqlite3.Connection, change: dict[str, object]
) -> None:
    rows, record = in_turn(db)
    values = {"generation": record.generation, "row_ids": tuple(rows)} | change
    op = finish(values.pop("generation"), *values.pop("row_ids"), **values)  # type: ignore[arg-type, misc]
    assert do(db, op) is False
    assert states(db) == ["in_turn"]
    assert states(db, "outbox") == []
    assert queries.history(db, KEY, STRETCH, 10) == []


def test_a_finish_without_rows_still_needs_its_generation(db: sqlite3.Connection) -> None:
    _, record = in_turn(db)
    assert do(db, finish(record.generation + 1)) is False
    assert do(db, finish(record.generation)) is True


def test_a_delivery_id_that_is_there_already_is_skipped(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    assert do(db, finish(record.generation, *rows, outbound=(outbound("d1"), outbound("d1"), outbound("d2"))))
    assert states(db, "outbox") == ["prepared", "prepared"]


def test_a_released_turn_goes_on_later_and_counts_against_nobody(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db, event("a"), event("b"))
    do(db, _step(record.generation, 0))
    assert do(db, Release(KEY, TurnId("another"), "stop", 104.0)) == 0
    assert do(db, Release(KEY, TURN, "stop", 104.0)) == 2
    assert states(db) == ["routed", "routed"]
    assert do(db, finish(record.generation, *rows)) is False
    assert do(db, take(*rows)) is not None
    assert _crashes(db) == [(0, 0), (0, 0)]
    assert [step.text for step in queries.steps(db, TURN)] == ["step 0"]


def test_stop_wins_over_a_later_finish(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db, event("a"), event("b"))
    do(db, _step(record.generation, 0))
    assert do(db, StopTurn(KEY, "stop", 104.0)) == 2
    assert do(db, finish(record.generation, *rows)) is False
    assert do(db, _step(record.generation, 1)) is False
    assert states(db) == ["stopped", "stopped"]
    assert queries.steps(db, TURN) == []
    assert queries.counts(db).stopped == 2


def test_finish_wins_over_a_later_stop(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    assert do(db, finish(record.generation, *rows)) is True
    assert do(db, StopTurn(KEY, "stop", 104.0)) == 0
    assert states(db) == ["answered"]


def test_AC37_stop_ends_what_waits_too(db: sqlite3.Connection) -> None:
    in_turn(db)
    (later,) = accept(db, event("later"))
    do(db, route(later))
    assert do(db, StopTurn(KEY, "stop", 104.0)) == 2
    assert states(db) == ["stopped", "stopped"]


def test_a_new_stretch_hides_older_history(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    do(db, finish(record.generation, *rows))
    do(db, StopTurn(KEY, "new", 104.0, SessionId("second")))
    assert queries.history(db, KEY, SessionId("second"), 10) == []
    assert len(queries.search(db, "hello", 10)) == 1


def test_stop_of_an_unknown_session_is_nothing(db: sqlite3.Connection) -> None:
    assert do(db, StopTurn(KEY, "stop", 104.0, SessionId("second"))) == 0
    assert queries.session(db, KEY) is None
