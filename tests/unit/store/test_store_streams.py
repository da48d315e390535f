"""The rows of answers that are shown while they are written."""

import sqlite3
from dataclasses import replace

from store_kit import BOOT, CHAT, KEY, TURN, do, finish, in_turn, outbound, states, take

from hermes.delivery.stream import Fate, Stream
from hermes.store import queries
from hermes.store.ops import Expire, Receipt, Release, Sending, StopTurn
from hermes.store.people_ops import Forget, Traces
from hermes.store.stream_ops import DropStream, KeepStream, OpenStream, ReceiptOfStream
from hermes.store.streams import streams
from hermes.types.ids import answer_id

NAME = answer_id(TURN)
OPENING = Stream(NAME, "opening", 1)
OPEN = Stream(NAME, "open", 3, "Ä.\n\n", ("m1",), ("m2", 'm"3'), ("m4",))


def open_it(db: sqlite3.Connection, stream: Stream = OPENING) -> bool:
    return do(db, OpenStream(stream, *CHAT, BOOT, 104.0))


def found(db: sqlite3.Connection) -> list[tuple[Stream, Fate]]:
    return list(streams(db, *CHAT))


def test_a_stream_is_found_in_its_chat_as_it_was_kept(db: sqlite3.Connection) -> None:
    in_turn(db)
    assert open_it(db)
    assert found(db) == [(OPENING, "writing")]
    assert do(db, KeepStream(OPEN, 105.0))
    assert found(db) == [(OPEN, "writing")]
    assert open_it(db, replace(OPEN, state="opening", sends=4))
    assert found(db) == [(replace(OPEN, state="opening", sends=4), "writing")]
    assert streams(db, *CHAT[:2], "bob") == []
    assert queries.open_lanes(db) == [CHAT], "its lane is started, if need be"
    do(db, DropStream(OPEN))
    assert found(db) == queries.open_lanes(db) == []


def test_a_turn_that_is_over_begins_nothing(db: sqlite3.Connection) -> None:
    in_turn(db)
    do(db, StopTurn(KEY, "stop", 103.0))
    assert not open_it(db)
    assert found(db) == []


def test_what_becomes_of_the_turn_is_seen(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    open_it(db)
    do(db, Release(KEY, TURN, "shutdown_timeout", 104.0))
    assert found(db) == [(OPENING, "writing")], "it goes on in the next boot"
    record = do(db, take(*rows))
    assert record is not None
    answer = outbound(NAME, expires_at=200.0)
    assert do(db, finish(record.generation, *rows, outbound=(answer,)))
    assert found(db) == [(OPENING, "answered")]
    do(db, Expire((), 300.0))
    assert states(db, "outbox") == ["dead"]
    assert found(db) == [(OPENING, "over")]


def answered(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    open_it(db)
    do(db, KeepStream(OPEN, 105.0))
    do(db, finish(record.generation, *rows, outbound=(outbound(NAME),)))
    do(db, Sending(1, BOOT, 1, 106.0))


def test_the_last_receipt_ends_the_stream_in_the_same_commit(db: sqlite3.Connection) -> None:
    answered(db)
    assert do(db, ReceiptOfStream(Receipt(1, 0, 2, "m2", 107.0), OPEN, OPEN))
    assert found(db) == [(OPEN, "answered")]
    assert do(db, ReceiptOfStream(Receipt(1, 1, 2, "m3", 108.0), OPEN, None))
    assert (found(db), states(db, "outbox")) == ([], ["sent"])


def test_what_is_left_over_outlives_the_answer(db: sqlite3.Connection) -> None:
    answered(db)
    left = Stream(NAME, "closed", 3, leftover=("m4",))
    assert do(db, ReceiptOfStream(Receipt(1, 0, 1, "m2", 107.0), OPEN, left))
    assert (found(db), states(db, "outbox")) == ([(left, "over")], ["sent"])
    assert queries.open_lanes(db) == [CHAT]


def test_a_receipt_that_comes_too_late_changes_nothing(db: sqlite3.Connection) -> None:
    answered(db)
    do(db, Receipt(1, 0, 2, "m2", 107.0))
    assert not do(db, ReceiptOfStream(Receipt(1, 0, 2, "m2", 108.0), OPEN, None))
    assert found(db) == [(OPEN, "answered")]


def test_who_is_forgotten_has_no_stream_and_none_comes_back(db: sqlite3.Connection) -> None:
    rows, _ = in_turn(db)
    open_it(db)
    do(db, Forget(Traces((), (), (KEY,), (), tuple(rows), ()), "ann", "operator", 105.0))
    assert found(db) == []
    assert not do(db, KeepStream(OPEN, 106.0))
    assert not open_it(db)
    assert found(db) == []
