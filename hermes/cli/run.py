"""``hermes run``: the gateway in the foreground."""

import os
from pathlib import Path

import click

from hermes.cli.options import home_option
from hermes.types.errors import CONFIG_INVALID, HOME_UNUSABLE, STORE_NEWER, GatewayError

FAILED, CONFIGURATION = 1, 78


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
@click.option("-v", "--verbose", count=True, help="Log more on the console; twice: everything.")
@click.option("-q", "--quiet", is_flag=True, help="Log nothing on the console.")
@click.pass_context
def run(
    ctx: click.Context, *, home: Path, config: Path | None, port: int | None, verbose: int, quiet: bool
) -> None:
    """Run the gateway in the foreground.

    Prints a one-time link to the dashboard and web chat, then its log. Ctrl-C stops it in order, a second one at once.

    Exit codes: 0 planned stop · 1 SIGTERM, or the home is held by another instance · 70 gave up after repeated failures ·
    75 restart wanted · 78 configuration · 130 second Ctrl-C.
    """
    from hermes.config.load import load

    try:
        settings = load(home, os.environ, file=config, port=port)

        from hermes.app import run as run_gateway

        ctx.exit(run_gateway(home=home, config=settings, verbosity=-1 if quiet else verbose))
    except GatewayError as wrong:
        click.echo(f"hermes: {wrong.failure.detail or wrong.failure.code}", err=True)
        unusable = wrong.failure.code in (CONFIG_INVALID, HOME_UNUSABLE, STORE_NEWER)
        ctx.exit(CONFIGURATION if unusable else FAILED)
