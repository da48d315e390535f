"""``hermes identity``, ``hermes forget`` and ``hermes audit`` on the file of a home without a gateway."""

import io
import json
from pathlib import Path

import pytest

from hermes.cli import main
from hermes.store.apply import apply
from hermes.store.ops import Accept, Route
from hermes.store.schema import open_writer
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, SessionKey, TraceId
from hermes.types.origin import Origin

KEY = SessionKey("agent:main:email:dm:Ann@X.org")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Somebody wrote by mail, in mixed case."""
    db = open_writer(tmp_path / "gateway.db")
    origin = Origin("email", "Ann@X.org", user_id="Ann@X.org")
    ((accepted,),) = apply(db, [Accept((InboundEvent("e", origin, "zqx", 100.0, TraceId("t")),))])
    apply(db, [Route(accepted.row_id, KEY, SessionId("s"), "dm", 100.0, origin, user_id="ann@x.org")])
    db.close()
    return tmp_path


def run(capsys, home: Path, *args: str) -> tuple[int, str, str]:
    code = main([*args, "--home", str(home)])
    return code, *capsys.readouterr()


def test_without_anybody_it_says_so(capsys, home):
    assert run(capsys, home, "identity") == (0, "Nobody is linked.\n", "")
    assert run(capsys, home, "audit") == (0, "Nothing is noted yet.\n", "")


def test_a_link_finds_the_conversation_by_any_form_of_the_id(capsys, home):
    code, out, _ = run(
        capsys,
        home,
        "identity",
        "link",
        "email:ANN@x.org",
        "matrix:@ann:server.org",
        "--name",
        "Ann",
        "--json",
    )
    person = json.loads(out)
    assert (code, person["name"], person["session_key"]) == (0, "Ann", KEY)
    assert [one["user"] for one in person["identities"]] == ["email:ann@x.org", "matrix:@ann:server.org"]
    code, out, _ = run(capsys, home, "identity", "list")
    assert [line.split()[0] for line in out.splitlines()] == [
        person["person_id"],
        "email:ann@x.org",
        "matrix:@ann:server.org",
    ]
    assert run(capsys, home, "identity", "unlink", "matrix:@ann:server.org")[0] == 0
    code, out, _ = run(capsys, home, "audit")
    assert [line.split()[3] for line in out.splitlines()] == ["unlink", "link"]


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (("identity", "link", "email:a@x", "Ann"), "usage"),
        (("identity", "link", "Nobody", "email:a@x"), "no_such_person"),
        (("identity", "link", "email:a@x", "email:A@x"), "linked_already"),
        (("identity", "link", "email:a@x", "x:1", "--name", "a:b"), "usage"),
        (("identity", "unlink", "email:a@x"), "no_such_person"),
        (("identity", "export", "email:nobody@x"), "no_such_person"),
        (("forget", "a\x1b:b", "--yes"), "usage"),
    ],
)
def test_what_cannot_be_is_refused_in_words(capsys, home, args, kind):
    code, out, err = run(capsys, home, *args, "--json")
    assert (code, out, json.loads(err)["error"]["type"]) == (1, "", kind)


def test_a_home_without_a_database_is_no_home_and_gets_no_file(capsys, tmp_path):
    code, _, err = run(capsys, tmp_path, "identity", "link", "a:1", "b:2", "--json")
    assert (code, json.loads(err)["error"]["type"]) == (1, "no_database")
    assert list(tmp_path.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_forget_asks_and_a_no_changes_nothing(capsys, home, monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    code, out, _ = run(capsys, home, "forget", "email:ann@x.org")
    assert (code, "cannot be undone" in out) == (1, True)
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    code, out, _ = run(capsys, home, "forget", "email:Ann@x.org")
    assert (code, "Forgotten: email:ann@x.org" in out) == (0, True)
    assert b"zqx" not in (home / "gateway.db").read_bytes()


def test_forget_without_a_terminal_needs_a_yes(capsys, home, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = run(capsys, home, "forget", "email:ann@x.org")
    assert (code, "--yes" in err) == (2, True)


def test_forget_takes_the_pairing_along(capsys, home):
    directory = home / "platforms" / "pairing"
    directory.mkdir(parents=True)
    grants = directory / "email-approved.json"
    grants.write_text(
        json.dumps(
            {
                "ann@x.org": {"user_name": "Ann", "approved_at": 1.0},
                "bob@x": {"user_name": "", "approved_at": 1.0},
            }
        )
    )
    _, out, _ = run(capsys, home, "identity", "export", "email:ann@x.org")
    assert [one["user"] for one in json.loads(out)["pairing"]] == ["email:ann@x.org"]
    code, out, _ = run(capsys, home, "forget", "email:ann@x.org", "--yes", "--json")
    assert (code, json.loads(out)["pairings"]) == (0, 1)
    assert list(json.loads(grants.read_text())) == ["bob@x"]


def test_forget_takes_their_jobs_along_and_the_question_names_them(capsys, home, monkeypatch):
    origin = {"platform": "email", "chat_id": "Ann@X.org", "user_id": "Ann@x.org"}
    theirs, other = {"id": "a1", "name": "tea", "origin": origin}, {"id": "b1"}
    path = home / "cron" / "jobs.json"
    said = home / "cron" / "output" / "a1" / "x.md"
    said.parent.mkdir(parents=True)
    said.touch()
    path.write_text(json.dumps({"jobs": [theirs, other]}))
    _, out, _ = run(capsys, home, "identity", "export", "email:ann@x.org")
    assert json.loads(out)["jobs"] == [theirs]

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    _, out, _ = run(capsys, home, "forget", "email:ann@x.org")
    assert out.startswith("email:ann@x.org: 1 messages, 1 conversations, 1 jobs\n  job tea\n")
    assert said.exists()
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert run(capsys, home, "forget", "email:ann@x.org")[0] == 0
    assert json.loads(path.read_text())["jobs"] == [other]
    assert not said.parent.exists()


def test_forget_refuses_while_the_jobs_cannot_be_read(capsys, home):
    (home / "cron").mkdir()
    (home / "cron" / "jobs.json").write_text("{")
    code, _, err = run(capsys, home, "forget", "email:ann@x.org", "--yes", "--json")
    assert (code, json.loads(err)["error"]["type"]) == (1, "bad_job")
    assert "jobs.json" in err
    assert b"zqx" in (home / "gateway.db").read_bytes()


def test_an_export_goes_into_a_file_of_its_own(capsys, home, tmp_path):
    file = tmp_path / "out.json"
    assert run(capsys, home, "identity", "export", "email:ann@x.org", "-o", str(file))[0] == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["messages"][0]["event"]["text"] == "zqx"
    code, _, err = run(capsys, home, "identity", "export", "email:ann@x.org", "-o", "/nonexistent/x")
    assert (code, "/nonexistent" in err) == (1, True)
