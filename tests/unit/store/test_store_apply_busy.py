import sqlite3
from typing import Any

import pytest
from store_kit import BOOT, KEY, TURN, accept, do, event, finish, in_turn, route, states, take

from hermes.store import queries
from hermes.store.busy_ops import Interrupt, Revise, SetBusyMode, Steer
from hermes.store.ops import AddStep, StopTurn
from hermes.types.agent import Step
from hermes.types.ids import TurnId
from hermes.types.origin import Origin

ANN = Origin("webchat", "ann")


def waiting(db: sqlite3.Connection, *ids: str, **more: Any) -> list[int]:
    rows = accept(db, *(event(name, **more) for name in ids))
    for row in rows:
        do(db, route(row))
    return rows


def of_turn(db: sqlite3.Connection) -> list[tuple[int, str]]:
    return [(row.row_id, row.state) for row in queries.turn_rows(db, KEY, TURN)]


def steer(generation: int, *rows: int) -> Steer:
    return Steer(KEY, generation, TURN, rows, BOOT, 1)


def test_an_interrupted_turn_begins_again_with_what_interrupted_it(db: sqlite3.Connection) -> None:
    (first,), record = in_turn(db)
    do(db, AddStep(KEY, record.generation, TURN, 0, Step("result", "look", "seen"), 103.0))
    second, third = waiting(db, "b", "c")

    assert do(db, Interrupt(KEY, TURN, (second, third))) is True

    assert states(db) == ["merged", "routed", "routed"]
    assert [row.turn_id for row in queries.open_work(db, KEY, 100)[0]] == [TURN, TURN]
    again = do(db, take(second, third))
    assert again is not None
    assert of_turn(db) == [(first, "merged"), (second, "in_turn"), (third, "in_turn")]
    assert [step.text for step in queries.steps(db, TURN)] == ["seen"]
    assert [(row.crashes, row.boots) for row in queries.open_work(db, KEY, 100)[0]] == [(0, 0), (0, 0)]
    assert do(db, finish(again.generation, second, third)) is True
    assert states(db) == ["merged", "answered", "answered"]
    assert queries.counts(db).unaccounted == 0


