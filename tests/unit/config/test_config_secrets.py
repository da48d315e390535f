"""Secrets are known by the names of their settings, in the environment and in the file, also where the keys are not ours."""

from typing import Any

import pytest

from hermes.config.load import load as read
from hermes.config.load import secrets
from hermes.config.model import Config
from hermes.config.secrets import secrets_in


def load(*args: Any, **flags: Any) -> Config:
    return read(*args, **flags).config


@pytest.mark.parametrize(
    "name",
    [
        "TELEGRAM_BOT_TOKEN",
        "API_SERVER_KEY",
        "MATRIX_PASSWORD",
        "WHATSAPP_CLOUD_APP_SECRET",
        "token",
        "api_key",
        "apiKeys",
        "smtp_passwd",
        "GPG_PASSPHRASE",
        "credentials",
    ],
)
def test_names_that_say_they_are_secret(name):
    assert list(secrets_in({name: "value"})) == ["value"]


@pytest.mark.parametrize("name", ["KEYBOARD", "TOKENIZER", "max_tokens_total", "PATH", "secretary"])
def test_names_that_do_not(name):
    assert list(secrets_in({name: "value"})) == []


def test_a_file_is_searched_at_any_depth():
    settings = {
        "platforms": {"telegram": {"token": "1:a", "accounts": [{"token": "2:b", "name": "work"}]}},
        "webhook": {"secret": {"old": "c", "new": ["d", 12345678, True, None]}},
    }

    assert list(secrets_in(settings)) == ["1:a", "2:b", "c", "d", "12345678"]


def test_a_list_in_one_text_is_given_whole_and_in_its_parts():
    assert list(secrets_in({"SLACK_BOT_TOKENS": "one, two"})) == ["one, two", "one", "two"]


def test_S47_the_secrets_of_a_home_come_from_its_file_and_the_environment(tmp_path):
    (tmp_path / "config.yaml").write_text("model: {api_key: from-the-file}\nweb: {port: 1}\n")

    assert secrets(tmp_path, {"A_TOKEN": "from-the-environment", "B": "c"}) == (
        "from-the-environment",
        "from-the-file",
    )


def test_another_file_stands_in_for_the_home_s(tmp_path):
    (tmp_path / "config.yaml").write_text("api_key: no")
    other = tmp_path / "other.yaml"
    other.write_text("api_key: yes, indeed")

    assert secrets(tmp_path, {}, file=other) == ("yes, indeed", "yes", "indeed")


def test_without_a_file_there_are_those_of_the_environment(tmp_path):
    assert secrets(tmp_path, {"A_KEY": "a"}) == ("a",)


def test_S45_a_bomb_of_anchors_does_not_go_off(tmp_path):
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))
    (tmp_path / "config.yaml").write_text(
        f"a0: &a0 [boom]\n{levels}\ntokens: *a29\nagent: &me {{tokens: *me}}\n"
    )

    assert secrets(tmp_path, {}) == ("boom",)
    assert load(tmp_path, {}) == Config()
