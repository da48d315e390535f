import sqlite3
from dataclasses import replace

import pytest
from store_kit import BOOT, CHAT, KEY, TURN, accept, do, event, finish, in_turn, outbound, route

from hermes.store import approvals
from hermes.store.approval_ops import FAIR_S, Ask, Decide, Expire
from hermes.store.busy_ops import Interrupt
from hermes.store.ops import AddStep, Release, Resume, StopTurn, Suspension, Take
from hermes.types.agent import ApprovalRequest, Step
from hermes.types.approvals import APPROVAL_ID, Approval
from hermes.types.content import ANSWERS
from hermes.types.ids import BootId, SessionId, TurnId

ASKED = 103.0
SECOND_BOOT = BootId("boot-2")


def asking(generation: int = 1, action: str = "go", **more) -> Ask:
    values = {
        "approval_id": "a1",
        "user_id": "ann",
        "prompt": outbound("p", "May I go?", kind="notice", metadata={ANSWERS: ""}),
        "boot_id": BOOT,
        "at": ASKED,
        "timeout_s": 300.0,
        "turn_id": TURN,
    }
    return Ask(KEY, generation, request=ApprovalRequest(action, "there"), **(values | more))


def ask(db: sqlite3.Connection, *args, **more) -> Approval:
    found = do(db, asking(*args, **more))
    assert found is not None
    return found


def decide(db, *ids: str, approved: bool = True, at: float = ASKED + 1, boot: BootId = BOOT) -> int:
    return do(db, Decide(ids, approved, "telegram:ann", "", boot, at))


def step(db, n: int, generation: int = 1) -> None:
    assert do(db, AddStep(KEY, generation, TURN, n, Step("result", "x", "y"), ASKED))


