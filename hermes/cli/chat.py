"""``hermes chat``: a conversation with the running gateway, for people and for scripts."""

import getpass
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import file_lines
from hermes.cli.who import PLATFORM, Who, checked
from hermes.ops.control.client import ControlError

if TYPE_CHECKING:
    from hermes.cli.link import Link, LinkEvent
    from hermes.net.clientlink import Item

TIMEOUT_S = 300.0
HISTORY_NAME = "console_history"

_NAME = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_NAME_RULE = "1 to 64 letters, digits and . _ @ + -"


@click.command()
@home_option
@click.option("-m", "--message", metavar="TEXT", help="Send TEXT, print the answer, and leave.")
@click.option("--user", metavar="NAME", help="Whose conversation it is. Default: your login name.")
@click.option(
    "--session",
    metavar="KEY",
    help="Another conversation of that user: a name of your own, or the whole key as `hermes tree` shows it.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT_S,
    show_default=True,
    metavar="S",
    help="How many seconds a script waits for an answer.",
)
@json_option
@click.pass_context
def chat(
    ctx: click.Context,
    *,
    home: Path,
    message: str | None,
    user: str | None,
    session: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Talk to the running gateway.

    In a terminal: Ctrl-C stops the answer that is being worked on, a second one or Ctrl-D leaves. A line that ends with
    a backslash goes on in the next one, and a line of three double quotes begins and ends a block. Otherwise each line of
    standard input is a message; the answers go to standard output, and the end of input waits for them.

    An answer that comes after you have left is shown the next time. With -m or piped input it goes to standard error then,
    if it was to something else.

    Exit codes: 0 answered · 1 no answer in time, or refused · 2 usage · 3 no gateway runs.
    """
    who = whom(user, session)
    if message is not None:
        if not message.strip():
            raise click.BadParameter("there is nothing to send", param_hint="-m")
        _one(home, who, message, timeout, as_json)
    elif as_json:
        raise click.UsageError("--json needs a message: -m TEXT")
    elif sys.stdin.isatty() and sys.stdout.isatty():
        from hermes.cli.talk import talk

        talk(home, who, history_file(home, who))
    elif not _lines(home, who, timeout):
        ctx.exit(1)


def whom(user: str | None, session: str | None) -> Who:
    """Check the names that were given. Raises ``click.UsageError``."""
    user = login_name() if user is None else user
    if not _NAME.fullmatch(user):
        raise click.BadParameter(f"{user!r} is no name here: {_NAME_RULE}", param_hint="--user")
    if session is not None:
        key = Who(user).session_key
        session = session.removeprefix(f"{key}:") if session != key else None
    if session is not None and not _NAME.fullmatch(session):
        words = f"{session!r} is no conversation of {user} in the console: {_NAME_RULE}, or {Who(user).session_key}:NAME"
        raise click.BadParameter(words, param_hint="--session")
    return Who(user, session)


def login_name() -> str:
    """The operator's own name. Raises ``click.UsageError`` where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise click.UsageError("this process has no login name: say --user NAME") from None


def history_file(home: Path, who: Who) -> Path | None:
    """Where typed lines are remembered: one's own, and nobody else's."""
    return home / HISTORY_NAME if who.user == login_name() else None


def _one(home: Path, who: Who, message: str, timeout_s: float, as_json: bool) -> None:
    """Send one message and print its answer. Raises ``ControlError`` if there is none."""
    text = checked(message)
    earlier: list[Item] = []

    def answered(item: "Item") -> None:
        if not as_json:
            _print(item)
            return
        document = {
            "ok": True,
            "user": who.user,
            "session_key": who.session_key,
            "message_id": item.reply_to,
            "reply": item.text,
            "files": [
                {"name": one.name, "kind": one.kind, "path": one.ref, "size_bytes": one.size_bytes}
                for one in item.files
            ],
            "delivery_id": item.item_id,
            "at": item.at,
            "earlier": [{"reply": one.text, "delivery_id": one.item_id, "at": one.at} for one in earlier],
        }
        print_json(document)

    exchange = Exchange(answered, earlier.append if as_json else _aside, _silent if as_json else _say)
    exchange.run(home, who, [text], timeout_s)
    for refusal in exchange.refusals:
        raise refusal


def _lines(home: Path, who: Who, timeout_s: float) -> bool:
    """Each line of standard input is a message; False if one was refused."""
    exchange = Exchange(_print, _aside, _say)
    exchange.run(home, who, (line.rstrip("\n") for line in sys.stdin), timeout_s)
    for refusal in exchange.refusals:
        _say(refusal.failure.detail)
    return not exchange.refusals


def _print(item: "Item") -> None:
    for line in _words(item):
        click.echo(line)


def _aside(item: "Item") -> None:
    """An answer to what was said in another run; a notice, such as a place in line, answers nothing."""
    for line in _words(item):
        if item.answers:
            click.echo(f"[to an earlier message] {line}", err=True)
        else:
            _say(line)


def _words(item: "Item") -> list[str]:
    """What it says, and its files; nothing of one that only says that there is no answer."""
    return [*([item.text] if item.text else ()), *file_lines(item)]


def _say(words: str) -> None:
    click.echo(f"hermes: {words}", err=True)


def _silent(_words: str) -> None:
    """With --json, standard error holds one document at most."""


class Exchange:
    """A script's conversation: messages out as they come, answers in, until every one has its answer.

    ``warn`` is told in words what it waits for, besides an answer.
    """

    def __init__(
        self,
        answered: Callable[["Item"], None],
        aside: Callable[["Item"], None],
        warn: Callable[[str], None],
    ) -> None:
        self.refusals: list[ControlError] = []
        self._answered = answered
        self._aside = aside
        self._warn = warn
        self._events: queue.SimpleQueue[LinkEvent | ControlError | None] = queue.SimpleQueue()

    def run(self, home: Path, who: Who, messages: Iterable[str], timeout_s: float) -> None:
        """Return when all is answered or refused. Raises ``ControlError``: ``timeout`` when ``timeout_s`` have passed since
        the last message and the last answer, ``paused`` or ``disabled`` when the console is and nobody else's doing will change
        it, ``NotRunning`` when there is no gateway at the start.
        """
        from hermes.cli import link as links

        with links.Link(home, who.names, self._events.put, own=True) as link:
            threading.Thread(target=self._feed, args=(link, messages), name="chat-input", daemon=True).start()
            ended, until = False, None
            while not ended or link.waiting or not self._events.empty():
                match self._next(home, link, until):
                    case None:
                        ended = True
                    case ControlError() as refusal:
                        self.refusals.append(refusal)
                    case links.Came(item, True) if item.refusal is not None:
                        self.refusals.append(ControlError(item.refusal, item.text))
                        link.shown(item)
                    case links.Came(item, ours):
                        (self._answered if ours else self._aside)(item)
                        link.shown(item)
                    case links.Refused(code, words):
                        self.refusals.append(ControlError(code, words))
                    case links.Ended(reason):
                        raise reason
                    case links.Away(reason) if reason.failure.code in links.LASTING:
                        raise reason if link.unsafe else _answered_later(reason)
                    case links.Away(reason):
                        self._warn(f"waiting: {reason.failure.detail}")
                        continue
                    case links.Held(why):
                        self._warn(f"waiting: {why}")
                        continue
                    case links.Up() | links.Back() | links.Said():
                        continue
                    case never:
                        assert_never(never)
                until = time.monotonic() + timeout_s if ended else None
            link.settle()

    def _feed(self, link: "Link", messages: Iterable[str]) -> None:
        for message in messages:
            if message.strip():
                try:
                    link.say(checked(message))
                except ControlError as refusal:
                    self._events.put(refusal)
        self._events.put(None)

    def _next(self, home: Path, link: "Link", until: float | None) -> "LinkEvent | ControlError | None":
        try:
            return self._events.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
        except queue.Empty:
            from hermes.cli.trouble import trouble

            late = "the gateway has not taken the message in time" if link.unsafe else "no answer in time"
            why = trouble(home, PLATFORM)
            error = ControlError("timeout", f"{late}: {why}" if why else late)
            raise (error if link.unsafe else _answered_later(error)) from None


def _answered_later(why: ControlError) -> ControlError:
    """``why`` there is no answer now, where the message is safe."""
    hint = "it has the message; the answer comes with the next `hermes chat`"
    return ControlError(why.failure.code, why.failure.detail, f"{why.hint}; {hint}" if why.hint else hint)
