"""``model:`` as people write it, in the original's forms."""

from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.config.model import Model
from hermes.config.provider import is_set, unusable
from hermes.types.errors import GatewayError

LOCAL = "http://127.0.0.1:8080/v1"


def read(home: Path, text: str, environ: dict[str, str] | None = None) -> Model:
    (home / "config.yaml").write_text(text)
    return load(home, environ or {}).config.model


def test_the_original_s_section(tmp_path: Path) -> None:
    model = read(
        tmp_path,
        "model:\n  provider: custom\n  base_url: https://llm.example/v1/\n  api_key: sk-1\n  default: qwen\n"
        "  context_length: 200000\n  api_mode: chat_completions\n  openai_runtime: auto\n",
    )

    assert model == Model("custom", "https://llm.example/v1", "sk-1", "qwen", 200_000)
    assert unusable(model) == ""
    assert "sk-1" not in repr(model)


def test_S46_a_key_is_hidden_under_whatever_name_it_comes(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model: {api_key: '${LLM}', base_url: http://x/v1}")
    settings = load(tmp_path, {"LLM": "abcdefgh-1"})

    assert "abcdefgh-1" in settings.secrets


@pytest.mark.parametrize("text", ["", "model:", "model: {}", "model: {default: }"])
def test_nothing_said_is_no_model(tmp_path: Path, text: str) -> None:
    model = read(tmp_path, text, {"OPENAI_API_KEY": "sk-1"})

    assert not is_set(model)
    assert unusable(model) == ""


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (f"{{base_url: {LOCAL}}}", Model(base_url=LOCAL)),
        (f"{{base_url: {LOCAL}, model: q}}", Model(base_url=LOCAL, default="q")),
        (f"{{base_url: {LOCAL}, model: q, default: r}}", Model(base_url=LOCAL, default="r")),
        (f"{{base_url: {LOCAL}/chat/completions}}", Model(base_url=LOCAL)),
        ("{base_url: 'http://${HOST}:${env:PORT}/v1'}", Model(base_url="http://box:81/v1")),
        (f"{{base_url: {LOCAL}, api_key: 12345678}}", Model(base_url=LOCAL, api_key="12345678")),
        (f"{{base_url: {LOCAL}, provider: Ollama}}", Model("Ollama", LOCAL)),
        ("{provider: openai, default: g}", Model("openai", "https://api.openai.com/v1", "sk-o", "g")),
        ("{provider: openrouter}", Model("openrouter", "https://openrouter.ai/api/v1", "sk-r")),
        ("{provider: openai, api_key: own}", Model("openai", "https://api.openai.com/v1", "own")),
        (
            "{base_url: https://x.openai.azure.com/openai/v1}",
            Model(base_url="https://x.openai.azure.com/openai/v1", api_key="sk-o"),
        ),
    ],
)
def test_what_people_write(tmp_path: Path, text: str, model: Model) -> None:
    environ = {"OPENAI_API_KEY": "sk-o", "OPENROUTER_API_KEY": "sk-r", "HOST": "box", "PORT": "81"}
    found = read(tmp_path, f"model: {text}", environ)

    assert found == model
    assert unusable(found) == ""


@pytest.mark.parametrize(
    "url", [LOCAL, "https://openai.com.evil.example/v1", "https://notopenai.com/v1", "http://openai/v1"]
)
def test_S46_a_vendor_s_key_goes_to_that_vendor_alone(tmp_path: Path, url: str) -> None:
    assert read(tmp_path, f"model: {{base_url: '{url}'}}", {"OPENAI_API_KEY": "sk-o"}).api_key == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{provider: anthropic, default: c}", "custom, openai, openrouter, not 'anthropic'"),
        ("{provider: opnai}", "not 'opnai'; did you mean openai?"),
        ("some-model", "base_url is missing"),
        ("{provider: custom}", "base_url is missing"),
        ("{api_key: x}", "base_url is missing"),
        ("{base_url: '${NOWHERE}/v1'}", "the variable NOWHERE, which base_url is made of, is not set"),
        (f"{{base_url: {LOCAL}, api_key: '${{env:GONE}}'}}", "the variable GONE, which api_key is made of"),
        ("{base_url: localhost:8080/v1}", "base_url is not of the form"),
        ("{base_url: 'http://me:pw@host/v1'}", "base_url is not of the form"),
        ("{base_url: 'http://host:99999/v1'}", "base_url is not of the form"),
        ("{base_url: 'http://[::1/v1'}", "base_url is not of the form"),
        ("{base_url: 'http://a b/v1'}", "base_url is not of the form"),
        ("{base_url: 'https://host/v1?key=secret'}", "base_url is not of the form"),
        (f"{{base_url: {LOCAL}, api_key: 'a b'}}", "api_key holds a space"),
        (f'{{base_url: {LOCAL}, api_key: "a\\nb"}}', "api_key holds a space"),
        (f"{{base_url: {LOCAL}, api_key: clé}}", "api_key holds a space"),
    ],
)
def test_what_cannot_be_asked_is_said_and_stops_nothing(tmp_path: Path, text: str, why: str) -> None:
    words = unusable(read(tmp_path, f"model: {text}"))

    assert why in words
    assert "secret" not in words
    assert "pw" not in words


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("model: [1]", "model: expected keys and values, not a list"),
        ("model: {context_length: 5}", "model.context_length: expected a whole number from 512 to"),
        ("model: {temperature: 3}", "model.temperature: expected a number from 0 to 2, not 3"),
        ("model: {stream: maybe}", "model.stream: expected true or false, not 'maybe'"),
        ("model: {api_key: [k]}", "model.api_key: expected a text, not a list"),
        ("model: {base_url: 5}", "model.base_url: expected a text, not 5"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(tmp_path, text)
    assert f"{tmp_path}/config.yaml, line 1: {fault}" in caught.value.failure.detail
