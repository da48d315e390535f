"""``hermes service``, and the `gateway start` and `stop` of old scripts: the gateway as a unit of systemd."""

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import click

from actors.exits import stop_budget_s
from hermes.cli.options import home_option, json_option, print_json
from hermes.config.paths import shipped_conf
from hermes.ops import unit
from hermes.ops.control import client
from hermes.ops.unit import SCOPES, Scope
from hermes.types.errors import Failure, GatewayError

SYSTEMCTL_TIMEOUT_S = 120.0
NO_SYSTEMD, NOT_INSTALLED, NOT_OURS, SYSTEMCTL = "no_systemd", "not_installed", "not_ours", "systemctl_failed"
_OURS = "# Written by `hermes service install`"
_INHERITED_PATH = "/usr/local/bin:/usr/bin:/bin"


def _scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--system",
        "scope",
        flag_value="system",
        help="A unit of the machine; as root. It runs as the home's owner.",
    )(command)
    return click.option(
        "--user", "scope", flag_value="user", default=True, help="A unit of yours. The default."
    )(command)


@click.command()
@_scope_options
@click.option("--dry-run", is_flag=True, help="Show the unit and the commands, and change nothing.")
@home_option
def install(scope: str, dry_run: bool, home: Path) -> None:
    """Have systemd start the gateway on this home with the machine, or with your session, and start it again when it fails.

    Installing again writes the unit anew, with what has changed in the configuration.
    """
    where, text = wanted_unit(cast("Scope", scope), home)
    commands = [_systemctl(scope, "daemon-reload"), _systemctl(scope, "enable", unit.NAME)]
    if dry_run:
        click.echo(f"# {where}\n{text}\n# then: {' && '.join(map(shlex.join, commands))}")
        return
    _need_systemd()
    if where.exists() and not is_ours(where):
        raise GatewayError(
            Failure(
                NOT_OURS, detail=f"{where} is somebody else's work and was not touched; move it away first"
            )
        )
    where.parent.mkdir(parents=True, exist_ok=True)
    new = where.with_name(f".{where.name}.new")
    new.write_text(text)
    new.chmod(0o644)  # systemd warns of a unit that others cannot read; there is no secret in it
    new.replace(where)
    for command in commands:
        _run(command)
    click.echo(f"Installed {where}. Start it with `hermes gateway start`.")
    if scope == "user":
        click.echo("It runs while you are logged in; for longer: `loginctl enable-linger`.")


