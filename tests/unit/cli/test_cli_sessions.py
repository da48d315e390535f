"""``hermes sessions``: on the file of a home without a gateway, and in front of a gateway double."""

import json
import sqlite3
from pathlib import Path

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.ops.control import frames
from hermes.ops.lock import HomeLock
from hermes.store.apply import apply
from hermes.store.ops import Accept, FinishTurn, Route, Take
from hermes.store.schema import open_writer
from hermes.types.agent import Usage
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId, SessionId, SessionKey, TraceId, TurnId
from hermes.types.origin import Origin
from hermes.types.records import TranscriptLine

ANN = SessionKey("agent:main:telegram:dm:99")


def do(db, op):
    (result,) = apply(db, [op])
    return result


def said(db, key, text, answer, platform="telegram", title="Ann"):
    origin = Origin(platform, "99", user_name=title)
    (accepted,) = do(db, Accept((InboundEvent(text, origin, text, 100.0, TraceId("t")),)))
    row, turn, boot = accepted.row_id, TurnId(text), BootId("b")
    do(db, Route(row, key, SessionId("first"), "dm", 100.0, origin))
    record = do(db, Take(key, (row,), turn, boot, 1, 100.0))
    lines = (TranscriptLine("user", text, 100.0), TranscriptLine("assistant", answer, 101.0))
    usage = Usage(1234, 56, cost_usd=0.25)
    ids = (key, record.session_id, record.generation, turn, (row,))
    assert do(db, FinishTurn(*ids, "answered", "answered", lines, (), 101.0, 101.0, usage))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two conversations; one has an escape sequence in what was said."""
    db: sqlite3.Connection = open_writer(tmp_path / "gateway.db")
    said(db, ANN, "where is the fox", "in the\n\x1b[31m forest")
    said(db, SessionKey("agent:main:slack:channel:C1:U1"), "hello", "hi", "slack", "")
    db.close()
    return tmp_path


def run(capsys, home, *arguments):
    code = main(["sessions", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys, home, *arguments):
    code, out, _ = run(capsys, home, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_list_is_what_sessions_does(home, capsys):
    code, out, _ = run(capsys, home)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["agent:main:slack:channel:C1:U1", ANN]
    assert "asleep" in out
    assert out.splitlines()[1].endswith("  Ann")


def test_list_by_platform_and_by_what_is_awake(home, capsys):
    (one,) = document(capsys, home, "list", "--platform", "telegram")["sessions"]
    assert (one["session_key"], one["state"], one["input_tokens"]) == (ANN, "asleep", 1234)
    assert document(capsys, home, "list", "--active") == {"sessions": []}
    assert run(capsys, home, "list", "--active")[1] == "No conversation is awake.\n"


def test_show_by_enough_of_the_key(home, capsys):
    code, out, _ = run(capsys, home, "show", "tele")
    assert code == 0
    assert "1,234 tokens in, 56 out, 0 cached, $0.2500" in out
    assert "  first  " in out
    assert [one["lines"] for one in document(capsys, home, "show", ANN)["history"]] == [2]


@pytest.mark.parametrize("command", ["show", "export", "reset", "resume"])
def test_a_typo_fails_with_what_is_near(home, capsys, command):
    code, out, err = run(capsys, home, command, "agent:main:telegrm:dm:99")
    assert (code, out) == (1, "")
    assert f"did you mean {ANN}?" in err


def test_errors_are_json_where_json_was_asked_for(home, capsys):
    code, out, err = run(capsys, home, "show", "nobody", "--json")
    assert (code, out) == (1, "")
    assert json.loads(err)["error"]["type"] == "no_such_session"


def test_search_finds_lines_and_prints_nothing_a_terminal_acts_on(home, capsys):
    code, out, _ = run(capsys, home, "search", "forest")
    assert code == 0
    assert "\x1b" not in out
    assert out.endswith(f"{ANN}  assistant: in the \N{REPLACEMENT CHARACTER}[31m [forest]\n"), (
        "one line a hit"
    )
    assert document(capsys, home, "search", "fox")["hits"][0]["excerpt"] == "where is the [fox]"
    assert run(capsys, home, "search", "wolf")[1] == "Nothing is found.\n"


def test_export_as_markdown(home, capsys):
    code, out, _ = run(capsys, home, "export", ANN)
    assert code == 0
    assert out.startswith("# Ann\n\n## first\n\n**user** ")
    assert "in the\n" in out
    assert "forest" in out
    assert "\x1b" not in out


def test_export_as_data_keeps_every_character(home, capsys):
    _, out, _ = run(capsys, home, "export", ANN, "--format", "jsonl")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["role"], line["text"]) for line in lines] == [
        ("user", "where is the fox"),
        ("assistant", "in the\n\x1b[31m forest"),
    ]
    whole = json.loads(run(capsys, home, "export", ANN, "--format", "json")[1])
    assert whole["lines"] == lines
    assert whole["session"]["session_key"] == ANN


def test_reset_and_resume_on_the_file_of_a_gateway_that_is_away(home, capsys):
    began = document(capsys, home, "reset", "tele")
    assert began["session_key"] == ANN
    shown = document(capsys, home, "show", ANN)
    assert [(one["session_id"], one["end_reason"]) for one in shown["history"]] == [
        ("first", "session_reset"),
        (began["session_id"], ""),
    ]
    assert document(capsys, home, "resume", "tele") == {"session_key": ANN, "session_id": "first"}
    again = document(capsys, home, "resume", "tele", began["session_id"])
    assert document(capsys, home, "show", ANN)["session_id"] == again["session_id"] == began["session_id"]


@pytest.mark.parametrize("wanted", ["../../etc", "firts"])
def test_a_stretch_that_is_not_there_is_not_resumed(home, capsys, wanted):
    code, _, err = run(capsys, home, "resume", ANN, wanted)
    assert code == 1
    assert "it has first" in err
    assert document(capsys, home, "show", ANN)["session_id"] == "first"


def test_a_home_that_somebody_holds_is_read_and_not_written(home, capsys):
    with HomeLock.acquire(home, BootId("other")):
        code, _, err = run(capsys, home, "reset", ANN)
        assert (code, "is held by" in err) == (1, True)
        assert document(capsys, home, "show", ANN)["session_id"] == "first"


@pytest.mark.parametrize(
    "command", [["list"], ["show", "x"], ["search", "x"], ["export", "x"], ["reset", "x"], ["resume", "x"]]
)
def test_a_home_without_a_database_fails_in_words_and_stays_as_it_is(tmp_path, capsys, command):
    code, out, err = run(capsys, tmp_path / "none", *command)
    assert (code, out) == (1, "")
    assert "there is no database at" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["show"], ["export", "x", "--format", "xml"], ["list", "-n", "0"]])
def test_wrong_usage_is_exit_code_2(home, capsys, command):
    assert run(capsys, home, *command)[0] == 2


def test_a_running_gateway_is_asked(tmp_path, capsys):
    pages = iter(
        [
            {"lines": [{"line": 1, "session_id": "s", "role": "user", "text": "a", "at": 0.0}], "next": 1},
            {"lines": [], "next": None},
        ]
    )
    verbs = {
        "sessions_list": {"sessions": []},
        "sessions_show": {"session_key": ANN, "title": ""},
        "sessions_lines": lambda _args: frames.ok(1, next(pages)),
        "sessions_search": {"hits": []},
        "sessions_reset": {"session_key": ANN, "session_id": "s2"},
        "sessions_resume": {"session_key": ANN, "session_id": "s1"},
    }
    with gateway_on(tmp_path, verbs) as asked:
        assert run(capsys, tmp_path, "list", "--active", "-n", "3")[1] == "No conversation is awake.\n"
        assert run(capsys, tmp_path, "export", "tele", "--format", "jsonl")[1].count("\n") == 1
        assert run(capsys, tmp_path, "search", "fox")[0] == 0
        assert run(capsys, tmp_path, "reset", "tele")[1] == f"{ANN}  begins anew as s2\n"
        assert run(capsys, tmp_path, "resume", "tele", "s1")[1] == f"{ANN}  goes on with s1\n"
    assert [(one.verb, one.args) for one in asked] == [
        ("sessions_list", {"platform": None, "active": True, "limit": 3}),
        ("sessions_show", {"key": "tele"}),
        ("sessions_lines", {"key": ANN, "after": 0}),
        ("sessions_lines", {"key": ANN, "after": 1}),
        ("sessions_search", {"text": "fox", "limit": 50}),
        ("sessions_reset", {"key": "tele"}),
        ("sessions_resume", {"key": "tele", "session_id": "s1"}),
    ]
