"""``hermes setup``: a model, a platform and who may speak; each proved by one call before anything is written.

flag, or its variable ─▶ known          else asked, with what is set as the default          without a terminal: as it is
proof ─┬─ right ─▶ the next question    wrong ─▶ what was asked is asked again; what a flag says ends it
       └─ --force ─▶ the next question
"""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.platforms import registry_for
from hermes.cli.text import plain
from hermes.ops.control import client
from hermes.types.errors import MODEL_NOT_FOUND, Failure, GatewayError

if TYPE_CHECKING:
    from hermes.cli.draft import Draft
    from hermes.registry.entry import PlatformEntry

Say = Callable[[str], None]

NO_PLATFORM = "none"
PAIR = "pair"
SHOWN_MODELS = 12
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Given:
    """What flags and their variables say; None is what they do not."""

    model: str | None
    model_key: str | None = field(repr=False)
    model_name: str | None
    platform: str | None
    token: str | None = field(repr=False)
    allow: str | None
    force: bool
    asks: bool


def _option(flag: str, name: str, words: str, metavar: str) -> Callable[[Any], Any]:
    return click.option(
        flag, name, metavar=metavar, envvar=f"HERMES_SETUP_{name.upper()}", show_envvar=True, help=words
    )


@click.command()
@_option(
    "--model",
    "model",
    "Where the model is asked: an address as http://HOST:PORT/v1, openai, openrouter, or none.",
    "WHERE",
)
@_option("--model-key", "model_key", "The key that it wants.", "KEY")
@_option("--model-name", "model_name", "Which of its models.", "NAME")
@click.option("--local", is_flag=True, help="Look for a model's server on this machine.")
@_option("--platform", "platform", "The chat platform to speak on, or none.", "NAME")
@_option(
    "--token", "token", "Its token; others of its variables are taken from the environment, too.", "TOKEN"
)
@_option("--allow", "allow", "Who may speak: `pair`, or ids with commas between them.", "WHO")
@click.option("--non-interactive", is_flag=True, help="Ask nothing; so it is without a terminal.")
@click.option("--force", is_flag=True, help="Write it although a proof has failed.")
@home_option
@json_option
@click.pass_context
def setup(
    ctx: click.Context,
    /,
    *,
    home: Path,
    local: bool,
    non_interactive: bool,
    force: bool,
    as_json: bool,
    **flags: str | None,
) -> None:
    """Set up a language model, a chat platform and who may speak there, in three questions.

    What a flag or its variable says is not asked. The model has to answer once, and the platform has to know the bot, before
    anything is written. It can be run again at any time: what is set is then the default.
    """
    from hermes.cli import proofs

    asks = sys.stdin.isatty() and not (non_interactive or as_json)
    given = Given(**flags, force=force, asks=asks)
    if local:
        if (found := proofs.local_server()) is None:
            ports = ", ".join(map(str, proofs.LOCAL_PORTS))
            raise click.UsageError(
                f"no model's server was found on this machine (ports {ports}); --model takes its address"
            )
        given = replace(given, model=found)
    if not asks and given.model is None and given.platform is None:
        raise click.UsageError("without a terminal, say what to set up: --model, --local or --platform")
    said: list[str] = []

    def say(words: str) -> None:
        said.append(words)
        if not as_json:
            click.echo(plain(words))

    try:
        from hermes.cli.draft import Draft

        draft = Draft(home, registry_for(ctx))
        _model(given, draft, say)
        _platform(given, draft, say)
        written = draft.write()
    except GatewayError as wrong:
        words = f"nothing is changed: {_words(wrong)}"
        raise GatewayError(Failure(wrong.failure.code, detail=words)) from wrong
    except click.Abort:
        click.echo("\nNothing is changed.", err=True)
        raise
    _report(home, said, written, draft.pairs_on, as_json=as_json)


