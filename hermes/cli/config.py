"""``hermes config``: what is set and where that comes from, and one key changed with everything around it kept."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.platforms import registry_for
from hermes.cli.text import plain
from hermes.ops.control import client
from hermes.types.errors import CONFIG_INVALID, USAGE, Failure, GatewayError

if TYPE_CHECKING:
    from hermes.config.provenance import Row

RELOAD_S = 40.0
FAILED = 1


@click.group()
def config() -> None:
    """Show and change the settings. A gateway that runs follows within some seconds."""


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@click.option("--all", "everything", is_flag=True, help="Show those too that are as they are by themselves.")
@home_option
@json_option
@click.pass_context
def show(ctx: click.Context, *, home: Path, origin: bool, everything: bool, as_json: bool) -> None:
    """Show the settings of the home and its environment. Secrets are not shown."""
    from hermes.config.provenance import DEFAULT

    found = [row for row in _rows(ctx, home) if everything or as_json or row.origin != DEFAULT]
    if as_json:
        print_json(
            {"settings": [{"key": row.key, "value": _json(row.shown), "origin": row.origin} for row in found]}
        )
        return
    for row in found:
        click.echo(plain(f"{row.key} = {_words(row.shown)}{f'  ({row.origin})' if origin else ''}"))
    if not found:
        click.echo("Nothing is set; everything is as it is by itself. `hermes config show --all` shows that.")


@config.command()
@click.argument("key")
@home_option
@json_option
@click.pass_context
def get(ctx: click.Context, *, key: str, home: Path, as_json: bool) -> None:
    """Show one key, as web.port, or all below one, as web; or a variable. Secrets are not shown."""
    found = [row for row in _rows(ctx, home) if row.key == key or row.key.startswith(f"{key}.")]
    if not found:
        raise GatewayError(Failure(USAGE, detail=f"nothing is set as {key}, and it is no key of ours"))
    if as_json:
        print_json(
            {"settings": [{"key": row.key, "value": _json(row.shown), "origin": row.origin} for row in found]}
        )
    elif len(found) == 1 and found[0].key == key:
        click.echo(plain(_words(found[0].shown)))
    else:
        for row in found:
            click.echo(plain(f"{row.key} = {_words(row.shown)}"))


@config.command("set")
@click.argument("key")
@click.argument("value", required=False)
@home_option
@json_option
@click.pass_context
def set_(ctx: click.Context, *, key: str, value: str | None, home: Path, as_json: bool) -> None:
    """Set KEY, as web.port, to VALUE in config.yaml; remarks, order and everything else in the file stay.

    VALUE is a word, a number or a list, [a, b]. A secret goes to .env, as does a variable: TELEGRAM_BOT_TOKEN. Without VALUE it
    is asked for, or read from stdin. What would not be usable is refused, and nothing is changed.
    """
    _change(ctx, home, key, _asked(key) if value is None else value, as_json=as_json)


@config.command()
@click.argument("key")
@home_option
@json_option
@click.pass_context
def unset(ctx: click.Context, *, key: str, home: Path, as_json: bool) -> None:
    """Take KEY and all below it out of config.yaml, or a variable out of .env."""
    _change(ctx, home, key, None, as_json=as_json)


@config.command()
@home_option
def edit(home: Path) -> None:
    """Open config.yaml in $VISUAL or $EDITOR; what you save is checked before it takes the place of the file."""
    from hermes.config.change import refused
    from hermes.config.document import read_text
    from hermes.config.paths import CONFIG_NAME, shipped_conf
    from hermes.ops.files import write_private
    from hermes.ops.settings_files import write_settings

    path, draft = home / CONFIG_NAME, home / f".{CONFIG_NAME}.draft.yaml"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    before = read_text(path, must_exist=False)
    write_private(draft, (before or (shipped_conf() / "default.yaml").read_text(encoding="utf-8")).encode())
    try:
        while True:
            _run_editor(draft)
            after = read_text(draft, must_exist=True)
            if after == before:
                click.echo("Nothing has changed.")
                return
            wrong = refused(home, os.environ, {path: after})
            for one in wrong:
                click.echo(plain(one), err=True)
            if not wrong:
                write_settings(path, after)
                click.echo(plain(f"Written to {path}."))
                return
            click.confirm("That cannot be used. Edit it again?", default=True, abort=True)
    finally:
        draft.unlink(missing_ok=True)


@config.command()
@home_option
@json_option
@click.pass_context
def check(ctx: click.Context, *, home: Path, as_json: bool) -> None:
    """Say what is wrong with the settings, and what nobody reads; exit code 1 if they cannot be used."""
    from hermes.config.load import load
    from hermes.config.remarks import remarks
    from hermes.config.unknown import unknown_keys

    faults: list[str] = []
    said: list[str] = []
    try:
        settings = load(home, os.environ)
    except GatewayError as wrong:
        faults = wrong.failure.detail.splitlines()
    else:
        registered = {entry.name: entry.always for entry in registry_for(ctx).all_entries()}
        said = [*unknown_keys(settings.written), *remarks(settings, registered)]
    if as_json:
        print_json({"ok": not faults, "faults": faults, "remarks": said})
    for one in [] if as_json else [*faults, *said]:
        click.echo(plain(one))
    if not (as_json or faults or said):
        click.echo(plain(f"The settings of {home} are in order."))
    if faults:
        ctx.exit(FAILED)


@config.command()
@click.option("--check", is_flag=True, help="Only say what would be done; exit code 1 if there is something.")
@home_option
@json_option
@click.pass_context
def migrate(ctx: click.Context, *, check: bool, home: Path, as_json: bool) -> None:
    """Bring the settings of an older home into today's keys in config.yaml: what stands below gateway:, and in gateway.json.

    Remarks, order and the meaning of it all stay; a copy of the old file is kept beside it. gateway.json is not changed, nor is
    what the original knows its files by (_config_version).
    """
    from hermes.config.migrate import migrate as decide
    from hermes.ops.files import write_durable
    from hermes.ops.settings_files import write_settings

    found, kept = decide(home, os.environ), None
    if found.moved and not check:
        if found.before:
            kept = found.file.with_name(f"{found.file.name}.{time.strftime('%Y-%m-%d_%H-%M-%S')}")
            write_durable(kept, found.before.encode())
        write_settings(found.file, found.text)
    if as_json:
        print_json({"moved": found.moved, "left": found.left, "copy": kept and str(kept)})
    else:
        for one in found.moved:
            click.echo(plain(one))
        for one in found.left:
            click.echo(plain(f"left as it is: {one}"))
        if not found.moved:
            click.echo("All keys are those of today." if not found.left else "There is nothing else to do.")
        elif not check:
            click.echo(plain(f"Written to {found.file}." + (f" What it was: {kept}" if kept else "")))
    if check and found.moved:
        ctx.exit(FAILED)


@config.command()
@home_option
@json_option
def path(home: Path, as_json: bool) -> None:
    """Print where the settings stand."""
    from hermes.config.dotenv import NAME as DOTENV
    from hermes.config.paths import CONFIG_NAME, LEGACY_NAME

    if as_json:
        names = {"config": CONFIG_NAME, "variables": DOTENV, "legacy": LEGACY_NAME}
        print_json({key: str(home / name) for key, name in names.items()})
    else:
        click.echo(home / CONFIG_NAME)


@config.command()
@home_option
@json_option
def reload(home: Path, as_json: bool) -> None:
    """Have the gateway that runs read its settings now, and say what is new and what waits for a restart."""
    answer = client.ask(home, "config_reload", {}, RELOAD_S)
    if as_json:
        print_json(answer)
        return
    for one in answer["new"]:
        click.echo(plain(one))
    if answer["needs_restart"]:
        click.echo(plain(f"after a restart of the gateway: {', '.join(answer['needs_restart'])}"))
    if not (answer["new"] or answer["needs_restart"]):
        click.echo("Nothing has changed.")


def _change(ctx: click.Context, home: Path, key: str, value: str | None, *, as_json: bool) -> None:
    from hermes.config.change import changed, refused, variable_for
    from hermes.config.changes import AT_START
    from hermes.ops.settings_files import write_settings

    known = {entry.name: entry.variables for entry in registry_for(ctx).all_entries()}
    texts = changed(home, key, value, variable_for(key, known))
    if wrong := refused(home, os.environ, texts):
        raise GatewayError(Failure(CONFIG_INVALID, detail="nothing is changed: " + "\n".join(wrong)))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, text in texts.items():
        write_settings(file, text)
    files = sorted(map(str, texts))
    section = key.partition(".")[0]
    waits = bool({section, key} & AT_START) and bool(texts)
    overruled = _overruled(ctx, home, key, value)
    if as_json:
        print_json({"key": key, "files": files, "needs_restart": waits, "overruled_by": overruled or None})
        return
    click.echo(plain(f"Written to {', '.join(files)}." if files else "It is so already."))
    if waits:
        click.echo("A gateway that runs follows after a restart: `hermes restart`.")
    if overruled:
        click.echo(plain(f"It does not count as long as it is set elsewhere: {overruled}."))


def _overruled(ctx: click.Context, home: Path, key: str, value: str | None) -> str:
    """Where the key is set over what was just written; empty if that counts."""
    with suppress(GatewayError):  # of other keys, and known before
        origin = next((row.origin for row in _rows(ctx, home) if row.key == key), "")
        if (
            value is not None
            and origin.startswith(("environment variable", str(home / ".env")))
            and key.islower()
        ):
            return origin
    return ""


def _rows(ctx: click.Context, home: Path) -> "Iterator[Row]":
    from hermes.config.load import ENVIRONMENT, load
    from hermes.config.provenance import rows

    settings = load(home, os.environ)
    names = set(ENVIRONMENT)
    for entry in registry_for(ctx).all_entries():
        names |= {entry.allowed_users_env, entry.allow_all_env, entry.home_channel_env}
        names |= {one.name for one in entry.variables}
    return rows(settings, names)


def _asked(key: str) -> str:
    from hermes.config.change import is_private

    if sys.stdin.isatty():
        answer: str = click.prompt(key, hide_input=is_private(key))
        return answer
    if not (said := sys.stdin.read().rstrip("\r\n")):
        raise click.UsageError(
            "There is no VALUE, and nothing came by stdin; `hermes config unset` takes it out."
        )
    return said


def _run_editor(draft: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        code = subprocess.run([*shlex.split(editor), str(draft)], check=False).returncode  # noqa: S603 - the operator's own
    except OSError as wrong:
        raise GatewayError(Failure(USAGE, detail=f"{editor} cannot be run; set EDITOR")) from wrong
    if code:
        raise GatewayError(Failure(USAGE, detail=f"{editor} ended with {code}; nothing is changed"))


def _json(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | None) else _words(value)


def _words(value: Any) -> str:
    match value:
        case None:
            return "unset"
        case bool():
            return str(value).lower()
        case tuple() | list():
            return f"[{', '.join(map(_words, value))}]"
        case _:
            return str(value)
