import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_kit import CHAT, accept, do, event, outbound

from hermes.store.feed import feed
from hermes.store.memory import in_memory
from hermes.store.ops import Close, Enqueue, Undecodable


def _ids(db: sqlite3.Connection, since: str | None = None, limit: int = 50) -> list[str]:
    return [item.item_id for item in feed(db, *CHAT, since, limit)]


def test_both_directions_in_the_order_of_time(db: sqlite3.Connection) -> None:
    accept(
        db, event("q1", received_at=1.0, text="hi", extra={"client_id": "c1"}), event("q2", received_at=3.0)
    )
    do(db, Enqueue(outbound("a1", text="hello", reply_to="c1"), 2.0))
    do(db, Enqueue(outbound("a2"), 4.0))
    items = feed(db, *CHAT, None, 50)
    assert [(item.role, item.item_id) for item in items] == [
        ("user", "c1"),
        ("agent", "a1"),
        ("user", "q2"),
        ("agent", "a2"),
    ]
    assert (items[0].text, items[0].at, items[1].text, items[1].reply_to) == ("hi", 1.0, "hello", "c1")


def test_what_is_not_for_the_page_is_not_on_it(db: sqlite3.Connection) -> None:
    accept(db, event("ignored"), event("denied"), event("other", chat_id="bob"))
    do(db, Close(1, "ignored", "unaddressed", 2.0))
    do(db, Close(2, "denied", "access", 2.0))
    do(db, Undecodable("webchat", "default", "bad", b"?", 3.0))
    do(db, Enqueue(outbound("code", secret=True), 3.0))
    assert _ids(db) == ["denied"]


def test_without_a_cursor_the_newest(db: sqlite3.Connection) -> None:
    accept(db, *(event(f"q{n}", received_at=float(n)) for n in range(5)))
    do(db, Enqueue(outbound("a"), 3.5))
    assert _ids(db, limit=3) == ["q3", "a", "q4"]


@pytest.mark.parametrize("cursor", ["", "x", "1", "1.2.3", "-1.0", "1.-2", "9" * 30 + ".0", "1. 2", "١.٢"])
def test_a_cursor_that_is_none_gives_the_newest(db: sqlite3.Connection, cursor: str) -> None:
    accept(db, event("q"))
    assert _ids(db, cursor) == ["q"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["in", "out", "decide", "page", "reload"]), st.integers(0, 9)), max_size=25
    ),
    st.integers(1, 4),
)
def test_pages_that_resume_see_everything_once(steps: list[tuple[str, int]], limit: int) -> None:
    db = in_memory()
    written: list[str] = []
    seen: list[str] = []
    reloads: list[tuple[str, int]] = []
    cursor = "0.0"

    def page() -> bool:
        nonlocal cursor
        items = feed(db, *CHAT, cursor, limit)
        seen.extend(item.item_id for item in items)
        cursor = items[-1].cursor if items else cursor
        return bool(items)

    for n, (step, at) in enumerate(steps):
        if step == "in":
            accept(db, event(f"q{n}", received_at=float(at)))
            written.append(f"q{n}")
        elif step == "out":
            do(db, Enqueue(outbound(f"a{n}"), float(at)))
            written.append(f"a{n}")
        elif step == "decide":
            do(db, Close(at, "denied", "", 1.0))
        elif step == "page":
            page()
        elif newest := feed(db, *CHAT, None, limit):
            reloads.append((newest[-1].cursor, len(written)))
    while page():
        pass
    for resumed_at, before in reloads:
        assert sorted(_ids(db, resumed_at, 100)) == sorted(written[before:])
    db.close()
    assert sorted(seen) == sorted(written)
