"""What is over goes, in slices; what is open, or what others hang on, stays; and every count holds."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from store_kit import BOOT, KEY, accept, do, event, in_turn, outbound, route, states, take

from hermes.store import personal, queries, stretches
from hermes.store.keeping_ops import AddNote
from hermes.store.ops import Accept, Close, Enqueue, FinishTurn, Receipt, Sending, Unsent
from hermes.store.outbox_ops import Retry
from hermes.store.people_ops import Audit
from hermes.store.retention import Ages, over
from hermes.store.schema import open_writer
from hermes.store.upkeep_ops import SLICE_ROWS, Kind, Name, Prune
from hermes.types.content import Outbound
from hermes.types.ids import DeliveryId, SessionId, SessionKey, TurnId
from hermes.types.origin import Origin
from hermes.types.people import UserRef
from hermes.types.records import TranscriptLine

DAY_S = 86_400.0
NOW = 1_000.0 * DAY_S
MONTH = NOW - 30 * DAY_S
AGES = Ages(MONTH, MONTH, MONTH, 0.0, MONTH, MONTH, NOW - 8 * DAY_S)
KINDS: tuple[Kind, ...] = ("journey", "words", "inbox", "outbox", "approvals", "audit", "dedupe", "forgotten")
OLD, NEW = NOW - 31 * DAY_S, NOW - DAY_S


def walk(
    db: sqlite3.Connection, kind: Kind, ages: Ages = AGES, history: Sequence[str] = ()
) -> Iterator[tuple[Name, ...]]:
    """The slices that the actor would hand in."""
    after: Name | None = None
    while names := over(db, kind, ages, history, after):
        yield from (tuple(names[n : n + SLICE_ROWS]) for n in range(0, len(names), SLICE_ROWS))
        after = names[-1]


def prune(db: sqlite3.Connection, ages: Ages = AGES, history: Sequence[str] = ()) -> dict[str, int]:
    return {
        kind: sum(do(db, Prune(kind, names)) for names in walk(db, kind, ages, history))
        for kind in ("journey", "transcript", *KINDS[1:])
    }


def answered(db: sqlite3.Connection, name: str, at: float, **more: object) -> int:
    """A message with its answer, which has arrived."""
    ((row,), record) = in_turn(db, event(name, received_at=at, text="asked"))
    lines = (
        TranscriptLine("user", "asked", at, seq=record.last_seq),
        TranscriptLine("assistant", "said", at),
    )
    said = outbound(f"d-{name}", "said")
    finished = FinishTurn(
        KEY,
        record.session_id,
        record.generation,
        TurnId("turn-1"),
        (row,),
        "answered",
        "",
        lines,
        (said,),
        at,
        at,
    )
    assert do(db, finished)
    db.execute("UPDATE inbox SET turn_id = ? WHERE row_id = ?", (f"turn-{name}", row))
    db.execute("UPDATE transcript SET turn_id = ? WHERE turn_id = 'turn-1'", (f"turn-{name}",))
    db.execute("UPDATE journey SET at = ? WHERE row_id = ?", (at, row))
    (out,) = db.execute("SELECT row_id FROM outbox WHERE delivery_id = ?", (f"d-{name}",)).fetchone()
    do(db, Sending(out, BOOT, 1, at))
    do(db, Receipt(out, 0, 1, f"m-{name}", at))
    return row


def test_what_is_old_and_over_goes_and_every_count_stays(db: sqlite3.Connection) -> None:
    old = answered(db, "old", OLD)
    denied, waits = accept(db, event("denied", received_at=OLD), event("waits", received_at=OLD))
    do(db, Close(denied, "denied", "access", OLD))
    db.execute("UPDATE journey SET at = ? WHERE row_id = ?", (OLD, denied))
    new = answered(db, "new", NEW)
    before = queries.counts(db)

    gone = prune(db)

    assert queries.counts(db) == before
    assert (before.unaccounted, before.pending) == (0, 1)
    assert (gone["journey"], gone["words"], gone["inbox"], gone["outbox"]) == (4, 1, 1, 1)
    kept = db.execute("SELECT row_id, text, emptied FROM inbox ORDER BY row_id").fetchall()
    assert kept == [(old, "", 1), (waits, "hello", 0), (new, "asked", 0)]
    assert db.execute("SELECT delivery_id FROM outbox").fetchall() == [("d-new",)]
    assert db.execute("SELECT count(*) FROM receipts").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM transcript").fetchone() == (4,)
    assert prune(db) == dict.fromkeys(gone, 0)


def test_nothing_that_is_open_is_touched_whatever_its_age(db: sqlite3.Connection) -> None:
    (waits,) = accept(db, event("waits", received_at=OLD))
    (routed,) = accept(db, event("routed", received_at=OLD))
    do(db, route(routed))
    (working,) = accept(db, event("working", received_at=OLD))
    do(db, route(working))
    do(db, take(working, turn_id=TurnId("turn-w")))
    db.execute("UPDATE journey SET at = ?", (OLD,))
    for n, state in enumerate(("prepared", "retry", "unknown")):
        do(db, Enqueue(outbound(f"d{n}"), OLD))
        db.execute("UPDATE outbox SET state = ?, changed_at = ? WHERE delivery_id = ?", (state, OLD, f"d{n}"))
    everything = list(db.iterdump())
    assert all(not over(db, kind, AGES, (), None) for kind in KINDS if kind != "dedupe")
    gone = prune(db)
    assert gone == {**dict.fromkeys(gone, 0), "dedupe": 3}
    assert states(db) == ["accepted", "routed", "in_turn"]
    assert [line for line in everything if '"dedupe"' not in line] == [
        line for line in db.iterdump() if '"dedupe"' not in line
    ]
    assert (waits, routed, working) == (1, 2, 3)


def test_what_people_read_from_our_store_lasts_as_long_as_the_transcripts(db: sqlite3.Connection) -> None:
    answered(db, "old", OLD)
    (told,) = accept(db, event("refused", received_at=OLD))
    do(db, Close(told, "refused", "refused:sessions", OLD))
    answered(db, "new", NEW)
    gone = prune(db, history=("webchat",))
    assert (gone["words"], gone["inbox"], gone["outbox"]) == (0, 0, 0)
    gone = prune(db, replace(AGES, transcripts=MONTH), history=("webchat",))
    assert (gone["transcript"], gone["words"], gone["inbox"], gone["outbox"]) == (2, 1, 1, 1)
    gone = prune(db, replace(AGES, transcripts=MONTH + DAY_S), history=("webchat",))
    assert gone["inbox"] == 1  # a day after its lines


def test_a_message_with_a_note_of_its_turn_stays_with_the_note(db: sqlite3.Connection) -> None:
    answered(db, "old", OLD)
    answered(db, "new", NEW)
    do(db, AddNote("turn-old/0", "milk", OLD))
    prune(db, replace(AGES, transcripts=NOW - 2 * DAY_S))
    assert [note.text for note in queries.notes(db, KEY)] == ["milk"]


def test_a_dead_letter_that_is_sent_again_meanwhile_stays(db: sqlite3.Connection) -> None:
    for name in ("d1", "d2", "newest"):
        do(db, Enqueue(outbound(name), OLD))
        (row,) = db.execute("SELECT row_id FROM outbox WHERE delivery_id = ?", (name,)).fetchone()
        do(db, Sending(row, BOOT, 1, OLD))
        do(db, Unsent(row, "dead", 0.0, "forbidden", OLD))
    names = over(db, "outbox", AGES, (), None)
    assert names == [1, 2]
    assert do(db, Retry(2, NOW, NOW + 60.0))
    assert do(db, Prune("outbox", tuple(names))) == 1
    assert states(db, "outbox") == ["prepared", "dead"]


def test_dead_letters_have_an_age_of_their_own(db: sqlite3.Connection) -> None:
    for name in ("d1", "newest"):
        do(db, Enqueue(outbound(name), OLD))
    db.execute("UPDATE outbox SET state = 'dead', changed_at = ?", (OLD,))
    assert over(db, "outbox", replace(AGES, dead_letters=OLD - 1.0), (), None) == []
    assert over(db, "outbox", replace(AGES, deliveries=0.0), (), None) == [1]


def test_an_age_of_nought_is_for_ever(db: sqlite3.Connection) -> None:
    answered(db, "old", OLD)
    answered(db, "new", NEW)
    do(db, Audit("operator", "approve", "telegram:1", "", OLD))
    gone = prune(db, Ages(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, NOW - 8 * DAY_S))
    assert gone == {**dict.fromkeys(gone, 0), "dedupe": 1}


def test_the_numbers_of_messages_are_never_given_twice(db: sqlite3.Connection) -> None:
    for n in range(3):
        (row,) = accept(db, event(f"e{n}", received_at=OLD))
        do(db, Close(row, "denied", "access", OLD))
        do(db, Enqueue(outbound(f"d{n}"), OLD))
    db.execute("UPDATE outbox SET state = 'sent', changed_at = ?", (OLD,))
    prune(db)
    assert accept(db, event("next", received_at=NOW)) == [4]
    do(db, Enqueue(outbound("next"), NOW))
    assert db.execute("SELECT max(row_id) FROM outbox").fetchone() == (4,)


def test_a_second_copy_is_known_for_eight_days(db: sqlite3.Connection) -> None:
    accept(db, event("old", received_at=NOW - 8.1 * DAY_S), event("new", received_at=NOW - 7.9 * DAY_S))
    assert prune(db)["dedupe"] == 1
    assert [a.duplicate for a in do(db, Accept((event("old"), event("new"))))] == [False, True]


def test_who_wrote_a_message_without_words_is_still_found_to_be_forgotten(db: sqlite3.Connection) -> None:
    ann = UserRef("webchat", "default", "ann")
    asked = replace(
        event("old", received_at=OLD), origin=Origin("webchat", "team", user_id="ann", chat_type="group")
    )
    (row,) = accept(db, asked)
    do(db, route(row, origin=asked.origin, key=SessionKey("team"), new_session_id=SessionId("s")))
    do(db, take(row, key=SessionKey("team")))
    do(db, Close(row, "answered", "", OLD))
    db.execute("UPDATE inbox SET state = 'answered'")
    accept(db, event("new", received_at=NEW))
    assert prune(db)["words"] == 1
    assert personal.traces(db, [ann], None, lambda user: user).rows == (row,)


def test_a_question_whose_words_are_gone_is_not_asked_again(db: sqlite3.Connection) -> None:
    answered(db, "old", OLD)
    answered(db, "new", NEW)
    assert stretches.last_said(db, KEY) is not None
    prune(db, replace(AGES, messages=NOW))
    assert stretches.last_said(db, KEY) is None


def test_what_is_dated_is_not_read_behind_the_first_that_is_too_young(db: sqlite3.Connection) -> None:
    for n in range(50):
        db.execute("INSERT INTO audit (at, actor, action) VALUES (?, 'o', 'a')", (OLD + n * DAY_S,))
    names = over(db, "audit", replace(AGES, audit=OLD + 20 * DAY_S), (), None)
    assert names == list(range(1, 21))
    db.execute("INSERT INTO audit (at, actor, action) VALUES (?, 'o', 'out of its order')", (OLD,))
    assert over(db, "audit", replace(AGES, audit=OLD + 20 * DAY_S), (), None) == names
    db.execute("DELETE FROM audit WHERE audit_id BETWEEN 5 AND 15")
    assert over(db, "audit", replace(AGES, audit=OLD + 20 * DAY_S), (), 3) == [4, *range(16, 21)]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_of_200_000_rows_no_slice_holds_up_the_writer(tmp_path: Path) -> None:
    """By the time of the writer's thread: how long the disk takes for a commit is no matter of its size."""
    db = open_writer(tmp_path / "gateway.db")
    fill(db, 200_000)
    took = []
    for kind in ("journey", "transcript", *KINDS[1:]):
        for names in walk(db, kind, replace(AGES, transcripts=MONTH)):
            begun = time.thread_time()
            do(db, Prune(kind, names))
            took.append(time.thread_time() - begun)
    assert sorted(took)[len(took) * 99 // 100] < 0.020
    assert db.execute("SELECT count(*) FROM transcript").fetchone() == (0,)
    db.close()


def fill(db: sqlite3.Connection, rows: int) -> None:
    """Messages with answers, as they stand after months."""
    from hermes.store.codec import encode_event, encode_outbound

    payload = encode_event(event("x", received_at=OLD))
    sent = encode_outbound(Outbound(DeliveryId("x"), "telegram", "default", "1", ""))
    db.execute("BEGIN")
    for n in range(rows):
        name, chat, words = f"e{n}", str(n % 500), "some words of a message " * 6
        db.execute(
            "INSERT INTO inbox (platform, account, chat_id, event_id, trace, received_at, state, session_key, session_id, seq,"
            " turn_id, text, event) VALUES ('telegram', 'default', ?, ?, ?, ?, 'answered', ?, 's', ?, ?, ?, ?)",
            (chat, name, name, OLD, f"k{chat}" if n % 4 else None, n, f"t{n}", words, payload),
        )
        db.execute("INSERT INTO journey VALUES (?, ?, 'answered', 'dm', NULL, NULL, NULL)", (n + 1, OLD))
        db.execute(
            "INSERT INTO transcript (session_key, session_id, role, text, at, turn_id) VALUES (?, 's', 'user', ?, ?, ?)",
            (f"k{chat}", words, OLD, f"t{n}"),
        )
        db.execute(
            "INSERT INTO outbox (delivery_id, platform, account, chat_id, trace, state, created_at, changed_at, secret, text,"
            " message) VALUES (?, 'telegram', 'default', ?, '', 'sent', ?, ?, 0, ?, ?)",
            (name, chat, OLD, OLD, words, sent),
        )
        db.execute(
            "INSERT INTO receipts (outbox_row_id, part, message_id, at) VALUES (?, 0, 'm', ?)", (n + 1, OLD)
        )
    db.execute("UPDATE dedupe SET at = ?", (OLD,))
    db.execute("COMMIT")


@pytest.mark.parametrize(
    ("kind", "last"), [("words", 7), ("outbox", 7), ("approvals", "a"), ("forgotten", b"a")]
)
def test_the_next_piece_begins_where_the_last_one_ended(db: sqlite3.Connection, kind: Kind, last: Name):
    """What stays is read once, and not again with each piece."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    over(db, kind, AGES, (), last)
    db.set_trace_callback(None)

    (detail, *_) = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    assert detail.startswith("SEARCH")
    assert ">?" in detail
