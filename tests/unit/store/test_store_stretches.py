"""The stretches of a session in the store: what begins one, what belongs to it, what it has cost."""

import sqlite3
from dataclasses import replace

import pytest
from store_kit import KEY, STRETCH, TURN, accept, do, event, finish, in_turn, outbound, route, states, take

from hermes.store import queries
from hermes.store.ops import Release, Renewal, Resume, StopTurn, Suspension
from hermes.types.agent import Usage
from hermes.types.ids import BootId, SessionId, SessionKey, TurnId
from hermes.types.origin import Origin
from hermes.types.records import SessionRecord, TranscriptLine

SECOND, THIRD = SessionId("second"), SessionId("third")


def the_session(db: sqlite3.Connection) -> SessionRecord:
    found = queries.session(db, KEY)
    assert found is not None
    return found


def stretches(db: sqlite3.Connection) -> list[tuple[str, float | None, str]]:
    return db.execute("SELECT session_id, ended_at, end_reason FROM stretches ORDER BY started_at").fetchall()


def answered(db: sqlite3.Connection, name: str = "e1", **more: object) -> None:
    """A message and its answer, in the present stretch."""
    (row,) = accept(db, event(name))
    assert isinstance(do(db, route(row)), int)
    record = do(db, take(row, turn_id=TurnId(name)))
    assert record is not None
    op = finish(
        record.generation, row, turn_id=TurnId(name), session_id=record.session_id, outbound=(), **more
    )
    assert do(db, op)


def renewed(db: sqlite3.Connection, row: int, seen: SessionRecord, at: float = 500.0) -> object:
    renewal = Renewal("idle", seen, "begun anew", (outbound("notice", "we begin anew"),))
    return do(db, route(row, at=at, new_session_id=SECOND, renewal=renewal))


def test_a_renewal_begins_a_stretch_with_its_note_its_notice_and_its_row(db: sqlite3.Connection) -> None:
    answered(db)
    (row,) = accept(db, event("e2"))
    assert renewed(db, row, the_session(db)) == 2
    assert stretches(db) == [(STRETCH, 500.0, "idle"), (SECOND, None, "")]
    assert [(line.role, line.text) for line in queries.history(db, KEY, SECOND, 9)] == [
        ("system", "begun anew")
    ]
    assert states(db, "outbox") == ["prepared"]
    record = do(db, take(row))
    assert record is not None
    assert record.session_id == SECOND


@pytest.mark.parametrize("change", [{"session_id": SECOND}, {"last_active_at": 1.0}])
def test_a_renewal_of_what_has_changed_meanwhile_changes_nothing(
    db: sqlite3.Connection, change: dict[str, object]
) -> None:
    answered(db)
    (row,) = accept(db, event("e2"))
    assert renewed(db, row, replace(the_session(db), **change)) == "changed"  # type: ignore[arg-type]
    assert states(db) == ["answered", "accepted"]
    assert stretches(db) == [(STRETCH, None, "")]
    assert states(db, "outbox") == []


def test_a_renewal_of_a_row_that_is_decided_changes_nothing(db: sqlite3.Connection) -> None:
    answered(db)
    assert renewed(db, 1, the_session(db)) == "decided"
    assert stretches(db) == [(STRETCH, None, "")]


def test_AC46_a_row_belongs_to_the_stretch_it_came_into_whatever_begins_after_it(
    db: sqlite3.Connection,
) -> None:
    rows, record = in_turn(db)
    (later,) = accept(db, event("e2"))
    assert renewed(db, later, the_session(db)) == 2
    again = do(db, take(*rows, boot=BootId("boot-2")))
    assert again is not None
    assert (record.session_id, again.session_id) == (STRETCH, STRETCH)
    assert do(db, finish(again.generation, *rows, session_id=again.session_id))
    assert [line.text for line in queries.history(db, KEY, STRETCH, 9)] == ["hello", "hi"]
    assert [line.role for line in queries.history(db, KEY, SECOND, 9)] == ["system"]


