"""Books and the rows in the files: both generations, nothing of others touched, nothing lost."""

import json
from dataclasses import replace

import pytest

from hermes.pairing.book import Asker, Grant, Issued, PairingBook, Pending
from hermes.pairing.codes import fresh_code
from hermes.pairing.records import Records, account_of, book_name, read_book, write_book
from hermes.testing.fakes import EPOCH_S, FakeIds

NEW = {"hash": "ab", "salt": "cd", "user_id": "222", "user_name": "Bob", "created_at": 5.5}
OLD = {"user_id": "333", "user_name": "Kim", "created_at": 6}


def test_both_generations_are_read():
    book = read_book(
        "discord", Records({"111": {"user_name": "Ann", "approved_at": 4.5}}, {"x": NEW, "FNCJV5EC": OLD})
    )
    assert book.approved == {"111": Grant("Ann", 4.5)}
    assert book.pending == {
        "x": Pending("222", "Bob", 5.5, "cd", "ab"),
        "FNCJV5EC": Pending("333", "Kim", 6.0),
    }


def test_limits_are_those_of_the_one_name():
    limits = {
        "telegram:1": 5.0, "telegram:a:b": 6.0, "telegram@work:1": 7.0, "_failures:telegram": 2, "_lockout:telegram": 9.5,
        "_failures:telegram@work": 4, "_lockout:discord": 8.0, "something": "else",
    }  # fmt: skip
    book = read_book("telegram", Records(limits=limits))
    assert (book.asked, book.failures, book.locked_until) == ({"1": 5.0, "a:b": 6.0}, 2, 9.5)

    after = write_book("telegram", PairingBook(asked={"2": 10.0}), Records(limits=limits)).limits
    others = {
        key: value
        for key, value in limits.items()
        if key in ("telegram@work:1", "something") or "@work" in key
    }
    assert after == {**others, "_lockout:discord": 8.0, "telegram:2": 10.0}


ROWS = [None, [], "text", 5, {}, {"user_id": None, "created_at": 1}, {"user_id": "1", "created_at": "now"},
        {"user_id": "1", "created_at": float("nan")}, {"user_id": "1", "created_at": 10**400},
        {"user_id": "1", "created_at": True}]  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_rows_that_are_none_are_passed_over_and_kept(row):
    records = Records(
        approved={"_README": "read me"}, pending={"odd": row, "x": NEW}, limits={"telegram:1": row}
    )
    book = read_book("telegram", records)
    assert book.pending.keys() == {"x"}
    assert book.approved == {}
    assert book.asked == ({"1": 5.0} if row == 5 else {})

    after = write_book("telegram", replace(book, pending={}), records)
    assert (after.approved, after.pending, after.limits) == (
        {"_README": "read me"},
        {"odd": row},
        {"telegram:1": row},
    )


def test_unknown_fields_are_kept_and_rows_that_have_not_changed_stay_as_they_were():
    pending = {"x": {**NEW, "note": [1, 2]}, "y": {"created_at": 7, "user_id": 222}}
    approved = {"111": {"since": "ever"}, "112": {"user_name": "Ann", "approved_at": 4, "mood": "good"}}
    records = Records(approved, pending)
    book = read_book("discord", records)
    assert write_book("discord", book, records) == records
    assert json.dumps(write_book("discord", book, records).pending) == json.dumps(pending)

    _, granted = book.grant("112", "Ann B.", 9.0)
    assert write_book("discord", granted, records).approved["112"] == {
        "user_name": "Ann B.", "approved_at": 9.0, "mood": "good",
    }  # fmt: skip


def test_a_new_code_is_written_as_the_original_writes_it_with_three_fields_of_ours():
    outcome, book = PairingBook().request(
        Asker("222", "Bob", "trace", "77", "3"), EPOCH_S, fresh := fresh_code(FakeIds())
    )
    records = write_book("telegram", book, Records())

    assert isinstance(outcome, Issued)
    assert records.pending == {fresh.entry_id: {
        "hash": fresh.hash, "salt": fresh.salt, "user_id": "222", "user_name": "Bob", "created_at": EPOCH_S,
        "event": "trace", "chat_id": "77", "thread_id": "3",
    }}  # fmt: skip
    assert records.limits == {"telegram:222": EPOCH_S}
    assert read_book("telegram", records) == book
    assert fresh.code not in repr(records)


@pytest.mark.parametrize(
    ("platform", "account", "name"),
    [("telegram", "default", "telegram"), ("telegram", "work", "telegram@work")],
)
def test_names(platform, account, name):
    assert book_name(platform, account) == name
    assert account_of(name) == (platform, account)
