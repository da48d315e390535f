"""gateway.json below config.yaml: what of each holds, and where it says that it stands."""

import json

import pytest

from hermes.config.load import load
from hermes.config.platforms import Variable, read_accounts
from hermes.types.errors import GatewayError

TOKEN = Variable("TELEGRAM_BOT_TOKEN", "token", "Token", password=True, enables=True)

LEGACY = {
    "default_reset_policy": {"mode": "daily", "at_hour": 3},
    "reset_by_type": {"dm": {"mode": "idle", "idle_minutes": 5}},
    "reset_by_platform": {"telegram": {"mode": "none"}},
    "reset_triggers": ["/new"],
    "always_log_local": True,
    "platforms": {"telegram": {"token": "from-json", "extra": {"base_url": "http://json", "only": "json"}}},
}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "gateway.json").write_text(json.dumps(LEGACY, indent=2))
    return tmp_path


def telegram(home, environ=None):
    settings = load(home, environ or {})
    return read_accounts(settings.written, settings.environ, "telegram", [TOKEN])["default"]


def test_a_policy_of_config_yaml_replaces_the_default_one_and_those_by_type_and_platform_survive(home):
    assert load(home, {}).config.session_reset.at_hour == 3

    (home / "config.yaml").write_text("session_reset: {mode: idle}\n")
    config = load(home, {}).config

    assert (config.session_reset.mode, config.session_reset.at_hour) == ("idle", 4)
    assert config.reset_by_type["dm"].idle_minutes == 5
    assert config.reset_by_platform["telegram"].mode == "none"


def test_platforms_are_joined_key_by_key_and_know_their_file(home):
    (home / "config.yaml").write_text("gateway: {platforms: {telegram: {extra: {base_url: http://yaml}}}}\n")

    found = telegram(home)

    assert (found.token, found.settings["base_url"], found.settings["only"]) == (
        "from-json",
        "http://yaml",
        "json",
    )
    assert found.places["token"].startswith(f"{home}/gateway.json, line ")
    assert found.places["base_url"].startswith(f"{home}/config.yaml, line 1")
    assert telegram(home, {"TELEGRAM_BOT_TOKEN": "from-env"}).token == "from-env"


def test_what_stands_below_gateway_counts_where_nothing_stands_at_the_top(home):
    (home / "config.yaml").write_text(
        "gateway: {session_reset: {mode: both}, streaming: true}\nstreaming: false\n"
    )

    config = load(home, {}).config

    assert (config.session_reset.mode, config.streaming.enabled) == ("both", False)


def test_a_fault_in_it_names_its_line(home):
    (home / "gateway.json").write_text('{\n  "reset_by_type": {\n    "dm": {"at_hour": 24}}}')

    with pytest.raises(GatewayError) as caught:
        load(home, {})

    assert caught.value.failure.detail.startswith(f"{home}/gateway.json, line 3: reset_by_type.dm.at_hour")


@pytest.mark.parametrize("text", ['{"a": 1,\n "a": 2}', "{", "[1]", '{"a": 1}}'])
def test_a_broken_one_is_refused_by_name(home, text):
    (home / "gateway.json").write_text(text)

    with pytest.raises(GatewayError) as caught:
        load(home, {})

    assert f"{home}/gateway.json" in caught.value.failure.detail


def test_json_is_read_with_tabs_byte_order_mark_and_characters_in_two_halves(home):
    text = '\ufeff{\n\t"quick_commands": {"hi": {"type": "alias", "target": "/status \\ud83d\\ude00\\/"}}}'
    (home / "gateway.json").write_text(text)

    (command,) = load(home, {}).config.quick_commands

    assert "\U0001f600/" in repr(command)
