"""Erasing somebody: nothing of what they said is left, neither in a table nor in the file, and every count holds."""

import sqlite3
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import pytest
from store_kit import accept, do, event, finish, route, take

from hermes.cron.names import run_name
from hermes.sessions.keys import KeyRules, build_session_key
from hermes.store import cron as reads
from hermes.store import direct, identity, people, personal, queries
from hermes.store.cron_ops import Claim, EndRun
from hermes.store.keeping_ops import AddNote
from hermes.store.ops import Accept, AddStep, Enqueue, LogEvents, Undecodable
from hermes.store.people_ops import Audit, Erased, Forget, Link, PutLinkCode, Side, Unlink, UseLinkCode
from hermes.store.schema import open_writer
from hermes.store.scrub import is_due
from hermes.types.agent import Step
from hermes.types.content import Outbound
from hermes.types.errors import GatewayError
from hermes.types.ids import BootId, DeliveryId, SessionId, SessionKey, TraceId, TurnId
from hermes.types.origin import ITSELF, Origin
from hermes.types.people import UserRef
from hermes.types.records import TranscriptLine

ANN_T, ANN_D = UserRef("telegram", "default", "1001"), UserRef("discord", "default", "2002")
BOB = UserRef("telegram", "default", "3003")
A_KEY = SessionKey("agent:main:telegram:dm:1001")
D_KEY = SessionKey("agent:main:discord:dm:77")
B_KEY = SessionKey("agent:main:telegram:dm:3003")
OWN_GROUP = SessionKey("agent:main:telegram:group:-5:1001")
TEAM = SessionKey("agent:main:telegram:group:-9")

SECRET = "zqxannspoke"
"""Stands in everything Ann wrote and was told, and nowhere else."""

OTHERS = "bobsword"

_NAMES = count(1)


def same(user: UserRef) -> UserRef:
    return user


def say(
    db: sqlite3.Connection, user: UserRef, key: SessionKey, words: str, chat: str, chat_type: str = "dm"
) -> TurnId:
    """A message and its answer, with a step and a note by the way."""
    name = f"e{next(_NAMES)}"
    origin = Origin(user.platform, chat, account=user.account, user_id=user.user_id, chat_type=chat_type)
    came = replace(
        event(name, text=f"{words} asks", reply_to_text=f"{words} quotes"), origin=origin, trace=TraceId(name)
    )
    (row,) = accept(db, came)
    user_id = user.user_id if chat_type == "dm" else None
    do(db, route(row, key, origin=origin, new_session_id=SessionId(f"s-{key}"), user_id=user_id))
    turn = TurnId(f"turn-{row}")
    record = do(db, take(row, turn_id=turn, key=key))
    seq = db.execute("SELECT seq FROM inbox WHERE row_id = ?", (row,)).fetchone()[0]
    do(db, AddStep(key, record.generation, turn, 0, Step("result", "look", f"{words} step"), 101.0))
    do(db, AddNote(f"{turn}/0", f"{words} note", 101.0))
    lines = (
        TranscriptLine("user", f"{words} asks", 100.0, turn, seq),
        TranscriptLine("assistant", f"{words} hears", 103.0, turn),
    )
    answer = Outbound(
        DeliveryId(f"{turn}:0"), user.platform, user.account, chat, f"{words} hears", trace=TraceId(name)
    )
    assert do(
        db,
        finish(
            record.generation,
            row,
            session_key=key,
            session_id=record.session_id,
            turn_id=turn,
            transcript=lines,
            outbound=(answer,),
        ),
    )
    return turn


