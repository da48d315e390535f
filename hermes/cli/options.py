"""Options that several commands share."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hermes.config.paths import resolve_home

LISTED = 50

Command = TypeVar("Command", bound=Callable[..., Any])


def home_option(command: Command) -> Command:
    """``--home DIR``, handed over as the absolute path of the home that is meant."""
    return click.option(
        "--home",
        metavar="DIR",
        callback=_home,
        help="The Hermes home. Default: $HERMES_HOME, else ~/.hermes.",
    )(command)


def _home(_ctx: click.Context, _option: click.Parameter, value: str | None) -> Path:
    if value == "":  # a script's unset variable; as a path it would be the working directory
        raise click.BadParameter("it is empty")
    return resolve_home(None if value is None else Path(value), os.environ)


def json_option(command: Command) -> Command:
    """``--json``: one document on stdout, errors as JSON on stderr."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def limit_option(command: Command) -> Command:
    """``-n N`` as ``limit``: how many rows a list shows."""
    return click.option(
        "-n",
        "limit",
        metavar="N",
        type=click.IntRange(1, 10_000),
        default=LISTED,
        show_default=True,
        help="How many.",
    )(command)


def print_json(document: object) -> None:
    """The document on stdout, readable and complete."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))
