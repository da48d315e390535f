"""A file of the first schema, as the first release wrote it, brought up to date."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from store_kit import event

from hermes.store import migrations, queries, schema
from hermes.store.codec import encode_event
from hermes.store.schema import SCHEMA_VERSION, open_writer
from hermes.types.ids import SessionKey, TurnId
from hermes.types.origin import Origin

ANN = SessionKey("agent:main:telegram:dm:ann")
TEAM = SessionKey("agent:main:discord@work:group:7:bob")
OLD = SessionKey("odd")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Version 1, with Ann (two stretches, one message in its turn), a group without lines, and a key like none of ours."""
    path = tmp_path / "gateway.db"
    connection = sqlite3.connect(path, isolation_level=None)
    from sqlite_utils import Database, Migrations

    first = Migrations("gateway")

    @first()
    def initial(db: Database) -> None:
        for statement in migrations.INITIAL:
            db.execute(statement)

    first.apply(Database(connection))
    connection.execute("PRAGMA user_version = 1")
    sessions = [
        (ANN, "new", 4, 3, 10.0, 90.0),
        (TEAM, "only", 0, 1, 20.0, 20.0),
        (OLD, "x", 0, 1, 30.0, 30.0),
    ]
    connection.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", sessions)
    lines = [
        (ANN, "old", "user", "a", 11.0),
        (ANN, "old", "assistant", "b", 12.0),
        (ANN, "new", "user", "c", 80.0),
    ]
    connection.executemany(
        "INSERT INTO transcript (session_key, session_id, role, text, at) VALUES (?, ?, ?, ?, ?)", lines
    )
    rows = [
        ("telegram", "default", "ann", "e1", "answered", ANN, None),
        ("telegram", "default", "ann", "e2", "in_turn", ANN, "turn-1"),
        ("discord", "work", "7", "e3", "answered", TEAM, None),
    ]
    for platform, account, chat, name, state, key, turn in rows:
        connection.execute(
            "INSERT INTO inbox (platform, account, chat_id, event_id, trace, received_at, state, session_key, seq, turn_id,"
            " boot_id, event) VALUES (?, ?, ?, ?, 't', 85.0, ?, ?, 3, ?, 'boot-0', ?)",
            (platform, account, chat, name, state, key, turn, encode_event(event(name))),
        )
    connection.close()
    return path


def test_sessions_are_filled_as_far_as_the_old_rows_say(path: Path) -> None:
    db = open_writer(path)
    assert db.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    found = db.execute(
        "SELECT session_key, platform, account, chat_type, chat_id, suspended FROM sessions ORDER BY created_at"
    ).fetchall()
    assert found == [
        (ANN, "telegram", "default", "dm", "ann", 0),
        (TEAM, "discord", "work", "group", "7", 0),
        (OLD, "", "", "", "", 0),
    ]
    db.close()


def test_stretches_are_found_in_the_transcript(path: Path) -> None:
    db = open_writer(path)
    found = db.execute(
        "SELECT session_key, session_id, started_at, ended_at, end_reason FROM stretches ORDER BY started_at"
    ).fetchall()
    assert found == [
        (ANN, "old", 11.0, 12.0, "session_reset"),
        (TEAM, "only", 20.0, None, ""),
        (OLD, "x", 30.0, None, ""),
        (ANN, "new", 80.0, None, ""),
    ]
    db.close()


def test_a_message_in_its_turn_goes_on_in_its_stretch(path: Path) -> None:
    db = open_writer(path)
    (row,) = queries.open_work(db, ANN, 100)[0]
    assert (row.turn_id, row.session_id) == (TurnId("turn-1"), "new")
    assert [line.text for line in queries.history(db, ANN, row.session_id, 9)] == ["c"]
    db.close()


def test_a_migration_that_is_cut_off_begins_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = migrations.SECOND
    monkeypatch.setattr(schema, "SECOND", (*whole[:15], "SELECT nothing FROM nowhere"))
    with pytest.raises(sqlite3.OperationalError):
        open_writer(path)
    monkeypatch.setattr(schema, "SECOND", whole)
    db = open_writer(path)
    assert len(db.execute("SELECT * FROM stretches").fetchall()) == 4
    db.close()


def test_a_direct_chat_is_its_newest_writers_and_a_group_nobodys(path: Path) -> None:
    old = sqlite3.connect(path)
    for name, user in (("e1", "before"), ("e2", "ann"), ("e3", "bob")):
        payload = encode_event(replace(event(name), origin=Origin("telegram", "x", user_id=user)))
        old.execute("UPDATE inbox SET event = ? WHERE event_id = ?", (payload, name))
    old.execute(
        "INSERT INTO inbox (platform, account, chat_id, event_id, trace, received_at, state, raw) VALUES"
        " ('telegram', 'default', '', 'r', '', 99.0, 'failed', x'00')"
    )
    old.commit()
    old.close()
    db = open_writer(path)
    assert dict(db.execute("SELECT session_key, user_id FROM sessions")) == {
        ANN: "ann",
        TEAM: None,
        OLD: None,
    }
    db.close()
