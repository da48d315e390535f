"""``hermes setup``: a model, a platform and who may speak; each proved by one call before anything is written.

flag, or its variable ─▶ known          else asked, with what is set as the default          without a terminal: as it is
"""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.platforms import registry_for
from hermes.cli.text import plain
from hermes.ops.control import client
from hermes.types.errors import CONFIG_INVALID, MODEL_NOT_FOUND, Failure, GatewayError

if TYPE_CHECKING:
    from hermes.config.load import Settings
    from hermes.registry.entry import PlatformEntry
    from hermes.registry.registry import PlatformRegistry

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

    What a flag or its variable says is not asked. The model's server and the platform are each asked once whether what is to be
    written is right; if not, nothing is changed. It can be run again at any time: what is set is then the default.
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
    draft = Draft(home, registry_for(ctx))
    said = [_model(given, draft), _platform(given, draft)]
    written = draft.write()
    _report(home, [one for one in said if one], written, draft.pairs_on, as_json=as_json)


class Draft:
    """The files as they would be. ``pairs_on``: the platform whose people are to be let in by codes."""

    def __init__(self, home: Path, registry: "PlatformRegistry") -> None:
        from hermes.config.document import read_text
        from hermes.config.dotenv import NAME as DOTENV
        from hermes.config.paths import CONFIG_NAME

        self.home, self.registry = home, registry
        self.file, self.env_file = home / CONFIG_NAME, home / DOTENV
        self.before = {one: read_text(one, must_exist=False) for one in (self.file, self.env_file)}
        self.config, self.dotenv = self.before[self.file], self.before[self.env_file]
        self.pairs_on = ""
        self._ours: set[str] = set()

    def settings(self) -> "Settings":
        """As the gateway would have them. Raises ``GatewayError`` (``config_invalid``)."""
        from hermes.config.load import load

        # What is to be written is what is proved, and not what the environment of this shell says over it.
        environ = {name: value for name, value in os.environ.items() if name not in self._ours}
        return load(self.home, environ, instead={self.file: self.config, self.env_file: self.dotenv})

    def set_model(self, where: str, key: str | None, name: str) -> None:
        """Have this model."""
        from hermes.config.change import MODEL_VARIABLE
        from hermes.config.setting_up import ModelAnswer, with_model

        answer = ModelAnswer(where, key, name)
        self.config, self.dotenv = with_model(self.file, self.config, self.dotenv, answer)
        self._ours.add(MODEL_VARIABLE)

    def set_platform(self, name: str, variables: Mapping[str, str | None]) -> None:
        """Have this platform, turned on."""
        from hermes.config.setting_up import with_platform
        from hermes.registry.accounts import enabled_accounts

        self._ours |= variables.keys()
        texts = with_platform(self.file, self.config, self.dotenv, variables, "")
        self.config, self.dotenv = texts
        if not any(platform == name for platform, _ in enabled_accounts(self.registry, self.settings())):
            self.config, self.dotenv = with_platform(self.file, self.config, self.dotenv, {}, name)

    def write(self) -> list[Path]:
        """Write what is another text than before, if it can be used."""
        from hermes.config.change import refused
        from hermes.ops.settings_files import write_settings

        texts = {self.env_file: self.dotenv, self.file: self.config}
        if wrong := refused(self.home, os.environ, texts):
            raise GatewayError(Failure(CONFIG_INVALID, detail="nothing is changed: " + "\n".join(wrong)))
        changed = [path for path, text in texts.items() if text != self.before[path]]
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in changed:
            write_settings(path, texts[path])
        return changed


