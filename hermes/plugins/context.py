"""What a plug-in's ``register(ctx)`` is handed. The names are those that plug-ins of the original know."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hermes.hooks.manifest import TIMEOUT_S, Runtime, seconds
from hermes.plugins.asyncio_thread import AsyncioThread
from hermes.plugins.calls import Handle
from hermes.plugins.foreign import ForeignMemory, awaitable
from hermes.plugins.hooks import PluginHook
from hermes.registry.agents import AgentFactory
from hermes.registry.entry import PlatformEntry
from hermes.routing.commands import PINGS, CommandSpec, find_command
from hermes.types.access import ROLES, Role
from hermes.types.memory import MemoryProvider
from hermes.types.tools import DEADLINE_S, NAME, Call, Tool, ToolContext


class PluginContext:
    """Takes what a plug-in brings. Nothing of it counts before ``register`` has returned.

    A ``handler`` that is sync runs in a thread; an async one on a private asyncio loop or, with ``runtime="trio"``, in the
    gateway's own. One that takes an argument ``context`` is told on whose behalf it is called
    (``hermes.types.tools.ToolContext``).
    """

    def __init__(
        self, plugin_name: str, loop: AsyncioThread | None = None, environ: Mapping[str, str] = os.environ
    ) -> None:
        """``environ``: the variables of the process, and of ``.env``."""
        self.plugin_name = plugin_name
        self.environ = environ
        self.entries: list[PlatformEntry] = []
        self.hooks: list[PluginHook] = []
        self.tools: list[Tool] = []
        self.commands: list[tuple[CommandSpec, Tool]] = []
        self.agents: dict[str, AgentFactory] = {}
        self.memories: list[MemoryProvider] = []
        self._loop = loop or AsyncioThread()
        self._left_out: list[str] = []

    def register_platform(self, **fields: Any) -> None:
        """Bring a platform; ``fields`` are those of ``PlatformEntry``: at least ``name``, ``label`` and ``factory``.

        Raises ``TypeError`` and ``ValueError``, as all of these methods do.
        """
        self.entries.append(PlatformEntry(**{**fields, "source": "plugin", "plugin_name": self.plugin_name}))

    def register_hook(
        self, event: str, handle: Handle, *, runtime: Runtime = "asyncio", timeout_s: float = TIMEOUT_S
    ) -> None:
        """Have ``handle(event_type, context)`` called for ``event``, a name or ``<base>:*``; docs/hooks.md lists them.
        ``runtime``: where it runs if it is async.
        """
        if not callable(handle):
            raise TypeError("a hook is a function of two arguments, event_type and context")
        if not isinstance(event, str):
            raise TypeError(f"{event!r:.80} is no event")
        _check(runtime)
        hook = PluginHook(self.plugin_name, event, handle, runtime, seconds([str(timeout_s)]))
        self.hooks.append(hook)

    def register_tool(
        self,
        name: str,
        toolset: str = "",
        schema: Mapping[str, Any] | None = None,
        handler: Callable[..., Any] | None = None,
        *,
        check_fn: Callable[[], object] | None = None,
        requires_env: Sequence[str] = (),
        description: str = "",
        deadline_s: float = DEADLINE_S,
        needs_approval: bool = False,
        runtime: Runtime = "asyncio",
        **_others: object,
    ) -> None:
        """Bring a tool. ``handler(arguments)`` returns a text for the model; ``ToolError`` and whatever else it raises is one,
        too. ``schema`` is the JSON schema of ``arguments``, or as function calling has it, with ``description`` and
        ``parameters``. Without a variable that it requires, or if ``check_fn`` says no, it is left out. Further arguments are
        the original's, and mean nothing here.
        """
        if not callable(handler):
            raise TypeError(f"tool {name}: its handler is no function")
        _check(runtime)
        described: Any = {} if schema is None else schema
        parameters = described.get("parameters", described) if isinstance(described, Mapping) else None
        if not isinstance(parameters, Mapping):
            raise TypeError(f"tool {name}: its schema is no JSON schema of an object")
        call = awaitable(handler, runtime, self._loop)

        async def run(asked: Call, context: ToolContext) -> str:
            said: str = await call(dict(asked.arguments), context=context)
            return said

        tool = Tool(
            name,
            description or described.get("description", ""),
            parameters,
            run,
            toolset=toolset,
            deadline_s=deadline_s,
            needs_approval=needs_approval,
            source=f"plug-in {self.plugin_name}",
        )
        absent = [variable for variable in requires_env if not self.environ.get(variable)]
        if absent or (check_fn is not None and not check_fn()):
            why = f"{' and '.join(absent)} not set" if absent else "its check says no"
            self._left_out.append(f"tool {name} ({why})")
            return
        self.tools.append(tool)

    def register_command(
        self,
        name: str,
        handler: Callable[..., Any],
        description: str = "",
        args_hint: str = "",
        *,
        role: Role = "user",
        deadline_s: float = DEADLINE_S,
        runtime: Runtime = "asyncio",
    ) -> None:
        """Bring ``/name``: ``handler(arguments)``, what was typed behind it, returns what is answered, or nothing. ``role`` is
        the least that may use it.
        """
        name = name.removeprefix("/").lower()
        if not NAME.fullmatch(name) or len(name) > 32:
            raise ValueError(f"{name!r:.80} is no name for a command: letters, digits, _ and -, 32 at most")
        if name in PINGS or find_command(name):
            raise ValueError(f"there is a command /{name} already, and it stays what it is")
        if role not in ROLES:
            raise ValueError(f"command {name}: role is one of {', '.join(ROLES)}, not {role!r:.40}")
        if not callable(handler):
            raise TypeError(f"command {name}: its handler is no function")
        _check(runtime)
        call = awaitable(handler, runtime, self._loop)

        async def run(asked: Call, context: ToolContext) -> str:
            said: str | None = await call(asked.arguments["args"], context=context)
            return "" if said is None else said

        source = f"plug-in {self.plugin_name}"
        summary = " ".join(description.split()) or f"From {source}"
        tool = Tool(name, description, {}, run, deadline_s=deadline_s, source=source)
        self.commands.append((CommandSpec(name, "info", summary, args_hint, role), tool))

    def register_agent(self, name: str, factory: AgentFactory) -> None:
        """Bring an agent, which answers where ``agent.name`` says so. ``factory(setup)`` makes it, once, in a thread."""
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r:.80} is no name for an agent: letters, digits, _ and -, 64 at most")
        if not callable(factory):
            raise TypeError(f"agent {name}: its factory is no function")
        self.agents[name] = factory

    def register_memory_provider(self, provider: object, *, runtime: Runtime = "asyncio") -> None:
        """Bring a memory: ``provider`` has ``recall(asked)`` and ``flush(ended)``, see ``hermes.types.memory.MemoryProvider``."""
        _check(runtime)
        name = str(getattr(provider, "name", "") or self.plugin_name)
        self.memories.append(ForeignMemory(name, provider, runtime, self._loop))

    def brings(self) -> Iterator[str]:
        """All of it, for people."""
        yield from (f"platform {one.name}" for one in self.entries)
        yield from (f"agent {name}" for name in self.agents)
        yield from (f"tool {one.name}" for one in self.tools)
        yield from (f"hook {one.event}" for one in self.hooks)
        yield from (f"command /{spec.name}" for spec, _ in self.commands)
        yield from (f"memory {one.name}" for one in self.memories)
        yield from self._left_out


def _check(runtime: Runtime) -> None:
    if runtime not in ("asyncio", "trio"):
        raise ValueError(f"runtime is asyncio or trio, not {runtime!r:.40}")
