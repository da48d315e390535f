"""``hermes crashes`` on the files of a gateway that is gone."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hermes.cli import main
from hermes.ops import dossiers
from hermes.ops.dossiers import Dossier

AT = 1_800_000_000.25
EXITED = {
    "at": AT,
    "kind": "exited",
    "path": "root/gateway/inbound",
    "incarnation": 3,
    "reason": "ValueError: no",
    "decision": "restart",
    "delay_s": 0.4,
    "message": None,
}
NODE = {
    "path": "root/gateway",
    "name": "gateway",
    "state": "backoff",
    "incarnation": 3,
    "restarts": 2,
    "mailbox": None,
    "children": [
        {
            "name": "inbound",
            "state": "stopped",
            "incarnation": 9,
            "restarts": 0,
            "mailbox": {"used": 2, "capacity": 16},
        },
    ],
    "left_out": 7,
}
FIRST = Dossier(
    id="1a2b3c4d",
    at=AT,
    boot_id="b1",
    version="0.1.0",
    path="root/gateway",
    incarnation=3,
    reason="inbound ended too often",
    decision="restart",
    delay_s=0.41,
    through=("inbound",),
    message="Wake",
    attempt=2,
    loop_lag_ms=0.3,
    traceback='Traceback (most recent call last):\n\tFile "x"\nValueError: \x1b[31mno',
    events=({"at": AT - 2.5, "kind": "ready", "path": "root", "incarnation": 1}, EXITED),
    tree=NODE,
    count=1_200,
    last_at=AT + 60,
)
SECOND = replace(
    FIRST,
    id="1a000000",
    at=AT + 3600,
    path="root/gateway/web",
    reason="stuck",
    through=(),
    decision="disable",
    delay_s=None,
    message=None,
    attempt=None,
    traceback="",
    events=(),
    tree=None,
    count=1,
    last_at=AT + 3600,
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """With two crashes, in a time zone that every machine has."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        (tmp_path / "logs").mkdir()
        assert dossiers.keep(tmp_path / dossiers.DIRECTORY, [FIRST, SECOND], str) == []
        yield tmp_path
    time.tzset()


def run(capsys, home: Path, *arguments: str):
    """Exit code, stdout, stderr."""
    code = main(["crashes", *arguments, "--home", str(home)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("command", [[], ["list"]])
def test_the_list_is_newest_first_one_a_line(home, capsys, command):
    code, out, err = run(capsys, home, *command)

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "1a000000  2027-01-15 09:00:00  root/gateway/web  stuck",
        "1a2b3c4d  2027-01-15 08:00:00  root/gateway  1,200 times  inbound ended too often",
    ]


@pytest.mark.parametrize("command", [["--json"], ["list", "--json"]])
def test_the_list_as_json(home, capsys, command):
    code, out, _ = run(capsys, home, *command)

    assert code == 0
    document = json.loads(out)
    assert document["unreadable"] == []
    assert [crash["id"] for crash in document["crashes"]] == ["1a000000", "1a2b3c4d"]
    assert document["crashes"][1] == {
        "id": "1a2b3c4d",
        "when": "2027-01-15T08:00:00.250+00:00",
        "at": AT,
        "path": "root/gateway",
        "incarnation": 3,
        "reason": "inbound ended too often",
        "decision": "restart",
        "delay_s": 0.41,
        "count": 1200,
        "last_at": AT + 60,
    }


def test_a_crash_in_full(home, capsys):
    code, out, err = run(capsys, home, "show", "1a2")

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "1a2b3c4d  2027-01-15 08:00:00  1,200 times, last at 2027-01-15 08:01:00",
        "actor     root/gateway #3",
        "reason    inbound ended too often",
        "came by   inbound",
        "decision  restart in 0.4 s",
        "message   Wake, attempt 2",
        "process   version 0.1.0, boot b1, loop lag 0.3 ms",
        "",
        "Traceback (most recent call last):",
        '        File "x"',
        "ValueError: �[31mno",
        "",
        "Events up to it:",
        "      -2.50 s  ready  root #1",
        "      +0.00 s  exited  root/gateway/inbound #3  ValueError: no, restart, delay_s 0.4",
        "",
        "The actor then:",
        "  gateway  backoff  #3, 2 restarts",
        "    inbound  stopped  #9, 0 restarts, mailbox 2/16",
        "    … 7 more",
    ]


