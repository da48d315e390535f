import sqlite3

import pytest
from store_kit import CHAT, KEY, STRETCH, TURN, accept, do, event, finish, in_turn, route, take

from hermes.store import queries
from hermes.store.busy_ops import Interrupt, SetBusyMode
from hermes.store.ops import Close, Release, StopTurn
from hermes.types.ids import SessionKey, TurnId
from hermes.types.records import TranscriptLine


def _said(db: sqlite3.Connection, *texts: str) -> None:
    for n, text in enumerate(texts):
        turn = TurnId(f"turn-{n}-{text}")
        rows = accept(db, event(f"said-{n}-{text}"))
        do(db, route(rows[0]))
        record = queries.session(db, KEY)
        assert record is not None
        line = TranscriptLine("user", text, 100.0 + n, turn)
        assert do(db, finish(record.generation, turn_id=turn, transcript=(line,), outbound=()))


def test_accepted_rows_are_found_by_chat_in_order(db: sqlite3.Connection) -> None:
    accept(db, event("a"), event("b", chat_id="bob"), event("c"), event("d"))
    do(db, route(3))
    assert sorted(queries.accepted_chats(db)) == [CHAT, ("webchat", "default", "bob")]
    assert [row.row_id for row in queries.accepted_of(db, [CHAT], 100)[CHAT]] == [1, 4]
    assert [row.row_id for row in queries.accepted_of(db, [CHAT], 1)[CHAT]] == [1]
    assert queries.open_sessions(db) == {KEY: queries.OpenRows(oldest=1, newest=1, taken=False)}


def test_rows_of_an_interrupted_turn_come_first(db: sqlite3.Connection) -> None:
    rows = accept(db, event("a"), event("b"))
    for row in rows:
        do(db, route(row))
    taken, _ = in_turn(db, event("c"))
    assert [row.row_id for row in queries.open_work(db, KEY, 100)[0]] == [*taken, *rows]
    assert queries.open_work(db, SessionKey("other"), 100) == ([], None)


def test_of_those_that_wait_some_are_read_and_of_those_begun_all(db: sqlite3.Connection) -> None:
    begun, _ = in_turn(db, *(event(f"begun-{n}") for n in range(3)))
    waiting = accept(db, *(event(f"waiting-{n}") for n in range(5)))
    for row in waiting:
        do(db, route(row))
    for _ in ("in its turn", "released"):
        assert [row.row_id for row in queries.open_work(db, KEY, 2)[0]] == [*begun, *waiting[:2]]
        do(db, Release(KEY, TURN, "stop", 104.0))


def test_the_line_behind_a_turn_is_counted_whole(db: sqlite3.Connection) -> None:
    rows = accept(db, *(event(f"e{n}") for n in range(200)))
    for row in rows:
        do(db, route(row))
    first, second = rows[0], rows[1]
    for _ in ("not taken yet", "taken"):
        line, own = queries.line_behind(db, KEY, TURN, [first])
        assert line is not None
        assert (line.length, line.last.row_id, line.merged, own) == (199, rows[-1], 0, None)
        do(db, take(first))

    do(db, SetBusyMode(KEY, "steer"))
    assert do(db, Interrupt(KEY, TURN, (second,)))
    do(db, take(second))
    line, own = queries.line_behind(db, KEY, TURN, [second])
    assert line is not None
    assert (line.length, line.merged, own) == (198, 1, "steer")
    assert (queries.any_open(db, [first]), queries.any_open(db, [first, second])) == (False, True)

    do(db, StopTurn(KEY, "stop", 105.0))
    assert queries.line_behind(db, KEY, TURN, [second]) == (None, "steer")
    assert not queries.any_open(db, [second])


def test_history_is_the_newest_oldest_first(db: sqlite3.Connection) -> None:
    _said(db, "one", "two", "three")
    assert [line.text for line in queries.history(db, KEY, STRETCH, 2)] == ["two", "three"]


