"""``hermes service``, and the `gateway start` and `stop` of old scripts: the gateway as a unit of systemd."""

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import click

from actors.exits import stop_budget_s
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.config.paths import shipped_conf
from hermes.ops import unit
from hermes.ops.control import client
from hermes.ops.unit import SCOPES, Scope
from hermes.types.errors import HOME_HELD, Failure, GatewayError

SYSTEMCTL_TIMEOUT_S = 120.0
NO_SYSTEMD, NOT_INSTALLED, NOT_OURS, SYSTEMCTL = "no_systemd", "not_installed", "not_ours", "systemctl_failed"
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

    The unit is called hermes for your default home, and for any other one by a name of its own: each home has its service.

    Installing again writes the unit anew, with what has changed in the configuration.
    """
    where, text = wanted_unit(cast("Scope", scope), home)
    commands = [_systemctl(scope, "daemon-reload"), _systemctl(scope, "enable", where.stem)]
    if dry_run:
        click.echo(f"# {where}\n{text}\n# then: {' && '.join(map(shlex.join, commands))}")
        return
    _need_systemd()
    if where.exists() and home_of(where) != home:
        words = f"{where} is somebody else's work and was not touched; move it away first"
        raise GatewayError(Failure(NOT_OURS, detail=words))
    where.parent.mkdir(parents=True, exist_ok=True)
    new = where.with_name(f".{where.name}.new")
    new.write_text(text)
    new.chmod(0o644)  # systemd warns of a unit that others cannot read; there is no secret in it
    new.replace(where)
    for command in commands:
        _run(command)
    click.echo(f"Installed {where}. Start it with `hermes gateway start --home {shlex.quote(str(home))}`.")
    if scope == "user":
        click.echo("It runs while you are logged in; for longer: `loginctl enable-linger`.")


@click.command()
@_scope_options
@click.option("--dry-run", is_flag=True, help="Show the commands, and change nothing.")
@home_option
def uninstall(scope: str, dry_run: bool, home: Path) -> None:
    """Stop the service of the home and remove its unit. The home stays as it is."""
    where = installed(cast("Scope", scope), home)
    if where is None:
        others = ", ".join(f"{unit} of {its}" for one, unit, its in _every() if one == scope)
        words = (
            f"no service of {home} is installed; there is {others}" if others else "no service is installed"
        )
        raise GatewayError(Failure(NOT_INSTALLED, detail=words))
    off = _systemctl(scope, "disable", "--now", where.stem)
    reload = _systemctl(scope, "daemon-reload")
    if dry_run:
        click.echo(f"# {shlex.join(off)} && rm {shlex.quote(str(where))} && {shlex.join(reload)}")
        return
    _need_systemd()
    _run(off)
    where.unlink()
    _run(reload)
    click.echo(f"Removed {where}.")


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Which units are installed, for which homes, and how systemd says they are."""
    found = []
    for scope, where, home in _every():
        row = {
            "scope": scope,
            "unit": str(where),
            "home": str(home),
            "state": "unknown",
            "enabled": "unknown",
        }
        if not unit.why_no_systemd():
            row |= {
                "state": _asked(scope, "is-active", where.stem),
                "enabled": _asked(scope, "is-enabled", where.stem),
            }
        found.append(row)
    if as_json:
        print_json({"services": found})
    elif not found:
        click.echo("No service is installed; `hermes service install` does that.")
    for one in [] if as_json else found:
        click.echo(plain(f"{one['unit']}  {one['state']}, {one['enabled']}, home {one['home']}"))


@click.command()
@home_option
def start(home: Path) -> None:
    """Start the service of this home, if one is installed; else say how the gateway is run."""
    at = shlex.quote(str(home))
    match _service(home):
        case None:
            words = (
                f"no service of {home} is installed; `hermes run --home {at}` runs the gateway here,"
                f" `hermes service install --home {at}` as a service"
            )
            raise GatewayError(Failure(NOT_INSTALLED, detail=words))
        case scope, name:
            _need_systemd()
            if _asked(scope, "is-active", name) != "active" and _answers(home):
                words = f"a gateway that is no service runs on {home}; first `hermes stop --home {at}`"
                raise GatewayError(Failure(HOME_HELD, detail=words))
            _run(_systemctl(scope, "start", name))
            click.echo("Started.")


@click.command()
@home_option
@json_option
def stop(home: Path, as_json: bool) -> None:
    """Stop the service of this home, if it runs; else its gateway, in order, and wait until the process has ended."""
    match _service(home):
        case scope, name if not unit.why_no_systemd() and _asked(scope, "is-active", name) == "active":
            _run(_systemctl(scope, "stop", name))
            print_json({"ok": True}) if as_json else click.echo("Stopped.")
        case _:
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
    where = installed(scope, home) or unit.units(scope, os.environ) / f"{_name(scope, home)}{unit.SUFFIX}"
    service = unit.Service(
        where.stem,
        scope,
        [*program, "run", "--home", str(home)],
        home,
        os.environ.get("PATH") or _INHERITED_PATH,
        drain_s,
        stop_budget_s(drain_s),
        _owner(home).pw_name if scope == "system" else "",
    )
    template = (shipped_conf() / unit.TEMPLATE).read_text(encoding="utf-8")
    try:
        return where, unit.unit_text(template, service)
    except ValueError as wrong:
        raise click.UsageError(str(wrong)) from wrong


def _need_systemd() -> None:
    if why := unit.why_no_systemd():
        words = f"{why}; run `hermes run` by whatever starts your programs, with HERMES_SUPERVISED=1 if it starts them again"
        raise GatewayError(Failure(NO_SYSTEMD, detail=words))


def installed(scope: Scope, home: Path) -> Path | None:
    """The unit of ``home`` that is installed."""
    return next((where for one, where, its in _every() if (one, its) == (scope, home)), None)


def home_of(where: Path) -> Path | None:
    """The home that a unit is for; None where it is none of ours."""
    try:
        return unit.home_of(where.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return None


def _every() -> Iterator[tuple[Scope, Path, Path]]:
    """Our units, each with its home; the user's go before the machine's."""
    for scope in SCOPES:
        for where in sorted(unit.units(scope, os.environ).glob(f"{unit.NAME}*{unit.SUFFIX}")):
            if (home := home_of(where)) is not None:
                yield scope, where, home


def _service(home: Path) -> tuple[Scope, str] | None:
    return next(((scope, where.stem) for scope, where, its in _every() if its == home), None)


def _name(scope: Scope, home: Path) -> str:
    """What a new unit is called: the plain name is for a default home, while nobody else has it."""
    theirs = Path(_owner(home).pw_dir) if scope == "system" else Path.home()
    taken = unit.units(scope, os.environ) / unit.TEMPLATE
    default = home == theirs / ".hermes" and home_of(taken) in (None, home)
    return unit.NAME if default else unit.own_name(home)


def _owner(home: Path) -> pwd.struct_passwd:
    return pwd.getpwuid(home.stat().st_uid if home.exists() else os.getuid())


def _answers(home: Path) -> bool:
    """Whether a gateway runs on ``home``."""
    try:
        client.ask(home, "ping")
    except client.ControlError:
        return False
    return True


def _systemctl(scope: str, *arguments: str) -> list[str]:
    return ["systemctl", *(["--user"] if scope == "user" else []), *arguments]


def _asked(scope: str, question: str, name: str) -> str:
    return _done(_systemctl(scope, question, name)).stdout.strip() or "unknown"


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
