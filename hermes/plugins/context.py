"""What a plug-in's ``register(ctx)`` is handed."""

from typing import Any

from hermes.registry.entry import PlatformEntry


class PluginContext:
    """Takes what a plug-in brings. Nothing of it counts before ``register`` has returned."""

    def __init__(self, plugin_name: str) -> None:
        self.plugin_name = plugin_name
        self.entries: list[PlatformEntry] = []

    def register_platform(self, **fields: Any) -> None:
        """Bring a platform; ``fields`` are those of ``PlatformEntry``: at least ``name``, ``label`` and ``factory``.

        Raises ``TypeError`` and ``ValueError``.
        """
        self.entries.append(PlatformEntry(**{**fields, "source": "plugin", "plugin_name": self.plugin_name}))
