"""What an operator may ask of sessions, and do to them."""

import sqlite3
from pathlib import Path

import pytest
from store_kit import KEY, STRETCH, accept, do, event, finish, in_turn, route

from hermes.store import sessions
from hermes.store.direct import reading, write, writing
from hermes.store.ops import StopTurn
from hermes.store.schema import open_writer
from hermes.types.agent import Usage
from hermes.types.errors import GatewayError
from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import Origin


def make(db: sqlite3.Connection, *keys: str) -> None:
    for n, key in enumerate(keys):
        (row,) = accept(db, event(key, text="hello"))
        do(db, route(row, SessionKey(key), at=1000.0 + n, origin=Origin(key.split(":")[2], "c")))


def code(error: pytest.ExceptionInfo[GatewayError]) -> str:
    return error.value.failure.code


def test_the_list_is_newest_first_and_bounded(db: sqlite3.Connection) -> None:
    make(db, "agent:main:a:dm:1", "agent:main:b:dm:1", "agent:main:a:dm:2")
    assert [one["session_key"][-6:] for one in sessions.session_list(db, None, None, 2)] == [
        "a:dm:2",
        "b:dm:1",
    ]
    assert [one["session_key"][-6:] for one in sessions.session_list(db, "a", None, 9)] == [
        "a:dm:2",
        "a:dm:1",
    ]
    assert [one["session_key"][-6:] for one in sessions.session_list(db, None, ["agent:main:b:dm:1"], 9)] == [
        "b:dm:1"
    ]
    assert sessions.session_list(db, None, [], 9) == []


def test_show_adds_up_what_its_stretches_have_cost(db: sqlite3.Connection) -> None:
    rows, record = in_turn(db)
    do(db, finish(record.generation, *rows, usage=Usage(5, 6, 7, 8, 0.5)))
    do(db, StopTurn(KEY, "new", 400.0, SessionId("second")))
    shown = sessions.session_show(db, KEY)
    assert (shown["input_tokens"], shown["cache_write_tokens"], shown["cost_usd"]) == (5, 8, 0.5)
    assert (shown["stretches"], shown["last_reset_reason"], shown["waiting"]) == (2, "session_reset", 0)
    assert [(one["session_id"], one["lines"]) for one in shown["history"]] == [(STRETCH, 2), ("second", 0)]


@pytest.mark.parametrize("typed", ["agent:main:telegram:dm:99", "agent:main:tele", "telegram:dm:99", "tele"])
def test_a_key_is_found_by_enough_of_its_beginning(db: sqlite3.Connection, typed: str) -> None:
    make(db, "agent:main:telegram:dm:99", "agent:main:telegraph", "agent:other:telegram:dm:99")
    if typed in ("agent:main:tele", "tele"):
        with pytest.raises(GatewayError, match="agent:main:telegraph") as error:
            sessions.find_key(db, typed)
        assert code(error) == sessions.AMBIGUOUS
    else:
        assert sessions.find_key(db, typed) == "agent:main:telegram:dm:99"


@pytest.mark.parametrize("typed", ["agent:main:telegram:dm:9", "telegram:dm:9"])
def test_a_whole_key_wins_over_one_that_goes_on(db: sqlite3.Connection, typed: str) -> None:
    make(db, "agent:main:telegram:dm:9", "agent:main:telegram:dm:99")
    assert sessions.find_key(db, typed) == "agent:main:telegram:dm:9"


@pytest.mark.parametrize("typed", ["agent:main:telegrm:dm:99", "telegam:dm:99"])
def test_a_typo_is_answered_with_what_is_near(db: sqlite3.Connection, typed: str) -> None:
    make(db, "agent:main:telegram:dm:99", "agent:main:slack:channel:C1:U1")
    with pytest.raises(GatewayError, match="did you mean agent:main:telegram:dm:99\\?") as error:
        sessions.find_key(db, typed)
    assert code(error) == sessions.NO_SUCH_SESSION


@pytest.mark.parametrize("typed", ["%", "_", "'", "\x00", "agent:main:%", "*"])
def test_no_key_is_a_pattern(db: sqlite3.Connection, typed: str) -> None:
    make(db, "agent:main:telegram:dm:99")
    with pytest.raises(GatewayError) as error:
        sessions.find_key(db, typed)
    assert code(error) == sessions.NO_SUCH_SESSION


def test_a_transcript_comes_in_pages_and_whole(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(db, KEY)
    db.executemany(
        "INSERT INTO transcript (session_key, session_id, role, text, at) VALUES (?, 's', 'user', ?, 0)",
        [(KEY, f"{n:05}") for n in range(25)],
    )
    monkeypatch.setattr(sessions, "PAGE_LINES", 10)
    pages = []
    after: int | None = 0
    while after is not None:
        page = sessions.session_lines(db, KEY, after)
        pages.append([line["text"] for line in page["lines"]])
        after = page["next"]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [text for page in pages for text in page] == [f"{n:05}" for n in range(25)]
    monkeypatch.setattr(sessions, "PAGE_CHARACTERS", 3)  # one line is longer: it comes alone
    assert [line["text"] for line in sessions.session_lines(db, KEY, 0)["lines"]] == ["00000"]


def test_what_an_operator_does_is_told_where_the_people_are(db: sqlite3.Connection) -> None:
    make(db, "agent:main:fake:dm:1")
    shown = sessions.session_show(db, "fake")
    op = sessions.reset(shown, SessionId("second"), 2000.0, 3000.0)
    do(db, op)
    assert [(told.platform, told.chat_id, told.kind, told.expires_at) for told in op.outbound] == [
        ("fake", "c", "notice", 3000.0)
    ]
    assert sessions.session_show(db, "fake")["session_id"] == "second"
    assert sessions.reset({**shown, "platform": ""}, SessionId("x"), 0.0, 0.0).outbound == ()


def test_without_a_gateway_the_file_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    for opening in (reading, writing):
        with pytest.raises(GatewayError) as error, opening(path):
            pass
        assert code(error) == "no_database"
    db = open_writer(path)
    make(db, KEY)
    db.close()
    with writing(path) as database:
        assert write(database, StopTurn(KEY, "r", 5.0, SessionId("second"))) == 1
        with pytest.raises(AttributeError):
            write(database, StopTurn(KEY, "r", 5.0, SessionId("third"), (None,)))  # type: ignore[arg-type]
        assert not database.in_transaction
    with reading(path) as reader:
        assert sessions.session_show(reader, KEY)["session_id"] == "second"


@pytest.mark.parametrize(("version", "wrong"), [(1, "store_older"), (99, "store_newer")])
def test_a_file_of_another_version_is_not_read(tmp_path: Path, version: int, wrong: str) -> None:
    path = tmp_path / "gateway.db"
    db = open_writer(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(GatewayError) as error, reading(path):
        pass
    assert code(error) == wrong
