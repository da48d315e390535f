"""The short commands: one question to the running gateway each."""

from pathlib import Path

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.version import line
from hermes.ops.control import client

RESTART_TIMEOUT_S = 90.0
"""Longer than any actor is given to stop and start."""

GATEWAY_PATH = "root/gateway"


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
@click.argument("path", default=GATEWAY_PATH)
@home_option
@json_option
def restart(path: str, home: Path, as_json: bool) -> None:
    """Restart the actor at PATH, as `hermes tree` names it. Without PATH: the whole gateway below its root."""
    result = client.ask(home, "restart", {"path": path}, RESTART_TIMEOUT_S)
    if as_json:
        print_json(result)
    else:
        click.echo(f"{result['path']}: incarnation {result['old_incarnation']} → {result['incarnation']}")


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
