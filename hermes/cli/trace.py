"""``hermes trace``: one message's way, from the running gateway, or from its file while none runs."""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from hermes.cli.offline import ask_or_read
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain
from hermes.ops.control import client


@click.command()
@click.argument("id")
@home_option
@json_option
def trace(id: str, home: Path, as_json: bool) -> None:
    """Show where a message is and how it got there: each step with its time and its actor.

    ID is a trace id, the number that the log gives a message, the platform's id of a message or event, or the id of a
    delivery. Several messages may bear one id; then all of them are shown.
    """
    wanted = id.encode(errors="replace").decode()
    document: Mapping[str, Any] = ask_or_read(home, "trace", {"id": wanted}, partial(_read, home, wanted))
    if not document["traces"]:
        raise client.ControlError(
            "no_such_message", f"no message bears the id {id}", "the log gives their numbers"
        )
    if as_json:
        print_json(document)
        return
    for number, one in enumerate(document["traces"]):
        if number:
            click.echo()
        for line in lines(one):
            click.echo(plain(line))


def _read(home: Path, wanted: str, reader: Any) -> Mapping[str, Any]:
    from actors.ports import tracing
    from hermes.config.load import secrets
    from hermes.ops.redaction import Redaction

    return tracing.trace(reader, wanted, Redaction(secrets(home, os.environ)).redact)


def lines(trace: Mapping[str, Any]) -> Iterator[str]:
    """One message's way for people. Times are local, as in the log."""
    place = f"{trace['platform']}:{trace['account']}:{trace['chat_id']}"
    if trace["row"] is None:
        yield f"a message of ours to {place}"
    else:
        yield f"message {trace['row']} of {place}  trace {trace['trace'] or '–'}"
        yield f"{trace['state']}  {trace['rule']}".rstrip()
    if (since := trace.get("waits_for_approval_since")) is not None:
        yield f"waits for approval since {_moment(since)}"
    first = trace["steps"][0]["at"]
    for step in trace["steps"]:
        when = f"{_moment(step['at'])}  +{step['at'] - first:.3f} s"
        yield f"  {when}  {step['step']:<9}  {_actor(step)}  {step['detail']}".rstrip()


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).isoformat(" ", "milliseconds")


def _actor(step: Mapping[str, Any]) -> str:
    life = "" if step["incarnation"] is None else f" #{step['incarnation']}"
    boot = "" if step["boot_id"] is None else f" boot {step['boot_id']}"
    return f"{step['actor']}{life}{boot}"