def _model(given: Given, draft: "Draft", say: Say) -> None:
    """The first question."""
    from hermes.config.provider import HOSTED
    from hermes.config.setting_up import NO_MODEL

    if given.model is None and not given.asks:
        return None
    current = draft.settings().config.model
    names = {url: name for name, url in HOSTED.items()}
    known = default = names.get(current.base_url, current.base_url) or NO_MODEL
    before, tried = draft.texts, False
    words = f"Language model: its address, {', '.join(HOSTED)} or {NO_MODEL}"
    while True:
        where = _place(given.model) if given.model else click.prompt(words, default, value_proc=_place)
        where = where.strip().rstrip("/")
        if where == NO_MODEL:
            draft.set_model(NO_MODEL, None, "")
            return say("No model: the built-in agent answers.")
        try:
            return say(_modelled(given, draft, where, as_it_was=where == known and not tried, tried=tried))
        except GatewayError as wrong:
            if not given.asks or given.model or given.model_key:
                raise
            click.echo(plain(_again(wrong)))
            draft.texts, default, tried = before, where, True


def _place(text: str) -> str:
    """Where a model is, as it is typed. Raises ``click.UsageError``, to be asked again."""
    from hermes.config.provider import HOSTED
    from hermes.config.setting_up import NO_MODEL

    where = text.strip()
    if where not in (NO_MODEL, *HOSTED) and not where.startswith(("http://", "https://")):
        raise click.UsageError(
            f"an address is such as http://127.0.0.1:11434/v1; else {', '.join(HOSTED)} or {NO_MODEL}"
        )
    return where


def _modelled(given: Given, draft: "Draft", where: str, *, as_it_was: bool, tried: bool) -> str:
    """Have the model at ``where``, if it answers; words for it. ``as_it_was``: with the key and the name that it has. ``tried``:
    something of it was wrong before. Raises ``GatewayError``.
    """
    from hermes.cli import proofs

    # One server's key is not for another.
    key = "" if given.model_key is None and not as_it_was else given.model_key
    name = draft.settings().config.model.default if as_it_was else ""
    draft.set_model(where, key, given.model_name or name)
    wanted = draft.settings().config.model
    may_want_one = not wanted.api_key and urlsplit(where).hostname not in _LOOPBACK
    if given.asks and given.model_key is None and (tried or may_want_one):
        key = click.prompt("Its key (none: just Enter)", default="", show_default=False, hide_input=True)
        draft.set_model(where, key.strip(), wanted.default)
        wanted = draft.settings().config.model
    try:
        name = _name(given, wanted.default, proofs.models(wanted.base_url, wanted.api_key))
        draft.set_model(where, None, name)
        if given.asks:
            click.echo(plain(f"Asking {name or 'it'} for a word, which may take a while …"))
        proofs.answer(draft.settings().config.model)
    except GatewayError as wrong:
        return _unproved(given, "the model", wrong)
    return f"The model {name or 'there'} answers at {wanted.base_url}."


def _name(given: Given, wanted: str, listed: list[str]) -> str:
    """Which of the ``listed`` models. Raises ``GatewayError`` (``model_not_found``)."""
    shown = ", ".join(listed[:SHOWN_MODELS]) + (" …" if listed[SHOWN_MODELS:] else "")

    def listed_one(text: str) -> str:
        if (name := text.strip()) not in listed:
            raise click.UsageError(f"it has no model {name}")
        return name

    if not wanted and len(listed) > 1:
        if not given.asks:
            raise click.UsageError(f"it has several models; name one with --model-name: {shown}")
        wanted = click.prompt(f"Which of its models ({shown})", value_proc=listed_one)
    if wanted and listed and not {wanted, f"{wanted}:latest"} & {*listed}:
        raise GatewayError(Failure(MODEL_NOT_FOUND, detail=f"it has no model {wanted}, but {shown}"))
    return wanted or next(iter(listed), "")


def _platform(given: Given, draft: "Draft", say: Say) -> None:
    """The second question and the third."""
    entries = {
        one.name: one
        for one in draft.registry.all_entries()
        if one.required_env and not (one.always or one.setup)
    }
    on = next((one for one in entries if _set_already(draft, entries[one])), NO_PLATFORM)
    name = given.platform
    if name is None and given.asks and entries:
        name = click.prompt(
            "Chat platform", default=on, type=click.Choice([*entries, NO_PLATFORM]), show_choices=True
        )
    if name in (None, NO_PLATFORM):
        if name == NO_PLATFORM != on:
            say(f"{entries[on].label} stays; `hermes config set platforms.{on}.enabled false` turns it off.")
        return
    if name not in entries:
        raise click.UsageError(f"there is no platform {name} to set up here; there is {', '.join(entries)}")
    entry, before = entries[name], draft.texts
    while True:
        try:
            say(_known(given, draft, entry))
            break
        except GatewayError as wrong:
            if not given.asks or given.token or all(one.name in os.environ for one in entry.required_env):
                raise
            click.echo(plain(_again(wrong)))
            draft.texts = before
    draft.set_platform(name, _who_may(given, draft, entry))


