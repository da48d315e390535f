"""``hermes adapter``: the ways to the chat platforms, one by one."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, plain
from hermes.cli.tree import find
from hermes.ops.control import client

ADAPTERS = "root/gateway/adapters"
DEFAULT_ACCOUNT = "default"
PAUSE_TIMEOUT_S = 90.0
"""Longer than an adapter is given to stop."""

PROBES_S = 20.0
"""Longer than a platform is given to answer."""

UNKNOWN = 1


@click.group()
def adapter() -> None:
    """Show, pause and resume adapters. NAME is platform:account, or the platform for its default account."""


@adapter.command("list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List the adapters and how they are."""
    adapters = client.ask(home, "status")["adapters"]
    if as_json:
        print_json({"adapters": adapters})
        return
    for one in adapters:
        click.echo(plain(line(one)))
    if not adapters:
        click.echo("No adapter is up yet.")


@adapter.command()
@click.argument("name")
@home_option
@json_option
def status(name: str, home: Path, as_json: bool) -> None:
    """Show all about one adapter."""
    platform, _, account = name.partition(":")
    wanted = (platform, account or DEFAULT_ACCOUNT)
    adapters = client.ask(home, "status")["adapters"]
    found = next((one for one in adapters if (one["platform"], one["account"]) == wanted), None)
    if found is None:
        known = ", ".join(map(_name, adapters)) or "none yet"
        raise client.ControlError("no_such_adapter", f"there is no adapter {name}; there are {known}")
    path = f"{ADAPTERS}/{_name(found)}"
    node = find(client.ask(home, "tree", {"path": ADAPTERS})["root"], path) or {}
    told = (
        "path",
        "uptime_s",
        "restarts",
        "restarts_in_window",
        "next_start_in_s",
        "last_error",
        "mailbox",
        "current",
    )
    whole = found | {key: node.get(key) for key in told}
    if as_json:
        print_json(whole)
        return
    for shown in lines(whole):
        click.echo(plain(shown))


@adapter.command()
@click.argument("name")
@home_option
@json_option
def pause(name: str, home: Path, as_json: bool) -> None:
    """Take an adapter down in good order. What is for it waits until `hermes adapter resume`, or the gateway's next start."""
    _steer("adapter_pause", name, home, as_json)


@adapter.command()
@click.argument("name")
@home_option
@json_option
def resume(name: str, home: Path, as_json: bool) -> None:
    """Have an adapter connect again that is paused, disabled, or waiting for its next attempt. Before one that is disabled or
    unavailable, the settings are read again.
    """
    _steer("adapter_resume", name, home, as_json)


@adapter.command()
@click.argument("name", required=False)
@home_option
@json_option
@click.pass_context
def probe(ctx: click.Context, *, name: str | None, home: Path, as_json: bool) -> None:
    """Ask the platform of NAME, or all, once, whether it knows the account; exit code 1 if one does not.

    The adapter's own connection has no part in it.
    """
    result = client.ask(home, "probe_accounts", {"adapter": name}, PROBES_S)
    if as_json:
        print_json(result)
    for one in [] if as_json else result["probes"]:
        click.echo(plain(probe_line(one)))
    if not (as_json or result["probes"]):
        click.echo("There is nobody to ask.")
    if any(one["failure"] for one in result["probes"]):
        ctx.exit(UNKNOWN)


def _steer(verb: str, name: str, home: Path, as_json: bool) -> None:
    result = client.ask(home, verb, {"adapter": name}, PAUSE_TIMEOUT_S)
    if as_json:
        print_json(result)
    else:
        click.echo(plain(line(result)))


def _name(one: Mapping[str, Any]) -> str:
    return f"{one['platform']}:{one['account']}"


def probe_line(one: Mapping[str, Any]) -> str:
    """What a platform has said of an account, on one line."""
    failure = one["failure"]
    said = f"{failure['code']}: {failure['detail']}" if failure else f"knows us as {one['who']}"
    return f"{_name(one)}  {said}"


def line(one: Mapping[str, Any]) -> str:
    """An adapter on one line."""
    failure = one["failure"]
    reason = f"  {failure['code']}: {failure['detail']}" if failure else ""
    if failure and failure["times"] > 1:
        reason += f" ({failure['times']:,} times in a row)"
    return f"{_name(one)}  {one['state']}{reason}"


def lines(one: Mapping[str, Any]) -> Iterator[str]:
    """An adapter in full. What is not known, or is not so, is left out."""
    yield line(one)
    yield f"actor     {one['path'] or '–'}, incarnation {one['incarnation']}"
    yield f"up        {duration(one['uptime_s'])}"
    if one["receive_age_s"] is not None:
        yield f"received  {duration(one['receive_age_s'])} ago"
    if one["restarts"]:
        yield f"restarts  {one['restarts']:,}, {one['restarts_in_window']:,} of them lately"
    if one["next_start_in_s"] is not None:
        yield f"tries     again in {duration(one['next_start_in_s'])}"
    if one["last_error"]:
        yield f"failed    {one['last_error']}"
