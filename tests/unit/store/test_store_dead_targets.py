"""Chats in which nobody is reached: listed, and open again once somebody writes there."""

import sqlite3

import pytest
from store_kit import BOOT, accept, do, event, outbound, route

from hermes.store.notices import dead_target_list, dead_targets
from hermes.store.ops import Close, Enqueue, Sending, Unsent


@pytest.fixture
def dead(db: sqlite3.Connection) -> sqlite3.Connection:
    do(db, Enqueue(outbound(), 1.0))
    do(db, Sending(1, BOOT, 1, 2.0))
    assert do(db, Unsent(1, "dead", 0.0, "forbidden", 3.0, dead_chat=True))
    return db


def test_it_is_listed_with_why_and_since_when(dead: sqlite3.Connection) -> None:
    listed = {
        "platform": "webchat",
        "account": "default",
        "chat_id": "ann",
        "failure": "forbidden",
        "at": 3.0,
    }
    assert dead_target_list(dead, 9) == [listed]
    assert dead_target_list(dead, 0) == []


@pytest.mark.parametrize("how", ["routed", "closed"])
def test_who_writes_there_opens_it_whatever_becomes_of_the_message(
    dead: sqlite3.Connection, how: str
) -> None:
    other, row = accept(dead, event("e0", "bob"), event("e1", "ann"))
    do(dead, Close(other, "denied", "access", 4.0))
    assert dead_targets(dead) == {("webchat", "default", "ann")}
    if how == "routed":
        do(dead, route(row))
    else:
        do(dead, Close(row, "ignored", "unaddressed", 4.0))
    assert (dead_targets(dead), dead_target_list(dead, 9)) == (frozenset(), [])