@click.command()
@_scope_options
@click.option("--dry-run", is_flag=True, help="Show the commands, and change nothing.")
def uninstall(scope: str, dry_run: bool) -> None:
    """Stop the service and remove its unit. The home stays as it is."""
    where = unit.unit_path(cast("Scope", scope), os.environ)
    off = _systemctl(scope, "disable", "--now", unit.NAME)
    reload = _systemctl(scope, "daemon-reload")
    if dry_run:
        click.echo(f"# {shlex.join(off)} && rm {shlex.quote(str(where))} && {shlex.join(reload)}")
        return
    _need_systemd()
    if not is_ours(where):
        raise GatewayError(Failure(NOT_INSTALLED, detail=f"there is no unit of ours at {where}"))
    _run(off)
    where.unlink()
    _run(reload)
    click.echo(f"Removed {where}.")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Which units are installed, and how systemd says they are."""
    found = []
    for scope in SCOPES:
        where = unit.unit_path(scope, os.environ)
        if is_ours(where):
            found.append({"scope": scope, "unit": str(where), "state": "unknown", "enabled": "unknown"})
            if not unit.why_no_systemd():
                found[-1] |= {
                    "state": _asked(scope, "is-active"),
                    "enabled": _asked(scope, "is-enabled"),
                }
    if as_json:
        print_json({"services": found})
    elif not found:
        click.echo("No service is installed; `hermes service install` does that.")
    for one in [] if as_json else found:
        click.echo(f"{one['unit']}  {one['state']}, {one['enabled']}")


@click.command()
@home_option
def start(home: Path) -> None:
    """Start the service, if one of this home is installed; else say how the gateway is run."""
    scope = _installed(home)
    if scope is None:
        at = shlex.quote(str(home))
        words = (
            f"no service of {home} is installed; `hermes run --home {at}` runs the gateway here,"
            " `hermes service install` as a service"
        )
        raise GatewayError(Failure(NOT_INSTALLED, detail=words))
    _need_systemd()
    _run(_systemctl(scope, "start", unit.NAME))
    click.echo("Started.")


@click.command()
@home_option
@json_option
def stop(home: Path, as_json: bool) -> None:
    """Stop the service of this home, if it runs; else its gateway, in order, and wait until the process has ended."""
    scope = _installed(home)
    if scope is not None and not unit.why_no_systemd() and _asked(scope, "is-active") == "active":
        _run(_systemctl(scope, "stop", unit.NAME))
        print_json({"ok": True}) if as_json else click.echo("Stopped.")
        return
    pid = client.stop(home)
    print_json({"ok": True, "pid": pid}) if as_json else click.echo(
        f"The gateway (process {pid}) has stopped."
    )


def wanted_unit(scope: Scope, home: Path) -> tuple[Path, str]:
    """Where the unit goes, and its text, by the configuration of ``home``."""
    from hermes.config.load import load

    drain_s = load(home, os.environ).config.drain_timeout_s
    found = shutil.which("hermes", path=str(Path(sys.executable).parent)) or shutil.which("hermes")
    program = [found] if found else [sys.executable, "-m", "hermes.cli"]
    service = unit.Service(
        scope,
        [*program, "run", "--home", str(home)],
        home,
        os.environ.get("PATH") or _INHERITED_PATH,
        drain_s,
        stop_budget_s(drain_s),
        pwd.getpwuid(home.stat().st_uid if home.exists() else os.getuid()).pw_name
        if scope == "system"
        else "",
    )
    template = (shipped_conf() / unit.FILE_NAME).read_text(encoding="utf-8")
    try:
        return unit.unit_path(scope, os.environ), unit.unit_text(template, service)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong


def _need_systemd() -> None:
    if why := unit.why_no_systemd():
        words = f"{why}; run `hermes run` by whatever starts your programs, with HERMES_SUPERVISED=1 if it starts them again"
        raise GatewayError(Failure(NO_SYSTEMD, detail=words))


def _installed(home: Path) -> str | None:
    """The scope of the unit of ``home`` that is installed; the user's goes before the machine's."""
    return next((scope for scope in SCOPES if is_ours(unit.unit_path(scope, os.environ), home)), None)


def is_ours(where: Path, home: Path | None = None) -> bool:
    """Whether we have written that unit; with a ``home``, for that one."""
    try:
        text = where.read_text(encoding="utf-8", errors="replace")
        ours = text.startswith(_OURS)
        return ours and (home is None or unit.assigned("HERMES_HOME", str(home)) in text)
    except (FileNotFoundError, ValueError):  # or a home that no unit can name
        return False


def _systemctl(scope: str, *arguments: str) -> list[str]:
    return ["systemctl", *(["--user"] if scope == "user" else []), *arguments]


def _asked(scope: str, question: str) -> str:
    return _done(_systemctl(scope, question, unit.NAME)).stdout.strip() or "unknown"


def _run(command: list[str]) -> None:
    done = _done(command)
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise GatewayError(Failure(SYSTEMCTL, detail=f"{shlex.join(command)}: {said}"))


def _done(command: list[str]) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - words of ours
            command, capture_output=True, text=True, timeout=SYSTEMCTL_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        words = f"{shlex.join(command)}: no answer within {SYSTEMCTL_TIMEOUT_S:g} s"
        raise GatewayError(Failure(SYSTEMCTL, detail=words)) from late
