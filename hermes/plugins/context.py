"""What a plug-in's ``register(ctx)`` is handed."""

from typing import Any

from hermes.hooks.manifest import TIMEOUT_S, Runtime, seconds
from hermes.plugins.calls import Handle
from hermes.plugins.hooks import PluginHook
from hermes.registry.entry import PlatformEntry


class PluginContext:
    """Takes what a plug-in brings. Nothing of it counts before ``register`` has returned."""

    def __init__(self, plugin_name: str) -> None:
        self.plugin_name = plugin_name
        self.entries: list[PlatformEntry] = []
        self.hooks: list[PluginHook] = []

    def register_platform(self, **fields: Any) -> None:
        """Bring a platform; ``fields`` are those of ``PlatformEntry``: at least ``name``, ``label`` and ``factory``.

        Raises ``TypeError`` and ``ValueError``.
        """
        self.entries.append(PlatformEntry(**{**fields, "source": "plugin", "plugin_name": self.plugin_name}))

    def register_hook(
        self, event: str, handle: Handle, *, runtime: Runtime = "asyncio", timeout_s: float = TIMEOUT_S
    ) -> None:
        """Have ``handle(event_type, context)`` called for ``event``, a name or ``<base>:*``; docs/hooks.md lists them.
        ``runtime``: where it runs if it is async.

        Raises ``TypeError`` and ``ValueError``.
        """
        if not callable(handle):
            raise TypeError("a hook is a function of two arguments, event_type and context")
        if runtime not in ("asyncio", "trio"):
            raise ValueError(f"runtime is asyncio or trio, not {runtime!r:.40}")
        hook = PluginHook(self.plugin_name, event, handle, runtime, seconds([str(timeout_s)]))
        self.hooks.append(hook)
