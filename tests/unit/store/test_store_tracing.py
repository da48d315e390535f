"""A message's way as the tables know it: found by any of its names, every step dated."""

import sqlite3
from dataclasses import replace

import pytest
from store_kit import BOOT, KEY, TURN, accept, do, event, finish, in_turn, outbound, route, take

from hermes.store import queries
from hermes.store.ops import Accept, Close, Enqueue, Receipt, Release, Sending, TellMissed, Undecodable
from hermes.store.tracing import MOST, Move, ways
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId, TraceId


def at(db: sqlite3.Connection, seconds: float) -> None:
    """What the writer does before each batch."""
    db.execute("UPDATE writer SET at = ?", (seconds,))


def answered(db: sqlite3.Connection) -> int:
    """One message from its commit to its receipt, a second for each step."""
    at(db, 1.0)
    (row,) = accept(db, replace(event(), message_id="m-7"))
    at(db, 2.0)
    do(db, route(row))
    at(db, 3.0)
    record = do(db, take(row))
    assert record is not None
    at(db, 4.0)
    answer = outbound(f"{TURN}:0", trace=TraceId("trace-e1"))
    assert do(db, finish(record.generation, row, rule="answered", outbound=(answer,)))
    do(db, Sending(1, BOOT, 5, 104.0))
    do(db, Receipt(1, 0, 1, "their-9", 105.0))
    return row


@pytest.mark.parametrize("name", ["trace-e1", "1", "e1", "m-7", f"{TURN}:0", "their-9"])
def test_AC_54_every_name_of_a_message_leads_to_its_whole_way(name: str, db: sqlite3.Connection) -> None:
    answered(db)
    accept(db, event("other"))

    ((came, went),) = ways(db, name)

    assert came is not None
    assert came.moves == (
        Move(2.0, "routed", "dm", None, None, None),
        Move(3.0, "in_turn", "dm", TURN, BOOT, 1),
        Move(4.0, "answered", "answered", TURN, BOOT, 1),
    )
    assert (came.received_at, came.state, came.session_key, came.message_id) == (
        100.0,
        "answered",
        KEY,
        "m-7",
    )
    (answer,) = went
    assert (answer.created_at, answer.sending_at, answer.changed_at, answer.state) == (
        103.0,
        104.0,
        105.0,
        "sent",
    )
    assert (answer.boot_id, answer.incarnation) == (BOOT, 5)
    assert [(one.message_id, one.at) for one in answer.receipts] == [("their-9", 105.0)]


def test_AC_54_each_attempt_at_a_turn_is_a_step(db: sqlite3.Connection) -> None:
    (row,), _ = in_turn(db)
    do(db, Release(KEY, TURN, "drain", 1.0))
    do(db, replace(take(row), incarnation=2))

    ((came, _),) = ways(db, "e1")

    assert came is not None
    assert [(move.state, move.incarnation) for move in came.moves][1:] == [
        ("in_turn", 1),
        ("routed", 1),
        ("in_turn", 2),
    ]


def test_AC_54_what_was_closed_at_once_has_its_rule(db: sqlite3.Connection) -> None:
    accept(db, event())
    at(db, 7.0)
    do(db, Close(1, "denied", "denied:default", 2.0, keep_text=False))

    (((came, went)),) = ways(db, "1")

    assert came is not None
    assert came.moves == (Move(7.0, "denied", "denied:default", None, None, None),)
    assert went == ()


def test_what_could_not_be_decoded_has_a_way_too(db: sqlite3.Connection) -> None:
    do(db, Undecodable("webchat", "default", "bad", b"\xff", 9.0))
    do(db, Undecodable("webchat", "default", "worse", b"\xff", 9.0))

    ((came, went),) = ways(db, "bad")

    assert came is not None
    assert (came.state, came.rule, came.message_id, went) == ("failed", "undecodable", None, ())


def test_the_answer_to_several_messages_is_on_the_way_of_each(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db, event("a"), event("b"))
    answer = outbound(f"{TURN}:0", trace=TraceId("trace-b"))
    do(db, finish(record.generation, *rows, outbound=(answer,)))

    assert [[one.delivery_id for one in went] for _, went in (*ways(db, "a"), *ways(db, "b"))] == [
        [f"{TURN}:0"]
    ] * 2
    assert [came.event_id for came, _ in ways(db, f"{TURN}:0") if came] == ["a", "b"]


def test_one_name_of_several_messages_shows_them_all_up_to_a_limit(db: sqlite3.Connection) -> None:
    accept(db, *(replace(event(f"e{n}", f"chat {n}"), message_id="5") for n in range(MOST + 5)))

    assert len(ways(db, "5")) == MOST  # row 5 is among them


def test_a_message_of_ours_that_answers_nothing(db: sqlite3.Connection) -> None:
    do(db, Enqueue(outbound("notice"), 1.0))

    ((came, (went,)),) = ways(db, "notice")

    assert (came, went.delivery_id, went.state) == (None, "notice", "prepared")


@pytest.mark.parametrize("name", ["", "no", "%", "99999999999999999999", "é", "\x00", "webchat", "'"])
def test_what_names_nothing_finds_nothing(name: str, db: sqlite3.Connection) -> None:
    answered(db)
    do(db, Undecodable("webchat", "default", "bad", b"\xff", 9.0))

    assert ways(db, name) == []


def test_no_text_is_on_the_way(db: sqlite3.Connection) -> None:
    accept(db, event(text="a secret"))
    do(db, Enqueue(outbound("code", "ABCD2345", trace=TraceId("trace-e1"), secret=True), 1.0))

    shown = repr(ways(db, "e1"))

    assert "code" in shown
    assert "a secret" not in shown
    assert "ABCD2345" not in shown


# --- what a chat has missed ----------------------------------------------------------------------------------------------


def closed(db: sqlite3.Connection, *names: str, when: float) -> tuple[int, ...]:
    rows = accept(db, *(event(name) for name in names))
    for row in rows:
        do(db, Close(row, "ignored", "ignored:too_old", when, missed=True))
    return tuple(rows)


def notice(name: str) -> Outbound:
    return replace(outbound("x"), delivery_id=DeliveryId(name), kind="notice")


def test_AC_15_a_chat_is_told_once_of_what_was_too_old(db: sqlite3.Connection) -> None:
    rows = closed(db, "a", "b", when=10.0)
    assert queries.missed(db, 9.0) == []
    assert [[row.row_id for row in chat] for chat in queries.missed(db, 10.0)] == [list(rows)]

    assert do(db, TellMissed(rows, notice("n1"), 11.0)) is True
    assert do(db, TellMissed(rows, notice("n2"), 11.0)) is False
    more = closed(db, "c", when=12.0)
    assert do(db, TellMissed((*rows, *more), notice("n3"), 13.0)) is False

    assert db.execute("SELECT delivery_id FROM outbox").fetchall() == [("n1",)]
    assert [[row.row_id for row in chat] for chat in queries.missed(db, 20.0)] == [list(more)]


def test_a_row_that_was_decided_before_is_not_missed(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event())
    do(db, Close(row, "denied", "denied:default", 1.0))
    assert do(db, Close(row, "ignored", "ignored:too_old", 2.0, missed=True)) is False
    assert queries.missed(db, 10.0) == []
    assert do(db, Accept((event(),)))[0].duplicate