def _model(given: Given, draft: Draft) -> str:
    """The first question; what came of it, in words."""
    from hermes.cli import proofs
    from hermes.config.provider import HOSTED
    from hermes.config.setting_up import NO_MODEL

    current = draft.settings().config.model
    names = {url: name for name, url in HOSTED.items()}
    default = names.get(current.base_url, current.base_url) or NO_MODEL
    words = f"Language model: its address, {', '.join(HOSTED)} or {NO_MODEL}"
    where = (given.model or (click.prompt(words, default) if given.asks else default)).strip().rstrip("/")
    if where == NO_MODEL:
        if given.model or given.asks:
            draft.set_model(NO_MODEL, None, "")
        return "No model: the built-in agent answers."
    if given.model is None and not given.asks:
        return ""
    same = where == default
    key = (
        "" if given.model_key is None and not same else given.model_key
    )  # one server's key is not for another
    draft.set_model(where, key, given.model_name or (current.default if same else ""))
    wanted = draft.settings().config.model
    if (
        given.asks
        and given.model_key is None
        and not wanted.api_key
        and urlsplit(where).hostname not in _LOOPBACK
    ):
        key = click.prompt("Its key (none: just Enter)", default="", show_default=False, hide_input=True)
        draft.set_model(where, key.strip(), wanted.default)
        wanted = draft.settings().config.model
    try:
        listed = proofs.models(wanted.base_url, wanted.api_key)
        name = _name(given, wanted.default, listed)
    except GatewayError as wrong:
        return _unproved(given, "the model", wrong)
    draft.set_model(where, None, name)
    return f"The model {name or 'there'} is at {wanted.base_url}."


def _name(given: Given, wanted: str, listed: list[str]) -> str:
    """Which of the ``listed`` models. Raises ``GatewayError`` (``model_not_found``)."""
    shown = ", ".join(listed[:SHOWN_MODELS]) + (" …" if listed[SHOWN_MODELS:] else "")
    if not wanted and len(listed) > 1:
        if not given.asks:
            raise click.UsageError(f"it has several models; name one with --model-name: {shown}")
        wanted = click.prompt(f"Which of its models ({shown})").strip()
    if wanted and listed and wanted not in listed:
        raise GatewayError(Failure(MODEL_NOT_FOUND, detail=f"it has no model {wanted}, but {shown}"))
    return wanted or next(iter(listed), "")


def _platform(given: Given, draft: Draft) -> str:
    """The second question and the third; what came of them, in words."""
    from hermes.cli import proofs

    entries = {
        one.name: one
        for one in draft.registry.all_entries()
        if one.required_env and not (one.always or one.setup)
    }
    name = given.platform
    if name is None and given.asks and entries:
        on = next((one for one in entries if _set_already(draft, entries[one])), NO_PLATFORM)
        name = click.prompt(
            "Chat platform", default=on, type=click.Choice([*entries, NO_PLATFORM]), show_choices=True
        )
    if name in (None, NO_PLATFORM):
        return ""
    if name not in entries:
        raise click.UsageError(f"there is no platform {name} to set up here; there is {', '.join(entries)}")
    entry = entries[name]
    draft.set_platform(name, _variables(given, draft, entry))
    try:
        who = proofs.account(draft.registry, draft.settings(), name, draft.home)
        words = f"{entry.label} knows it as {who}." if who else f"{entry.label} cannot be asked beforehand."
    except GatewayError as wrong:
        words = _unproved(given, entry.label, wrong)
    draft.set_platform(name, _who_may(given, draft, entry))
    return words


def _set_already(draft: Draft, entry: "PlatformEntry") -> bool:
    environ = draft.settings().environ
    return all(environ.get(one.name) for one in entry.required_env)


def _variables(given: Given, draft: Draft, entry: "PlatformEntry") -> dict[str, str | None]:
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


def _who_may(given: Given, draft: Draft, entry: "PlatformEntry") -> dict[str, str | None]:
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
    detail = wrong.failure.detail or wrong.failure.code
    if not given.force:
        raise GatewayError(
            Failure(
                wrong.failure.code, detail=f"nothing is changed, for {what} did not prove right: {detail}"
            )
        ) from wrong
    return f"Unproved: {what}: {detail}"


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
    for one in said:
        click.echo(plain(one))
    click.echo(plain(f"Written: {', '.join(map(str, written))}." if written else "It was set up so already."))
    click.echo(plain(following))
    if pairs_on:
        click.echo(
            plain(f"Then write to it; with the code it answers: hermes pairing approve {pairs_on} CODE{at}")
        )