def populate(db: sqlite3.Connection) -> None:
    say(db, ANN_D, D_KEY, f"{SECRET} before", "77")
    first, second = Side(ANN_T, A_KEY, False, "1001"), Side(ANN_D, D_KEY, False, "77")
    do(db, Link(first, second, "p1", "Ann", True, "operator", 105.0))
    say(db, ANN_T, A_KEY, SECRET, "1001")
    say(db, ANN_D, A_KEY, f"{SECRET} there", "77")
    say(db, ANN_T, OWN_GROUP, f"{SECRET} alone", "-5", "group")
    say(db, ANN_T, TEAM, f"{SECRET} among", "-9", "group")
    say(db, BOB, TEAM, OTHERS, "-9", "group")
    say(db, BOB, B_KEY, OTHERS, "3003")
    # What is open, what was never decided, what could not be read, what was only asked for.
    waiting = replace(event("w", text=f"{SECRET} waits"), origin=Origin("telegram", "1001", user_id="1001"))
    (row,) = accept(db, waiting)
    do(db, route(row, A_KEY, origin=waiting.origin, user_id="1001"))
    accept(db, replace(event("v", text=f"{SECRET} new"), origin=waiting.origin))
    do(db, Undecodable("telegram", "default", "raw", b"{from: 1001, text: " + SECRET.encode() + b"}", 106.0))
    do(db, Enqueue(Outbound(DeliveryId("n"), "telegram", "default", "1001", f"{SECRET} notice"), 106.0))
    do(db, PutLinkCode("c", "aa", "h", first, None, 106.0, 900.0))
    do(db, UseLinkCode(BOB, None, None, 106.0))
    do(db, Audit("operator", "approve", "telegram:1001", "by code", 106.0))


def found(db: sqlite3.Connection) -> personal.Traces:
    (person,) = people.persons(db)
    return personal.traces(db, [member.ref for member in person.members], person, same)


def everything(db: sqlite3.Connection) -> str:
    """All that stands in the tables, and all words of the search index."""
    tables = [
        name
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%_fts%'"
        )
    ]
    return repr([db.execute(f"SELECT * FROM {name}").fetchall() for name in tables])


def test_the_traces_are_what_is_theirs_alone_and_their_part_of_the_rest(db):
    populate(db)
    traces = found(db)
    assert set(traces.keys) == {A_KEY, D_KEY, OWN_GROUP}
    assert set(traces.chats) == {("telegram", "default", "1001"), ("discord", "default", "77")}
    texts = db.execute(
        f"SELECT text FROM inbox WHERE row_id IN ({','.join(map(str, traces.rows))})"
    ).fetchall()
    assert len(texts) == 7
    assert all(SECRET in text for (text,) in texts)
    assert len(traces.raw) == 1


def test_the_chat_of_a_conversation_is_theirs_when_its_messages_are_over_and_gone(db):
    populate(db)
    db.execute("DELETE FROM inbox")

    theirs = personal.traces(db, [BOB], None, same)

    assert theirs.chats == (("telegram", "default", "3003"),)
    assert do(db, Forget(theirs, "telegram:3003", "operator", 200.0)).answers == 1


def test_forget_leaves_nothing_of_them_and_all_of_the_others(db):
    populate(db)
    before = queries.counts(db)
    rows = db.execute("SELECT count(*) FROM inbox").fetchone()
    erased = do(db, Forget(found(db), "p1", "operator", 300.0))
    assert erased == Erased(messages=8, answers=6, lines=10, sessions=3, notes=5, approvals=0, links=2)
    left = everything(db)
    assert SECRET not in left
    assert OTHERS in left
    for name in ("1001", "2002", "p1"):
        assert name not in repr(
            [
                db.execute(f"SELECT * FROM {t}").fetchall()
                for t in (
                    "identities",
                    "persons",
                    "sessions",
                    "stretches",
                    "link_codes",
                    "link_attempts",
                    "outbox",
                    "inbox",
                )
            ]
        )
    after = queries.counts(db)
    assert (after.received, after.unaccounted, before.unaccounted) == (before.received, 0, 0)
    assert db.execute("SELECT count(*) FROM inbox").fetchone() == rows
    assert (after.pending, after.stopped - before.stopped) == (0, 2)
    assert queries.search(db, SECRET, 9) == []
    assert len(queries.search(db, OTHERS, 9)) == 4
    assert [(line.role, line.text) for line in queries.history(db, TEAM, SessionId(f"s-{TEAM}"), 9)] == [
        ("user", f"{OTHERS} asks"),
        ("assistant", f"{OTHERS} hears"),
    ]
    assert db.execute("SELECT user_id FROM link_attempts").fetchall() == [("3003",)]