def _known(given: Given, draft: "Draft", entry: "PlatformEntry") -> str:
    """Have the platform, if it knows the bot; words for it. Raises ``GatewayError``."""
    from hermes.cli import proofs

    draft.set_platform(entry.name, _variables(given, draft, entry))
    try:
        who = proofs.account(draft.registry, draft.settings(), entry.name, draft.home)
    except GatewayError as wrong:
        return _unproved(given, entry.label, wrong)
    return f"{entry.label} knows it as {who}." if who else f"{entry.label} cannot be asked beforehand."


def _set_already(draft: "Draft", entry: "PlatformEntry") -> bool:
    environ = draft.settings().environ
    return all(environ.get(one.name) for one in entry.required_env)


def _variables(given: Given, draft: "Draft", entry: "PlatformEntry") -> dict[str, str | None]:
    """What the platform has to have: the token by its flag, all else as it is set, or asked."""
    environ = draft.settings().environ
    found: dict[str, str | None] = {}
    for number, one in enumerate(entry.required_env):
        known = environ.get(one.name, "").strip()
        if number == 0 and given.token is not None:
            value = given.token
        elif given.asks and one.name not in os.environ:
            words = one.prompt + (" (as it is: just Enter)" if known and one.password else "")
            shown = not one.password and bool(known)
            value = click.prompt(words, default=known or None, show_default=shown, hide_input=one.password)
        elif known:
            value = known
        else:
            flag = "--token or " if number == 0 else ""
            raise click.UsageError(f"{entry.label} needs {flag}{one.name}: {one.prompt}")
        found[one.name] = _line(one.name, value)
    return found


def _who_may(given: Given, draft: "Draft", entry: "PlatformEntry") -> dict[str, str | None]:
    variable = entry.allowed_users_env
    known = draft.settings().environ.get(variable, "").strip()
    who = given.allow
    if who is None and given.asks:
        words = f"Who may speak: {PAIR} (you let each person in), or their ids with commas"
        who = click.prompt(words, default=known or PAIR)
    if who is None:
        who = known or PAIR
    if who.strip() == PAIR:
        draft.pairs_on = entry.name
        return {variable: None}
    return {variable: _line(variable, ",".join(one.strip() for one in who.split(",") if one.strip()))}


def _line(name: str, value: str) -> str:
    value = value.strip()
    if not value or not value.isprintable():
        raise click.UsageError(f"{name} is one line of visible characters, and not empty")
    return value


def _unproved(given: Given, what: str, wrong: GatewayError) -> str:
    """Words for it, where it is written all the same. Raises ``GatewayError`` where not."""
    words = f"{what} did not prove right: {_words(wrong)}"
    if not given.force:
        raise GatewayError(Failure(wrong.failure.code, detail=words)) from wrong
    return f"Unproved, and written all the same: {words}"


def _again(wrong: GatewayError) -> str:
    return f"No: {_words(wrong).rstrip('.')}. Once more, or Ctrl-C to leave everything as it was."


def _words(wrong: GatewayError) -> str:
    return wrong.failure.detail or wrong.failure.code


def _report(home: Path, said: list[str], written: list[Path], pairs_on: str, *, as_json: bool) -> None:
    try:
        client.ask(home, "ping")
        running = True
    except client.ControlError:
        running = False
    at = f" --home {shlex.quote(str(home))}"
    following = "The gateway that runs follows within some seconds." if running else f"Next: hermes run{at}"
    if as_json:
        print_json({"ok": True, "said": said, "files": list(map(str, written)), "running": running})
        return
    click.echo(plain(f"Written: {', '.join(map(str, written))}." if written else "It was set up so already."))
    click.echo(plain(following))
    if pairs_on:
        click.echo(
            plain(f"Then write to it; with the code it answers: hermes pairing approve {pairs_on} CODE{at}")
        )
