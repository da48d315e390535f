"""Slash commands: how one is recognised, and the built-in ones as data."""

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from hermes.types import texts

CommandKind = Literal["control", "info"]
"""``control`` acts on the session and takes its control lane; ``info`` is answered at once, also while a turn
runs.
"""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command as /help shows it; ``name`` is canonical, an alias means the same."""

    name: str
    kind: CommandKind
    summary: str
    aliases: tuple[str, ...] = ()


COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec("help", "info", "What you can do here"),
    CommandSpec("commands", "info", "The list of commands alone"),
    CommandSpec("status", "info", "How the gateway is doing"),
    CommandSpec("stop", "control", "Stop what I am working on"),
    CommandSpec("new", "control", "Begin a new conversation", aliases=("reset",)),
    CommandSpec("version", "info", "Which version is running"),
)

_BY_NAME = {name: spec for spec in COMMANDS for name in (spec.name, *spec.aliases)}


@dataclass(frozen=True, slots=True)
class Typed:
    """A command as somebody typed it, not looked up yet; ``bot`` is whom ``/name@bot`` addresses."""

    name: str
    args: str
    bot: str | None = None


_NO_TEXT = "\ufeff\u200b \t\r\n"
_WORD = re.compile(r"/([\w-]{0,32})(?:@(\w{1,64}))?")
_LONG_DASH = re.compile(r"(?<!\S)[—–](?=\w)")
_DASHES = {"—": "--", "–": "-"}


def parse_command(text: str) -> Typed | None:
    """Recognise a command at the very beginning of ``text``, or None.

    A byte order mark and blank lines before it do not count, a full-width slash does. A path
    (``/usr/bin/x``), a quotation and a code block are text. A long dash that a phone's keyboard made of
    ``--`` at the start of an argument is undone.
    """
    words = text.lstrip(_NO_TEXT).split(maxsplit=1)
    match = _WORD.fullmatch(unicodedata.normalize("NFKC", words[0])) if words else None
    if match is None:
        return None
    args = words[1].strip() if len(words) > 1 else ""
    return Typed(match[1].lower(), _LONG_DASH.sub(lambda dash: _DASHES[dash[0]], args), match[2])


def find_command(name: str) -> CommandSpec | None:
    """The command of that name or alias."""
    return _BY_NAME.get(name)


def unknown_command(name: str) -> str:
    """What to say about a command that nobody knows: one line, with the nearest name if there is one."""
    answer = texts.UNKNOWN_COMMAND.format(name=name)
    nearest = difflib.get_close_matches(name, _BY_NAME, n=1)
    return f"{answer} {texts.DID_YOU_MEAN.format(name=nearest[0])}" if nearest else answer


def commands_text() -> str:
    """The answer to /commands, in Markdown."""
    return "\n".join(f"- `/{'`, `/'.join((spec.name, *spec.aliases))}`: {spec.summary}" for spec in COMMANDS)


def help_text() -> str:
    """The answer to /help, in Markdown."""
    return f"{texts.HELP}\n\n{commands_text()}"
