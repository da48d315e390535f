"""``hermes pairing``: on the files of a home without a gateway, and in front of a gateway double."""

import json
import sqlite3
from contextlib import closing

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.cli.pairing import RULE
from hermes.ops.control import frames
from hermes.ops.lock import HomeLock
from hermes.ops.pairing_files import PairingFiles
from hermes.pairing.book import Asker
from hermes.pairing.codes import fresh_code
from hermes.pairing.orders import Request
from hermes.store.schema import open_writer
from hermes.testing.fakes import FakeIds
from hermes.types import texts
from hermes.types.ids import BootId

NOW = 2_000_000_000.0


@pytest.fixture(autouse=True)
def still(monkeypatch):
    """The command line's clock, and nobody's settings but the home's."""
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.delenv("TELEGRAM_ALLOWED_USERS", raising=False)


def run(capsys, home, *arguments):
    code = main(["pairing", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys, home, *arguments):
    code, out, err = run(capsys, home, *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def refused(capsys, home, *arguments):
    code, out, err = run(capsys, home, *arguments, "--json")
    assert (code, out) == (1, "")
    return json.loads(err)["error"]


def stranger(home, user="222", name="Kim \x1b[31m", platform="telegram"):
    files = PairingFiles(home, lambda _: str)
    request = Request(Asker(user, name, f"t{user}", "77"), fresh_code(FakeIds(int(user))))
    return files.carry_out(platform, request, NOW)[0].code


def test_a_code_is_approved_without_a_gateway_and_the_person_will_be_told(capsys, tmp_path):
    open_writer(tmp_path / "gateway.db").close()
    code = stranger(tmp_path)

    done = document(capsys, tmp_path, "approve", "Telegram", f" {code.lower()}")
    assert done == {
        "platform": "telegram", "account": "default", "user_id": "222", "user_name": "Kim \x1b[31m", "chat_id": "77",
        "told": True,
    }  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        assert database.execute("SELECT chat_id, text FROM outbox").fetchall() == [("77", texts.PAIRED)]
        assert database.execute("SELECT actor, action, subject FROM audit").fetchall() == [
            ("operator", "pairing approve", "telegram:222")
        ]
    HomeLock.acquire(tmp_path, BootId("b")).release()  # it was given back


def test_a_home_that_was_never_run_has_pairings_too(capsys, tmp_path):
    assert document(capsys, tmp_path, "grant", "telegram@work", "333", "--name", "Bo")["told"] is False
    (one,) = document(capsys, tmp_path)["pairing"]
    assert (one["account"], [user["user_name"] for user in one["approved"]]) == ("work", ["Bo"])
    assert document(capsys, tmp_path, "revoke", "telegram@work", "333")["revoked"] is True
    assert refused(capsys, tmp_path, "revoke", "telegram@work", "333")["type"] == "pairing_not_paired"
    assert not (tmp_path / "gateway.db").exists()


def test_wrong_is_told_apart_from_locked(capsys, tmp_path):
    code = stranger(tmp_path)
    errors = [refused(capsys, tmp_path, "approve", "telegram", "AAAAAAAA") for _ in range(5)]
    right = refused(capsys, tmp_path, "approve", "telegram", code)

    assert [error["type"] for error in errors] == [*["pairing_wrong_code"] * 4, "pairing_locked"]
    assert right["type"] == "pairing_locked"
    assert (
        errors[0]["message"]
        == "that code is wrong, or used already. After 4 more telegram is locked for an hour"
    )
    assert "hermes pairing grant telegram USER" in right["message"]
    assert code not in str(right)


def test_S09_the_list_says_who_is_on_a_list_too_and_what_holds(capsys, tmp_path):
    stranger(tmp_path)
    document(capsys, tmp_path, "grant", "telegram", "1", "--name", "Ann")
    document(capsys, tmp_path, "grant", "telegram", "2")
    (tmp_path / "config.yaml").write_text("platforms:\n  telegram:\n    allow_from: [2]\n")

    _, out, err = run(capsys, tmp_path, "list", "telegram")
    assert err == ""
    assert out.splitlines()[0] == "telegram"
    assert out.splitlines()[1].startswith("  waits   222  Kim \N{REPLACEMENT CHARACTER}[31m, hash ")
    assert out.splitlines()[1].endswith("…, 1 h left") or "60 min left" in out.splitlines()[1]
    assert [line.split(", since")[0] for line in out.splitlines()[2:4]] == [
        "  paired  1  Ann",
        "  paired  2  (no name)",
    ]
    assert [line.endswith("also on a list") for line in out.splitlines()[2:4]] == [False, True]
    assert out.splitlines()[4] == RULE


def test_settings_that_are_wrong_hide_who_is_listed_and_no_more(capsys, tmp_path):
    document(capsys, tmp_path, "grant", "telegram", "1")
    (tmp_path / "config.yaml").write_text("platforms: [")
    code, out, err = run(capsys, tmp_path, "list", "--json")
    assert code == 0
    assert json.loads(out)["pairing"][0]["approved"][0]["listed"] is None
    assert "config.yaml" in err


def test_codes_are_taken_back_everywhere_or_in_one_place(capsys, tmp_path):
    for user, platform in (("1", "telegram"), ("2", "telegram"), ("3", "discord")):
        stranger(tmp_path, user, platform=platform)
    assert document(capsys, tmp_path, "clear-pending", "discord") == {"cleared": 1, "by_name": {"discord": 1}}
    assert document(capsys, tmp_path, "clear-pending")["cleared"] == 2


def test_a_damaged_file_is_named_and_left_alone(capsys, tmp_path):
    file = tmp_path / "pairing" / "telegram-approved.json"
    file.parent.mkdir()
    file.write_text("{")
    error = refused(capsys, tmp_path, "grant", "telegram", "1")
    assert error["type"] == "pairing_unreadable"
    assert str(file) in error["message"]
    assert file.read_text() == "{"
    _, out, _ = run(capsys, tmp_path, "list")
    assert f"no pairing here: {file}" in out


def test_a_home_that_another_process_holds_is_refused(capsys, tmp_path):
    with HomeLock.acquire(tmp_path, BootId("b")):
        assert refused(capsys, tmp_path, "grant", "telegram", "1")["type"] == "home_held"


@pytest.mark.parametrize(
    "arguments",
    [("approve", "telegram"), ("approve", "no/platform", "A"), ("approve", "../x", "A"), ("approve", "telegram@", "A"),
     ("grant", "telegram", " "), ("list", "")],
)  # fmt: skip
def test_wrong_usage(capsys, tmp_path, arguments):
    assert run(capsys, tmp_path, *arguments)[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_is_not_there(capsys, tmp_path):
    assert run(capsys, tmp_path / "gone", "grant", "telegram", "1")[0] == 2
    assert not (tmp_path / "gone").exists()


def test_the_gateway_is_asked_if_one_runs(capsys, tmp_path):
    answer = {"platform": "telegram", "account": "default", "user_id": "1", "user_name": "", "told": True}
    locked = frames.error(1, "pairing_locked", "locked until noon")
    verbs = {"pairing_grant": answer, "pairing_approve": lambda _: locked}
    with gateway_on(tmp_path, verbs) as asked:
        assert document(capsys, tmp_path, "grant", "telegram", "1") == answer
        assert (
            run(capsys, tmp_path, "grant", "telegram", "1")[1]
            == "telegram:1 is in. They are told in their chat.\n"
        )
        assert refused(capsys, tmp_path, "approve", "telegram", "x")["type"] == "pairing_locked"
    assert [request.args for request in asked] == [
        *[{"name": "telegram", "user": "1", "user_name": ""}] * 2, {"name": "telegram", "code": "x"},
    ]  # fmt: skip


def test_approved_as_somebody_who_is_known_they_are_linked(capsys, tmp_path):
    open_writer(tmp_path / "gateway.db").close()
    code = stranger(tmp_path, platform="discord")

    assert (
        run(capsys, tmp_path, "approve", "discord", code, "--as", "no:body:")[0] == 0
    )  # an id may hold colons
    people = document(capsys, tmp_path, "list", "discord")["pairing"][0]["approved"]
    assert [user["user_id"] for user in people] == ["222"]
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
        linked = database.execute("SELECT platform, user_id FROM identities ORDER BY platform").fetchall()
        told = database.execute("SELECT text FROM outbox WHERE platform = 'discord'").fetchall()
    assert linked == [("discord", "222"), ("no", "body:")]
    assert len(told) == 2  # that they are in, and that they are linked

    again = stranger(tmp_path, "333", platform="discord")
    assert run(capsys, tmp_path, "approve", "discord", again, "--as", "telegram:")[0] == 2
    error = refused(capsys, tmp_path, "approve", "discord", again, "--as", "nobody")
    assert (error["type"], error["message"].startswith("discord:333 is in, but not linked: ")) == (
        "no_such_person",
        True,
    )
