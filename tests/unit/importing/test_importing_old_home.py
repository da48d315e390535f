"""What is found in a home, whole or broken: what can be read is read, a line names the file, and nothing there is touched."""

import os
import sqlite3
from contextlib import closing

import pytest
from old_kit import (
    ANN,
    FIRST,
    MESSAGES_0_13,
    SECOND,
    SESSIONS_0_13,
    entry,
    message,
    mirror,
    prints,
    session,
    state,
    transcript,
)

from hermes.importing.old_home import old_home
from hermes.importing.takeover import steps
from hermes.store.import_ops import TakeLines


def look(home):
    """What was found, and the words that would be taken."""
    before = prints(home)
    with old_home(home) as old:
        ops = [step.op for step in steps(old, {})]
    assert prints(home) == before
    lines = [line for op in ops if isinstance(op, TakeLines) for line in op.lines]
    return old, [(line.session_id, line.line.role, line.line.text) for line in lines]


def findings(old, level):
    return [str(one) for one in old.findings if one.level == level]


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    state(
        made,
        [session(SECOND, session_key=ANN)],
        [message(SECOND, "user", "hello"), message(SECOND, "assistant", "hi")],
        routes=[(str(made / "sessions"), ANN, entry(SECOND))],
    )
    return made


SAID = [(SECOND, "user", "hello"), (SECOND, "assistant", "hi")]


def test_a_log_with_what_is_newest_is_read_and_left_as_it_is(home):
    with closing(sqlite3.connect(home / "state.db")) as writer:
        writer.execute(
            "INSERT INTO messages (session_id, role, content, timestamp) VALUES (?, 'user', 'newest', 9)",
            (SECOND,),
        )
        writer.commit()
        writer.execute("BEGIN IMMEDIATE")  # somebody writes, and what they write is not said yet
        writer.execute(
            "INSERT INTO messages (session_id, role, content, timestamp) VALUES (?, 'user', 'no', 9)",
            (SECOND,),
        )
        assert (home / "state.db-wal").stat().st_size

        old, lines = look(home)

        assert lines == [*SAID, (SECOND, "user", "newest")]
        assert old.messages == 3
        writer.rollback()


def test_reading_leaves_nothing_beside_a_database_that_rests(home):
    names = sorted(os.listdir(home))

    look(home)

    assert sorted(os.listdir(home)) == names == ["state.db"]


def test_routes_of_a_home_that_was_moved_are_used_with_a_remark(home):
    moved = home.rename(home.with_name("moved"))

    old, lines = look(moved)

    assert lines == SAID
    assert old.stretches[0].conversation.session_key == ANN
    (remark,) = findings(old, "remark")
    assert remark.startswith(f"{moved / 'state.db'}: its conversations are noted for {home / 'sessions'}: ")


def test_routes_of_this_directory_go_before_those_of_another(home):
    state(home, [session(FIRST, session_key=ANN)], routes=[("/elsewhere/sessions", ANN, entry(FIRST))])

    old, _ = look(home)

    assert {one.conversation.present for one in old.stretches} == {SECOND}


def test_the_mirror_with_its_note_a_mark_at_its_beginning_and_rows_that_are_none(tmp_path):
    path = mirror(
        tmp_path, {"_README": "a note", ANN: entry(FIRST), "agent:main:x:dm:1": 7, "nonsense": entry(SECOND)}
    )
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    transcript(tmp_path, FIRST, {"role": "user", "content": "hello"})

    old, lines = look(tmp_path)

    assert lines == [(FIRST, "user", "hello")]
    assert old.conversations == 1
    assert findings(old, "skipped") == [
        f"{path}: 'agent:main:x:dm:1': it is no entry; not used",
        f"{path}: 'nonsense': that is no key of a conversation; not used",
    ]


def test_a_mirror_that_is_cut_off_is_named_and_the_database_is_read(home):
    path = mirror(home, '{"agent:main:telegram:dm:99": {"session_id": "2026')

    old, lines = look(home)

    assert lines == SAID
    (words,) = findings(old, "unreadable")
    assert words.startswith(f"{path}: ")


