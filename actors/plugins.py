"""A plug-in that cannot be used: it stands in the tree, and says why."""

import trio

from hermes.plugins.brought import PluginRow
from hermes.types.errors import PLUGIN_UNUSABLE, Failure, GatewayError
from supervisors.context import Context


async def run(ctx: Context[None], plugin: PluginRow) -> None:
    """Raises ``GatewayError``, for the operator: what was not found at the start comes with the next one."""
    await trio.lowlevel.checkpoint()
    raise GatewayError(Failure(PLUGIN_UNUSABLE, "needs_operator", "gateway", detail=plugin.reason))
