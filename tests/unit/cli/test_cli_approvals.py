"""``hermes approvals``: on the file of a home without a gateway, and in front of a gateway double."""

import json
from pathlib import Path

import pytest
from gateway_double import gateway_on
from test_cli_sessions import ANN

from hermes.cli import main
from hermes.store.schema import open_writer

ROW = """INSERT INTO approvals (approval_id, session_key, number, turn_id, platform, account, chat_id, user_id, action, detail,
    state, asked_at, expires_at, boot_id, decided_by, reason)
    VALUES (?, ?, ?, 't', 'telegram', 'default', '99', '7', ?, ?, ?, 100, 400, 'b', ?, ?)"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One that waits and one that was denied, with an escape sequence in it."""
    db = open_writer(tmp_path / "gateway.db")
    db.execute(ROW, ("aaaaaaaa", ANN, 1, "run\x1b[31m", "rm -rf\n\x1b[2J x", "denied", "telegram:7", "no"))
    db.execute(ROW, ("bbbbbbbb", ANN, 2, "go", "", "pending", "", ""))
    db.close()
    return tmp_path


def run(capsys, home, *arguments):
    code = main(["approvals", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def test_without_a_gateway_the_list_is_read_from_the_file(capsys, home):
    code, out, _ = run(capsys, home)
    assert code == 0
    waits, denied = out.splitlines()
    assert waits.startswith("bbbbbbbb")
    assert "waits, 0 s left" in waits
    assert "denied by telegram:7  (no)  run" in denied
    assert "\x1b" not in out
    assert "rm -rf" not in out


def test_details_are_shown_on_demand(capsys, home):
    _, out, _ = run(capsys, home, "list", "--bodies")
    assert "rm -rf" in out
    assert "\x1b" not in out
    _, out, _ = run(capsys, home, "list", "--json", "--bodies", "-n", "2")
    assert json.loads(out)["approvals"][1]["detail"] == "rm -rf\n\x1b[2J x"
    _, out, _ = run(capsys, home, "list", "--json")
    assert all("detail" not in one for one in json.loads(out)["approvals"])


def test_nothing_yet(capsys, tmp_path):
    open_writer(tmp_path / "gateway.db").close()
    assert run(capsys, tmp_path)[1] == "Nothing has been asked yet.\n"


def test_deciding_needs_a_gateway(capsys, home):
    code, _, err = run(capsys, home, "approve", "bbbbbbbb", "--json")
    assert code == 3
    assert json.loads(err)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (("approve", "bbbbbbbb"), {"id": "bbbbbbbb", "approved": True, "reason": ""}),
        (("deny", "bbbbbbbb"), {"id": "bbbbbbbb", "approved": False, "reason": ""}),
        (("deny", "bbbbbbbb", "not now"), {"id": "bbbbbbbb", "approved": False, "reason": "not now"}),
        (("approve", "\udcff"), {"id": "?", "approved": True, "reason": ""}),
    ],
)
def test_a_running_gateway_is_asked(capsys, home, arguments, asked):
    from hermes.store.approvals import listing
    from hermes.store.direct import reading

    with reading(home / "gateway.db") as reader:
        one = listing(reader, 1)["approvals"][0]
    with gateway_on(home, {"approvals_decide": one}) as requests:
        code, out, _ = run(capsys, home, *arguments)
    assert (code, requests[0].args) == (0, asked)
    assert out.startswith("bbbbbbbb")
