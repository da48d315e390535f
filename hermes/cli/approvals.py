"""``hermes approvals``: what agents have asked people, and the operator's own word on it."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.offline import ask_or_read
from hermes.cli.options import home_option, json_option, limit_option, print_json
from hermes.cli.text import duration, local_time, plain, plain_lines, typed_text
from hermes.ops.control import client


@click.group(cls=ListByDefault)
def approvals() -> None:
    """List what agents have asked people, approve or deny it. ID is what the list begins with."""


@approvals.command("list")
@limit_option
@click.option("--bodies", is_flag=True, help="Show all that was asked, not only its first words.")
@home_option
@json_option
def list_(limit: int, bodies: bool, home: Path, as_json: bool) -> None:
    """List approvals: those that wait first, then the newest of the others."""
    from hermes.store.approvals import listing

    args = {"limit": limit, "bodies": bodies}
    answer = ask_or_read(home, "approvals_list", args, lambda reader: listing(reader, limit, bodies=bodies))
    if as_json:
        print_json(answer)
        return
    for one in answer["approvals"]:
        click.echo(plain(line(one)))
        if one.get("detail"):
            click.echo(plain_lines(one["detail"]))
    if not answer["approvals"]:
        click.echo("Nothing has been asked yet.")


@approvals.command()
@click.argument("id")
@home_option
@json_option
def approve(id: str, home: Path, as_json: bool) -> None:
    """Approve what waits under ID, through the running gateway."""
    _decide(home, id, "", as_json, approved=True)


@approvals.command()
@click.argument("id")
@click.argument("reason", default="")
@home_option
@json_option
def deny(id: str, reason: str, home: Path, as_json: bool) -> None:
    """Deny what waits under ID, through the running gateway. REASON is handed to the agent."""
    _decide(home, id, reason, as_json, approved=False)


def _decide(home: Path, approval_id: str, reason: str, as_json: bool, *, approved: bool) -> None:
    args = {"id": typed_text(approval_id), "approved": approved, "reason": typed_text(reason)}
    answer = client.ask(home, "approvals_decide", args)
    if as_json:
        print_json(answer)
    else:
        click.echo(plain(line(answer)))


def line(one: Mapping[str, Any]) -> str:
    """An approval on one line."""
    asked = local_time(one["asked_at"])
    state = one["state"]
    if state == "pending":
        state = f"waits, {duration(max(0.0, one['expires_at'] - time.time()))} left"
    elif one["decided_by"]:
        state = f"{state} by {one['decided_by']}"
    reason = f"  ({one['reason']})" if one["reason"] else ""
    return f"{one['approval_id']}  {asked}  {one['session_key']}  number {one['number']}  {state}{reason}  {one['action']}"
