import sqlite3

import pytest
from store_kit import BOOT, CHAT, do, outbound, states

from hermes.store import queries
from hermes.store.ops import Enqueue, Expire, Receipt, Sending, Unsent
from hermes.types.records import OutboxRow


def _row(db: sqlite3.Connection) -> OutboxRow:
    row = queries.next_open_row(db, *CHAT)
    assert row is not None
    return row


def _sending(db: sqlite3.Connection, **more: object) -> int:
    assert do(db, Enqueue(outbound(**more), 100.0))
    assert do(db, Sending(1, BOOT, 1, 101.0))
    return 1


def test_enqueue_writes_a_delivery_id_once(db: sqlite3.Connection) -> None:
    message = outbound(reply_to="m1", metadata={"k": "v"}, expires_at=500.0)
    assert do(db, Enqueue(message, 100.0)) is True
    assert do(db, Enqueue(message, 101.0)) is False
    assert _row(db) == OutboxRow(1, "prepared", message, created_at=100.0)


def test_sending_counts_attempts_and_names_its_owner(db: sqlite3.Connection) -> None:
    _sending(db)
    do(db, Sending(1, BOOT, 2, 102.0))
    row = _row(db)
    assert (row.state, row.attempts, row.boot_id) == ("sending", 2, BOOT)


def test_receipts_part_by_part_then_sent(db: sqlite3.Connection) -> None:
    _sending(db)
    assert do(db, Receipt(1, 0, 2, "m1", 102.0)) is True
    assert do(db, Receipt(1, 0, 2, "m1", 102.0)) is False
    assert (_row(db).state, _row(db).parts_sent) == ("sending", 1)
    assert do(db, Receipt(1, 1, 2, "m2", 103.0)) is True
    assert states(db, "outbox") == ["sent"]
    assert do(db, Receipt(1, 2, 2, "m3", 104.0)) is False
    assert do(db, Sending(1, BOOT, 1, 105.0)) is False


def test_only_a_sending_row_takes_receipts(db: sqlite3.Connection) -> None:
    do(db, Enqueue(outbound(), 100.0))
    assert do(db, Receipt(1, 0, 1, "m1", 101.0)) is False
    assert do(db, Receipt(99, 0, 1, "m1", 101.0)) is False
    assert db.execute("SELECT count(*) FROM receipts").fetchone() == (0,)


@pytest.mark.parametrize(("state", "attempts"), [("prepared", 0), ("retry", 1), ("unknown", 1)])
def test_unsent_goes_back_and_may_try_again(db: sqlite3.Connection, state: str, attempts: int) -> None:
    _sending(db)
    assert do(db, Unsent(1, state, 150.0, "unreachable", 102.0)) is True
    row = _row(db)
    assert (row.state, row.attempts, row.not_before, row.failure) == (state, attempts, 150.0, "unreachable")
    assert do(db, Unsent(1, "dead", 0.0, "", 103.0)) is False
    assert do(db, Sending(1, BOOT, 1, 151.0)) is True


def test_a_dead_row_stays_dead(db: sqlite3.Connection) -> None:
    _sending(db)
    do(db, Unsent(1, "dead", 0.0, "gone", 102.0))
    assert queries.next_open_row(db, *CHAT) is None
    assert do(db, Sending(1, BOOT, 1, 103.0)) is False
    assert queries.outbox_counts(db)["dead"] == 1


def test_an_unknown_state_is_refused_by_the_table(db: sqlite3.Connection) -> None:
    _sending(db)
    with pytest.raises(sqlite3.IntegrityError):
        do(db, Unsent(1, "lost", 0.0, "", 102.0))


@pytest.mark.parametrize("terminal", [Receipt(1, 0, 1, "m", 102.0), Unsent(1, "dead", 0.0, "", 102.0)])
def test_a_secret_is_erased_at_its_end(db: sqlite3.Connection, terminal: Receipt | Unsent) -> None:
    _sending(db, text="code 1234", secret=True)
    assert _row(db).message.text == "code 1234"
    do(db, terminal)
    left = db.execute(
        "SELECT count(*) FROM outbox WHERE instr(text, '1234') OR instr(message, '1234')"
    ).fetchone()
    assert left == (0,)


@pytest.mark.parametrize(("stored", "end"), [(True, ("sent", "stored")), (False, ("dead", "expired"))])
def test_expiry_ends_what_waits_but_not_what_is_being_sent(
    db: sqlite3.Connection, stored: bool, end: tuple[str, str]
) -> None:
    _sending(db, expires_at=110.0)
    do(db, Enqueue(outbound("due", expires_at=110.0), 100.0))
    do(db, Enqueue(outbound("later", expires_at=111.0), 100.0))
    do(db, Enqueue(outbound("never"), 100.0))
    assert len(do(db, Expire(("webchat",) if stored else ("other",), 110.0))) == 1
    assert states(db, "outbox") == ["sending", end[0], "prepared", "prepared"]
    assert db.execute("SELECT failure FROM outbox WHERE delivery_id = 'due'").fetchone() == (end[1],)


def test_a_lane_is_read_in_order(db: sqlite3.Connection) -> None:
    _sending(db)
    do(db, Enqueue(outbound("d2"), 100.0))
    do(db, Unsent(1, "retry", 999.0, "flood", 102.0))
    assert (_row(db).row_id, queries.open_lanes(db)) == (1, [CHAT])
    do(db, Sending(1, BOOT, 1, 1000.0))
    do(db, Receipt(1, 0, 1, "m", 1001.0))
    assert _row(db).row_id == 2
    assert queries.outbox_counts(db) == {"prepared": 1, "sending": 0, "retry": 0, "unknown": 0, "dead": 0}


def test_what_expires_is_looked_for_among_the_open_rows_alone(db: sqlite3.Connection) -> None:
    """Every minute, and of what was sent there is most."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    do(db, Expire((), 5.0))
    db.set_trace_callback(None)

    (statement,) = [one for one in asked if one.startswith("UPDATE outbox")]
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert "SCAN outbox USING INDEX outbox_open" in plan
    assert "SCAN outbox" not in plan
