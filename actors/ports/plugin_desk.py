"""Plug-ins for the operator, through the running gateway: ``hermes plugins``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hermes.plugins.brought import PluginRow
from hermes.types.errors import USAGE, Failure, GatewayError


class PluginDesk:
    """Answers by what was found at the start."""

    deadline_s = 5.0

    def __init__(self, plugins: Sequence[PluginRow], redact: Callable[[str], str]) -> None:
        """``redact`` goes over the reasons: an error may quote anything."""
        self._plugins = plugins
        self._redact = redact

    async def answer(self, verb: str, _args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What ``verb`` asks for. Raises ``GatewayError``: ``usage``."""
        if verb != "plugins_list":
            raise GatewayError(Failure(USAGE, detail=f"{verb} is no question about plug-ins"))
        return {"plugins": [asdict(one) | {"reason": self._redact(one.reason)} for one in self._plugins]}
