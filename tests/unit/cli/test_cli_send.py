"""``hermes send`` and ``hermes channels``: on a home without a gateway, and in front of a gateway double."""

import io
import json
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.cli.send import MOST_BYTES
from hermes.ops.channel_files import ALIASES, DIRECTORY
from hermes.ops.lock import HomeLock
from hermes.store import queries
from hermes.store.schema import open_reader, open_writer
from hermes.types.ids import BootId


@pytest.fixture
def home(tmp_path: Path) -> Path:
    open_writer(tmp_path / "gateway.db").close()
    return tmp_path


def run(capsys, home, *arguments):
    code = main(["send", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def put_by(home, chat="main"):
    with closing(open_reader(home / "gateway.db")) as reader:
        row = queries.next_open_row(reader, "webchat", "default", chat)
        return None if row is None else row.message


def pipe(monkeypatch, data: bytes):
    stdin = SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)


# --- without a gateway ------------------------------------------------------------------------------------------------------


def test_without_a_gateway_it_is_put_by_for_the_next_run_and_says_so(home, capsys):
    code, out, err = run(capsys, home, "--to", "webchat:main", "hello")
    assert (code, out.split("  ")[0]) == (0, "webchat:main")
    assert "the next `hermes run` delivers it" in err
    message = put_by(home)
    assert (message.text, message.kind, message.secret) == ("hello", "notice", False)
    assert message.delivery_id in out


def test_the_document_has_a_result_for_each_target(home, capsys):
    code, out, _ = run(
        capsys, home, "-t", "webchat:main,telegram:1,webchat:main,local,nosuch", "hello", "--json"
    )
    document = json.loads(out)
    assert (code, document["ok"], document["offline"]) == (1, False, True)
    first, second, third, fourth, fifth = document["results"]
    assert (first["success"], first["result"]["chat_id"], first["result"]["thread_id"]) == (
        True,
        "main",
        None,
    )
    assert second["error"].startswith("telegram is not configured here; there is console, webchat")
    assert third["skipped"] == "the same place as webchat:main"
    assert Path(fourth["result"]["path"]).read_text().endswith("hello\n")
    assert "there is no platform nosuch" in fifth["error"]


def test_one_target_that_fails_makes_exit_1_and_stops_no_other(home, capsys):
    code, out, err = run(capsys, home, "--to", "telegam:1,webchat:main", "hello")
    assert code == 1
    assert "did you mean telegram" in err
    assert "in the outbox" in out
    assert put_by(home) is not None


def test_home_channels_of_the_file_and_names_of_the_directory_hold_too(home, capsys, monkeypatch):
    (home / "config.yaml").write_text("webchat: {home_channel: lounge}\n")
    (home / DIRECTORY).write_text(
        json.dumps({"platforms": {"webchat": [{"id": "ops", "name": "Operations"}]}})
    )
    (home / ALIASES).write_text(json.dumps({"webchat": {"ops": "crew"}}))
    assert run(capsys, home, "--to", "home", "one")[0] == 0
    assert put_by(home, "lounge").text == "one"
    assert run(capsys, home, "--to", "webchat:#crew", "two")[0] == 0
    assert put_by(home, "ops").text == "two"
    monkeypatch.setenv("WEBCHAT_HOME_CHANNEL", "den")
    assert run(capsys, home, "--to", "webchat", "three")[0] == 0
    assert put_by(home, "den").text == "three"


def test_who_waits_for_a_receipt_without_a_gateway_has_none(home, capsys):
    code, _, err = run(capsys, home, "--to", "webchat:main", "hello", "--wait", "5")
    assert code == 1
    assert "No gateway runs on this home" in err


def test_a_home_that_is_held_or_has_no_database_is_an_error(home, tmp_path, capsys):
    with HomeLock.acquire(home, BootId("b")):
        code, _, err = run(capsys, home, "--to", "webchat:main", "hello")
    assert (code, "is held by" in err) == (1, True)
    assert put_by(home) is None
    code, _, err = run(capsys, tmp_path / "none", "--to", "webchat:main", "hello")
    assert (code, "there is no database" in err) == (1, True)


# --- what is to be sent -----------------------------------------------------------------------------------------------------


def test_it_comes_from_a_file_or_from_stdin(home, capsys, monkeypatch):
    (home / "text").write_bytes(b"\xef\xbb\xbffrom a file\n\n")
    assert run(capsys, home, "--to", "webchat:file", "-f", str(home / "text"))[0] == 0
    assert put_by(home, "file").text == "from a file"
    for arguments in ((), ("-f", "-")):
        chat = f"pipe{len(arguments)}"
        pipe(monkeypatch, "a line\nänd another\n".encode())
        assert run(capsys, home, "--to", f"webchat:{chat}", *arguments)[0] == 0
        assert put_by(home, chat).text == "a line\nänd another"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the text is empty"),
        (b" \n\t\n", "the text is empty"),
        (b"a\0b", "NUL"),
        (b"ok \xff", "byte 3 of the text is not UTF-8"),
        (b"x" * (MOST_BYTES + 1), "longer than 262,144 bytes"),
    ],
    ids=["nothing", "blank", "nul", "latin1", "long"],
)
def test_what_cannot_be_sent_is_wrong_usage_and_nothing_is_put_by(home, capsys, monkeypatch, data, words):
    pipe(monkeypatch, data)
    code, out, err = run(capsys, home, "--to", "webchat:main")
    assert (code, out) == (2, "")
    assert words in err
    assert put_by(home) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hello",), "--to"),
        (("--to", "webchat:main", "-f", "x", "hello"), "are both given"),
        (("--to", "webchat:main", "-f", "/nonexistent/x"), "/nonexistent/x: No such file"),
        (("--to", "webchat:main", "-f", "/"), "Is a directory"),
        (("--to", "webchat:main", "hello", "--wait", "0"), "--wait"),
        (("--to", "webchat:main", "hello", "--wait", "nan"), "--wait"),
    ],
)
def test_wrong_usage_is_exit_2(home, capsys, arguments, words):
    code, out, err = run(capsys, home, *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_in_a_terminal_without_a_text_it_does_not_wait_for_one(home, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert run(capsys, home, "--to", "webchat:main")[0] == 2


# --- with a gateway ---------------------------------------------------------------------------------------------------------

TAKEN = {"target": "webchat:main", "success": True, "result": {"delivery_id": "d1"}}


def receipt(state, *, delivered=False, failure=""):
    return {
        "delivery_id": "d1",
        "state": state,
        "delivered": delivered,
        "failure": failure,
        "message_ids": [],
    }


def test_a_running_gateway_is_handed_targets_and_text(home, capsys):
    with gateway_on(home, {"send_text": {"results": [TAKEN]}}) as asked:
        code, out, err = run(capsys, home, "--to", "webchat:main, home", "hello")
    assert (code, out, err) == (0, "webchat:main  in the outbox as d1\n", "")
    assert [(one.verb, one.args) for one in asked] == [
        ("send_text", {"to": "webchat:main, home", "text": "hello"})
    ]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (receipt("sent", delivered=True), 0, "delivered"),
        (receipt("sent", failure="stored"), 1, "kept in its chat's history"),
        (receipt("dead", failure="forbidden"), 1, "not delivered: forbidden"),
        (receipt("prepared"), 1, "no receipt within 0.5 s; it stays in the outbox"),
    ],
    ids=["receipt", "stored", "dead", "late"],
)
def test_AC24_waiting_ends_well_only_with_the_platforms_receipt(home, capsys, status, code, words):
    verbs = {"send_text": {"results": [TAKEN]}, "send_receipts": {"deliveries": [status]}}
    with gateway_on(home, verbs) as asked:
        found, out, _ = run(capsys, home, "--to", "webchat:main", "hello", "--wait", "0.5")
    assert found == code
    assert words in out
    assert asked[1].args["ids"] == ["d1"]
    assert 0 < asked[1].args["within_s"] <= 0.5