def test_AC32_an_answer_or_a_step_from_before_the_interruption_is_void(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    (later,) = waiting(db, "b")
    do(db, Interrupt(KEY, TURN, (later,)))

    assert do(db, finish(record.generation, *rows)) is False
    assert do(db, AddStep(KEY, record.generation, TURN, 0, Step("result", "late", ""), 103.0)) is False
    assert do(db, steer(record.generation, later)) is False
    assert states(db, "outbox") == []


def test_an_answer_that_was_committed_first_wins_over_the_interruption(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    (later,) = waiting(db, "b")
    do(db, finish(record.generation, *rows))

    assert do(db, Interrupt(KEY, TURN, (later,))) is False
    assert states(db) == ["answered", "routed"]
    assert queries.open_work(db, KEY, 100)[0][0].turn_id is None


def test_without_a_row_to_take_over_nothing_is_interrupted(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    (gone,) = waiting(db, "b", message_id="m")
    (deletion,) = accept(db, event("c", kind="delete", message_id="m", text=""))
    do(db, Revise(deletion, KEY, ANN, "m", None))

    assert do(db, Interrupt(KEY, TURN, (gone,))) is False
    assert do(db, finish(record.generation, *rows)) is True


def test_steering_takes_what_waits_into_the_running_turn(db: sqlite3.Connection) -> None:
    (first,), record = in_turn(db)
    (second,) = waiting(db, "b")

    assert do(db, steer(record.generation, second)) is True

    assert of_turn(db) == [(first, "in_turn"), (second, "in_turn")]
    assert do(db, finish(record.generation, first, second)) is True
    assert states(db) == ["answered", "answered"]


def test_a_row_its_agent_was_steered_with_and_never_saw_waits_for_the_next_turn(
    db: sqlite3.Connection,
) -> None:
    (first,), record = in_turn(db)
    (second,) = waiting(db, "b")
    do(db, steer(record.generation, second))

    assert do(db, finish(record.generation, first)) is True

    assert states(db) == ["answered", "routed"]
    assert queries.open_work(db, KEY, 100)[0][0].turn_id is None


def test_a_stop_ends_what_was_steered_in_and_what_has_interrupted(db: sqlite3.Connection) -> None:
    in_turn(db)
    (second,) = waiting(db, "b")
    do(db, Interrupt(KEY, TURN, (second,)))

    assert do(db, StopTurn(KEY, "stop", 104.0)) == 1
    assert states(db) == ["merged", "stopped"]
    assert do(db, take(second)) is None


# --- edits and deletions --------------------------------------------------------------------------------------------------


def revise(db: sqlite3.Connection, text: str | None, **more: Any) -> bool:
    """Edit message "m", or take it back."""
    origin = more.pop("origin", ANN)
    (row,) = accept(db, event("edit", text=text or "", kind="edit", message_id="m", reply_to_text="quoted"))
    return do(db, Revise(row, more.pop("session_key", KEY), origin, more.pop("message_id", "m"), text))


def rules(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    return db.execute("SELECT state, rule, text FROM inbox ORDER BY row_id").fetchall()


def test_an_edit_of_a_message_that_waits_replaces_its_text_and_keeps_its_place(
    db: sqlite3.Connection,
) -> None:
    in_turn(db)
    waiting(db, "b", message_id="m", text="before")
    waiting(db, "c")

    assert revise(db, "after") is True

    assert [row.event.text for row in queries.open_work(db, KEY, 100)[0]] == ["hello", "after", "hello"]
    assert rules(db)[-1] == ("merged", "merged:edit", "")
    assert queries.counts(db).unaccounted == 0


def test_a_message_that_waits_and_is_deleted_is_stopped_and_forgotten(db: sqlite3.Connection) -> None:
    in_turn(db)
    (row,) = waiting(db, "b", message_id="m", reply_to_text="quoted")

    assert revise(db, None) is True

    assert rules(db)[1:] == [("stopped", "stopped:deleted", ""), ("merged", "merged:delete", "")]
    ((payload,),) = db.execute("SELECT event FROM inbox WHERE row_id = ?", (row,)).fetchall()
    assert b"quoted" not in payload


@pytest.mark.parametrize(("text", "rule"), [("after", "ignored:edit"), (None, "ignored:delete")])
@pytest.mark.parametrize(
    "case", ["in work", "answered", "interrupting", "unknown", "of another person", "of another chat"]
)
def test_what_comes_too_late_or_is_none_of_theirs_changes_nothing(
    case: str, text: str | None, rule: str, db: sqlite3.Connection
) -> None:
    more: dict[str, Any] = {}
    match case:
        case "in work":
            in_turn(db, event(message_id="m", text="before"))
        case "answered":
            rows, record = in_turn(db, event(message_id="m", text="before"))
            do(db, finish(record.generation, *rows))
        case "interrupting":
            in_turn(db)
            do(db, Interrupt(KEY, TURN, tuple(waiting(db, "b", message_id="m", text="before"))))
        case "unknown":
            waiting(db, "b", message_id="another", text="before")
        case "of another person":
            waiting(db, "b", message_id="m", text="before")
            more["origin"] = Origin("webchat", "ann", user_id="somebody else")
        case _:
            waiting(db, "b", message_id="m", text="before")
            more["origin"] = Origin("webchat", "bob")
    before = rules(db)

    assert revise(db, text, **more) is False

    assert rules(db) == [*before, ("ignored", rule, "")]
    assert queries.counts(db).unaccounted == 0


def test_a_revision_is_done_once(db: sqlite3.Connection) -> None:
    waiting(db, "b", message_id="m")
    (row,) = accept(db, event("edit", text="after", message_id="m"))
    again = Revise(row, KEY, ANN, "m", "after")

    assert [do(db, again), do(db, again)] == [True, False]
    assert rules(db)[-1] == ("merged", "merged:edit", "")


# --- the session's own mode -----------------------------------------------------------------------------------------------


def test_a_session_keeps_its_own_mode_until_it_is_taken_back(db: sqlite3.Connection) -> None:
    assert do(db, SetBusyMode(KEY, "steer")) is False
    waiting(db, "a")
    assert queries.busy_mode(db, KEY) is None

    assert do(db, SetBusyMode(KEY, "steer")) is True
    assert queries.open_work(db, KEY, 5) == (queries.open_work(db, KEY, 100)[0], "steer")
    assert do(db, SetBusyMode(KEY, None)) is True
    assert queries.busy_mode(db, KEY) is None


def test_a_turn_of_another_session_is_not_looked_at(db: sqlite3.Connection) -> None:
    in_turn(db)
    assert queries.turn_rows(db, KEY, TurnId("another")) == []