def test_search_finds_all_words_newest_first(db: sqlite3.Connection) -> None:
    _said(db, "Grüße aus Kairo", "a red fox", "the red house of the fox")
    assert [hit.excerpt for hit in queries.search(db, "fox RED", 10)] == [
        "the [red] house of the [fox]",
        "a [red] [fox]",
    ]
    assert [hit.excerpt for hit in queries.search(db, "grusse", 10)] == []
    assert [hit.excerpt for hit in queries.search(db, "kairo", 1)] == ["Grüße aus [Kairo]"]


@pytest.mark.parametrize(
    "text", ["", '"', "a OR", "NEAR(", "text:", "fox*", "-fox", "'; DROP", "(", "\0", "^", "ö ß _"]
)
def test_no_text_is_query_syntax(db: sqlite3.Connection, text: str) -> None:
    _said(db, "a red fox")
    assert len(queries.search(db, text, 10)) <= 1


def test_counts_of_an_empty_store(db: sqlite3.Connection) -> None:
    counts = queries.counts(db)
    assert (counts.received, counts.pending, counts.unaccounted, queries.sessions_known(db)) == (0, 0, 0, 0)


def test_a_lost_row_shows_as_unaccounted(db: sqlite3.Connection) -> None:
    accept(db, event("a"), event("b"))
    db.execute("DELETE FROM inbox WHERE row_id = 1")
    assert queries.counts(db).unaccounted == 1


def test_hot_reads_scan_no_table(db: sqlite3.Connection) -> None:
    asked: list[str] = []
    accept(db, event())
    do(db, Close(1, "denied", "", 1.0))
    db.set_trace_callback(asked.append)
    queries.accepted_chats(db)
    queries.accepted_of(db, [CHAT], 100)
    queries.open_sessions(db)
    queries.open_work(db, KEY, 100)
    queries.any_open(db, [1])
    queries.line_behind(db, KEY, TURN, [1])
    queries.history(db, KEY, STRETCH, 5)
    queries.open_lanes(db)
    queries.next_open_row(db, *CHAT)
    queries.outbox_counts(db)
    db.set_trace_callback(None)
    assert len(asked) == 12
    for statement in asked:
        plan = [detail for *_, detail in db.execute(f"EXPLAIN QUERY PLAN {statement}")]
        scans = [step for step in plan if step.startswith("SCAN") and "subquery" not in step]
        assert not [step for step in scans if "INDEX" not in step and "CONSTANT" not in step], (
            statement,
            plan,
        )


def test_what_has_ended_without_an_answer_is_found(db: sqlite3.Connection) -> None:
    stopped, waits, dropped = accept(db, event("a"), event("b"), event("c"))
    do(db, route(stopped))
    do(db, StopTurn(KEY, "command:stop", 104.0))
    do(db, route(waits))
    do(db, Close(dropped, "ignored", "ignored:hook", 104.0, (), keep_text=False))
    mine = CHAT[:2]

    assert queries.unanswered(db, *mine, [stopped, waits, dropped]) == {stopped, dropped}
    assert queries.unanswered(db, *mine, [waits]) == frozenset()
    assert queries.unanswered(db, "other", "default", [stopped]) == frozenset()


def test_what_was_merged_is_answered_with_what_took_it_over(db: sqlite3.Connection) -> None:
    (first,), record = in_turn(db, event("a"))
    (second,) = accept(db, event("b"))
    do(db, route(second))
    do(db, Interrupt(KEY, TURN, (second,)))
    assert queries.unanswered(db, *CHAT[:2], [first, second]) == frozenset()

    do(db, take(second))
    record = queries.session(db, KEY)
    assert record is not None
    assert do(db, finish(record.generation, second))  # its answer is on its way
    assert queries.unanswered(db, *CHAT[:2], [first, second]) == frozenset()

    db.execute("UPDATE outbox SET state = 'sent'")
    assert queries.unanswered(db, *CHAT[:2], [first, second]) == {first}
