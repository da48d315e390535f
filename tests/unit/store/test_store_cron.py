"""The firings of jobs in the database: claimed once, counted, forgotten when they are old, and how their words stand."""

from store_kit import do, outbound

from hermes.store import cron as reads
from hermes.store.apply import cron
from hermes.store.cron_ops import Claim, Claims, EndRun, SettleDelivery, StartRun
from hermes.store.ops import Sending, Unsent
from hermes.store.send_ops import Send
from hermes.types.ids import BootId

BOOT = BootId("b")


def claim(job: str, *due_at: float, most: int | None = None, skipped: str = "") -> Claim:
    return Claim(job, job, min(due_at), due_at, most, BOOT, 0.0, skipped=skipped)


def test_AC35_many_claims_are_one_operation_and_each_instant_is_claimed_once(db):
    first, second = do(db, Claims((claim("a", 1.0, 2.0), claim("b", 1.0))))
    assert ([run.due_at for run in first.runs], second.total) == ([1.0, 2.0], 1)
    again, other = do(db, Claims((claim("a", 2.0, 3.0, most=2), claim("b", 1.0, skipped="busy"))))
    assert ([run.due_at for run in again.runs], again.total) == ([3.0], 2)
    assert other.runs == ()


def test_old_runs_are_forgotten_but_not_what_is_open_or_on_its_way(db, monkeypatch):
    monkeypatch.setattr(cron, "RUNS_KEPT", 2)
    (claimed,) = do(db, Claims((claim("a", *map(float, range(6))),)))
    open_, pending, *rest = claimed.runs
    do(db, StartRun(open_.run_id, BOOT, 0.0))
    do(db, EndRun(pending.run_id, "ok", 0.0, delivery_state="pending", deliveries=("d1",)))
    for run in rest:
        do(db, EndRun(run.run_id, "ok", 0.0))
    assert [one["due_at"] for one in reads.runs(db, None, 10)] == [5.0, 4.0, 1.0, 0.0]
    assert do(db, SettleDelivery(pending.run_id, "delivered", ""))
    assert not do(db, SettleDelivery(pending.run_id, "failed", "late"))


def test_AC24_a_run_shows_how_its_words_stand_until_they_have_their_end(db):
    (claimed,) = do(db, Claims((claim("a", 1.0),)))
    run_id = claimed.runs[0].run_id
    do(db, Send(outbound("d1"), 1.0, None))
    do(db, EndRun(run_id, "ok", 1.0, delivery_state="pending", deliveries=("d1",)))
    row_id = db.execute("SELECT row_id FROM outbox").fetchall()[0][0]
    do(db, Sending(row_id, BOOT, 1, 2.0))
    do(db, Unsent(row_id, "retry", 9.0, "rate_limited", 2.0))
    (run,) = reads.runs(db, "a", 10)
    assert (run["delivery_state"], run["underway"]) == (
        "pending",
        [{"state": "retry", "failure": "rate_limited"}],
    )
    do(db, SettleDelivery(run_id, "failed", "expired"))
    assert reads.runs(db, "a", 10)[0]["underway"] == []
