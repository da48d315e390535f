"""``hermes status`` for a person: what of the outbox somebody should look at."""

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.cli.status import summary

STATUS: dict[str, Any] = {
    "state": "running",
    "version": "0",
    "pid": 1,
    "port": None,
    "home": "/h",
    "uptime_s": 5.0,
    "loop_lag_ms": 0.1,
    "store": None,
    "down": [],
    "adapters": [],
    "counts": {"received": 3},
    "outbox": {"prepared": 3, "dead": 2},
    "sessions": {"known": 1},
}


def account(**changes: Any) -> dict[str, Any]:
    known = {
        "platform": "telegram",
        "account": "default",
        "open": 3,
        "oldest_age_s": 840.0,
        "late": False,
        "dead": 0,
    }
    return known | changes


def test_an_account_in_order_takes_no_line() -> None:
    assert list(summary(STATUS | {"backlog": [account()]})) == list(summary(STATUS | {"backlog": None}))


def test_what_waits_too_long_and_what_was_given_up_are_named_with_their_account() -> None:
    lines = list(summary(STATUS | {"backlog": [account(late=True, dead=2)]}))
    assert "late      telegram:default  3 wait, the oldest for 14 min" in lines
    assert "dead      telegram:default  2 given up, see `hermes outbox list --state dead`" in lines


def test_settings_that_are_not_followed_are_said_and_those_that_are_take_no_line() -> None:
    wrong = {"problem": "/h/config.yaml, line 2: no\nand more", "needs_restart": ["web.port"]}
    lines = list(summary(STATUS | {"settings": wrong}))
    assert "settings  the files are not followed: /h/config.yaml, line 2: no; and more" in lines
    assert "settings  after `hermes restart`: web.port" in lines
    assert list(summary(STATUS | {"settings": {"problem": None, "needs_restart": []}})) == list(
        summary(STATUS)
    )


def test_who_stays_down_is_named_with_what_brings_it_back() -> None:
    down = ["root/gateway/adapters/telegram:work", "root/gateway/hooks"]
    lines = list(summary(STATUS | {"down": down}))
    assert (
        "down      root/gateway/adapters/telegram:work, until `hermes adapter resume telegram:work`" in lines
    )
    assert "down      root/gateway/hooks, until `hermes restart root/gateway/hooks`" in lines


@pytest.mark.parametrize(
    ("agent", "line"),
    [
        (
            {"name": "openai", "model": "qwen3:8b", "at": "http://127.0.0.1:11434"},
            "agent     openai, model qwen3:8b at http://127.0.0.1:11434",
        ),
        ({"name": "builtin", "model": "", "at": ""}, "agent     builtin"),
        (
            {"name": "builtin", "model": "", "at": "", "problem": "agent parrot: no plug-in brings it"},
            "agent     builtin, because agent parrot: no plug-in brings it",
        ),
        (None, None),
    ],
)
def test_it_says_who_answers(agent, line):
    shown = [one for one in summary(STATUS | {"agent": agent}) if one.startswith("agent")]
    assert shown == ([line] if line else [])


def test_deep_it_says_how_house_is_kept() -> None:
    deep = {
        "as_of": 8_000.0,
        "maintenance": [
            {"task": "check", "at": 800.0, "took_s": 1.25, "done": {"found": "sound"}},
            {"task": "retention", "at": 7_940.0, "took_s": 0.5, "done": {}},
        ],
        "dead_targets": 2,
    }
    lines = list(summary(STATUS | deep))
    assert lines[-3:] == [
        "upkeep    check      2 h ago, took 1.2 s: found sound",
        "upkeep    retention  1 min ago, took 0.5 s",
        "gone      2 chats, see `hermes outbox dead-targets`",
    ]


KNOWN = {"platform": "telegram", "account": "default", "who": "@us", "failure": None}
REFUSED = {**KNOWN, "who": None, "failure": {"code": "token_revoked", "detail": "getMe: 401"}}


def test_AC02_without_a_process_nothing_is_claimed_whatever_a_file_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "gateway_state.json").write_text(
        json.dumps({"gateway_state": "running", "platforms": {"telegram": {"state": "connected"}}})
    )
    for more in ((), ("--deep",), ("--json",)):
        code = main(["status", "--home", str(tmp_path), *more])
        out, err = capsys.readouterr()
        assert (code, out) == (3, "")
        assert f"no gateway runs on {tmp_path}" in err


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (KNOWN, "probe     telegram:default  knows us as @us"),
        (REFUSED, "probe     telegram:default  token_revoked: getMe: 401"),
    ],
)
def test_deep_it_asks_the_platforms(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, row: dict[str, Any], line: str
) -> None:
    with gateway_on(tmp_path, {"status": STATUS, "probe_accounts": {"probes": [row]}}) as asked:
        assert main(["status", "--home", str(tmp_path)]) == 0
        assert "probe" not in capsys.readouterr().out
        assert main(["status", "--deep", "--home", str(tmp_path)]) == 0
        assert line in capsys.readouterr().out.splitlines()
    assert [one.verb for one in asked] == ["status", "status", "probe_accounts"]


@pytest.mark.parametrize(("rows", "code"), [([KNOWN], 0), ([KNOWN, REFUSED], 1), ([], 0)])
def test_a_probe_of_the_adapters(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rows: list[dict[str, Any]], code: int
) -> None:
    with gateway_on(tmp_path, {"probe_accounts": {"probes": rows}}) as asked:
        assert main(["adapter", "probe", "telegram", "--home", str(tmp_path)]) == code
        words = capsys.readouterr().out
        assert main(["adapter", "probe", "--json", "--home", str(tmp_path)]) == code
        assert json.loads(capsys.readouterr().out) == {"probes": rows}
    assert [one.args["adapter"] for one in asked] == ["telegram", None]
    assert len(words.splitlines()) == max(1, len(rows))