def test_AC46_what_an_earlier_boot_owed_is_no_activity(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    assert the_session(db).last_active_at == 101.0  # the words, not the taking at 102
    do(db, finish(record.generation, *rows, at=9_000.0, active_at=100.0))
    assert the_session(db).last_active_at == 101.0


def test_a_suspended_session_takes_no_row_as_it_is(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    do(db, finish(record.generation, *rows, state="failed", suspend=Suspension(THIRD, "note")))
    seen = the_session(db)
    assert seen.suspended
    (row,) = accept(db, event("e2"))
    assert do(db, route(row)) == "changed"
    assert renewed(db, row, seen) == 2
    assert not the_session(db).suspended


def test_what_waits_behind_a_suspension_begins_the_new_stretch(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    (waiting,) = accept(db, event("waiting"))
    do(db, route(waiting))
    do(db, finish(record.generation, *rows, state="failed", suspend=Suspension(THIRD, "note")))
    now = the_session(db)
    assert (now.suspended, now.session_id) == (False, THIRD)
    assert [line.role for line in queries.history(db, KEY, THIRD, 9)] == ["system"]
    taken = do(db, take(waiting, turn_id=TurnId("next")))
    assert taken is not None
    assert taken.session_id == THIRD


def test_a_suspension_of_a_stretch_that_is_over_suspends_nothing(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    (later,) = accept(db, event("e2"))
    renewed(db, later, the_session(db))
    again = do(db, take(*rows))
    assert again is not None
    do(db, finish(again.generation, *rows, state="failed", suspend=Suspension(THIRD, "note")))
    now = the_session(db)
    assert (now.suspended, now.session_id) == (False, SECOND)


def test_a_turn_that_another_boot_left_is_marked_until_one_ends_well(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    assert the_session(db).resume_marked_at is None
    again = do(db, replace(take(*rows, boot=BootId("boot-2")), at=300.0))
    assert again is not None
    assert (again.resume_reason, again.resume_marked_at) == ("restart_interrupted", 300.0)
    do(db, finish(again.generation, *rows, state="failed"))
    assert the_session(db).resume_marked_at == 300.0
    answered(db, "e2")
    now = the_session(db)
    assert (now.resume_reason, now.resume_marked_at) == ("", None)


def test_a_released_turn_is_marked_and_a_crash_is_not(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    do(db, take(*rows))  # again, in the same boot
    assert the_session(db).resume_marked_at is None
    do(db, Release(KEY, TURN, "shutdown_timeout", 200.0))
    now = the_session(db)
    assert (now.resume_reason, now.resume_marked_at) == ("shutdown_timeout", 200.0)


def test_usage_adds_up_in_its_stretch(db: sqlite3.Connection) -> None:
    answered(db, "e1", usage=Usage(10, 2, 3, 4, 0.5))
    answered(db, "e2", usage=Usage(1, 1, 1, 1, 0.25))
    do(db, StopTurn(KEY, "new", 400.0, SECOND))
    answered(db, "e3")
    columns = "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd"
    assert db.execute(f"SELECT {columns} FROM stretches ORDER BY started_at").fetchall() == [
        (11, 3, 4, 5, 0.75),
        (0, 0, 0, 0, 0.0),
    ]


@pytest.mark.parametrize(
    ("usage", "plausible"),
    [
        (Usage(), True),
        (Usage(1, 2, 3, 4, 5.0), True),
        (Usage(-1), False),
        (Usage(10**13), False),
        (Usage(1.5), False),  # type: ignore[arg-type]
        (Usage(True), False),
        (Usage(cost_usd=float("nan")), False),
        (Usage(cost_usd=-0.1), False),
        (Usage(cost_usd="3"), False),  # type: ignore[arg-type]
    ],
)
def test_a_usage_that_cannot_be_is_told(usage: Usage, plausible: bool) -> None:
    assert usage.plausible is plausible


def test_resume_goes_back_to_what_was_said_last(db: sqlite3.Connection) -> None:
    answered(db)
    do(db, StopTurn(KEY, "new", 400.0, SECOND))
    do(db, StopTurn(KEY, "new", 401.0, THIRD))
    assert do(db, Resume(KEY, None, "operator", 402.0, (outbound("told"),))) == STRETCH
    assert the_session(db).session_id == STRETCH
    assert (STRETCH, None, "") in stretches(db)
    assert (THIRD, 402.0, "session_switch") in stretches(db)
    assert states(db, "outbox") == ["prepared"]


def test_resume_of_a_suspended_session_lets_it_go_on(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    do(db, finish(record.generation, *rows, suspend=Suspension(THIRD, "note"), outbound=()))
    assert do(db, Resume(KEY, None, "operator", 402.0)) == STRETCH
    assert not the_session(db).suspended
    assert stretches(db) == [(STRETCH, None, "")]


def test_resume_stops_what_runs_because_its_answer_belongs_elsewhere(db: sqlite3.Connection) -> None:
    answered(db)
    do(db, StopTurn(KEY, "new", 400.0, SECOND))
    (row,) = accept(db, event("e2"))
    do(db, route(row))
    record = do(db, take(row))
    assert record is not None
    do(db, Resume(KEY, STRETCH, "operator", 402.0))
    assert do(db, finish(record.generation, row, session_id=SECOND)) is False
    assert states(db) == ["answered", "stopped"]


@pytest.mark.parametrize("key", [KEY, SessionKey("agent:main:nobody")])
def test_resume_of_what_is_not_there_changes_nothing(db: sqlite3.Connection, key: SessionKey) -> None:
    answered(db)
    before = list(db.iterdump())
    assert do(db, Resume(key, SessionId("../x"), "operator", 402.0, (outbound("told"),))) is None
    assert do(db, Resume(key, None, "operator", 402.0, (outbound("told"),))) is None
    assert list(db.iterdump()) == before


def test_resume_of_the_present_stretch_disturbs_nobody(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    assert do(db, Resume(KEY, STRETCH, "operator", 402.0, (outbound("told"),))) == STRETCH
    assert do(db, finish(record.generation, *rows)) is True


def test_a_session_knows_where_its_people_are(db: sqlite3.Connection) -> None:
    rows = accept(db, event("e1"), event("e2"))
    group = Origin("telegram", "-100", account="work", chat_type="group", thread_id="7", chat_name="Team")
    do(db, route(rows[0], origin=group))
    do(db, route(rows[1], origin=replace(group, chat_name=None)))
    columns = "platform, account, chat_type, chat_id, thread_id, title"
    assert db.execute(f"SELECT {columns} FROM sessions").fetchall() == [
        ("telegram", "work", "group", "-100", "7", "Team")
    ]


def test_the_standing_tells_activity_from_notes_and_what_is_open(db: sqlite3.Connection) -> None:
    assert queries.standing(db, KEY) is None
    answered(db)
    (row,) = accept(db, event("e2", received_at=450.0))
    renewed(db, row, the_session(db))
    found = queries.standing(db, KEY)
    assert found is not None
    assert (found.had_activity, found.open_since) == (False, 450.0)
    record = do(db, take(row))
    assert record is not None
    do(db, finish(record.generation, row, session_id=SECOND, outbound=()))
    found = queries.standing(db, KEY)
    assert found is not None
    assert (found.had_activity, found.open_since) == (True, None)


def test_notes_to_the_agent_are_not_found_by_a_search(db: sqlite3.Connection) -> None:
    answered(db, transcript=(TranscriptLine("user", "anew", 1.0),))
    (row,) = accept(db, event("e2"))
    renewed(db, row, the_session(db))
    assert [hit.role for hit in queries.search(db, "anew", 9)] == ["user"]
