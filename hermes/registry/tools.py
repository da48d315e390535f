"""All tools by name, and which of them are offered; and the commands of plug-ins, which are called in the same way."""

import logging
from collections.abc import Iterable, Mapping, Sequence

from hermes.routing.commands import CommandSpec
from hermes.types.tools import Tool

log = logging.getLogger(__name__)


class Toolbox:
    """One per process, handed in, and filled at the start, in sequence. ``enabled`` and ``disabled`` name tools and toolsets;
    without ``enabled`` all are.
    """

    def __init__(self, enabled: Sequence[str] = (), disabled: Sequence[str] = ()) -> None:
        self._enabled = frozenset(enabled)
        self._disabled = frozenset(disabled)
        self._tools: dict[str, Tool] = {}
        self._commands: dict[str, Tool] = {}
        self._specs: dict[str, CommandSpec] = {}

    def register(self, tool: Tool) -> None:
        """Add ``tool``; of one name the last one wins, and the log says so."""
        if (old := self._tools.get(tool.name)) is not None:
            log.warning("tool %s is now that of %s, not that of %s", tool.name, tool.source, old.source)
        self._tools[tool.name] = tool

    def register_command(self, spec: CommandSpec, tool: Tool) -> None:
        """Add a command, carried out by ``tool`` with what was typed as ``args``; of one name the last one wins as well."""
        if (old := self._commands.get(spec.name)) is not None:
            log.warning("command /%s is now that of %s, not that of %s", spec.name, tool.source, old.source)
        self._commands[spec.name], self._specs[spec.name] = tool, spec

    @property
    def commands(self) -> Mapping[str, CommandSpec]:
        """Those of plug-ins."""
        return self._specs

    def command(self, name: str) -> Tool | None:
        """What carries out the command of that name."""
        return self._commands.get(name)

    def offered(self) -> tuple[Tool, ...]:
        """What an agent may call, in the order in which the names came up first."""
        return tuple(tool for tool in self._tools.values() if self._is_offered(tool))

    def find(self, name: str) -> Tool | None:
        """The tool of that name, if it is offered."""
        tool = self._tools.get(name)
        return tool if tool is not None and self._is_offered(tool) else None

    def unknown(self) -> Iterable[str]:
        """What the settings name and nobody brings."""
        there = {name for tool in self._tools.values() for name in (tool.name, tool.toolset)}
        return sorted((self._enabled | self._disabled) - there)

    def _is_offered(self, tool: Tool) -> bool:
        names = {tool.name, tool.toolset} - {""}
        return (not self._enabled or not names.isdisjoint(self._enabled)) and names.isdisjoint(self._disabled)