# --- hermes channels --------------------------------------------------------------------------------------------------------


def channels(capsys, home, *arguments):
    code = main(["channels", *arguments, "--home", str(home)])
    return code, *capsys.readouterr()


def test_channels_are_listed_with_what_a_target_needs(home, capsys):
    entries = [
        {"id": "-100:7", "name": "Team / topic 7", "type": "group", "thread_id": "7"},
        {"id": "1", "name": "gen\x1beral", "type": "channel", "guild": "Acme"},
    ]
    (home / DIRECTORY).write_text(json.dumps({"platforms": {"telegram": entries, "irc@b": [{"id": "#x"}]}}))
    (home / ALIASES).write_text(json.dumps({"telegram": {"1": "crew"}}))
    code, out, _ = channels(capsys, home)
    assert code == 0
    assert out.splitlines() == [
        "irc@b:#x",
        "telegram:-100:7  group  Team / topic 7",
        "telegram:1  channel  crew, Acme/gen\N{REPLACEMENT CHARACTER}eral",
    ]
    (listed,) = json.loads(channels(capsys, home, "list", "--platform", "irc", "--json")[1])["channels"]
    assert (listed["target"], listed["alias"]) == ("irc@b:#x", None)


def test_no_channels_and_an_unreadable_file_are_said(home, capsys):
    (home / ALIASES).write_text("{")
    code, out, err = channels(capsys, home)
    assert (code, "No chat is known yet" in out, str(home / ALIASES) in err) == (0, True, True)
