"""Whose a session is: what the original's tables and files say of it, and what becomes of one that is nobody's."""

from old_kit import ANN, FIRST, SECOND, entry

from hermes.importing.history import stretches
from hermes.importing.routes import conversation, instant
from hermes.store.original import _SESSION, Length


def row(session_id, **more):
    return dict.fromkeys(_SESSION) | {"id": session_id, "source": "telegram"} | more


def found(known=(), rows=(), lengths=None, files=()):
    return stretches(dict(known), {one["id"]: one for one in rows}, lengths or {}, files, {})


def ann(session_id=SECOND, **more):
    return ANN, conversation(ANN, entry(session_id, **more), {})


def test_the_present_one_is_what_the_route_says_and_older_ones_say_themselves_whose_they_are():
    first, second = found(
        [ann()],
        [
            row(SECOND, started_at=2_000.0, session_key=ANN),
            row(FIRST, started_at=1_000.0, ended_at=1_500.0, end_reason="idle", title="Old", session_key=ANN),
        ],
        {FIRST: Length(2, 1_400.0)},
    )

    assert (first.session_id, first.ended_at, first.end_reason, first.title) == (
        FIRST,
        1_500.0,
        "idle",
        "Old",
    )
    assert first.conversation == second.conversation
    assert (second.session_id, second.conversation.present) == (SECOND, SECOND)
    assert second.conversation.active_at == instant("2026-02-01T10:05:00")


def test_what_a_session_goes_on_from_is_of_the_same_conversation_in_homes_without_that_column():
    older = "20251201_100000_cccccccc"
    all_ = found(
        [ann()],
        [
            row(older),
            row(FIRST, parent_session_id=older, started_at=1_000.0),
            row(SECOND, parent_session_id=FIRST, started_at=2_000.0),
        ],
    )

    assert {one.conversation.session_key for one in all_} == {ANN}


def test_a_circle_of_parents_has_an_end():
    rows = [row(FIRST, parent_session_id=SECOND), row(SECOND, parent_session_id=FIRST)]

    assert {one.conversation.session_key for one in found([ann()], rows)} == {ANN}


def test_nobodys_session_is_a_conversation_of_its_own_that_nobody_goes_on_with():
    (one,) = found(rows=[row(FIRST, source="CLI Tool!", started_at=1_000.0, title="At night")])

    assert one.conversation.session_key == f"agent:main:cli-tool-:past:{FIRST}"
    assert (one.conversation.platform, one.conversation.present, one.conversation.title) == (
        "",
        None,
        "At night",
    )


def test_a_file_alone_began_when_its_name_says():
    (one,) = found(files=[FIRST])

    assert one.started_at == instant("2026-01-01T10:00:00")
    assert one.conversation.session_key == f"agent:main:unknown:past:{FIRST}"


def test_a_conversation_to_which_no_route_leads_any_more_goes_on_with_its_last_stretch():
    origin = '{"chat_id": "99", "user_id": "99", "user_name": "Ann"}'
    rows = [
        row(FIRST, session_key=ANN, started_at=1.0),
        row(SECOND, session_key=ANN, started_at=2.0, origin_json=origin),
    ]
    first, _ = found(rows=rows, lengths={SECOND: Length(1, 50.0)})

    whose = first.conversation
    assert (whose.present, whose.chat_id, whose.user_id, whose.title) == (SECOND, "99", "99", "Ann")
    assert (whose.created_at, whose.active_at) == (1.0, 50.0)


def test_marks_of_an_interruption_and_of_an_end_that_was_told_come_along():
    marked = {
        "resume_pending": True,
        "resume_reason": "restart_timeout",
        "last_resume_marked_at": "2026-02-01T10:00:00",
    }
    (one,) = found([ann(**marked, memory_flushed=True)])

    assert (one.conversation.resume_reason, one.conversation.finalized) == ("restart_timeout", True)
    assert one.conversation.resume_marked_at == instant("2026-02-01T10:00:00")
    (one,) = found([ann(**marked, suspended=True)])
    assert (one.conversation.suspended, one.conversation.resume_marked_at) == (True, None)


def test_figures_that_are_none_are_nothing():
    (one,) = found(
        rows=[
            row(FIRST, input_tokens="many", output_tokens=-1, estimated_cost_usd=float("nan"), started_at="x")
        ]
    )

    assert (one.usage.input_tokens, one.usage.output_tokens, one.usage.cost_usd) == (0, 0, 0)
