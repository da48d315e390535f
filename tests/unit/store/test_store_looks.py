"""Operations with a look in their transaction: before it, to decide what is to be done; and after it, to know what is next."""

import sqlite3

import pytest
from store_kit import CHAT, KEY, accept, do, event, route

from hermes.store import queries
from hermes.store.ops import Accept, Close, Route, Then, Upon
from hermes.types.records import Standing


def test_what_is_done_is_made_of_what_is_found(db: sqlite3.Connection) -> None:
    first, second = accept(db, event("e1"), event("e2"))
    seen: list[Standing | None] = []

    def into_it(row: int) -> Upon[Standing | None, Route]:
        def make(standing: Standing | None) -> Route:
            seen.append(standing)
            return route(row)

        return Upon(Route, lambda reader: queries.standing(reader, KEY), make)

    assert do(db, into_it(first)) == (route(first), 1)
    assert do(db, into_it(second)) == (route(second), 2)
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1].record.last_seq == 1


def test_what_is_made_of_it_has_its_own_place_in_a_batch() -> None:
    made = Upon(Close, lambda _: None, lambda _: Close(1, "ignored", "rule", 1.0))
    assert made.rank == Close.rank
    assert Then(made, lambda _, __: None).rank == Close.rank > Accept.rank


@pytest.mark.parametrize("where", ["look", "make"])
def test_nothing_is_done_where_it_fails(where: str, db: sqlite3.Connection) -> None:
    (row,) = accept(db, event("e1"))

    def wrong(_: object) -> Route:
        raise LookupError(where)

    look = wrong if where == "look" else lambda reader: queries.standing(reader, KEY)
    with pytest.raises(LookupError, match=where):
        do(db, Upon(Route, look, wrong))
    db.execute("ROLLBACK")
    assert [one.row_id for one in queries.accepted_of(db, [CHAT], 100)[CHAT]] == [row]


def test_a_look_after_it_sees_what_was_done(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event("e1"))
    routed, (rows, own) = do(db, Then(route(row), lambda reader, _: queries.open_work(reader, KEY, 10)))
    assert routed == 1
    assert ([one.row_id for one in rows], own) == ([row], None)


def test_a_row_that_cannot_be_read_makes_no_look_beside_a_write_fail(db: sqlite3.Connection) -> None:
    (row,) = accept(db, event("e1"))
    do(db, route(row))
    db.execute("UPDATE inbox SET event = x'ff'")
    assert queries.readable_work(db, KEY, 10) is None


def test_several_chats_are_read_together_each_in_order(db: sqlite3.Connection) -> None:
    rows = accept(
        db, *(event(f"e{n}", chat_id="bob" if n % 2 else "ann") for n in range(6)), event("x", "eve")
    )
    ann, bob = CHAT, (*CHAT[:2], "bob")

    found = queries.accepted_of(db, [ann, bob], 100)
    assert {chat: [row.row_id for row in of] for chat, of in found.items()} == {
        ann: rows[0:6:2],
        bob: rows[1:6:2],
    }
    assert sum(map(len, queries.accepted_of(db, [ann, bob], 3).values())) == 3
