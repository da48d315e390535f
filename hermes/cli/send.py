"""``hermes send``: a message from a person or a script, by way of the outbox."""

import math
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hermes.cli.offline import ask_or_write
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.platforms import registry_for
from hermes.cli.text import plain, typed_text
from hermes.ops.control import client

if TYPE_CHECKING:
    from hermes.registry.registry import PlatformRegistry

FAILED = 1
MOST_BYTES = 256 * 1024
"""Half a million characters would be a flood of messages on any platform."""

ASK_S = 20.0
WAIT_AT_ONCE_S = 20.0
"""How long one question to the gateway waits for receipts; a longer wait asks again."""

MOST_WAIT_S = 86_400.0


@click.command()
@click.option(
    "-t",
    "--to",
    metavar="TARGET[,TARGET]",
    required=True,
    help="platform:chat, platform:#name, platform, home, all or local.",
)
@click.option("-f", "--file", "source", metavar="FILE", help="Send what FILE holds; - is stdin.")
@click.option(
    "--wait",
    "wait_s",
    metavar="S",
    type=click.FloatRange(0, MOST_WAIT_S, min_open=True),
    help="Wait up to S seconds for the platforms' receipts.",
)
@click.argument("text", required=False)
@home_option
@json_option
@click.pass_context
def send(
    ctx: click.Context,
    *,
    to: str,
    source: str | None,
    wait_s: float | None,
    text: str | None,
    home: Path,
    as_json: bool,
) -> None:
    """Send TEXT, or FILE, or what is piped in, to one or more targets.

    Everything leaves by the outbox: a platform that is down gets it when it is up again. With no gateway running it is kept
    for the next `hermes run`.

    Exit codes: 0 every target has taken it (with --wait: and every platform has its receipt given) · 1 one has not · 2 usage.
    """
    if wait_s is not None and math.isnan(wait_s):  # the range lets it through
        raise click.BadParameter("it is no number", param_hint="--wait")
    args = {"to": typed_text(to), "text": _content(text, source)}
    offline = False

    def directly(database: Any, args: Mapping[str, Any]) -> Mapping[str, Any]:
        nonlocal offline
        offline = True
        return _put_by(home, registry_for(ctx), database, args)

    results = ask_or_write(home, "send_text", args, directly)["results"]
    pending = [one["result"]["delivery_id"] for one in results if one.get("result", {}).get("delivery_id")]
    states = {}
    if wait_s is not None and pending and not offline:
        states = {one["delivery_id"]: one for one in _receipts(home, pending, time.monotonic() + wait_s)}
    for one in results:
        if (name := one.get("result", {}).get("delivery_id")) in states:
            one["delivery"] = states[name]
    arrived = wait_s is None or all(states.get(name, {}).get("delivered") for name in pending)
    ok = arrived and all(one["success"] for one in results)
    if as_json:
        print_json({"ok": ok, "offline": offline, "results": results})
    else:
        _say(results, wait_s, offline=offline)
    ctx.exit(0 if ok else FAILED)


def _say(results: Sequence[Mapping[str, Any]], wait_s: float | None, *, offline: bool) -> None:
    for one in results:
        click.echo(plain(f"{one['target']}  {_words(one, wait_s, offline=offline)}"), err=not one["success"])
    if offline and any("delivery_id" in one.get("result", {}) for one in results):
        click.echo("No gateway runs on this home; the next `hermes run` delivers it.", err=True)


def _words(one: Mapping[str, Any], wait_s: float | None, *, offline: bool) -> str:
    match one:
        case {"error": str(words)}:
            return f"failed: {words}"
        case {"skipped": "dead_target"}:
            return "not sent: it has refused us, or is not there any more (dead_target); a message from there opens it again"
        case {"skipped": str(words)}:
            return f"skipped: {words}"
        case {"delivery": {"delivered": True}}:
            return "delivered"
        case {"delivery": {"state": "dead", "failure": str(failure)}}:
            return f"not delivered: {failure}"
        case {"delivery": {"state": "sent"}}:
            return "kept in its chat's history; nobody has seen it yet"
        case {"result": {"delivery_id": str(name)}} if wait_s is not None and not offline:
            return f"no receipt within {wait_s:g} s; it stays in the outbox as {name}"
        case {"result": {"delivery_id": str(name)}}:
            return f"in the outbox as {name}"
        case {"result": {"path": str(path)}}:
            return f"written to {path}"
        case _:
            return "taken"


