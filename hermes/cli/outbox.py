"""``hermes outbox``: what is on its way out and what could not be delivered, through the gateway or on its file."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.offline import ask_or_read, ask_or_write
from hermes.cli.options import home_option, json_option, limit_option, print_json
from hermes.cli.text import duration, local_time, plain, plain_lines

TTL_S = 7 * 86_400.0
"""How long a message waits for a gateway that is not there."""

STATES = ("prepared", "sending", "retry", "unknown", "dead")


@click.group(cls=ListByDefault)
def outbox() -> None:
    """List, show, retry and drop messages that have not arrived. ID is a message's number in the list."""


@outbox.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state. Default: all.")
@click.option("--platform", metavar="NAME", help="Only those of this platform.")
@limit_option
@home_option
@json_option
def list_(state: str | None, platform: str | None, limit: int, home: Path, as_json: bool) -> None:
    """List messages that have not arrived, oldest first: those that wait, and those that were given up (dead)."""
    from hermes.store.outbox import outbox_list

    answer = ask_or_read(
        home,
        "outbox_list",
        {"state": state, "platform": platform, "limit": limit},
        lambda reader: {"messages": outbox_list(reader, state, platform, limit)},
    )
    if as_json:
        print_json(answer)
        return
    for one in answer["messages"]:
        click.echo(plain(line(one)))
    if not answer["messages"]:
        click.echo("Everything has arrived.")


@outbox.command("dead-targets")
@limit_option
@home_option
@json_option
def dead_targets(limit: int, home: Path, as_json: bool) -> None:
    """List chats in which nobody is reached any more. Nothing goes there on its own until somebody writes there, or something
    arrives.
    """
    from hermes.store.notices import dead_target_list

    answer = ask_or_read(
        home,
        "outbox_dead_targets",
        {"limit": limit},
        lambda reader: {"targets": dead_target_list(reader, limit)},
    )
    if as_json:
        print_json(answer)
        return
    for one in answer["targets"]:
        where = ":".join((one["platform"], one["account"], one["chat_id"]))
        click.echo(plain(f"{where}  {one['failure']}, since {local_time(one['at'])}"))
    if not answer["targets"]:
        click.echo("Every chat is reached, as far as is known.")


@outbox.command()
@click.argument("row_id", metavar="ID", type=int)
@home_option
@json_option
def show(row_id: int, home: Path, as_json: bool) -> None:
    """Show one message: where it goes, what became of it, and its text unless that is secret."""
    from hermes.store.outbox import outbox_show

    message = ask_or_read(home, "outbox_show", {"id": row_id}, lambda reader: outbox_show(reader, row_id))
    if as_json:
        print_json(message)
        return
    for shown in lines(message):
        click.echo(plain(shown))
    click.echo(plain_lines(message["text"]) if not message["secret"] else "(secret)")


@outbox.command()
@click.argument("row_id", metavar="ID", type=int)
@home_option
@json_option
def retry(row_id: int, home: Path, as_json: bool) -> None:
    """Send a message again that was given up or waits for its next attempt. Parts that have arrived are not sent again."""
    message = ask_or_write(home, "outbox_retry", {"id": row_id}, _retry)
    if as_json:
        print_json(message)
    else:
        click.echo(f"{row_id}  is to be sent again")


@outbox.command()
@click.argument("row_id", metavar="ID", type=int)
@home_option
@json_option
def drop(row_id: int, home: Path, as_json: bool) -> None:
    """Give a message up: it is not sent, and not counted among the dead any more."""
    message = ask_or_write(home, "outbox_drop", {"id": row_id}, _drop)
    if as_json:
        print_json(message)
    else:
        click.echo(f"{row_id}  is dropped")


def _retry(database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.store.outbox_ops import Retry

    now = time.time()
    return _done(database, Retry(args["id"], now, now + TTL_S), "sent again")


def _drop(database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.store.outbox_ops import Drop

    return _done(database, Drop(args["id"], time.time()), "dropped")


def _done(database: Any, op: Any, what: str) -> Mapping[str, Any]:
    from hermes.store.direct import write
    from hermes.store.outbox import not_possible, outbox_show

    message = outbox_show(database, op.row_id)
    if not write(database, op):
        raise not_possible(message, what)
    return outbox_show(database, op.row_id)


def line(one: Mapping[str, Any]) -> str:
    """A message on one line."""
    where = ":".join((one["platform"], one["account"], one["chat_id"]))
    age = duration(max(0.0, time.time() - one["created_at"]))
    why = f"  {one['failure']}" if one["failure"] else ""
    said = "(secret)" if one["secret"] else " ".join(one["text"].split())
    return f"{one['id']:>6}  {one['state']:8}  {age:>6}  {where}{why}  {said}"


def lines(one: Mapping[str, Any]) -> Iterator[str]:
    """A message in full, without its text."""
    where = ":".join((one["platform"], one["account"], one["chat_id"]))
    yield f"message   {one['id']}, {one['kind']}, {one['state']}"
    thread = f", thread {one['thread_id']}" if one["thread_id"] else ""
    trace = f", trace {one['trace']}" if one["trace"] else ""
    yield f"to        {where}{thread}"
    yield f"name      {one['delivery_id']}{trace}"
    yield f"made      {local_time(one['created_at'])}, last change {local_time(one['changed_at'])}"
    if one["expires_at"] is not None:
        yield f"until     {local_time(one['expires_at'])}"
    yield f"attempts  {one['attempts']}, parts that have arrived: {one['parts_sent']}"
    if one["not_before"] is not None:
        yield f"next      not before {local_time(one['not_before'])}"
    if one["failure"]:
        yield f"failure   {one['failure']}"
    for receipt in one["receipts"]:
        yield f"receipt   part {receipt['part'] + 1}: {receipt['message_id']}, {local_time(receipt['at'])}"