def prompts(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT delivery_id FROM outbox ORDER BY row_id")]


def state(db: sqlite3.Connection, approval_id: str = "a1") -> str | None:
    found = approvals.approval_of(db, approval_id)
    return found and found.state


def test_the_row_and_its_prompt_come_together(db):
    in_turn(db)
    asked = ask(db)
    assert asked == Approval("a1", KEY, 1, TURN, *CHAT, "ann", "go", "there", "pending", ASKED, ASKED + 300)
    assert approvals.pending(db, KEY) == [asked]
    assert approvals.sessions_asking(db) == [KEY]
    assert prompts(db) == [f"{TURN}:ask1:{BOOT}"]
    ((text,),) = db.execute("SELECT text FROM outbox").fetchall()
    assert text.startswith("May I go?")
    assert "/approve 1" in text
    assert "300 seconds" in text


def test_the_prompt_names_its_approval_for_platforms_with_buttons(db):
    from hermes.store.codec import decode_outbound

    in_turn(db)
    ask(db)
    ((payload, text),) = db.execute("SELECT message, text FROM outbox").fetchall()
    assert decode_outbound(payload, text).metadata == {ANSWERS: "", APPROVAL_ID: "a1"}


def test_a_turn_that_is_not_current_asks_nothing(db):
    in_turn(db)
    assert do(db, asking(generation=2)) is None
    assert approvals.latest(db, 9) == []
    assert prompts(db) == []


def test_the_same_request_of_the_same_turn_is_the_same_approval_and_is_shown_once_a_boot(db):
    rows, _ = in_turn(db)
    first = ask(db)
    assert ask(db, approval_id="a2") == first
    assert prompts(db) == [f"{TURN}:ask1:{BOOT}"]

    do(db, Take(KEY, tuple(rows), TURN, SECOND_BOOT, 1, 110.0))
    again = ask(db, 2, approval_id="a3", boot_id=SECOND_BOOT, at=110.0)
    assert (again.approval_id, again.number, again.asked_at, again.expires_at) == (
        "a1",
        1,
        ASKED,
        ASKED + 300,
    )
    assert prompts(db) == [f"{TURN}:ask1:{BOOT}", f"{TURN}:ask1:{SECOND_BOOT}"]
    ask(db, 2, approval_id="a3", boot_id=SECOND_BOOT, at=111.0)
    assert len(prompts(db)) == 2


@pytest.mark.parametrize(
    ("at", "until"), [(350.0, 350.0 + FAIR_S), (9000.0, 9000.0 + FAIR_S), (200.0, ASKED + 300)]
)
def test_AC47_a_person_has_a_fair_chance_after_the_prompt_was_shown_again(db, at, until):
    rows, _ = in_turn(db)
    ask(db)
    do(db, Take(KEY, tuple(rows), TURN, SECOND_BOOT, 1, at))
    assert ask(db, 2, boot_id=SECOND_BOOT, at=at).expires_at == until
    ((text,),) = db.execute("SELECT text FROM outbox ORDER BY row_id DESC LIMIT 1").fetchall()
    assert f"{until - at:.0f} seconds" in text


def test_a_short_timeout_is_not_prolonged_beyond_itself(db):
    rows, _ = in_turn(db)
    ask(db, timeout_s=10.0)
    do(db, Take(KEY, tuple(rows), TURN, SECOND_BOOT, 1, 200.0))
    assert ask(db, 2, boot_id=SECOND_BOOT, at=200.0, timeout_s=10.0).expires_at == 210.0


def test_another_request_another_turn_and_another_detail_are_others(db):
    in_turn(db)
    assert ask(db).number == 1
    assert ask(db, action="stay", approval_id="a2").number == 2
    assert ask(db, approval_id="a3", turn_id=TurnId("other")).number == 3
    other = replace(asking(), request=ApprovalRequest("go", "elsewhere"), approval_id="a4")
    assert do(db, other).number == 4


def test_AC47_a_decision_is_applied_once(db):
    in_turn(db)
    ask(db)
    assert decide(db, "a1") == 1
    assert decide(db, "a1", approved=False) == 0
    found = approvals.approval_of(db, "a1")
    assert (found.state, found.decided_by, found.decided_at) == ("approved", "telegram:ann", ASKED + 1)
    assert ask(db).state == "approved", "asked again, it is told"
    assert len(prompts(db)) == 1


def test_a_denial_keeps_its_reason(db):
    in_turn(db)
    ask(db)
    assert do(db, Decide(("a1",), False, "operator", "not now", BOOT, ASKED)) == 1
    found = ask(db)
    assert (found.state, found.reason) == ("denied", "not now")


def test_many_are_decided_at_once_and_unknown_ones_are_none(db):
    in_turn(db)
    ask(db)
    ask(db, action="stay", approval_id="a2")
    assert decide(db, "a1", "a2", "a3") == 2


def test_a_decision_holds_until_the_turn_s_next_step(db):
    """What was approved was done by then, so the same request is a new one (never approved silently)."""
    in_turn(db)
    ask(db)
    decide(db, "a1")
    assert ask(db, approval_id="a2").state == "approved"
    step(db, 0)
    again = ask(db, approval_id="a2")
    assert (again.approval_id, again.number, again.state) == ("a2", 2, "pending")


def test_a_request_that_waits_beside_a_step_is_found_again(db):
    in_turn(db)
    ask(db)
    step(db, 0)
    assert ask(db, approval_id="a2").approval_id == "a1"
    decide(db, "a1")
    assert ask(db, approval_id="a2").state == "approved"


def test_AC47_time_is_up_for_whoever_comes_late(db):
    in_turn(db)
    ask(db)
    assert do(db, Expire("a1", ASKED + 299)).state == "pending"
    assert decide(db, "a1", at=ASKED + 300) == 0
    assert do(db, Expire("a1", ASKED + 300)).state == "expired"
    assert decide(db, "a1", at=ASKED + 1) == 0
    assert ask(db).state == "expired"


def test_a_decision_that_comes_first_wins_over_the_time(db):
    in_turn(db)
    ask(db)
    decide(db, "a1", at=ASKED + 299)
    assert do(db, Expire("a1", ASKED + 300)).state == "approved"


def test_AC47_a_decision_made_while_the_process_comes_up_counts_though_the_time_has_passed(db):
    in_turn(db)
    ask(db)
    assert decide(db, "a1", at=ASKED + 9000, boot=SECOND_BOOT) == 1


def test_expiring_what_is_gone_is_nothing(db):
    assert do(db, Expire("nobody", 1.0)) is None


ENDS = {
    "answered": lambda rows: finish(1, *rows),
    "failed": lambda rows: finish(1, *rows, state="failed", rule="x"),
    "suspended": lambda rows: finish(1, *rows, state="failed", suspend=Suspension(SessionId("s2"), "note")),
    "stopped": lambda _: StopTurn(KEY, "command:stop", 104.0),
    "new": lambda _: StopTurn(KEY, "command:new", 104.0, SessionId("s2")),
}


@pytest.mark.parametrize("end", ENDS)
def test_however_the_turn_ends_what_it_asked_is_void(db, end):
    rows, _ = in_turn(db)
    ask(db)
    ask(db, action="stay", approval_id="a2")
    decide(db, "a2")
    assert do(db, ENDS[end](rows))
    assert (state(db, "a1"), state(db, "a2")) == ("void", "approved")
    assert decide(db, "a1") == 0
    assert approvals.pending(db, KEY) == []


def test_another_stretch_voids_it(db):
    rows, _ = in_turn(db)
    do(db, finish(1, *rows))
    do(db, StopTurn(KEY, "x", 104.0, SessionId("s2")))
    (row,) = accept(db, event("e2"))
    do(db, route(row, new_session_id=SessionId("s2")))
    record = do(db, Take(KEY, (row,), TURN, BOOT, 1, 105.0))
    ask(db, record.generation)
    assert do(db, Resume(KEY, None, "command:resume", 106.0)) is not None
    assert state(db) == "void"


def test_a_turn_that_was_released_keeps_what_it_asked_until_it_is_stopped(db):
    rows, _ = in_turn(db)
    ask(db)
    assert do(db, Release(KEY, TURN, "shutdown_timeout", 104.0)) == 1
    assert state(db) == "pending"
    do(db, Take(KEY, tuple(rows), TURN, BOOT, 2, 105.0))
    assert state(db) == "pending"
    do(db, Release(KEY, TURN, "shutdown_timeout", 106.0))
    do(db, StopTurn(KEY, "command:stop", 107.0))
    assert state(db) == "void"


def test_an_interruption_voids_it_and_the_same_request_is_a_new_one(db):
    in_turn(db)
    ask(db)
    (row,) = accept(db, event("e2"))
    do(db, route(row))
    assert do(db, Interrupt(KEY, TURN, (row,)))
    assert state(db) == "void"
    assert do(db, asking(1)) is None, "the turn that was interrupted cannot ask any more"
    record = do(db, Take(KEY, (row,), TURN, BOOT, 1, 105.0))
    again = ask(db, record.generation, approval_id="a2")
    assert (again.approval_id, again.number, again.state) == ("a2", 2, "pending")


def test_the_end_of_one_turn_leaves_the_questions_of_others_alone(db):
    rows, _ = in_turn(db)
    ask(db, turn_id=TurnId("other"))
    do(db, finish(1, *rows))
    assert state(db) == "pending"


def test_AC47_waiting_over_many_restarts_counts_as_nobody_s_death(db):
    rows, _ = in_turn(db)
    ask(db)
    for n in range(2, 8):
        boot = BootId(f"boot-{n}")
        assert do(db, Take(KEY, tuple(rows), TURN, boot, 1, 104.0)) is not None
        assert db.execute("SELECT boots FROM inbox").fetchall() == [(1,)]
        ask(db, n, boot_id=boot)
        assert db.execute("SELECT boots FROM inbox").fetchall() == [(0,)]


def test_the_list_has_what_waits_first_and_shows_details_on_demand(db):
    in_turn(db)
    ask(db)
    ask(db, action="stay", approval_id="a2", at=ASKED + 1)
    decide(db, "a2")
    (first, second) = approvals.listing(db, 9)["approvals"]
    assert (first["approval_id"], second["approval_id"]) == ("a1", "a2")
    assert "detail" not in first
    assert approvals.listing(db, 1, bodies=True)["approvals"][0]["detail"] == "there"
