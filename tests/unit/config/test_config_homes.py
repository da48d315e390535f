"""Home channels from the file and the environment."""

import pytest

from hermes.config.homes import HomeChannel
from hermes.config.load import load
from hermes.types.errors import GatewayError


def homes(tmp_path, text="", **environ):
    (tmp_path / "config.yaml").write_text(text)
    return load(tmp_path, environ).homes


def fault(tmp_path, text="", **environ):
    with pytest.raises(GatewayError) as error:
        homes(tmp_path, text, **environ)
    return error.value.failure.detail


FILE = """
platforms:
  telegram:
    home_channel: {platform: telegram, chat_id: 0123, thread_id: 7, name: Family}
    accounts:
      work:
        home_channel: {chat_id: -5}
  discord:
    home_channel: 12:30:45
"""


def test_the_file_is_read_letter_by_letter(tmp_path):
    assert homes(tmp_path, FILE) == {
        ("telegram", "default"): HomeChannel("0123", "7", "Family"),
        ("telegram", "work"): HomeChannel("-5"),
        ("discord", "default"): HomeChannel("12:30:45"),
    }


def test_the_environment_wins_as_a_whole(tmp_path):
    found = homes(
        tmp_path, FILE, TELEGRAM_HOME_CHANNEL="9", TELEGRAM_HOME_CHANNEL_NAME="Team", DISCORD_HOME_CHANNEL=" "
    )
    assert found["telegram", "default"] == HomeChannel("9", None, "Team")
    assert found["telegram", "work"] == HomeChannel("-5")
    assert found["discord", "default"] == HomeChannel("12:30:45")
    assert homes(tmp_path, "", SLACK_HOME_CHANNEL="C1", SLACK_HOME_CHANNEL_THREAD_ID="7.1") == {
        ("slack", "default"): HomeChannel("C1", "7.1")
    }


@pytest.mark.parametrize(
    ("variables", "platform", "chat_id"),
    [
        ({"MATRIX_HOME_ROOM": "!r:server.org"}, "matrix", "!r:server.org"),
        ({"EMAIL_HOME_ADDRESS": "a@b.c"}, "email", "a@b.c"),
        ({"QQ_HOME_CHANNEL": "1"}, "qqbot", "1"),
        ({"QQ_HOME_CHANNEL": "1", "QQBOT_HOME_CHANNEL": "2"}, "qqbot", "2"),
        ({"WHATSAPP_CLOUD_HOME_CHANNEL": "+49"}, "whatsapp_cloud", "+49"),
    ],
)
def test_each_platform_has_its_variable(tmp_path, variables, platform, chat_id):
    assert homes(tmp_path, "", **variables) == {(platform, "default"): HomeChannel(chat_id)}


def test_the_platforms_own_block_wins_over_those_above(tmp_path):
    text = "gateway: {platforms: {irc: {home_channel: a}}}\nplatforms: {irc: {home_channel: b}}\nirc: {home_channel: c}\n"
    assert homes(tmp_path, text)["irc", "default"].chat_id == "c"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("telegram: {home_channel: {thread_id: 7}}", "line 1: telegram.home_channel: chat_id is missing"),
        ("telegram: {home_channel: {chat_id: 7, thread: 8}}", "unknown key thread"),
        ("telegram: {home_channel: [1, 2]}", "one id or name"),
        ("telegram: {home_channel: {chat_id: {a: b}}}", "nothing nested"),
        ('telegram: {home_channel: "a\\u0000b"}', "invisible"),
    ],
)
def test_what_is_no_home_is_an_error_that_names_the_place(tmp_path, text, words):
    assert words in fault(tmp_path, text)


def test_a_variable_that_holds_something_invisible_is_named(tmp_path):
    assert "environment variable IRC_HOME_CHANNEL: it holds" in fault(tmp_path, IRC_HOME_CHANNEL="a\u202eb")
