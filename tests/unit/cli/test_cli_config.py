"""``hermes config``: what is set and where, and one key changed without touching anything else."""

import json
import stat
from io import StringIO

import pytest
from gateway_double import gateway_on

from hermes.cli import main
from hermes.config.load import load
from hermes.config.platforms import read_accounts

TEXT = "# mine\nweb: {port: 9000} # mine, too\nmodel:\n  default: small\nsomebody: {api_key: very-secret-key, x: 0123}\n"
TOKEN = "123456789:abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("API_SERVER_PORT", "TELEGRAM_BOT_TOKEN", "HERMES_GATEWAY_BUSY_INPUT_MODE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.yaml").write_text(TEXT)
    return tmp_path


def run(capsys, home, *arguments):
    code = main(["config", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def settings(capsys, home, *arguments):
    code, out, err = run(capsys, home, *arguments, "--json")
    assert code == 0, err
    return {row["key"]: (row["value"], row["origin"]) for row in json.loads(out)["settings"]}


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_each_key_has_its_origin_from_defaults_to_variables(capsys, home, monkeypatch):
    (home / "gateway.json").write_text('{"default_reset_policy":\n {"at_hour": 7}}')
    (home / ".env").write_text("SESSION_IDLE_MINUTES=9\nTELEGRAM_BOT_TOKEN=" + TOKEN)
    monkeypatch.setenv("HERMES_GATEWAY_BUSY_INPUT_MODE", "queue")

    found = settings(capsys, home, "show")

    assert found["web.port"] == (9000, f"{home}/config.yaml, line 2")
    assert found["web.host"] == ("127.0.0.1", "default")
    assert found["session_reset.at_hour"] == (7, f"{home}/gateway.json, line 2")
    assert found["session_reset.idle_minutes"] == (9, f"{home}/.env, line 1: SESSION_IDLE_MINUTES")
    assert found["display.busy_input_mode"] == (
        "queue",
        "environment variable HERMES_GATEWAY_BUSY_INPUT_MODE",
    )
    assert found["somebody.x"] == ("0123", f"{home}/config.yaml, line 5"), "kept letter by letter"


def test_S47_no_secret_is_shown(capsys, home):
    (home / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}")

    for arguments in (
        ("show", "--origin"),
        ("show", "--json"),
        ("get", "somebody"),
        ("get", "TELEGRAM_BOT_TOKEN"),
    ):
        _, out, err = run(capsys, home, *arguments)
        assert "very-secret-key" not in out + err
        assert TOKEN not in out + err
        assert "[redacted]" in out


def test_a_key_is_set_and_unset_and_the_rest_stays(capsys, home):
    (home / "config.yaml").chmod(0o640)

    assert run(capsys, home, "set", "web.port", "8000")[0] == 0
    assert run(capsys, home, "set", "display.busy_input_mode", "queue")[0] == 0
    after = TEXT.replace("9000", "8000") + "display:\n  busy_input_mode: queue\n"
    assert (home / "config.yaml").read_text() == after
    assert mode(home / "config.yaml") == 0o640

    assert run(capsys, home, "unset", "model.default")[0] == 0
    assert (home / "config.yaml").read_text() == after.replace("  default: small\n", "")
    assert not (home / ".env").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("display.busy_input_mode", "quue", "did you mean queue?"),
        ("web.prot", "80", "did you mean web.port?"),
        ("model.default.x", "1", "holds"),
        ("somebody.token", "abcdefgh", "in a variable"),
        ("a..b", "1", "is no key"),
        ("web.port", "99999999", "web.port"),
    ],
)
def test_a_wrong_value_changes_nothing(capsys, home, key, value, words):
    code, _, err = run(capsys, home, "set", key, value)

    assert code != 0
    assert words in err
    assert (home / "config.yaml").read_text() == TEXT
    assert sorted(path.name for path in home.iterdir()) == ["config.yaml"]


def test_of_two_faults_one_can_be_mended(capsys, home):
    (home / "config.yaml").write_text("web: {port: x}\ndrain_timeout_s: y\n")

    assert run(capsys, home, "set", "web.port", "1")[0] == 0
    assert (home / "config.yaml").read_text() == "web: {port: 1}\ndrain_timeout_s: y\n"


def test_S47_a_secret_goes_to_env_and_the_file_names_its_variable(capsys, home, monkeypatch):
    (home / ".env").write_text("# tokens\nOTHER=1\n")
    monkeypatch.setattr("sys.stdin", StringIO("model-secret\n"))

    assert run(capsys, home, "set", "model.api_key")[0] == 0
    assert run(capsys, home, "set", "platforms.telegram.token", TOKEN)[0] == 0

    assert (
        home / ".env"
    ).read_text() == f"# tokens\nOTHER=1\nMODEL_API_KEY=model-secret\nTELEGRAM_BOT_TOKEN={TOKEN}\n"
    assert mode(home / ".env") == 0o600
    text = (home / "config.yaml").read_text()
    assert "${MODEL_API_KEY}" in text
    assert "model-secret" not in text + TEXT
    assert TOKEN not in text
    assert settings(capsys, home, "get", "model.api_key")["model.api_key"][0] == "[redacted]"

    assert run(capsys, home, "unset", "TELEGRAM_BOT_TOKEN")[0] == 0
    assert TOKEN not in (home / ".env").read_text()


