"""What all plug-ins together have brought, and what has become of each of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from hermes.plugins.asyncio_thread import AsyncioThread
from hermes.plugins.context import PluginContext
from hermes.plugins.hooks import PluginHook
from hermes.registry.agents import AgentFactory
from hermes.registry.registry import PlatformRegistry
from hermes.routing.commands import CommandSpec
from hermes.types.memory import MemoryProvider
from hermes.types.tools import Tool

State = Literal["used", "found", "disabled", "unavailable"]
"""``found``: nothing of it has been imported, because no gateway runs."""


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One plug-in, for people. ``brings``: a kind and a name each. ``platform``: it stands as an unavailable platform."""

    name: str
    source: str
    state: State
    brings: tuple[str, ...] = ()
    reason: str = ""
    platform: bool = False


@dataclass(slots=True)
class Brought:
    """Filled at the start, in sequence; of one name the last one counts. ``loop`` runs what is written for asyncio."""

    platforms: PlatformRegistry
    loop: AsyncioThread = field(default_factory=AsyncioThread)
    hooks: list[PluginHook] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    commands: list[tuple[CommandSpec, Tool]] = field(default_factory=list)
    agents: dict[str, AgentFactory] = field(default_factory=dict)
    memories: list[MemoryProvider] = field(default_factory=list)
    plugins: list[PluginRow] = field(default_factory=list)

    def take(self, context: PluginContext, source: str) -> None:
        """All that one plug-in has registered."""
        for entry in context.entries:
            self.platforms.register(entry)
        self.hooks += context.hooks
        self.tools += context.tools
        self.commands += context.commands
        self.agents |= context.agents
        self.memories += context.memories
        self.plugins.append(PluginRow(context.plugin_name, source, "used", tuple(context.brings())))

    def unavailable(self) -> Iterator[PluginRow]:
        """Those that cannot be used, and that no platform stands for."""
        return (one for one in self.plugins if one.state == "unavailable" and not one.platform)
