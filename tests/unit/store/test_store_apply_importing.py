"""Conversations that another program began: made once, never over something newer, and never again once they are forgotten."""

from dataclasses import replace

from store_kit import do

from hermes.store import expiry, imports, queries
from hermes.store.import_ops import OldConversation, OldLine, OldStretch, TakeLines, Taken, TakeStretches
from hermes.store.ops import Accept, Route, StopTurn
from hermes.store.people_ops import Forget, Traces
from hermes.store.sessions import session_search, session_show
from hermes.store.stretches import stretches
from hermes.types.agent import Usage
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, SessionKey, TraceId
from hermes.types.origin import Origin
from hermes.types.people import UserRef
from hermes.types.records import TranscriptLine, Used

ANN = SessionKey("agent:main:telegram:dm:99")
FIRST, SECOND, FRESH = map(SessionId, ("20260101_100000_aaaaaaaa", "20260201_100000_bbbbbbbb", "fresh"))

WHOSE = OldConversation(
    ANN,
    SECOND,
    10.0,
    30.0,
    "telegram",
    "default",
    "dm",
    "99",
    None,
    "Ann",
    "99",
    resume_reason="shutdown",
    resume_marked_at=29.0,
)
BOTH = TakeStretches(
    (
        OldStretch(WHOSE, FIRST, 10.0, 15.0, "idle", "Old", Usage(input_tokens=7)),
        OldStretch(WHOSE, SECOND, 20.0, 30.0),
    )
)


def line(text, session_id=SECOND, role="user", **more):
    return OldLine(ANN, session_id, TranscriptLine(role, text, 30.0, **more))


def write_in(db, at):
    origin = Origin("telegram", "99", user_id="99", user_name="Ann")
    ((accepted,),) = (
        do(db, Accept((InboundEvent("e1", origin, "here", received_at=at, trace=TraceId("t")),))),
    )
    return do(db, Route(accepted.row_id, ANN, FRESH, "message", at, origin, user_id="99"))


def test_the_present_stretch_goes_on_and_the_others_are_over(db):
    assert do(db, BOTH) == 2

    shown = session_show(db, ANN)
    assert (shown["session_id"], shown["resume_reason"], shown["title"]) == (SECOND, "shutdown", "Ann")
    assert [(one["session_id"], one["ended_at"], one["end_reason"]) for one in shown["history"]] == [
        (FIRST, 15.0, "idle"),
        (SECOND, None, ""),
    ]
    assert shown["input_tokens"] == 7
    assert write_in(db, 40.0) == 2
    assert [one["session_id"] for one in session_show(db, ANN)["history"]] == [FIRST, SECOND]
    assert queries.standing(db, ANN).record.session_id == SECOND


def test_lines_are_history_search_and_resume(db):
    do(db, BOTH)
    lines = (
        line("long ago", FIRST),
        line("hello"),
        line("hi", role="assistant", used=(Used("search", "{}", "x"),)),
        replace(line("taken back"), undone=True),
    )

    assert do(db, TakeLines((Taken(FIRST, 0, 1), Taken(SECOND, 0, 3)), lines))

    assert [(one.text, len(one.used)) for one in queries.history(db, ANN, SECOND, 10)] == [
        ("hello", 0),
        ("hi", 1),
    ]
    assert [hit["excerpt"] for hit in session_search(db, "long", 5)] == ["[long] ago"]
    assert session_search(db, "taken", 5) == []
    assert [(one.title, one.lines, one.present) for one in stretches(db, ANN)] == [
        ("Old", 1, False),
        ("", 2, True),
    ]
    assert imports.taken(db) == {FIRST: 1, SECOND: 3}


def test_a_second_time_changes_nothing(db):
    for _ in range(2):
        do(db, BOTH)
    assert do(db, BOTH) == 0
    taken = TakeLines((Taken(SECOND, 0, 1),), (line("hello"),))

    assert do(db, taken) is True
    assert do(db, taken) is False
    assert len(queries.history(db, ANN, SECOND, 10)) == 1


def test_a_conversation_that_began_here_since_stays_as_it_is(db):
    write_in(db, 40.0)
    do(db, StopTurn(ANN, "test", 41.0))

    do(db, BOTH)

    shown = session_show(db, ANN)
    assert shown["session_id"] == FRESH
    assert {one["session_id"]: one["ended_at"] for one in shown["history"]} == {
        FIRST: 15.0,
        SECOND: 30.0,
        FRESH: None,
    }


def test_who_went_back_to_the_original_for_a_while_goes_on_where_they_were_last(db):
    do(db, BOTH)
    third = SessionId("20260301_100000_cccccccc")
    later = replace(WHOSE, present=third, active_at=90.0)

    do(db, TakeStretches((OldStretch(later, third, 80.0, 90.0),)))

    assert session_show(db, ANN)["session_id"] == third
    assert session_show(db, ANN)["last_active_at"] == 90.0


def test_nothing_is_changed_under_a_message_that_waits(db):
    write_in(db, 40.0)
    later = replace(WHOSE, active_at=90.0)

    do(db, TakeStretches((OldStretch(later, SECOND, 80.0, 90.0),)))

    assert session_show(db, ANN)["session_id"] == FRESH


def test_memory_is_told_of_none_that_is_over_and_nobodys_conversation_never_ends(db):
    lone = OldConversation(SessionKey("agent:main:cli:past:x"), None, 1.0, 2.0, title="At night")
    do(db, BOTH)
    do(db, TakeStretches((OldStretch(lone, SessionId("x"), 1.0, 2.0),)))

    assert expiry.unkept(db, 10) == []
    assert [kind.platform for kind in expiry.quietest(db)] == ["telegram"]
    assert session_show(db, "agent:main:cli:past:x")["platform"] == ""


def test_what_was_forgotten_does_not_come_back(db):
    do(db, BOTH)
    do(db, TakeLines((Taken(SECOND, 0, 1),), (line("hello"),)))
    user = UserRef("telegram", "default", "99")
    traces = Traces((user,), (), (ANN,), (("telegram", "default", "99"),), (), ())
    do(db, Forget(traces, "operator", "Ann", 50.0))

    assert do(db, BOTH) == 0
    assert do(db, TakeLines((Taken(SECOND, 1, 2),), (line("again"),)))

    assert session_search(db, "again", 5) == []
    assert db.execute("SELECT count(*) FROM transcript").fetchall() == [(0,)]
    assert db.execute("SELECT count(*) FROM sessions").fetchall() == [(0,)]
