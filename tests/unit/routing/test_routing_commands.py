import pytest

from hermes.routing import commands
from hermes.routing.commands import Typed, find_command, parse_command


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


def test_help_shows_every_command() -> None:
    for spec in commands.COMMANDS:
        assert f"`/{spec.name}`" in commands.help_text()
        assert spec.summary in commands.commands_text()


def test_an_unknown_command_names_the_nearest() -> None:
    assert "/stop" in commands.unknown_command("stpo")
    assert "?" not in commands.unknown_command("qqqqqq")
    assert "\n" not in commands.unknown_command("stpo")
