"""The platforms that the command line works with."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hermes.registry.registry import PlatformRegistry


def registry_for(ctx: click.Context) -> "PlatformRegistry":
    """Those that are built in, and those that whoever started the command line has handed in; not yet those of plug-ins."""
    from hermes.plugins.builtin import entries
    from hermes.registry.registry import PlatformRegistry

    return PlatformRegistry((*entries(), *(ctx.obj or ())))
