"""What is said at the start of settings that are in order."""

import pytest

from hermes.config.load import load
from hermes.config.remarks import remarks

ADAPTERS = {"webchat": True, "console": True}


@pytest.fixture
def said(tmp_path):
    """What is said of a file and an environment, without the name of the file."""

    def said(
        text: str = "", environ: dict[str, str] | None = None, adapters: dict[str, bool] = ADAPTERS
    ) -> list[str]:
        (tmp_path / "config.yaml").write_text(text)
        found = remarks(load(tmp_path, environ or {}), adapters)
        return [words.removeprefix(f"{tmp_path}/config.yaml, ") for words in found]

    return said


def test_of_nothing_there_is_nothing_to_say(said):
    assert said() == []


def test_other_people_s_sections_are_passed_over_without_a_word(said):
    assert (
        said(
            "_config_version: 33\nsecurity: {redact_secrets: true}\ndisplay: {streaming: true, platforms: {irc: {a: b}}}\n"
            "tts: {provider: x}\nplugins: {enabled: false}\nagent: {max_turns: 9}\nplatforms:\ngateway: {streaming: true}\n"
            "telegram:\nmodel:\n",
            {
                "OPENAI_API_KEY": "x",
                "EMAIL_PASSWORD": "y",
                "TELEGRAM_BOT_TOKEN": " ",
                "WHATSAPP_ENABLED": "false",
            },
        )
        == []
    )


def test_a_model_that_cannot_be_asked_is_said_to_be_none(said):
    (words,) = said("\nmodel:\n  default: x\n  api_key: y\n")

    assert words == (
        "line 2: model: base_url is missing: where the model's server is; the built-in agent answers, without a language model"
    )
    assert said("model: gpt") == [words.replace("line 2", "line 1")]
    assert said("model: {base_url: http://x/v1}") == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("platforms:\n  telegram: {token: t}", "line 2: platforms.telegram"),
        ("gateway:\n  platforms:\n    Telegram: {extra: {a: b}}", "line 3: gateway.platforms.Telegram"),
        ("telegram: {allow_from: [1]}", "line 1: telegram"),
    ],
)
def test_a_platform_without_an_adapter_is_said_to_have_none(said, text, place):
    words = f"{place}: this version has no adapter for telegram; nobody is reached there"

    assert said(text) == [words]
    assert said(text, {"TELEGRAM_BOT_TOKEN": "t"}) == [words], "once"
    assert said(text, adapters={"telegram": False}) == []
    assert said(text + "\n# ", {"TELEGRAM_BOT_TOKEN": "t"}, {"telegram": False}) == []


def test_a_token_in_the_environment_is_a_platform_too(said):
    (words,) = said(environ={"DISCORD_BOT_TOKEN": "a-secret"})

    assert words == (
        "environment variable DISCORD_BOT_TOKEN: this version has no adapter for discord; nobody is reached there"
    )


def test_a_platform_that_is_turned_off_is_passed_over(said):
    assert said("platforms: {telegram: {enabled: no, token: t}}", {"TELEGRAM_BOT_TOKEN": "t"}) == []


@pytest.mark.parametrize("text", ["platforms: {webchat: {enabled: false}}", "webchat: {enabled: off}"])
def test_what_cannot_be_turned_off_is_said_to_be_there(said, text):
    (words,) = said(text)

    assert words.endswith("webchat.enabled: webchat cannot be turned off; it is there")
    assert said(text.replace("false", "true").replace("off", "on")) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_a_loopback_address_is_nobody_s_business(said, host):
    assert said(f"web: {{host: '{host}'}}") == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "chat.example.org"])
def test_any_other_address_is_a_door_and_said_to_be_one(said, host):
    (words,) = said(f"web: {{host: '{host}'}}")

    assert words.startswith(f"web.host: {host} is no loopback address: ")
    assert "login page" in words
    assert "TLS" in words
    assert said(environ={"API_SERVER_HOST": host}) == [words]


@pytest.mark.parametrize(
    "text",
    ["platforms: [1]", "platforms: {telegram: [1]}", "telegram: 5", "webchat: {enabled: [no]}"],
)
def test_shapes_that_nobody_expected_do_no_harm(said, text):
    said(text)


def test_what_is_wrong_with_the_env_file_is_said(said, tmp_path):
    file = tmp_path / ".env"
    file.write_text("TELEGRAM_BOT_TOKEN=t\n= nobody\n")
    file.chmod(0o640)

    bad, exposed, telegram = said()

    assert bad == f"{file}, line 2: not understood, and passed over; write NAME=value"
    assert exposed == f"{file}: other users of this machine may read your tokens; `chmod 600 {file}`"
    assert telegram.startswith(
        f"{file}, line 1: TELEGRAM_BOT_TOKEN: this version has no adapter for telegram"
    )
    file.chmod(0o600)
    assert len(said()) == 2


def test_a_token_in_a_file_that_others_may_read_is_said(said, tmp_path):
    file = tmp_path / "config.yaml"

    (exposed,) = said("model: {base_url: 'http://127.0.0.1/v1', api_key: sk-0123456789}")

    assert exposed == f"{file}: other users of this machine may read your tokens; `chmod 600 {file}`"
    assert (
        said("model: {base_url: 'http://127.0.0.1/v1', api_key: '${KEY}', max_tokens: 4096}", {"KEY": "k"})
        == []
    )
    file.chmod(0o600)
    assert said("model: {base_url: 'http://127.0.0.1/v1', api_key: sk-0123456789}") == []
