"""``hermes run``: the gateway in the foreground."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hermes.cli.options import home_option
from hermes.types.errors import CONFIG_INVALID, HOME_UNUSABLE, STORE_NEWER, USAGE, GatewayError

if TYPE_CHECKING:
    from hermes.cli.console import Gateway
    from hermes.config.supervision import Rule

FAILED, CONFIGURATION = 1, 78


def _rules(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> "tuple[Rule, ...]":
    from hermes.config.supervision import read_option

    rules: dict[str, Rule] = {}
    for text in texts:
        try:
            rule = read_option(text)
        except ValueError as wrong:
            raise click.BadParameter(f"{text!r}: {wrong}") from wrong
        if rule.glob in rules:
            raise click.BadParameter(
                f"{text!r}: there is a policy for {rule.glob} already, {rules[rule.glob].source}"
            )
        rules[rule.glob] = rule
    return tuple(rules.values())


@click.command()
@home_option
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read FILE in place of the home's config.yaml.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    help="Port of the web server; 0 takes any free one.",
)
@click.option(
    "--restart",
    multiple=True,
    metavar="GLOB=POLICY",
    callback=_rules,
    help="How the actors at GLOB are restarted; repeatable. POLICY is permanent|transient|temporary, then as wanted "
    ",intensity=N/S ,backoff=MIN..MAX ,on_exceeded=disable|escalate and the other keys of `supervision:`.",
)
@click.option(
    "--replace",
    is_flag=True,
    help="Take the place of a gateway that runs on this home: it is stopped first, within 10 seconds.",
)
@click.option("--console", is_flag=True, help="Chat in this terminal; the log goes to its file alone.")
@click.option("-v", "--verbose", count=True, help="Log more on the console; twice: everything.")
@click.option("-q", "--quiet", is_flag=True, help="Log nothing on the console.")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    home: Path,
    config: Path | None,
    port: int | None,
    restart: "tuple[Rule, ...]",
    replace: bool,
    console: bool,
    verbose: int,
    quiet: bool,
) -> None:
    """Run the gateway in the foreground.

    Prints a one-time link to the dashboard and web chat, then its log. Ctrl-C stops it in order, a second one at once. With
    --console a prompt takes the place of the log, as in `hermes chat`; leaving it stops the gateway.

    A restart that is asked for in chat or by `hermes restart` keeps the process: it begins anew with the same options. Under
    a service manager it ends with 75 instead.

    Exit codes: 0 planned stop · 1 SIGTERM, or the home is held by another instance · 70 gave up after repeated failures ·
    75 restart wanted · 78 configuration · 130 second Ctrl-C.
    """
    from hermes.ops.takeover import claim

    claimed = claim(home) if replace else None  # before what takes its time

    from hermes.config.load import load
    from hermes.ops.arenas import share_arenas
    from hermes.ops.garbage import look_rarely

    share_arenas()
    look_rarely()
    read = partial(load, home, os.environ, file=config, port=port, restart=restart)
    try:
        settings = read()

        from hermes.app import run as run_gateway
        from hermes.cli.platforms import registry_for

        start = partial(
            run_gateway,
            home=home,
            settings=settings,
            reread=read,
            registry=registry_for(ctx),
            replace=claimed,
        )
        if console:  # the prompt's thread owns the process
            ctx.exit(_with_chat(home, lambda show, let_go: start(verbosity=-1, show=show, let_go=let_go)))
        ctx.exit(start(verbosity=-1 if quiet else verbose))
    except GatewayError as wrong:
        if wrong.failure.code == USAGE:
            raise click.UsageError(wrong.failure.detail) from wrong
        click.echo(f"hermes: {wrong.failure.detail or wrong.failure.code}", err=True)
        unusable = wrong.failure.code in (CONFIG_INVALID, HOME_UNUSABLE, STORE_NEWER)
        ctx.exit(CONFIGURATION if unusable else FAILED)


def _with_chat(home: Path, gateway: "Gateway") -> int:
    """The gateway with the chat in the same terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "--console needs a terminal; without one, use `hermes chat` beside `hermes run`"
        )
    from hermes.app import SIGNALS
    from hermes.cli import console
    from hermes.cli.chat import whom

    return console.run(home, whom(None, None), gateway, SIGNALS)
