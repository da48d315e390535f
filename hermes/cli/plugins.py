"""``hermes plugins``: what plug-ins there are, what they bring, and why one is not used."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.ops.control import client


@click.group(cls=ListByDefault)
def plugins() -> None:
    """Other people's code that the gateway runs: platforms, agents, tools, hooks, commands, memory."""


@plugins.command("list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List all plug-ins with what they bring. Without a running gateway: what it would try to import."""
    answer = _listed(home)
    if as_json:
        print_json(answer)
        return
    for one in answer["plugins"]:
        brings = ", ".join(one["brings"])
        words = (one["name"], one["state"], one["reason"] or brings, one["source"])
        click.echo(plain("  ".join(filter(None, words))))
    if not answer["plugins"]:
        click.echo(plain(f"There are no plug-ins in {home / 'plugins'}."))


def _listed(home: Path) -> Mapping[str, Any]:
    try:
        answer: Mapping[str, Any] = client.ask(home, "plugins_list")
        return answer
    except client.NotRunning:
        return _on_disk(home)


def _on_disk(home: Path) -> Mapping[str, Any]:
    import os

    from hermes.config.load import load
    from hermes.plugins.discover import on_disk

    disabled = load(home, os.environ).config.plugins.disabled
    return {"plugins": [asdict(one) for one in on_disk(home, disabled)]}