def test_what_was_forgotten_is_not_taken_for_new_and_no_name_of_it_is_left(db):
    names = ("1001:17", "chat:1001/18")
    came = [
        replace(event(name, text=SECRET), origin=Origin("telegram", "1001", user_id="1001")) for name in names
    ]
    accept(db, *came)
    do(db, Undecodable("telegram", "default", "raw:1001", b"1001", 106.0))
    bob = replace(event("3003:1"), origin=Origin("telegram", "3003", user_id="3003"))
    accept(db, bob)
    do(db, Forget(personal.traces(db, [ANN_T], None, same), "somebody", "operator", 300.0))
    assert "1001" not in everything(db)
    before = queries.counts(db)
    again = do(db, Accept((*came, bob, replace(bob, event_id="3003:2"))))
    assert [one.duplicate for one in again] == [True, True, True, False]
    assert do(db, Undecodable("telegram", "default", "raw:1001", b"1001", 106.0)).duplicate
    assert queries.counts(db).received == before.received + 1
    assert db.execute("SELECT count(*) FROM inbox WHERE text = ?", (SECRET,)).fetchone() == (0,)


def test_what_is_told_of_their_actors_goes_and_of_no_other_whose_name_begins_alike(db):
    def told(path: str) -> dict[str, object]:
        return {"at": 1.0, "kind": "exited", "path": path, "incarnation": 1}

    lanes, sessions = "root/gateway/delivery/lanes/telegram:default", "root/gateway/sessions"
    theirs = [
        f"{lanes}:1001",
        f"{sessions}/{A_KEY}",
        f"{sessions}/{A_KEY}/turn",
        "root/gateway/inbound/telegram:default:1001",
    ]
    others = [f"{lanes}:10011", f"{sessions}/{B_KEY}", "root/gateway"]
    say(db, ANN_T, A_KEY, SECRET, "1001")
    do(db, LogEvents(tuple(map(told, (*theirs, *others)))))
    do(db, Forget(personal.traces(db, [ANN_T], None, same), "somebody", "operator", 300.0))
    assert [one["path"] for one in queries.last_events(db, 99)] == others


def test_who_is_linked_with_them_between_the_look_and_the_end_is_nobody_with_a_dead_link(db):
    populate(db)
    traces = found(db)
    first, bob = Side(ANN_T, A_KEY, False, "1001"), Side(BOB, B_KEY, False, "3003")
    assert do(db, Link(first, bob, "p2", None, False, "operator", 299.0)) == "p1"
    do(db, Forget(traces, "p1", "operator", 300.0))
    assert people.persons(db) == []
    other = Side(UserRef("discord", "default", "9"), D_KEY, False, "9")
    assert do(db, Link(bob, other, "p3", None, False, "operator", 301.0)) == "p3", "bob can be linked anew"
    assert do(db, Unlink(BOB, "operator", 302.0))


def test_nobody_retries_or_is_told_what_was_forgotten(db):
    populate(db)
    do(db, Forget(found(db), "p1", "operator", 300.0))
    assert queries.open_lanes(db) == [("telegram", "default", "-9"), ("telegram", "default", "3003")]
    assert queries.accepted_chats(db) == []
    assert queries.open_sessions(db) == {}


def test_the_audit_says_that_it_was_done_and_of_whom_no_more(db):
    populate(db)
    do(db, Forget(found(db), "somebody", "operator", 300.0))
    log = people.audit(db, 9)
    assert [(one["action"], one["subject"]) for one in log] == [
        ("forget", "somebody"),
        ("approve", "(forgotten)"),
        ("link", "(forgotten)"),
    ]
    assert "1001" not in repr(log)


def test_who_left_a_shared_conversation_takes_their_own_words_along_and_nobody_elses(db):
    from hermes.store.people_ops import Unlink

    first, second = Side(ANN_T, A_KEY, False, "1001"), Side(ANN_D, D_KEY, False, "77")
    do(db, Link(first, second, "p1", "", True, "operator", 105.0))
    say(db, ANN_T, A_KEY, OTHERS, "1001")
    say(db, ANN_D, A_KEY, SECRET, "77")
    do(db, Unlink(ANN_D, "operator", 110.0))
    do(db, Forget(personal.traces(db, [ANN_D], None, same), "discord:2002", "operator", 300.0))
    assert SECRET not in everything(db)
    assert len(queries.search(db, OTHERS, 9)) == 2