def test_what_is_not_known_is_not_shown(home, capsys):
    assert run(capsys, home, "show", "1a000000")[1].splitlines() == [
        "1a000000  2027-01-15 09:00:00",
        "actor     root/gateway/web #3",
        "reason    stuck",
        "decision  disable",
        "process   version 0.1.0, boot b1, loop lag 0.3 ms",
    ]


def test_a_crash_as_json_is_the_document(home, capsys):
    code, out, _ = run(capsys, home, "show", "1a2b3c4d", "--json")

    assert code == 0
    assert json.loads(out) == json.loads(json.dumps(FIRST.to_json()))


WRONG = {
    "1a": ("ambiguous", "2 crashes begin with 1a: 1a000000, 1a2b3c4d"),
    "1a2b3c4e": ("no_such_crash", "there is no crash 1a2b3c4e; there are 1a2b3c4d"),
    "\x1b": ("no_such_crash", "there is no crash �; there are 1a000000, 1a2b3c4d"),
    "../../../etc/passwd": ("no_such_crash", "there is no crash ../../../etc/passwd; there are "),
}


@pytest.mark.parametrize(("id", "error"), WRONG.items())
def test_an_id_that_names_no_crash_or_several_is_told_the_near_ones(home, capsys, id, error):
    code, out, err = run(capsys, home, "show", id)
    assert (code, out) == (1, "")
    assert error[1] in err

    code, out, err = run(capsys, home, "show", id, "--json")
    assert (code, out) == (1, "")
    assert json.loads(err)["error"]["type"] == error[0]
    assert error[1] in json.loads(err)["error"]["message"]


@pytest.mark.parametrize("made", [False, True])
def test_with_nothing_kept_it_says_so(tmp_path, capsys, made):
    if made:
        (tmp_path / dossiers.DIRECTORY).mkdir(parents=True)

    assert run(capsys, tmp_path) == (0, "No crash is kept.\n", "")
    assert json.loads(run(capsys, tmp_path, "--json")[1]) == {"crashes": [], "unreadable": []}
    code, out, err = run(capsys, tmp_path, "show", "1a")
    assert (code, out) == (1, "")
    assert "there is no crash 1a: none is kept" in err


def test_a_file_that_is_none_is_named_beside_the_others(home, capsys):
    broken = home / dossiers.DIRECTORY / "20990101T000000.000Z_00000000.json"
    broken.write_text("{")

    code, out, err = run(capsys, home)
    assert (code, len(out.splitlines())) == (0, 2)
    assert err == f"hermes: {broken}: it is not JSON\n"

    document = json.loads(run(capsys, home, "--json")[1])
    assert (len(document["crashes"]), document["unreadable"]) == (2, [f"{broken}: it is not JSON"])

    code, out, err = run(capsys, home, "show", "0")
    assert (code, out) == (1, "")
    assert f"{broken}: it is not JSON" in err


@pytest.mark.parametrize("arguments", [["nonsense"], ["show"], ["list", "extra"], ["--nonsense"]])
def test_wrong_usage_is_exit_code_2(home, capsys, arguments):
    code, out, err = run(capsys, home, *arguments)

    assert (code, out) == (2, "")
    assert "Usage: hermes crashes" in err


def test_help_is_that_of_both_commands(capsys):
    assert main(["crashes", "--help"]) == 0
    out = capsys.readouterr().out
    assert "list" in out
    assert "show" in out
