"""Slash commands: how one is recognised, and the built-in ones as data."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hermes.types import texts
from hermes.types.access import ROLES, Role

CommandKind = Literal["control", "info"]
"""``control`` ends something or takes it back: it is not carried out if it is from before our start, and never refused for
its number. ``info``: all others.
"""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command as /help shows it; ``name`` is canonical, an alias means the same.

    ``usage`` are its arguments as help shows them, "" for none. ``more``: what help adds when it is asked for this one. ``role``
    is the least that may use it; where nobody is named owner or admin, everybody who is known by id may use it all the same
    (see ``access.slash_allowed``). ``busy``: it may run while its conversation is at work; otherwise that is said in one line,
    and nothing happens. ``firm``: its role holds also where nobody is named.
    """

    name: str
    kind: CommandKind
    summary: str
    usage: str = ""
    role: Role = "guest"
    busy: bool = True
    aliases: tuple[str, ...] = ()
    more: str = ""
    firm: bool = False


COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec("help", "info", "What you can do here, or what one command does", "[command]"),
    CommandSpec("commands", "info", "The list of commands alone"),
    CommandSpec("status", "info", "How the gateway is doing"),
    CommandSpec(
        "stop",
        "control",
        "Stop what I am working on",
        more="What waited here behind it is not answered either.",
    ),
    CommandSpec(
        "new",
        "control",
        "Begin a new conversation",
        "[title]",
        aliases=("reset",),
        more="What I am working on ends. The old one can be searched, and `/resume` goes back to it.",
    ),
    CommandSpec("retry", "info", "Take my last answer back and answer again", busy=False),
    CommandSpec(
        "undo",
        "control",
        "Take back the last exchange, or the last N",
        "[N]",
        busy=False,
        more="I forget the words; what was done stays done.",
    ),
    CommandSpec(
        "branch", "info", "Go on in a copy of this conversation", "[title]", busy=False, aliases=("fork",)
    ),
    CommandSpec("title", "info", "Name this conversation, or say its name", "[text]"),
    CommandSpec("sessions", "info", "What we have talked about here before"),
    CommandSpec(
        "resume",
        "control",
        "Go back to an earlier conversation",
        "[number | title]",
        busy=False,
        more="`/sessions` shows the numbers. Without one: to the conversation before this.",
    ),
    CommandSpec("queue", "info", "Have a message wait its turn", "TEXT", aliases=("q",)),
    CommandSpec("steer", "info", "Hand me a message while I work", "TEXT"),
    CommandSpec(
        "busy",
        "info",
        "What a message does while I work",
        "[interrupt | queue | steer | collect | default]",
        more="Alone it says which mode holds; `default` takes your choice back.",
    ),
    CommandSpec("usage", "info", "What this conversation has cost"),
    CommandSpec("model", "info", "Which model answers", "[name]", busy=False),
    CommandSpec("voice", "info", "Whether I listen and speak", "[on | off | tts | status]"),
    # A decision names what it decides, and is good after a restart too (AC-47): so these are no control commands.
    CommandSpec(
        "approve",
        "info",
        "Let me do what I asked for",
        "[number | all]",
        more="While I have asked one thing only, `yes` does it too.",
    ),
    CommandSpec(
        "deny",
        "info",
        "Forbid what I asked for",
        "[number | all] [reason]",
        more="While I have asked one thing only, `no` does it too.",
    ),
    CommandSpec("whoami", "info", "Who you are to me, and in which conversation"),
    CommandSpec(
        "link",
        "info",
        "Go on with this conversation on another platform",
        "[platform | code]",
        more="Send `/link` here, in a direct message: I give you a code, good for ten minutes. Then send `/link CODE` there.",
    ),
    CommandSpec(
        "unlink",
        "info",
        "Go back to a conversation of your own",
        more="It ends what `/link` began, for the account that you write from.",
    ),
    CommandSpec(
        "remind",
        "info",
        "Say something here at its time",
        "[WHEN TEXT | list | cancel NUMBER]",
        more="First when, then what: `/remind in 20m call Ana`, `/remind friday 18:30 football`, `/remind every day 9:00 run`."
        " `/remind list` shows yours, and their numbers.",
    ),
    CommandSpec(
        "sethome",
        "info",
        "Make this chat my home on its platform",
        role="admin",
        aliases=("set-home",),
        more="Notices, and what is sent to the platform without naming a chat, come here.",
    ),
    CommandSpec(
        "platform",
        "control",
        "Show, pause and resume platforms",
        "[list | pause NAME | resume NAME]",
        "admin",
    ),
    CommandSpec("restart", "control", "Restart the gateway", role="admin"),
    CommandSpec("debug", "info", "What to put into a report of a fault", role="admin"),
    CommandSpec("update", "info", "How to bring the gateway up to date", role="owner"),
    CommandSpec("version", "info", "Which version is running", aliases=("v",)),
)