def test_ids_that_lead_elsewhere_are_unsafe_and_nothing_is_read_there(tmp_path):
    home = tmp_path / "home"
    (tmp_path / "secret.jsonl").write_text('{"role": "user", "content": "secret"}\n')
    mirror(
        home,
        {
            ANN: entry("../../secret"),
            "agent:main:telegram:dm:1": entry("a/b"),
            "agent:main:telegram:dm:2": entry("C:x"),
        },
    )
    state(home, [session("../secret", session_key=ANN)], [message("../secret", "user", "x")])
    (home / f"sessions/{FIRST}.jsonl").symlink_to(tmp_path / "secret.jsonl")

    old, lines = look(home)

    assert (lines, old.stretches[1:]) == ([], [])
    unsafe = findings(old, "unsafe")
    assert len(unsafe) == 4
    assert all("would lead out of its directory" in words for words in unsafe)
    assert findings(old, "unreadable")[0].startswith(f"{home}/sessions/{FIRST}.jsonl: ")


@pytest.mark.parametrize("content", [b"", b"garbage" * 1_000, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_database_that_is_none_is_named_and_the_files_are_read(tmp_path, content):
    (tmp_path / "state.db").write_bytes(content)
    mirror(tmp_path, {ANN: entry(FIRST)})
    transcript(tmp_path, FIRST, {"role": "user", "content": "hello"})

    old, lines = look(tmp_path)

    assert lines == [(FIRST, "user", "hello")]
    words = [*findings(old, "unreadable"), *findings(old, "skipped")]
    assert words
    assert all(one.startswith(f"{tmp_path / 'state.db'}: ") for one in words)


def test_a_newer_schema_is_unsafe_and_read_as_far_as_it_is_known(tmp_path):
    state(tmp_path, [session(FIRST)], [message(FIRST, "user", "hello")], schema=23)

    old, lines = look(tmp_path)

    assert lines == [(FIRST, "user", "hello")]
    assert findings(old, "unsafe") == [
        f"{tmp_path / 'state.db'}: it has schema 23, and 22 is the newest that is known: what is called the same is read"
    ]


def test_columns_that_are_missing_cost_no_more_than_what_they_say(tmp_path):
    state(
        tmp_path,
        [{"id": FIRST, "kind": 1}],
        [{"id": 1, "session_id": FIRST, "role": "user", "content": "hello"}],
        session_columns="kind, id",
        message_columns="content, role, session_id, id INTEGER PRIMARY KEY",
    )
    assert look(tmp_path)[1] == [(FIRST, "user", "hello")]

    other = tmp_path / "other"
    state(other, [{"id": FIRST}], session_columns="id", message_columns="body")
    old, lines = look(other)
    assert (lines, len(old.stretches)) == ([], 1)
    assert findings(old, "skipped") == [
        f"{other / 'state.db'}: its table messages has no content, id, role, session_id: not read"
    ]


def test_the_longer_one_of_file_and_database_counts(tmp_path):
    old_columns = {"schema": 11, "session_columns": SESSIONS_0_13, "message_columns": MESSAGES_0_13}
    state(
        tmp_path,
        [session(FIRST), session(SECOND, 2_000.0)],
        [message(FIRST, "user", "db 1"), message(SECOND, "user", "db 2")],
        **old_columns,
    )
    transcript(tmp_path, FIRST, {"role": "user", "content": "db 1"}, {"role": "assistant", "content": "file"})
    transcript(tmp_path, SECOND, {"role": "user", "content": "the same"})

    old, lines = look(tmp_path)

    assert lines == [(FIRST, "user", "db 1"), (FIRST, "assistant", "file"), (SECOND, "user", "db 2")]
    assert old.messages == 3


def test_lines_of_a_file_that_are_no_messages_are_passed_over(tmp_path):
    path = transcript(tmp_path, FIRST, "not json", '["a list"]', {"role": "user", "content": "hello"})
    path.write_text(path.read_text() + '{"role": "assistant", "con')  # somebody is writing it

    old, lines = look(tmp_path)

    assert lines == [(FIRST, "user", "hello")]
    assert findings(old, "skipped") == [f"{path}: line 1 and 1 more are no messages; passed over"]


def test_a_pipe_in_place_of_a_file_is_named_and_waited_for_by_nobody(tmp_path):
    (tmp_path / "sessions").mkdir()
    for name in (f"sessions/{FIRST}.jsonl", "sessions/sessions.json", "state.db"):
        os.mkfifo(tmp_path / name)

    with old_home(tmp_path) as old:
        assert len(findings(old, "unreadable")) == 3