def _receipts(home: Path, ids: Sequence[str], deadline: float) -> Sequence[Mapping[str, Any]]:
    """What has become of them by the deadline, or as soon as all have ended."""
    while True:
        left = max(0.0, deadline - time.monotonic())
        at_once = min(left, WAIT_AT_ONCE_S)
        answer = client.ask(home, "send_receipts", {"ids": ids, "within_s": at_once}, at_once + ASK_S)
        found: Sequence[Mapping[str, Any]] = answer["deliveries"]
        if left <= WAIT_AT_ONCE_S or all(one["state"] in ("sent", "dead") for one in found):
            return found


# --- without a gateway ------------------------------------------------------------------------------------------------------


def _put_by(
    home: Path, registry: "PlatformRegistry", database: Any, args: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Put it into the outbox of a gateway that does not run; the caller holds the lock of its home."""
    from hermes.config.load import load
    from hermes.delivery.results import Prepared, accepted
    from hermes.delivery.router import Known, Order, homes_in_order, plan
    from hermes.delivery.targets import Place
    from hermes.ops.channel_files import read_channels
    from hermes.ops.clock import SystemIds
    from hermes.ops.outputs import prepare
    from hermes.plugins.discover import discover
    from hermes.registry.accounts import enabled_accounts
    from hermes.store import sends
    from hermes.store.direct import write
    from hermes.store.notices import dead_targets
    from hermes.store.send_ops import Mirror, Send

    settings, files, now = load(home, os.environ), read_channels(home), time.time()
    discover(home, registry, settings.config.plugins.disabled)
    accounts = frozenset(enabled_accounts(registry, settings))
    there = {entry.name: entry.capabilities for entry in registry.all_entries()}
    for words in files.faults:
        click.echo(plain(f"hermes: {words}"), err=True)
    set_in_chat = [
        Place(one.platform, one.account, one.chat_id, one.thread_id) for one in sends.set_homes(database)
    ]
    known = Known(
        {platform: there[platform] for platform, _ in accounts},
        accounts,
        homes_in_order(set_in_chat, settings.homes),
        files.directory,
        files.aliases or {},
        dead_targets(database),
    )
    name = f"send:{SystemIds().token(16)}"
    expires_at = now + settings.config.delivery.ttl_s
    order = Order(name, args["text"], now, expires_at, mirror="assistant", by_person=True)
    results = []
    for ready in prepare(home, order, plan(args["to"], order, known)):
        if isinstance(ready, Prepared):
            write(database, Send(ready.message, now, Mirror("assistant", order.content)))
            results.append(accepted(ready))
        else:
            results.append(ready)
    return {"results": [one.document() for one in results]}


# --- what is to be sent -----------------------------------------------------------------------------------------------------


def _content(text: str | None, source: str | None) -> str:
    """The text, from wherever it comes. Raises ``click.UsageError`` for what cannot be sent."""
    if text is not None and source is not None:
        raise click.UsageError("TEXT and --file are both given")
    if text is not None:
        data = os.fsencode(text)
    elif source in (None, "-"):
        if source is None and (sys.stdin is None or sys.stdin.isatty()):
            raise click.UsageError("there is nothing to send: give TEXT, --file FILE, or pipe it in")
        data = b"".join(_up_to(MOST_BYTES + 1))
    else:
        data = _file(Path(str(source)))
    if len(data) > MOST_BYTES:
        raise click.UsageError(f"the text is longer than {MOST_BYTES:,} bytes")
    if b"\0" in data:
        raise click.UsageError("the text holds a NUL byte, which no platform takes")
    try:
        content = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise click.UsageError(f"byte {wrong.start:,} of the text is not UTF-8") from wrong
    if not content.strip():
        raise click.UsageError("there is nothing to send: the text is empty")
    return content.rstrip("\n") if text is None else content


def _up_to(most: int) -> Iterator[bytes]:
    while most > 0 and (data := sys.stdin.buffer.read(most)):
        most -= len(data)
        yield data


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
                raise IsADirectoryError(None, "is a directory")
            return file.read(MOST_BYTES + 1)
    except OSError as wrong:
        raise click.UsageError(f"{path}: {wrong.strerror or wrong}") from wrong