def test_S47_the_token_of_an_account_is_kept_in_a_variable_that_its_block_names(capsys, home):
    assert run(capsys, home, "set", "platforms.telegram.accounts.my-work.token", TOKEN)[0] == 0

    assert (home / ".env").read_text() == f"TELEGRAM_MY_WORK_TOKEN={TOKEN}\n"
    assert TOKEN not in (home / "config.yaml").read_text()
    found = load(home, {})
    accounts = read_accounts(found.written, found.environ, "telegram", [])
    assert accounts["my-work"].token == TOKEN


def test_what_is_set_elsewhere_as_well_is_said(capsys, home):
    (home / ".env").write_text("API_SERVER_PORT=7000\n")

    _, out, _ = run(capsys, home, "set", "web.port", "8000")

    assert f"{home}/.env, line 1: API_SERVER_PORT" in out
    assert "after a restart" in out


def test_check_names_faults_and_what_nobody_reads(capsys, home):
    (home / "config.yaml").write_text("web: {prot: 1}\n")
    code, out, _ = run(capsys, home, "check")
    assert (code, "did you mean web.port?" in out) == (0, True)

    (home / "config.yaml").write_text("web:\n  port: x\n")
    code, out, _ = run(capsys, home, "check", "--json")
    answer = json.loads(out)
    assert (code, answer["ok"]) == (1, False)
    assert answer["faults"][0].startswith(f"{home}/config.yaml, line 2: web.port")


def test_S45_a_key_that_stands_twice_is_refused_with_both_lines(capsys, home):
    (home / "config.yaml").write_text("web: {}\nmodel: {}\nweb: {}\n")

    code, out, _ = run(capsys, home, "check")

    assert code == 1
    assert "key 'web' stands in line 1 and again in line 3" in out


def test_an_edit_that_cannot_be_used_does_not_take_the_place_of_the_file(capsys, home, monkeypatch):
    editor = home.parent / "editor.sh"
    editor.write_text('#!/bin/sh\necho "web: {port: x}" > "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))

    code, _, err = run(capsys, home, "edit")

    assert code == 1
    assert "web.port" in err
    assert (home / "config.yaml").read_text() == TEXT
    assert sorted(path.name for path in home.iterdir()) == ["config.yaml"]

    editor.write_text('#!/bin/sh\necho "web: {port: 5}" > "$1"\n')
    assert run(capsys, home, "edit")[0] == 0
    assert (home / "config.yaml").read_text() == "web: {port: 5}\n"


def test_a_running_gateway_says_what_a_reload_brings(capsys, home):
    with gateway_on(home, {"config_reload": {"new": ["x is new"], "needs_restart": ["web.port"]}}):
        _, out, _ = run(capsys, home, "reload")
    assert out == "x is new\nafter a restart of the gateway: web.port\n"

    assert run(capsys, home, "reload")[0] == 3


def test_path_says_where_the_files_are(capsys, home):
    assert run(capsys, home, "path")[1] == f"{home}/config.yaml\n"
    assert json.loads(run(capsys, home, "path", "--json")[1])["variables"] == f"{home}/.env"


def test_an_older_home_is_brought_into_todays_keys_once_and_what_it_was_is_kept(capsys, home):
    old = "# mine\ngateway:\n  streaming: true   # yes\n"
    (home / "config.yaml").write_text(old)
    (home / "config.yaml").chmod(0o640)

    code, out, _ = run(capsys, home, "migrate", "--check")
    assert (code, out) == (1, "gateway.streaming -> streaming\n")
    assert (home / "config.yaml").read_text() == old

    code, out, _ = run(capsys, home, "migrate", "--json")
    document = json.loads(out)
    assert (code, document["moved"], document["left"]) == (0, ["gateway.streaming -> streaming"], [])
    (kept,) = home.glob("config.yaml.*")
    assert (str(kept), kept.read_text(), mode(kept)) == (document["copy"], old, 0o600)
    assert (home / "config.yaml").read_text() == "# mine\nstreaming: true   # yes\n"
    assert mode(home / "config.yaml") == 0o640

    assert run(capsys, home, "migrate", "--check")[:2] == (0, "All keys are those of today.\n")
    assert run(capsys, home, "migrate")[0] == 0
    assert list(home.glob("config.yaml.*")) == [kept]


def test_nothing_on_stdin_is_no_value(capsys, home, monkeypatch):
    (home / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\n")
    monkeypatch.setattr("sys.stdin", StringIO(""))

    code, _, err = run(capsys, home, "set", "TELEGRAM_BOT_TOKEN")

    assert (code, "config unset" in err) == (2, True)
    assert (home / ".env").read_text() == f"TELEGRAM_BOT_TOKEN={TOKEN}\n"


def test_commands_and_restart_policies_are_shown_as_they_are_written(capsys, home):
    (home / "config.yaml").write_text(
        "quick_commands:\n  hi: {type: exec, command: echo hi}\nsupervision:\n  root/gateway/web: {intensity: 3/30}\n"
    )

    found = settings(capsys, home, "show")

    assert found["quick_commands.hi.command"] == ("echo hi", f"{home}/config.yaml, line 2")
    assert found["supervision.root/gateway/web.intensity"][0] == "3/30"
    assert "quick_commands" not in found
