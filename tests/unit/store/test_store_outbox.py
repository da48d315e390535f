"""What the operator sees of the outbox, and what retry and drop make of each state."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_kit import BOOT, do, outbound

from hermes.store import outbox, queries
from hermes.store.memory import in_memory
from hermes.store.ops import Enqueue, Expire, Flood, Receipt, Sending, Unsent
from hermes.store.outbox_ops import Drop, Retry
from hermes.store.upkeep_ops import PruneExpired
from hermes.types.content import Outbound, React
from hermes.types.errors import GatewayError
from hermes.types.ids import DeliveryId, SessionKey, TraceId


def put(db: sqlite3.Connection, state: str = "prepared", *, secret: bool = False, name: str = "d1") -> int:
    """A message in ``state``; its number."""
    do(db, Enqueue(outbound(name, text="hello there", secret=secret), 1.0))
    ((row_id,),) = db.execute("SELECT row_id FROM outbox WHERE delivery_id = ?", (name,)).fetchall()
    if state != "prepared":
        do(db, Sending(row_id, BOOT, 1, 2.0))
    if state == "sent":
        do(db, Receipt(row_id, 0, 1, "m1", 3.0))
    elif state not in ("prepared", "sending"):
        do(db, Unsent(row_id, state, 50.0, "send_unconfirmed: lost", 3.0))
    return int(row_id)


def state(db: sqlite3.Connection, row_id: int) -> tuple[str, int, float, str]:
    (found,) = db.execute(
        "SELECT state, attempts, not_before, failure FROM outbox WHERE row_id = ?", (row_id,)
    ).fetchall()
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("dead", ("unknown", 0, 0.0, "send_unconfirmed: lost")),
        ("retry", ("unknown", 0, 0.0, "send_unconfirmed: lost")),
        ("unknown", ("unknown", 0, 0.0, "send_unconfirmed: lost")),
        ("prepared", None),
        ("sending", None),
        ("sent", None),
    ],
)
def test_retry(before: str, after: tuple[str, int, float, str] | None, db: sqlite3.Connection) -> None:
    row_id = put(db, before)
    was = state(db, row_id)
    assert do(db, Retry(row_id, 9.0, 99.0)) is (after is not None)
    assert state(db, row_id) == (after or was)


@pytest.mark.parametrize("before", ["dead", "retry"])
def test_retry_of_what_has_never_arrived_needs_no_mark(before: str, db: sqlite3.Connection) -> None:
    row_id = put(db, before)
    db.execute("UPDATE outbox SET failure = 'forbidden'")
    assert do(db, Retry(row_id, 9.0, 99.0))
    assert state(db, row_id) == ("prepared", 0, 0.0, "")


def test_AC27_doubt_outlives_expiry_and_a_drop(db: sqlite3.Connection) -> None:
    """What may have arrived is sent again with a mark, whatever the operator has done to it in between."""
    expired, dropped, fresh = put(db, "unknown"), put(db, "unknown", name="d2"), put(db, name="d3")
    db.execute("UPDATE outbox SET expires_at = 5")
    assert do(db, Drop(dropped, 4.0))
    assert len(do(db, Expire((), 9.0))) == 2
    assert state(db, expired)[3] == "send_unconfirmed: lost; then expired"
    for row_id in (expired, dropped, fresh):
        assert do(db, Retry(row_id, 10.0, 99.0))
    assert [state(db, one)[0] for one in (expired, dropped, fresh)] == ["unknown", "unknown", "prepared"]


def test_what_is_for_a_platform_that_is_not_there_any_more_expires_too(db: sqlite3.Connection) -> None:
    row_id = put(db)
    db.execute("UPDATE outbox SET platform = 'gone', expires_at = 5")
    assert len(do(db, Expire(("webchat",), 9.0))) == 1
    assert state(db, row_id)[0] == "dead"


@pytest.mark.parametrize(
    ("before", "possible"),
    [
        ("prepared", True),
        ("retry", True),
        ("unknown", True),
        ("dead", True),
        ("sending", False),
        ("sent", False),
    ],
)
def test_drop(before: str, possible: bool, db: sqlite3.Connection) -> None:
    row_id = put(db, before)
    assert do(db, Drop(row_id, 9.0)) is possible
    if possible:
        assert state(db, row_id)[0] == "dead"
        assert queries.outbox_counts(db)["dead"] == 0
        assert outbox.outbox_list(db, None, None, 9) == []
        assert outbox.outbox_show(db, row_id)["failure"] == outbox.DROPPED


def test_a_message_with_a_receipt_goes_on_behind_it(db: sqlite3.Connection) -> None:
    row_id = put(db, "sending")
    do(db, Receipt(row_id, 0, 3, "m1", 3.0))
    do(db, Unsent(row_id, "dead", 0.0, "refused", 4.0))
    assert do(db, Retry(row_id, 9.0, 99.0))
    shown = outbox.outbox_show(db, row_id)
    assert (shown["parts_sent"], [one["message_id"] for one in shown["receipts"]]) == (1, ["m1"])


def test_a_secret_that_is_erased_cannot_be_sent_again_and_no_secret_is_shown(db: sqlite3.Connection) -> None:
    waiting, ended = put(db, secret=True), put(db, "dead", secret=True, name="d2")
    assert not do(db, Retry(ended, 9.0, 99.0))
    assert [one["text"] for one in outbox.outbox_list(db, None, None, 9)] == ["", ""]
    assert outbox.outbox_show(db, waiting)["text"] == ""
    message = outbox.outbox_show(db, ended)
    assert "was secret and is erased" in str(outbox.not_possible(message, "sent again"))


def test_the_list_holds_what_has_not_arrived_oldest_first(db: sqlite3.Connection) -> None:
    rows = [put(db, one, name=one) for one in ("dead", "sent", "retry", "prepared")]
    listed = outbox.outbox_list(db, None, None, 9)
    assert [one["id"] for one in listed] == [rows[0], rows[2], rows[3]]
    assert [one["id"] for one in outbox.outbox_list(db, "dead", None, 9)] == [rows[0]]
    assert outbox.outbox_list(db, None, "telegram", 9) == []
    assert len(outbox.outbox_list(db, None, "webchat", 2)) == 2
    assert listed[0]["text"] == "hello there"


def test_a_message_that_is_not_there(db: sqlite3.Connection) -> None:
    with pytest.raises(GatewayError, match="there is no message 7"):
        outbox.outbox_show(db, 7)


def test_AC43_a_window_is_kept_with_the_row_and_never_shortened(db: sqlite3.Connection) -> None:
    row_id = put(db, "sending")
    do(db, Unsent(row_id, "retry", 50.0, "rate_limited", 3.0, Flood("webchat:default", 60.0)))
    do(db, Flood("webchat:default", 40.0))
    do(db, Flood("webchat:default:ann", 45.0))
    assert queries.floods(db) == {"webchat:default": 60.0, "webchat:default:ann": 45.0}
    do(db, PruneExpired(50.0))
    assert queries.floods(db) == {"webchat:default": 60.0}


def test_a_notice_that_is_no_news_any_more_is_no_dead_letter(db: sqlite3.Connection) -> None:
    row_id = put(db, name="notice:1:back:x")
    db.execute("UPDATE outbox SET expires_at = 5")
    assert len(do(db, Expire((), 9.0))) == 1
    assert state(db, row_id)[::3] == ("dead", outbox.DROPPED)
    assert queries.outbox_counts(db)["dead"] == 0


_WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_NAMES = _WORDS.filter(bool)


@given(
    st.builds(
        Outbound,
        delivery_id=_NAMES.map(DeliveryId),
        platform=_NAMES,
        account=_NAMES,
        chat_id=_NAMES,
        text=_WORDS,
        kind=st.sampled_from(["reply", "command", "notice"]),
        thread_id=st.none() | _WORDS,
        reply_to=st.none() | _WORDS,
        session_key=st.none() | _NAMES.map(SessionKey),
        generation=st.none() | st.integers(0, 2**40),
        trace=_WORDS.map(TraceId),
        expires_at=st.none() | st.floats(0, 1e12),
        secret=st.booleans(),
        metadata=st.dictionaries(_WORDS, _WORDS, max_size=4),
        effects=st.lists(_WORDS.map(React), max_size=2).map(tuple),
    )
)
def test_AC33_every_routing_field_survives_the_row(message: Outbound) -> None:
    with closing(in_memory()) as db:
        assert do(db, Enqueue(message, 1.0))
        row = queries.next_open_row(db, message.platform, message.account, message.chat_id)
        assert row is not None
        assert row.message == message