def test_somebody_who_writes_again_begins_at_the_beginning(db):
    populate(db)
    do(db, Forget(found(db), "p1", "operator", 300.0))
    say(db, ANN_T, A_KEY, "again", "1001")
    assert queries.session(db, A_KEY).last_seq == 1
    assert [line.text for line in queries.history(db, A_KEY, SessionId(f"s-{A_KEY}"), 9)] == [
        "again asks",
        "again hears",
    ]


def test_the_export_is_everything_they_said_and_were_told_and_nothing_of_the_others(db):
    populate(db)
    (person,) = people.persons(db)
    document = personal.export(db, found(db), person)
    assert document["person"]["name"] == "Ann"
    assert document["users"] == ["telegram:1001", "discord:2002"]
    assert {one["session"]["session_key"]: len(one["lines"]) for one in document["sessions"]} == {
        A_KEY: 4,
        D_KEY: 2,
        OWN_GROUP: 2,
    }
    assert len(document["messages"]) == 7
    assert all(SECRET in one["event"]["text"] for one in document["messages"])
    assert [one["text"] for one in document["notes"]] == [
        f"{SECRET}{more} note" for more in (" before", "", " there", " alone", " among")
    ]
    assert len(document["outbox"]) == 6
    assert OTHERS not in repr(document)


def test_ids_of_several_forms_are_found_in_each(db):
    def fold(user: UserRef) -> UserRef:
        return replace(user, user_id=user.user_id.casefold())

    mail = UserRef("email", "default", "ann@x.org")
    say(
        db,
        replace(mail, user_id="Ann@X.org"),
        SessionKey("agent:main:email:dm:Ann@X.org"),
        SECRET,
        "Ann@X.org",
    )
    do(db, Forget(personal.traces(db, [mail], None, fold), "email:ann@x.org", "operator", 300.0))
    assert SECRET not in everything(db)


# --- jobs --------------------------------------------------------------------------------------------------------------------


def made_in(user: UserRef, job_id: str, chat: str, **more: object) -> dict[str, object]:
    origin = {"platform": user.platform, "chat_id": chat, "user_id": user.user_id} | more
    return {"id": job_id, "name": f"{job_id}'s", "origin": origin}


def ran(db: sqlite3.Connection, job_id: str, words: str, *, state: str = "ok") -> None:
    """A firing that has been answered, and whose words are on their way into a group."""
    due_at = 100.5
    (run,) = do(db, Claim(job_id, f"{words} job", 0.0, (due_at,), None, BootId("b"), 101.0)).runs
    itself = UserRef(ITSELF, "default", "")
    say(db, itself, build_session_key(Origin(ITSELF, job_id)), words, job_id)
    told = Outbound(DeliveryId(f"{run_name(job_id, due_at)}:0"), "telegram", "default", "-9", f"{words} told")
    do(db, Enqueue(told, 102.0))
    if state == "ok":
        do(db, EndRun(run.run_id, "ok", 103.0, "", "pending", "", (told.delivery_id,), f"/{words}.md"))


def test_the_jobs_that_they_made_go_with_their_runs_and_what_those_said_anywhere(db):
    populate(db)
    ran(db, "ann", SECRET)
    ran(db, "ann2", SECRET, state="open")
    ran(db, "an", OTHERS)
    jobs = [
        made_in(ANN_T, "ann", "-9", chat_type="group"),
        {"id": "ann2", "origin": {"platform": "discord", "chat_id": 77}},
        made_in(BOB, "an", "3003"),
        {"id": "operators"},
        {"id": "elsewhere", "origin": {"platform": "discord", "chat_id": 78}},
    ]
    world = identity.World(lambda _: str, KeyRules(), "per_person")

    erase, whom = identity.forget(db, "telegram:1001", world, {}, jobs, 300.0)
    assert erase.traces.jobs == ("ann", "ann2")
    assert list(filter(identity.made_by(whom, erase.traces.chats, world), jobs)) == jobs[:2]
    outline = identity.outline(db, "telegram:1001", world, {}, jobs)
    assert (outline["sessions"], outline["jobs"]) == (3, ["ann's", "ann2"])
    exported = identity.export(db, "telegram:1001", world, {}, jobs)
    assert exported["jobs"] == jobs[:2]
    assert {one["session"]["session_key"] for one in exported["sessions"]} > {"agent:main:cron:dm:ann"}

    erased = do(db, erase)
    assert (erased.runs, erased.sessions) == (2, 5)
    assert SECRET not in everything(db)
    assert [one["job_id"] for one in reads.runs(db, None, 9)] == ["an"]
    assert reads.pending(db)[0].job_id == "an"
    assert f"{OTHERS} told" in everything(db)


