"""``hermes channels``: which chats can be named in a target."""

from pathlib import Path
from typing import Any

import click

from hermes.cli.crashes import ListByDefault
from hermes.cli.options import home_option, json_option, print_json
from hermes.cli.text import plain


@click.group(cls=ListByDefault)
def channels() -> None:
    """List the chats that are known by name."""


@channels.command("list")
@click.option("--platform", metavar="NAME", help="Only those of this platform.")
@home_option
@json_option
def list_(platform: str | None, home: Path, as_json: bool) -> None:
    """List the known chats with their ids and names, as the gateway last found them, and the names you have given them."""
    from hermes.ops.channel_files import read_channels

    files = read_channels(home)
    for words in files.faults:
        click.echo(plain(f"hermes: {words}"), err=True)
    aliases = files.aliases or {}
    found: list[dict[str, Any]] = [
        {
            "target": f"{name}:{one.listed_id}",
            "platform": name,
            "id": one.listed_id,
            "name": one.name,
            "alias": aliases.get(name, {}).get(one.listed_id),
            "type": one.type,
            "thread_id": one.thread_id,
            "guild": one.guild,
        }
        for name, listed in sorted(files.directory.items())
        for one in listed
        if platform in (None, name, name.partition("@")[0])
    ]
    if as_json:
        print_json({"channels": found})
        return
    for one in found:
        guild = f"{one['guild']}/" if one["guild"] else ""
        names = ", ".join(filter(None, (one["alias"], f"{guild}{one['name']}" if one["name"] else "")))
        click.echo(plain("  ".join(filter(None, (one["target"], one["type"], names)))))
    if not found:
        click.echo(
            "No chat is known yet; a running gateway lists one within five minutes of its first message."
        )
