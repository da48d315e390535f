"""``hermes hooks``: on the files of a home without a gateway, and in front of a gateway double."""

import json
import stat

import pytest
from gateway_double import gateway_on

from hermes.cli import main


def run(capsys, home, *arguments):
    code = main(["hooks", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def home(tmp_path):
    for name, manifest, source in (
        ("good", "events: [agent:end]\ndescription: Notes", "raise AssertionError('it was run')"),
        ("off", "events: [agent:end]\nenabled: false", ""),
        ("typo", "events: [agent:ended]", ""),
        ("bad", "description: x", ""),
    ):
        path = tmp_path / "hooks" / name
        path.mkdir(parents=True)
        (path / "HOOK.yaml").write_text(manifest)
        (path / "handler.py").write_text(source)
    return tmp_path


def test_without_a_gateway_they_are_listed_and_nothing_is_run(capsys, home):
    code, out, _ = run(capsys, home, "list")
    assert code == 0
    assert out.splitlines()[0] == "good  agent:end  Notes"
    assert "off  off: HOOK.yaml says enabled: false" in out
    assert "bad  not used:" in out
    listed = json.loads(run(capsys, home, "list", "--json")[1])
    assert [one["name"] for one in listed["hooks"]] == ["good", "typo"]


def test_the_doctor_says_what_is_wrong_and_nothing_of_what_is_wanted_so(capsys, home):
    code, out, _ = run(capsys, home, "doctor")
    assert code == 1
    assert "typo hears agent:ended, which never happens here" in out
    assert "names none" in out
    assert "off" not in out
    code, out, _ = run(capsys, home / "elsewhere", "doctor")
    assert (code, out) == (0, "Nothing is wrong with the hooks.\n")


def test_a_program_is_allowed_once_for_one_event(capsys, home):
    (home / "config.yaml").write_text(
        "hooks:\n  agent:end: [{command: x y}]\n  agent:start: [{command: x y}]\n"
    )
    assert "agent:end x y  not used: nobody has allowed it" in run(capsys, home, "list")[1]
    kept = {"event": "old", "command": "z", "approved_at": "then"}
    file = home / "shell-hooks-allowlist.json"
    file.write_text(json.dumps({"approvals": [kept]}))
    file.chmod(0o600)
    for _ in range(2):
        assert run(capsys, home, "allow", "agent:end", "x y")[::2] == (0, "")
    out = run(capsys, home, "list")[1]
    assert "agent:start x y  not used" in out
    assert "agent:end x y  not used" not in out
    said = json.loads(file.read_text())["approvals"]
    assert [(one["event"], one["command"]) for one in said] == [("old", "z"), ("agent:end", "x y")]
    assert said[0] == kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_event_that_never_happens_is_allowed_with_a_word_about_it(capsys, home):
    assert run(capsys, home, "allow", "agent:ended", "x y")[::2] == (
        0,
        "But agent:ended never happens here.\n",
    )


def test_what_was_allowed_is_taken_back(capsys, home):
    (home / "config.yaml").write_text(
        "hooks:\n  agent:end: [{command: ~/x.sh y}]\n  agent:start: [{command: ~/x.sh y}]\n"
    )
    for event in ("agent:end", "agent:start"):
        run(capsys, home, "allow", event, "~/x.sh y")
    code, out, _ = run(capsys, home, "revoke", "agent:end ~/x.sh y")
    assert (code, "agent:end ~/x.sh y may run no more" in out) == (0, True)
    out = run(capsys, home, "list")[1]
    assert "agent:end ~/x.sh y  not used: nobody has allowed it" in out
    assert "agent:start ~/x.sh y  not used" not in out
    assert run(capsys, home, "revoke", "~/x.sh")[0] == 0
    assert json.loads((home / "shell-hooks-allowlist.json").read_text()) == {"approvals": []}
    code, _, err = run(capsys, home, "revoke", "~/x.sh")
    assert code != 0
    assert "nobody has allowed ~/x.sh" in err


def test_who_takes_back_what_is_allowed_anyway_is_told_so(capsys, home):
    config = "hooks_auto_accept: yes\nhooks:\n  agent:end: [{command: x y}]\n"
    (home / "config.yaml").write_text(config)
    run(capsys, home, "allow", "agent:end", "x y")
    assert "while config.yaml says hooks_auto_accept" in run(capsys, home, "revoke", "x y")[1]


def test_an_allowlist_that_cannot_be_read_is_not_written_over(capsys, home):
    file = home / "shell-hooks-allowlist.json"
    file.write_text("{")
    code, _, err = run(capsys, home, "allow", "agent:end", "x")
    assert code == 2
    assert "shell-hooks-allowlist.json" in err
    assert file.read_text() == "{"


def test_trying_one_needs_a_gateway(capsys, home):
    code, out, _ = run(capsys, home, "test", "agent:end")
    assert (code, out) == (3, "")


def test_what_was_tried_is_shown(capsys, home):
    good = {"hook": "good", "ok": True, "answer": "", "error": "", "seconds": 0.01}
    bad = {
        "hook": "bad",
        "ok": False,
        "answer": "",
        "error": "agent:end: OSError: \x1b[31mno",
        "seconds": 2.0,
    }
    called = {"called": [good, bad]}
    with gateway_on(home, {"hooks_test": called}):
        code, out, _ = run(capsys, home, "test", "agent:end")
    assert code == 1
    assert out.splitlines()[0] == "good  0.01 s  answers nothing"
    assert "bad  2.00 s  failed: agent:end: OSError" in out
    assert "\x1b" not in out


def test_a_running_gateway_says_how_they_fare(capsys, home):
    counts = {"calls": 9, "errors": 2, "timeouts": 1, "dropped": 3, "left": 1, "last_error": "agent:end: x"}
    one = {"name": "slow", "events": ["agent:*"], "never": [], "description": "", **counts}
    with gateway_on(home, {"hooks_list": {"hooks": [one], "idle": []}}):
        _, listed, _ = run(capsys, home, "list")
        code, out, _ = run(capsys, home, "doctor")
    assert listed == "slow  agent:*  9 calls, 2 errors, 1 timeouts, 3 dropped\n"
    assert code == 1
    assert out.splitlines() == [
        "slow: 2 errors and 1 timeouts in 9 calls; the last: agent:end: x",
        "slow is too slow: it was not told of 3 events",
        "slow: 1 calls that were given up still run",
    ]