def test_somebody_of_whom_nothing_but_jobs_is_left_is_known(db):
    world = identity.World(lambda _: str, KeyRules(), "per_person")
    erase, _ = identity.forget(db, "telegram:1001", world, {}, [made_in(ANN_T, "../x", "1001")], 300.0)
    assert erase.traces.jobs == ()  # one without a good id has never run
    with pytest.raises(GatewayError, match="nothing is known"):
        identity.forget(db, "telegram:1001", world, {}, [made_in(BOB, "b", "3003")], 300.0)


# --- the file ---------------------------------------------------------------------------------------------------------------


def raw(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(path.name))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with enough in it that pages were split, and with rows that were deleted before."""
    path = tmp_path / "gateway.db"
    db = open_writer(path)
    db.execute("PRAGMA synchronous = OFF")
    populate(db)
    for n in range(150):
        say(db, ANN_T, A_KEY, f"{SECRET}{n} {'x' * (n * 7 % 900)}", "1001")
        say(db, BOB, B_KEY, f"{OTHERS}{n}", "3003")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert SECRET.encode() in raw(path)
    return path


def test_nothing_of_the_text_is_left_in_the_file_nor_in_its_log(path):
    with direct.writing(path) as db:
        traces = found(db)
        direct.write(db, Forget(traces, "p1", "operator", 300.0))
        assert not is_due(db)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert SECRET.encode() not in raw(path)
    assert SECRET.encode() not in raw(path)
    assert OTHERS.encode() in raw(path)


def test_what_a_kill_has_left_in_the_free_space_goes_at_the_next_start(path):
    db = open_writer(path)
    do(db, Forget(found(db), "p1", "operator", 300.0))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    assert SECRET.encode() in raw(path), (
        "without this the test proves nothing: an erased row leaves its bytes behind"
    )

    start_and_stop(path)
    assert SECRET.encode() not in raw(path)
    db = open_writer(path)
    assert not is_due(db)
    db.close()


def test_a_reader_that_stands_in_the_way_only_puts_it_off(path, monkeypatch):
    from hermes.store import schema

    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 0.1)
    reader = schema.open_reader(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM inbox").fetchall()
    with direct.writing(path) as db:
        direct.write(db, Forget(found(db), "p1", "operator", 300.0))
        assert is_due(db)
    reader.close()
    start_and_stop(path)
    assert SECRET.encode() not in raw(path)


def start_and_stop(path: Path) -> None:
    """As a gateway does."""
    import threading

    from hermes.store.backlog import Backlog
    from hermes.store.writer import Ended, WriterThread

    ended = threading.Event()
    reports = []

    def report(news: object) -> None:
        reports.append(news)
        if isinstance(news, Ended):
            ended.set()

    writer = WriterThread(path, Backlog(), report)
    writer.start()
    writer.stop()
    assert ended.wait(20)
    assert asdict(reports[-1])["error"] is None


def test_of_one_conversation_nothing_of_another_is_found(db: sqlite3.Connection) -> None:
    populate(db)
    assert queries.search(db, SECRET, 9, B_KEY) == []
    assert {hit.session_key for hit in queries.search(db, OTHERS, 9, B_KEY)} == {B_KEY}
    assert [note.text for note in queries.notes(db, B_KEY)] == [f"{OTHERS} note"]
    assert len(queries.notes(db)) > len(queries.notes(db, A_KEY)) > 1
