"""The short commands: one question to the running gateway each."""

import time
from pathlib import Path
from typing import Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.tree import look
from hermes.cli.version import line
from hermes.ops.control import client
from hermes.types.errors import UNREACHABLE

RESTART_TIMEOUT_S = 90.0
"""Longer than any actor, and the process with the usual drain, is given to stop and start."""

LOOK_AGAIN_S = 0.05


@click.command()
@home_option
@json_option
def stop(home: Path, as_json: bool) -> None:
    """Stop the gateway in order and wait until its process has ended."""
    pid = client.stop(home)
    if as_json:
        print_json({"ok": True, "pid": pid})
    else:
        click.echo(f"The gateway (process {pid}) has stopped.")


@click.command()
@click.argument("path", required=False)
@home_option
@json_option
def restart(path: str | None, home: Path, as_json: bool) -> None:
    """Restart the actor at PATH, as `hermes tree` names it. Without PATH: the whole gateway, and wait until it is back."""
    if path is None:
        back = _process_back(home, client.ask(home, "restart_process"))
        if as_json:
            print_json(back)
        else:
            click.echo(f"The gateway is back (process {back['pid']}).")
        return
    result = client.ask(home, "restart", {"path": path}, RESTART_TIMEOUT_S)
    if result["incarnation"] is None:  # it was the one who answers, and had to answer first
        result = _back(home, result)
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['path']}: incarnation {result['old_incarnation']} → {result['incarnation']}")


def _process_back(home: Path, old: dict[str, Any]) -> dict[str, Any]:
    """Whom the gateway has become, once it is ready. Raises ``ControlError`` if it does not come back."""
    deadline = time.monotonic() + RESTART_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            now = client.ask(home, "status")
            if now["boot_id"] != old["boot_id"] and now["state"] != "starting":
                return {
                    "path": "root",
                    "old_boot_id": old["boot_id"],
                    "boot_id": now["boot_id"],
                    "pid": now["pid"],
                }
        except client.ControlError:
            pass  # not there, or not yet; the deadline says when that is too long
        time.sleep(LOOK_AGAIN_S)
    words = f"the gateway has stopped, and was not back within {RESTART_TIMEOUT_S:.0f} s"
    raise client.ControlError(UNREACHABLE, words, "`hermes logs` may say why")


def _back(home: Path, begun: dict[str, Any]) -> dict[str, Any]:
    """The result of a restart that has begun, once the actor is there again. Raises ``ControlError`` if it does not come."""
    deadline = time.monotonic() + RESTART_TIMEOUT_S
    while True:
        try:
            node = look(home, begun["path"])
            if node["root"]["incarnation"] > begun["old_incarnation"]:
                return {**begun, "incarnation": node["root"]["incarnation"]}
        except client.ControlError as away:
            if time.monotonic() > deadline:
                raise client.ControlError(
                    away.failure.code, f"{begun['path']} has not come back", away.hint
                ) from away
        time.sleep(LOOK_AGAIN_S)


@click.command()
@home_option
@json_option
def link(home: Path, as_json: bool) -> None:
    """Print a new link to the dashboard and web chat. It works once, within 10 minutes."""
    result = client.ask(home, "web_link")
    if as_json:
        print_json(result)
    else:
        click.echo(result["url"])


@click.command()
def version() -> None:
    """Show the version."""
    click.echo(line())
