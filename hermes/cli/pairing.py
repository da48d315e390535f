"""``hermes pairing``: who is let in, through the running gateway, or in the files while none runs."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.offline import DATABASE
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import duration, local_time, plain, typed_text
from hermes.ops.control import client
from hermes.types.errors import GatewayError

TIMEOUT_S = 25.0
"""Longer than the gateway gives a disk that does not answer."""

NOTICE_TTL_S = 7 * 86_400.0
"""How long the words to somebody who was let in wait for a gateway that is not there."""

RULE = "Pairing and lists are separate: who is taken off a list stays in while paired, until `hermes pairing revoke`."


@click.group(cls=ListByDefault)
def pairing() -> None:
    """Let people in who wrote to the bot, by the code it gave them. PLATFORM is a platform, or PLATFORM@ACCOUNT."""


@pairing.command("list")
@click.argument("platform", required=False)
@home_option
@json_option
def list_(platform: str | None, home: Path, as_json: bool) -> None:
    """List who waits and who is in. Codes are not kept: of those that wait the first digits of their hash are shown."""
    answer = _do(home, "pairing_list", {"name": _name(platform)}, _list_directly, lock=False)
    if as_json:
        print_json(answer)
        return
    for one in answer["pairing"]:
        for shown in _account(one):
            click.echo(plain(shown))
    click.echo(RULE if any(one["approved"] for one in answer["pairing"]) else "Nobody is paired.")


@pairing.command()
@click.argument("platform")
@click.argument("code")
@click.option(
    "--as",
    "same_as",
    metavar="PLATFORM:USER",
    help="Also link them: they are the same person as this user, and go on in that conversation.",
)
@home_option
@json_option
def approve(platform: str, code: str, same_as: str | None, home: Path, as_json: bool) -> None:
    """Let in whoever was given CODE. Five wrong codes in a row lock the account for an hour."""
    first = None if same_as is None else _person(same_as)  # before the code is used up
    answer = _do(
        home, "pairing_approve", {"name": _name(platform), "code": typed_text(code)}, _approve_directly
    )
    if first is not None:
        answer = {**answer, "person": _linked(home, first, answer)}
    _show_granted(answer, as_json)


@pairing.command()
@click.argument("platform")
@click.argument("user")
@click.option("--name", "user_name", metavar="NAME", default="", help="What to call them in the list.")
@home_option
@json_option
def grant(platform: str, user: str, user_name: str, home: Path, as_json: bool) -> None:
    """Let USER in by their id, without a code: also while the account is locked, or strangers take all the places."""
    if not user.strip():
        raise click.BadParameter("it is empty", param_hint="USER")
    args = {"name": _name(platform), "user": typed_text(user.strip()), "user_name": typed_text(user_name)}
    _show_granted(_do(home, "pairing_grant", args, _grant_directly), as_json)


@pairing.command()
@click.argument("platform")
@click.argument("user")
@home_option
@json_option
def revoke(platform: str, user: str, home: Path, as_json: bool) -> None:
    """Let USER, an id, in no more by pairing. A list that names them still lets them in."""
    args = {"name": _name(platform), "user": typed_text(user.strip())}
    answer = _do(home, "pairing_revoke", args, _revoke_directly)
    if as_json:
        print_json(answer)
    else:
        click.echo(plain(f"{_user(answer)} is not paired any more."))


@pairing.command("clear-pending")
@click.argument("platform", required=False)
@home_option
@json_option
def clear_pending(platform: str | None, home: Path, as_json: bool) -> None:
    """Take back every code that waits, on PLATFORM or everywhere."""
    answer = _do(home, "pairing_clear", {"name": _name(platform)}, _clear_directly)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer['cleared']} taken back.")


# --- through the gateway, or without ---------------------------------------------------------------------------------------


class _Files:
    """The files of a home without a gateway; with its lock they may be changed."""

    def __init__(self, home: Path) -> None:
        from functools import partial

        from actors.ports.access import canonical_form
        from hermes.ops.pairing_files import PairingFiles
        from hermes.ops.whatsapp_aliases import read_aliases

        self.home = home
        self.now = time.time()
        self.canonical = partial(canonical_form, aliases=read_aliases(home).aliases)
        self.files = PairingFiles(home, self.canonical)

    def carry_out(self, name: str, order: Any) -> Any:
        return self.files.carry_out(name, order, self.now)[0]

    def tell(self, *ops: Any) -> None:
        """Write into the database what it is told of a pairing; a home that was never run has none."""
        from hermes.store.direct import write, writing

        if (self.home / DATABASE).exists():
            with writing(self.home / DATABASE) as database:
                for op in filter(None, ops):
                    write(database, op)


Directly = Callable[[_Files, Mapping[str, Any]], Mapping[str, Any]]


def _do(
    home: Path, verb: str, args: Mapping[str, Any], directly: Directly, *, lock: bool = True
) -> Mapping[str, Any]:
    """Have the gateway do it; with none running, do it in the files: what changes them, with the lock of their home."""
    try:
        answer: Mapping[str, Any] = client.ask(home, verb, args, TIMEOUT_S)
    except client.NotRunning:
        if not home.is_dir():
            raise click.UsageError(f"there is no Hermes home at {home}") from None
        if not lock:
            return directly(_Files(home), args)
        from hermes.ops.clock import SystemIds
        from hermes.ops.lock import HomeLock
        from hermes.types.ids import BootId

        with HomeLock.acquire(home, BootId(SystemIds().token(16))):
            return directly(_Files(home), args)
    return answer


def _list_directly(there: _Files, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.config.load import load
    from hermes.ops.pairing_report import listing

    try:
        rules_of = load(there.home, os.environ).access.rules
    except GatewayError as wrong:
        click.echo(plain(f"hermes: who is listed is not known: {wrong.failure.detail}"), err=True)
        return listing(there.files.look(), there.now, None, args["name"])
    return listing(there.files.look(), there.now, rules_of, args["name"])


def _approve_directly(there: _Files, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.ops.pairing_report import approved
    from hermes.pairing.orders import Approve

    outcome = approved(args["name"], there.carry_out(args["name"], Approve(args["code"])))
    return _let_in(there, "approve", args["name"], outcome)


def _grant_directly(there: _Files, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.pairing.orders import Grant

    outcome = there.carry_out(args["name"], Grant(args["user"], args["user_name"]))
    return _let_in(there, "grant", args["name"], outcome)


def _let_in(there: _Files, action: str, name: str, outcome: Any) -> Mapping[str, Any]:
    from hermes.ops.pairing_report import granted_document
    from hermes.store.pairing import noted, welcome

    words = welcome(name, outcome, there.now, there.now + NOTICE_TTL_S)
    there.tell(noted(action, name, outcome.user_id, there.now), words)
    return granted_document(name, outcome, told=words is not None)


def _revoke_directly(there: _Files, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.ops.pairing_report import revoked_document
    from hermes.pairing.orders import Revoke
    from hermes.store.pairing import noted

    name, user = args["name"], args["user"]
    document = revoked_document(name, user, was_paired=there.carry_out(name, Revoke(user)))
    there.tell(noted("revoke", name, user, there.now))
    return document


def _clear_directly(there: _Files, args: Mapping[str, Any]) -> Mapping[str, Any]:
    from hermes.ops.pairing_report import cleared_document
    from hermes.pairing.orders import ClearPending
    from hermes.store.pairing import noted

    names = [args["name"]] if args["name"] else sorted(there.files.look().books)
    cleared = {name: there.carry_out(name, ClearPending()) for name in names}
    there.tell(
        *(noted("clear-pending", name, "", there.now, f"{n} codes") for name, n in cleared.items() if n)
    )
    return cleared_document(cleared)


def _linked(home: Path, first: str, approved: Mapping[str, Any]) -> Mapping[str, Any]:
    """The person that ``first`` and who was approved are now."""
    from hermes.cli.identity import link_users
    from hermes.types.people import UserRef

    user = UserRef(approved["platform"], approved["account"], approved["user_id"])
    try:
        return link_users(home, first, str(user), chat_id=approved["chat_id"])
    except GatewayError as wrong:
        detail = f"{user} is in, but not linked: {wrong.failure.detail or wrong.failure.code}"
        raise GatewayError(replace(wrong.failure, detail=detail)) from wrong


def _person(text: str) -> str:
    from hermes.types.people import parse_person

    try:
        return str(parse_person(typed_text(text)))
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="--as") from None


def _name(platform: str | None) -> str | None:
    from hermes.pairing.records import typed_name

    try:
        return None if platform is None else typed_name(typed_text(platform))
    except ValueError as wrong:
        raise click.BadParameter(str(wrong), param_hint="PLATFORM") from None


# --- for people ------------------------------------------------------------------------------------------------------------


def _show_granted(answer: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    told = (
        "They are told in their chat."
        if answer["told"]
        else "Nobody knows where to tell them; they can write now."
    )
    click.echo(plain(f"{_user(answer)} is in. {told}"))
    if person := answer.get("person"):
        click.echo(plain(f"Linked as {person['name'] or person['person_id']}."))


def _user(one: Mapping[str, Any]) -> str:
    from hermes.pairing.records import book_name

    name = f" ({one['user_name']})" if one.get("user_name") else ""
    return f"{book_name(one['platform'], one['account'])}:{one['user_id']}{name}"


def _account(one: Mapping[str, Any]) -> list[str]:
    from hermes.pairing.records import book_name

    shown = [book_name(one["platform"], one["account"])]
    if one["trouble"]:
        shown.append(f"  no pairing here: {one['trouble']}")
    if one["locked_until"]:
        shown.append(f"  locked until {_local(one['locked_until'])}: too many wrong codes")
    for wait in one["pending"]:
        left = duration(max(0.0, wait["expires_at"] - time.time()))
        code = (
            "its code is of an older version and counts no more"
            if wait["code"] == "legacy"
            else f"hash {wait['code']}…"
        )
        shown.append(f"  waits   {wait['user_id']}  {wait['user_name'] or '(no name)'}, {code}, {left} left")
    for user in one["approved"]:
        name, since = user["user_name"] or "(no name)", _local(user["approved_at"])
        listed = ", also on a list" if user["listed"] else ""
        shown.append(f"  paired  {user['user_id']}  {name}, since {since}{listed}")
    return shown


def _local(at: float) -> str:
    try:
        return local_time(at)
    except (ValueError, OverflowError, OSError):  # what stands in a file may be no time
        return "an unknown time"
