"""``hermes status``: the gateway's state on half a screen."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hermes.cli.adapter import ADAPTERS, PROBES_S, line, probe_line
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, plain
from hermes.cli.trouble import store_words
from hermes.ops.control import client


@click.command()
@click.option(
    "--deep",
    is_flag=True,
    help="Also how the gateway keeps house, the chats that are gone, and whether each platform knows the account.",
)
@home_option
@json_option
def status(deep: bool, home: Path, as_json: bool) -> None:
    """Show what the gateway does: adapters, messages, sessions."""
    result = client.ask(home, "status", {"deep": deep})
    if deep:
        result |= client.ask(home, "probe_accounts", timeout_s=PROBES_S)
    if as_json:
        print_json(result)
    else:
        for shown in summary(result):
            click.echo(shown)


def summary(status: Mapping[str, Any]) -> Iterator[str]:
    """The lines for a person. A figure that is not known (yet) shows as a dash."""
    from hermes.routing.answers import agent_words

    port = status["port"]
    place = f"port {port}" if port else "no web server"
    yield plain(f"{status['state']}  version {status['version']}, process {status['pid']}, {place}")
    yield plain(f"home      {status['home']}")
    yield f"up        {duration(status['uptime_s'])}, loop lag {_figure(status['loop_lag_ms'])} ms"
    if status.get("agent"):
        yield plain(f"agent     {agent_words(**status['agent'])}")
    if status["store"]:
        yield plain(f"store     {store_words(status['store'])}")
    yield from map(plain, _settings(status.get("settings") or {}))
    for path in status["down"]:
        above, _, name = path.rpartition("/")
        remedy = f"adapter resume {name}" if above == ADAPTERS else f"restart {path}"
        yield plain(f"down      {path}, until `hermes {remedy}`")
    for adapter in status["adapters"]:
        yield plain(f"adapter   {line(adapter)}")
    for probe in status.get("probes") or ():
        yield plain(f"probe     {probe_line(probe)}")
    yield _figures("messages", status["counts"])
    yield _figures("outbox", status["outbox"])
    for one in status.get("backlog") or ():
        yield from map(plain, _trouble(one))
    yield _figures("sessions", status["sessions"])
    for one in status.get("maintenance") or ():
        yield plain(f"upkeep    {_upkeep(one, status['as_of'])}")
    if gone := status.get("dead_targets"):
        yield f"gone      {gone:,} chats, see `hermes outbox dead-targets`"


def _upkeep(one: Mapping[str, Any], now: float) -> str:
    """A task of keeping house: how long ago it was done, what it took and came to."""
    came_to = ", ".join(f"{name} {value}" for name, value in one["done"].items())
    ago = duration(max(0.0, now - one["at"]))
    return f"{one['task']:<10} {ago} ago, took {one['took_s']:.1f} s" + (f": {came_to}" if came_to else "")


def _settings(settings: Mapping[str, Any]) -> Iterator[str]:
    """How the files say otherwise than what is followed."""
    if why := settings.get("problem"):
        yield f"settings  the files are not followed: {why.replace(chr(10), '; ')}"
    if keys := settings.get("needs_restart"):
        yield f"settings  after `hermes restart`: {', '.join(keys)}"


def _trouble(one: Mapping[str, Any]) -> Iterator[str]:
    """What of an account's messages somebody should look at."""
    name = f"{one['platform']}:{one['account']}"
    if one["late"]:
        yield f"late      {name}  {one['open']:,} wait, the oldest for {duration(one['oldest_age_s'] or 0.0)}"
    if one["dead"]:
        yield f"dead      {name}  {one['dead']:,} given up, see `hermes outbox list --state dead`"


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
