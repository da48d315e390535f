"""What commands write: taken back, copied, named; and the condition that the conversation is at rest."""

import sqlite3
from typing import Any

import pytest
from store_kit import KEY, STRETCH, accept, do, event, finish, in_turn, route, states, take

from hermes.store import queries, stretches
from hermes.store.command_ops import Branch, IfAtRest, SetHome, SetTitle, Undo
from hermes.store.ops import Close, StopTurn
from hermes.store.sends import set_homes
from hermes.types.ids import SessionId, SessionKey, TurnId
from hermes.types.records import TranscriptLine

COPY = SessionId("20260102_000000_00000000")
NOBODY = SessionKey("agent:main:webchat:dm:nobody")


def exchange(connection: sqlite3.Connection, name: str) -> None:
    """A message and its answer, as turn ``name``."""
    turn = TurnId(name)
    (row,) = accept(connection, event(name))
    do(connection, route(row))
    record = do(connection, take(row, turn_id=turn))
    assert record is not None
    lines = (TranscriptLine("user", f"{name}?", 1.0), TranscriptLine("assistant", f"{name}!", 2.0))
    assert do(connection, finish(record.generation, row, turn_id=turn, transcript=lines, outbound=()))


def undo(*turns: str, session_id: SessionId = STRETCH) -> Undo:
    return Undo(KEY, session_id, tuple(map(TurnId, turns)), 5.0)


def branch(**more: Any) -> Branch:
    values = {"session_key": KEY, "source_key": KEY, "source_id": STRETCH, "session_id": COPY, "title": "t"}
    return Branch(**{**values, "reason": "branched", "at": 900.0, **more})


def seen(connection: sqlite3.Connection, session_id: SessionId = STRETCH) -> list[str]:
    return [line.text for line in queries.history(connection, KEY, session_id, 99)]


def test_exchanges_are_taken_back_from_the_end(db: sqlite3.Connection) -> None:
    for name in ("a", "b", "c"):
        exchange(db, name)

    assert do(db, undo("b", "c"))
    assert seen(db) == ["a?", "a!"]
    assert not do(db, undo("c")), "not twice"
    assert not do(db, undo("b"))
    assert do(db, undo("a"))


@pytest.mark.parametrize(
    "op",
    [undo(), undo("a"), undo("b", session_id=COPY), undo("x"), Undo(NOBODY, STRETCH, (TurnId("b"),), 5.0)],
    ids=["none", "not the last", "another stretch", "unknown", "no such session"],
)
def test_what_is_not_the_end_of_the_present_stretch_is_not_taken_back(
    db: sqlite3.Connection, op: Undo
) -> None:
    exchange(db, "a")
    exchange(db, "b")

    assert not do(db, op)
    assert seen(db) == ["a?", "a!", "b?", "b!"]


def test_nothing_is_taken_back_from_a_suspended_conversation(db: sqlite3.Connection) -> None:
    exchange(db, "a")
    db.execute("UPDATE sessions SET suspended = 1")

    assert not do(db, undo("a"))


def test_a_branch_is_a_copy_of_what_is_left(db: sqlite3.Connection) -> None:
    exchange(db, "a")
    exchange(db, "b")
    do(db, undo("b"))

    assert do(db, branch())
    assert seen(db, COPY) == ["a?", "a!"]
    known = stretches.stretches(db, KEY)
    assert [(one.session_id, one.title, one.lines, one.present) for one in known] == [
        (STRETCH, "", 2, False),
        (COPY, "t", 2, True),
    ]


@pytest.mark.parametrize(
    "more",
    [{"source_id": COPY}, {"source_key": NOBODY}, {"session_key": NOBODY}],
    ids=["stretch", "source", "session"],
)
def test_nobody_goes_on_in_a_copy_of_nothing(db: sqlite3.Connection, more: dict[str, Any]) -> None:
    exchange(db, "a")

    assert not do(db, branch(**more))
    assert len(stretches.stretches(db, KEY)) == 1
    assert stretches.stretches(db, NOBODY) == []


def test_the_present_stretch_is_named_and_a_new_one_comes_with_its_name(db: sqlite3.Connection) -> None:
    assert not do(db, SetTitle(KEY, "x"))
    assert stretches.title(db, KEY) is None
    exchange(db, "a")

    assert do(db, SetTitle(KEY, "x"))
    assert stretches.title(db, KEY) == "x"
    do(db, StopTurn(KEY, "rule", 9.0, COPY, title="y"))
    assert stretches.title(db, KEY) == "y"


def test_only_where_nothing_is_worked_on_or_waits(db: sqlite3.Connection) -> None:
    exchange(db, "a")
    (row,) = accept(db, event("b"))
    do(db, route(row))

    assert not do(db, IfAtRest(KEY, SetTitle(KEY, "x")))
    do(db, StopTurn(KEY, "rule", 9.0))
    assert do(db, IfAtRest(KEY, SetTitle(KEY, "x")))


def test_a_row_is_routed_with_its_effect_or_stays_where_it_is(db: sqlite3.Connection) -> None:
    exchange(db, "a")
    (row,) = accept(db, event("retry"))

    assert do(db, route(row, effect=undo("x"))) == "changed"
    assert states(db)[-1] == "accepted"
    assert isinstance(do(db, route(row, effect=undo("a"))), int)
    assert seen(db) == []
    exchange(db, "b")
    assert do(db, route(row, effect=undo("b"))) == "decided"
    assert "b!" in seen(db), "what is decided has its effect once"


def test_a_command_s_effect_is_void_with_its_row(db: sqlite3.Connection) -> None:
    exchange(db, "a")
    (row,) = accept(db, event("undo"))
    close = Close(row, "answered", "command:undo", 5.0, effect=undo("a"))

    assert do(db, close)
    exchange(db, "b")
    assert not do(db, Close(row, "answered", "command:undo", 5.0, effect=undo("b")))
    assert "b!" in seen(db)


def test_an_account_has_one_home(db: sqlite3.Connection) -> None:
    for chat, thread in (("1", None), ("2", "t")):
        assert do(db, SetHome("p", "default", chat, thread, "Ann", 1.0))

    assert [(home.chat_id, home.thread_id) for home in set_homes(db)] == [("2", "t")]


def test_what_was_said_last_is_found_by_its_turn_or_as_stopped(db: sqlite3.Connection) -> None:
    assert stretches.last_said(db, KEY) is None
    exchange(db, "a")
    last = stretches.last_said(db, KEY)
    assert last is not None
    assert (last.turn_id, [one.event_id for one in last.events]) == ("a", ["a"])

    in_turn(db, event("b", text="long"))
    do(db, StopTurn(KEY, "command:stop", 9.0))
    last = stretches.last_said(db, KEY)
    assert last is not None
    assert (last.turn_id, [one.text for one in last.events]) == (None, ["long"])
