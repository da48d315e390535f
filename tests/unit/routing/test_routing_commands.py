import unicodedata

import pytest

from hermes.routing import commands
from hermes.routing.commands import Typed, find_command, parse_command
from hermes.types import texts


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("/model@MyBot gpt", Typed("model", "gpt", "MyBot")),
        ("/New arg", Typed("new", "arg")),
        ("/", Typed("", "")),
        ("/deny —all", Typed("deny", "--all")),
        ("/deny –a x", Typed("deny", "-a x")),
        ("/say a — b", Typed("say", "a — b")),
        ("/stop\nnow  please ", Typed("stop", "now  please")),
    ],
)
def test_commands(text: str, typed: Typed) -> None:
    assert parse_command(text) == typed


@pytest.mark.parametrize(
    "text", ["／stop", "\ufeff/stop", "\r\n\n /stop", "\u200b/stop", "／ＳＴＯＰ", "/STOP\n"]
)
def test_S21_look_alikes_of_a_command_are_that_command(text: str) -> None:
    assert parse_command(text) == Typed("stop", "")


@pytest.mark.parametrize(
    "text",
    [
        "/usr/bin/x",
        "/etc/passwd is readable",
        "stop",
        "please /stop",
        "> /stop",
        "```\n/stop\n```",
        "`/stop`",
        "//stop",
        "",
        " \ufeff",
        "/" + "x" * 33,
        "[SILENT]",
        "NO_REPLY",
    ],
)
def test_S21_S22_text_stays_text(text: str) -> None:
    assert parse_command(text) is None


def test_reset_is_new() -> None:
    assert find_command("reset") is find_command("new")
    assert find_command("nonsense") is None


def test_names_and_aliases_are_unique() -> None:
    names = [name for spec in commands.COMMANDS for name in (spec.name, *spec.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("spec", commands.COMMANDS, ids=lambda spec: spec.name)
def test_help_shows_every_command_with_its_arguments(spec: commands.CommandSpec) -> None:
    line = commands.listing([spec])

    assert line == f"- `{commands.written(spec)}`: {spec.summary}"
    assert line.startswith(f"- `/{spec.name}")
    assert not spec.summary.endswith(".")
    assert all(f"/{alias}" in commands.described(spec) for alias in spec.aliases)
    assert spec.more in commands.described(spec)
    assert not spec.more or spec.more.endswith(".")
    assert (texts.NOT_BUSY in commands.described(spec)) is not spec.busy


@pytest.mark.parametrize(
    "text",
    [
        "restart gateway",
        "Restart the gateway.",
        "restart hermes gateway",
        "please restart the Hermes gateway!",
        "  Please, restart hermes?  ",
        "restart hermes, please",
    ],
)
def test_a_few_plain_sentences_mean_restart(text: str) -> None:
    assert commands.asks_for_restart(text)


@pytest.mark.parametrize(
    "text",
    [
        "restart",
        "restart the hermes",
        "how do I restart the gateway?",
        "restart gateway now",
        "restart hermes\nand tell me a joke",
        "> restart gateway",
        "don't restart the gateway",
    ],
)
def test_no_other_sentence_does(text: str) -> None:
    assert not commands.asks_for_restart(text)


def test_AC12_a_word_without_end_is_no_command_and_is_not_normalised(monkeypatch):
    """One character may become eighteen, and a mail may be ten megabytes of them."""
    lengths = []
    normalize = unicodedata.normalize

    def counted(form, text):
        lengths.append(len(text))
        return normalize(form, text)

    monkeypatch.setattr(unicodedata, "normalize", counted)
    assert parse_command("/" + "\ufdfa" * 100_000) is None
    assert parse_command("/" + "e\u0301" * 32) == Typed("\u00e9" * 32, "")
    assert max(lengths) <= 1_000
