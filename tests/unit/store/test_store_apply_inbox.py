import sqlite3
from dataclasses import replace

import pytest
from store_kit import KEY, accept, do, event, in_turn, outbound, route, states, take

from hermes.store import queries
from hermes.store.apply import apply
from hermes.store.codec import decode_event
from hermes.store.ops import Accept, Close, StopTurn, Undecodable
from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import Origin
from hermes.types.ports import Accepted


def test_accept_commits_events_in_order(db: sqlite3.Connection) -> None:
    got = do(db, Accept((event("a"), event("b"), event("c"))))
    assert got == (Accepted(1, False), Accepted(2, False), Accepted(3, False))
    chat = ("webchat", "default", "ann")
    assert [row.event for row in queries.accepted_of(db, [chat], 100)[chat]] == [
        event("a"),
        event("b"),
        event("c"),
    ]


def test_AC_14_a_redelivered_event_is_dropped_and_named(db: sqlite3.Connection) -> None:
    do(db, Accept((event("a"), event("b"))))
    got = do(db, Accept((event("b"), event("c"), event("a"))))
    assert got == (Accepted(2, True), Accepted(3, False), Accepted(1, True))
    assert queries.counts(db).received == 3


def test_equal_events_in_one_batch_are_one(db: sqlite3.Connection) -> None:
    db.execute("BEGIN")
    got = apply(db, [Accept((event("a"), event("a"))), Accept((event("a"),)), Accept(())])
    db.execute("COMMIT")
    assert got == [(Accepted(1, False), Accepted(1, True)), (Accepted(1, True),), ()]
    assert queries.counts(db).received == 1


def test_the_dedupe_key_is_platform_account_and_event(db: sqlite3.Connection) -> None:
    twin = event("a", chat_id="bob")
    other_account = event("a")
    object.__setattr__(other_account, "origin", Origin("webchat", "ann", account="second"))
    assert [accepted.duplicate for accepted in do(db, Accept((event("a"), twin, other_account)))] == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 700])
def test_every_size_of_a_run(db: sqlite3.Connection, count: int) -> None:
    events = tuple(event(f"e{n}", chat_id=f"chat-{n % 7}") for n in range(count))
    assert accept(db, *events) == list(range(1, count + 1))
    assert queries.counts(db).received == count
    assert all(accepted.duplicate for accepted in do(db, Accept(events)))
    assert queries.counts(db).received == count


def test_ids_that_differ_behind_a_nul_stay_two(db: sqlite3.Connection) -> None:
    got = do(db, Accept((event("a\0b", chat_id="x\0y"), event("a\0c", chat_id="x\0y"))))
    assert [accepted.duplicate for accepted in got] == [False, False]
    chat = ("webchat", "default", "x\0y")
    assert queries.accepted_chats(db) == [chat]
    assert len(queries.accepted_of(db, [chat], 100)[chat]) == 2


def test_undecodable_is_terminal_and_counted_once(db: sqlite3.Connection) -> None:
    op = Undecodable("webchat", "default", "bad", b"\xff\x00", 100.0)
    assert do(db, op) == Accepted(1, False)
    assert do(db, op) == Accepted(1, True)
    counts = queries.counts(db)
    assert (counts.received, counts.failed, counts.pending, counts.unaccounted) == (1, 1, 0, 0)
    assert db.execute("SELECT rule, raw FROM inbox").fetchall() == [("undecodable", b"\xff\x00")]


def test_route_makes_the_session_once_and_numbers_rows(db: sqlite3.Connection) -> None:
    first, second = accept(db, event("a"), event("b"))
    assert [do(db, route(first)), do(db, route(second, at=105.0))] == [1, 2]
    record = queries.session(db, KEY)
    assert record is not None
    assert (record.generation, record.last_seq, record.created_at, record.last_active_at) == (
        0,
        2,
        101.0,
        105.0,
    )


def test_AC_55_a_session_with_as_many_open_rows_as_it_may_have_takes_no_more(db: sqlite3.Connection) -> None:
    do(db, Accept(tuple(map(event, "abcd"))))
    for number in (1, 2):
        assert do(db, replace(route(number), most=2)) == number

    assert do(db, replace(route(3), most=2)) == "full"
    assert states(db) == ["routed", "routed", "accepted", "accepted"]
    assert do(db, replace(route(4, key=SessionKey("another")), most=2)) == 1
    do(db, StopTurn(KEY, "stop", 103.0))
    assert do(db, replace(route(3), most=2)) == 3


def test_a_routed_row_is_never_decided_again(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event())
    do(db, route(row))
    assert do(db, route(row)) == "decided"
    assert do(db, Close(row, "ignored", "unaddressed", 102.0, (outbound(),))) is False
    assert states(db) == ["routed"]
    assert states(db, "outbox") == []


def test_a_row_that_is_gone_makes_no_session(db: sqlite3.Connection) -> None:
    assert do(db, route(99)) == "decided"
    assert queries.session(db, KEY) is None


def test_close_ends_the_row_and_says_so_in_one(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event(text="/help"))
    assert do(db, Close(row, "answered", "command:help", 102.0, (outbound(),))) is True
    assert do(db, Close(row, "answered", "command:help", 102.0, (outbound("d2"),))) is False
    assert (states(db), states(db, "outbox")) == (["answered"], ["prepared"])


def test_close_can_erase_the_text(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event(text="not for you"))
    do(db, Close(row, "ignored", "unaddressed", 102.0, keep_text=False))
    assert db.execute(
        "SELECT count(*) FROM inbox WHERE instr(text, 'not') OR instr(event, 'not')"
    ).fetchone() == (0,)


QUOTING = {"reply_to_text": "said by Ann", "channel_context": "said by Bob", "reply_to": "m1"}


def test_close_erases_what_the_text_quotes_with_it(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event(text="not for you", **QUOTING))
    do(db, Close(row, "ignored", "unaddressed", 102.0, keep_text=False))

    ((payload,),) = db.execute("SELECT event FROM inbox").fetchall()
    assert decode_event(payload, "") == event(text="", reply_to="m1")


def test_close_that_keeps_the_text_keeps_what_it_quotes(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event(**QUOTING))
    do(db, Close(row, "refused", "too_long", 102.0))

    ((payload,),) = db.execute("SELECT event FROM inbox").fetchall()
    assert decode_event(payload, "hello") == event(**QUOTING)


def test_close_with_effect_stops_the_turn_or_nothing(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    (command,) = accept(db, event("stop", text="/stop"))
    stop = StopTurn(KEY, "stop", 104.0, SessionId("new"))
    assert do(db, Close(command, "answered", "command:stop", 104.0, effect=stop)) is True
    assert states(db) == ["stopped", "answered"]
    after = queries.session(db, KEY)
    assert after is not None
    assert (after.generation, after.session_id) == (record.generation + 1, "new")
    assert do(db, Close(command, "answered", "command:stop", 104.0, effect=stop)) is False
    assert queries.session(db, KEY) == after
    assert do(db, take(*rows)) is None


def test_received_is_terminal_plus_pending(db: sqlite3.Connection) -> None:
    rows = accept(db, *(event(f"e{n}") for n in range(4)))
    do(db, Close(rows[0], "denied", "access", 101.0))
    do(db, route(rows[1]))
    do(db, route(rows[2]))
    do(db, take(rows[1]))
    counts = queries.counts(db)
    assert (counts.received, counts.denied, counts.pending, counts.unaccounted) == (4, 1, 3, 0)
