"""``hermes status``: the gateway's state on half a screen."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, plain
from hermes.ops.control import client


@click.command()
@home_option
@json_option
def status(home: Path, as_json: bool) -> None:
    """Show what the gateway does: adapters, messages, sessions."""
    result = client.ask(home, "status")
    if as_json:
        print_json(result)
    else:
        for line in summary(result):
            click.echo(line)


def summary(status: Mapping[str, Any]) -> Iterator[str]:
    """The lines for a person. A figure that is not known (yet) shows as a dash."""
    port = status["port"]
    place = f"port {port}" if port else "no web server"
    yield plain(f"{status['state']}  version {status['version']}, process {status['pid']}, {place}")
    yield plain(f"home      {status['home']}")
    yield f"up        {duration(status['uptime_s'])}, loop lag {_figure(status['loop_lag_ms'])} ms"
    if status["store"]:
        yield plain(f"store     {status['store']}")
    for path in status["down"]:
        yield plain(f"down      {path}, until `hermes restart {path}`")
    for adapter in status["adapters"]:
        failure = adapter["failure"]
        reason = f"  {failure['code']}: {failure['detail']}" if failure else ""
        yield plain(f"adapter   {adapter['platform']}:{adapter['account']}  {adapter['state']}{reason}")
    yield _figures("messages", status["counts"])
    yield _figures("outbox", status["outbox"])
    yield _figures("sessions", status["sessions"])


def _figures(title: str, figures: Mapping[str, Any] | None) -> str:
    """The first figure, and of the others those that are not 0."""
    if figures is None:
        return f"{title:<9} –"
    shown = [
        f"{_figure(figure)} {name}"
        for n, (name, figure) in enumerate(figures.items())
        if figure != 0 or n == 0
    ]
    return f"{title:<9} {', '.join(shown)}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
