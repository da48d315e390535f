"""``hermes doctor``: what is wrong with an installation, a home and its gateway, and the command to run next."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.platforms import registry_for
from hermes.cli.text import plain
from hermes.ops.control import client
from hermes.ops.redaction import Redaction
from hermes.types.errors import Failure, GatewayError

if TYPE_CHECKING:
    from hermes.cli.checks.scene import Check, Finding, Scene

PROBLEMS = 1
NO_HOME = "no_home"
PLUGINS_S = 5.0


@dataclass(frozen=True, slots=True)
class Said:
    """What the check of that name has found. ``mended``: what was put right, or why that did not work."""

    check: str
    finding: "Finding"
    mended: str = ""

    @property
    def level(self) -> str:
        """``mended`` where it is all right now."""
        return "mended" if self.mended == DONE else self.finding.level


DONE = "done"


@click.command()
@click.option("--fix", is_flag=True, help="Put right what can be without doing harm, and say what was done.")
@click.option("--offline", is_flag=True, help="Ask no platform and no model.")
@home_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, fix: bool, offline: bool, home: Path, as_json: bool) -> None:
    """Look for what is wrong, with the command to run next. Exit code 1 if there is a problem; a warning may be meant."""
    from hermes.cli.checks import ASKING, CHECKS

    if not home.is_dir():
        detail = f"there is no home at {home} yet: `hermes setup` makes one, and `hermes run`"
        raise GatewayError(Failure(NO_HOME, scope="gateway", detail=detail))
    checks = CHECKS if offline else (*CHECKS, *ASKING)
    said = list(examined(scene_of(ctx, home), checks, fix=fix))
    failed = any(one.level == "problem" for one in said)
    if as_json:
        print_json(
            {
                "ok": not failed,
                "checks": [name for name, _ in checks],
                "findings": [_row(one) for one in said],
            }
        )
    else:
        for shown in lines([name for name, _ in checks], said):
            click.echo(plain(shown))
    if failed:
        ctx.exit(PROBLEMS)


def examined(scene: "Scene", checks: "Sequence[tuple[str, Check]]", *, fix: bool) -> Iterator[Said]:
    """Everything that the checks find, and with ``fix`` what came of mending it. A check that fails is a problem itself."""
    from hermes.cli.checks.scene import problem
    from hermes.registry.accounts import secrets_of

    settings = scene.settings
    secrets = () if settings is None else (*settings.secrets, *secrets_of(scene.registry, settings))
    redact = Redaction(secrets).redact
    for name, check in checks:
        try:
            for found in check(scene):
                shown = replace(found, what=redact(found.what))  # a server may repeat what it was sent
                yield Said(name, shown, _mended(found) if fix and found.mend is not None else "")
        except Exception as wrong:
            words = wrong.failure.detail if isinstance(wrong, GatewayError) else ""
            said = redact(words or f"{type(wrong).__name__}: {wrong}")
            yield Said(name, problem(f"it could not be looked at: {said}"))


def scene_of(ctx: click.Context, home: Path) -> "Scene":
    """The home as it is, and its gateway as it answers now."""
    from hermes.cli.checks.scene import Scene
    from hermes.config.load import load

    settings, faults = None, tuple[str, ...]()
    try:
        settings = load(home, os.environ)
    except GatewayError as wrong:
        faults = tuple(wrong.failure.detail.splitlines())
    status, plugins, silence = None, None, ""
    try:
        status = client.ask(home, "status")
        with suppress(client.ControlError):  # its plug-ins are then looked at from here
            plugins = tuple(client.ask(home, "plugins_list", timeout_s=PLUGINS_S)["plugins"])
    except client.NotRunning:
        pass
    except client.ControlError as wrong:
        silence = wrong.failure.detail
    return Scene(home, os.environ, registry_for(ctx), settings, faults, status, plugins, silence)


def lines(checks: Sequence[str], said: Sequence[Said]) -> Iterator[str]:
    """A line for each check that found nothing, and for each finding."""
    by_check = {name: [one for one in said if one.check == name] for name in checks}
    for name, found in by_check.items():
        if not found:
            yield f"✓ {name}"
        for one in found:
            yield _line(one)


def _line(one: Said) -> str:
    mark = {"problem": "✗", "warning": "⚠", "mended": "✓"}[one.level]
    found = one.finding
    words = f"{mark} {one.check}: {f'{found.where}: ' if found.where else ''}{found.what}"
    if one.level == "mended":
        return f"{words}; mended"
    failed = f" (not mended: {one.mended})" if one.mended else ""
    return f"{words}{failed}{f'  → run: {found.run}' if found.run else ''}"


def _row(one: Said) -> Mapping[str, Any]:
    found = one.finding
    return {
        "check": one.check,
        "level": one.level,
        "what": found.what,
        "where": found.where or None,
        "run": found.run or None,
        "mendable": found.mend is not None,
        "not_mended": one.mended if one.mended not in ("", DONE) else None,
    }


def _mended(found: "Finding") -> str:
    try:
        if found.mend is not None:
            found.mend()
    except OSError as wrong:
        return wrong.strerror or str(wrong)
    return DONE