PINGS = frozenset({"start"})
"""What a platform sends by itself when somebody opens the chat: no command, and no answer."""

_BY_NAME = {name: spec for spec in COMMANDS for name in (spec.name, *spec.aliases)}


@dataclass(frozen=True, slots=True)
class Typed:
    """A command as somebody typed it, not looked up yet; ``bot`` is whom ``/name@bot`` addresses."""

    name: str
    args: str
    bot: str | None = None


_NO_TEXT = "\ufeff\u200b \t\r\n"
_WORD = re.compile(r"/([\w-]{0,32})(?:@(\w{1,64}))?")
_MOST_NORMALISED = 1_000
_RESTART = re.compile(
    r"(?:please,?\s+)?restart\s+(?:(?:the\s+)?(?:hermes\s+)?gateway|hermes)(?:,?\s+please)?\s*[.!?]*",
    re.IGNORECASE,
)
_LONG_DASH = re.compile(r"(?<!\S)[—–](?=\w)")
_DASHES = {"—": "--", "–": "-"}


def parse_command(text: str) -> Typed | None:
    """Recognise a command at the very beginning of ``text``, or None.

    A byte order mark and blank lines before it do not count, a full-width slash does. A path
    (``/usr/bin/x``), a quotation and a code block are text. A long dash that a phone's keyboard made of
    ``--`` at the start of an argument is undone.
    """
    words = text.lstrip(_NO_TEXT).split(maxsplit=1)
    # No command is longer, however it is written; and this is asked of every text, before its length is.
    match = _WORD.fullmatch(unicodedata.normalize("NFKC", words[0][:_MOST_NORMALISED])) if words else None
    if match is None:
        return None
    args = words[1].strip() if len(words) > 1 else ""
    return Typed(match[1].lower(), _LONG_DASH.sub(lambda dash: _DASHES[dash[0]], args), match[2])


def asks_for_restart(text: str) -> bool:
    """Is it one of the few plain sentences that mean /restart, and nothing else?"""
    return _RESTART.fullmatch(text.strip()) is not None


def find_command(name: str) -> CommandSpec | None:
    """The command of that name or alias."""
    return _BY_NAME.get(name)


def may_be_given(spec: CommandSpec, role: Role) -> bool:
    """May the operator let ``role`` use it? Whoever is let in without being known never gets what is for admins."""
    return role != "guest" or ROLES.index(spec.role) <= ROLES.index("user")


def listing(specs: Iterable[CommandSpec]) -> str:
    """A line for each, in Markdown."""
    return "\n".join(f"- `{written(spec)}`: {spec.summary}" for spec in specs)


def described(spec: CommandSpec) -> str:
    """All there is to say about one, in Markdown."""
    also = texts.ALSO_CALLED.format(names=", ".join(f"/{name}" for name in spec.aliases))
    lines = [
        f"`{written(spec)}`: {spec.summary}.",
        spec.more,
        also if spec.aliases else "",
        "" if spec.busy else texts.NOT_BUSY,
    ]
    return "\n".join(filter(None, lines))


def written(spec: CommandSpec) -> str:
    """As a person writes it, with its arguments."""
    return f"/{spec.name} {spec.usage}".rstrip()
