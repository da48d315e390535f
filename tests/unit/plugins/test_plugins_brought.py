"""What plug-ins bring besides platforms: tools, commands, agents and memory, and what is refused of it."""

import asyncio
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import trio

from hermes.plugins.asyncio_thread import AsyncioThread
from hermes.plugins.brought import Brought
from hermes.plugins.context import PluginContext
from hermes.plugins.discover import discover, on_disk
from hermes.registry.registry import PlatformRegistry
from hermes.registry.tools import Toolbox
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, SessionKey, TraceId, TurnId
from hermes.types.memory import Asked, Ended
from hermes.types.origin import Origin
from hermes.types.tools import Call, Tool, ToolContext

ORIGIN = Origin("fake", "1", user_id="u1")
CONTEXT = ToolContext(InboundEvent("1", ORIGIN, "x", 0.0, TraceId("t")), "user", SessionKey("k"), TurnId("t"))

EVERYTHING = """
    def sync(arguments, *, context):
        return f"{arguments['a']} for {context.user_id}"

    class Memory:
        name = "mind"

        def recall(self, asked):
            return asked.text.upper()

        async def flush(self, ended):
            kept.append(ended.reason)

    kept = []

    def register(ctx):
        ctx.register_tool("add", "maths", {"properties": {}}, sync, description="Adds.", needs_approval=True)
        ctx.register_command("/Greet", lambda words: f"hello {words}", "Says   hello", "[name]", role="admin")
        ctx.register_agent("parrot", lambda setup: None)
        ctx.register_hook("agent:end", print)
        ctx.register_memory_provider(Memory())
"""


@pytest.fixture(autouse=True)
def forget_modules():
    yield
    for name in [name for name in sys.modules if name.startswith("hermes_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def context():
    context = PluginContext("extra", loop := AsyncioThread(), {"KEY": "1"})
    yield context
    loop.close()


def install(home: Path, name: str, source: str, manifest: str = "version: 1\n") -> None:
    path = home / "plugins" / name
    path.mkdir(parents=True, mode=0o755)
    (home / "plugins").chmod(0o755)
    (path / "plugin.yaml").write_text(manifest)
    (path / "__init__.py").write_text(textwrap.dedent(source))
    for file in path.iterdir():
        file.chmod(0o644)


def found(home: Path, **options: Any) -> Brought:
    return discover(home, PlatformRegistry(), **options)


async def called(tool: Tool, **arguments: Any) -> str:
    with trio.fail_after(5):
        return await tool.run(Call("c", tool.name, arguments), CONTEXT)


async def test_one_plug_in_brings_everything(tmp_path):
    install(tmp_path, "extra", EVERYTHING)
    brought = found(tmp_path)

    (tool,), ((spec, command),), (memory,) = brought.tools, brought.commands, brought.memories
    assert (tool.name, tool.toolset, tool.description, tool.needs_approval) == ("add", "maths", "Adds.", True)
    assert await called(tool, a=1) == "1 for u1"
    assert (spec.name, spec.summary, spec.usage, spec.role) == ("greet", "Says hello", "[name]", "admin")
    assert await called(command, args="Ann") == "hello Ann"
    assert list(brought.agents) == ["parrot"]
    assert await memory.recall(Asked(SessionKey("k"), ORIGIN, "tea")) == "TEA"
    await memory.flush(Ended(SessionKey("k"), SessionId("s"), "idle", ()))
    assert sys.modules["hermes_plugin_extra"].kept == ["idle"]
    (row,) = brought.plugins
    assert (row.name, row.state, row.source) == ("extra", "used", str(tmp_path / "plugins" / "extra"))
    assert row.brings == ("agent parrot", "tool add", "hook agent:end", "command /greet", "memory mind")
    brought.loop.close()


async def test_a_handler_runs_where_it_belongs(context):
    async def on_asyncio(arguments):
        await asyncio.sleep(0)
        return "asyncio"

    async def on_trio(arguments, context):
        await trio.lowlevel.checkpoint()
        return f"trio for {context.user_id}"

    class Callable:
        async def __call__(self, arguments, **more):
            await asyncio.sleep(0)
            return ",".join(more)

    context.register_tool("a", handler=on_asyncio)
    context.register_tool("b", handler=on_trio, runtime="trio")
    context.register_tool("c", handler=Callable())

    assert [await called(tool) for tool in context.tools] == ["asyncio", "trio for u1", "context"]


@pytest.mark.parametrize("runtime", ["trio", "asyncio"])
@pytest.mark.parametrize("wrong", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
async def test_whatever_a_handler_raises_is_an_exception_for_who_called_it(context, runtime, wrong):
    async def raises(arguments: Any) -> str:
        raise wrong

    context.register_tool("a", handler=raises, runtime=runtime)
    with pytest.raises(Exception, match=r"it has raised|was cancelled"):
        await called(context.tools[0])


@pytest.mark.parametrize("wrong", [ValueError, SystemExit])
async def test_a_handler_that_fails_as_it_is_cancelled_is_cancelled(context, autojump_clock, wrong):
    async def fails() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise wrong

    async def two_at_once(arguments: Any) -> str:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails)
            nursery.start_soon(trio.sleep_forever)
        return ""

    context.register_tool("a", handler=two_at_once, runtime="trio")
    with trio.move_on_after(1) as limit:
        await context.tools[0].run(Call("c", "a", {}), CONTEXT)
    assert limit.cancelled_caught


async def test_the_shape_of_the_original_is_understood(context):
    schema = {
        "name": "hi",
        "description": "Says hi.",
        "parameters": {"type": "object", "properties": {"n": {}}},
    }
    context.register_tool(
        name="hi",
        toolset="greetings",
        schema=schema,
        handler=lambda params, **_: "hi",
        check_fn=lambda: True,
        requires_env=["KEY"],
        is_async=False,
        emoji="👋",
    )
    (tool,) = context.tools

    assert (tool.description, tool.parameters) == ("Says hi.", schema["parameters"])
    assert await called(tool) == "hi"


def test_without_what_it_needs_a_tool_is_left_out_and_that_is_said(context):
    context.register_tool("a", handler=print, requires_env=["KEY", "OTHER"])
    context.register_tool("b", handler=print, check_fn=lambda: False)

    assert context.tools == []
    assert list(context.brings()) == ["tool a (OTHER not set)", "tool b (its check says no)"]


NONSENSE = [
    "ctx.register_tool('a b', handler=print)",
    "ctx.register_tool('a')",
    "ctx.register_tool('a', handler=print, deadline_s=0)",
    "ctx.register_tool('a', handler=print, deadline_s=True)",
    "ctx.register_tool('a', handler=print, schema={'type': 'array'})",
    "ctx.register_tool('a', handler=print, schema={'properties': print})",
    "ctx.register_tool('a', handler=print, schema={'x': 'y' * 100_000})",
    "ctx.register_tool('a', handler=print, schema=7)",
    "ctx.register_tool('a', handler=print, needs_approval=1)",
    "ctx.register_tool('a', handler=print, runtime='curio')",
    "ctx.register_command('help', print)",
    "ctx.register_command('v', print)",
    "ctx.register_command('a b', print)",
    "ctx.register_command('a', print, role='god')",
    "ctx.register_command('a', 7)",
    "ctx.register_hook(7, print)",
    "raise type('Mute', (Exception,), {'__str__': 7})",
    "ctx.register_agent('a b', print)",
    "ctx.register_agent('a', 7)",
    "ctx.register_memory_provider(object())",
    "pass",
]


@pytest.mark.parametrize("line", NONSENSE)
def test_nonsense_is_an_unavailable_row_and_nothing_more(tmp_path, caplog, line):
    install(
        tmp_path,
        "extra",
        f"def register(ctx):\n    ctx.register_hook('x', print) if 0 else None\n    {line}\n",
    )
    install(tmp_path, "good", EVERYTHING)
    brought = found(tmp_path)

    rows = {row.name: row for row in brought.plugins}
    assert (rows["extra"].state, rows["good"].state) == ("unavailable", "used")
    assert rows["extra"].reason
    assert [row.name for row in brought.unavailable()] == ["extra"]
    assert len(brought.tools) == 1
    assert not brought.platforms.all_entries()


@pytest.mark.parametrize("schema", ["'nope'", "7", "[1]", "{'parameters': None}"])
def test_a_schema_that_is_none_is_named(tmp_path, schema):
    line = f"ctx.register_tool('look', handler=print, schema={schema})"
    install(tmp_path, "extra", f"def register(ctx):\n    {line}\n")

    (row,) = found(tmp_path).plugins
    assert row.reason.startswith("TypeError: tool look: its schema is no JSON schema of an object")


def test_what_comes_before_the_fault_does_not_count_either(tmp_path):
    install(tmp_path, "extra", "def register(ctx):\n    ctx.register_tool('a', handler=print)\n    1/0\n")

    assert found(tmp_path).tools == []


def test_one_that_hangs_at_its_import_delays_nobody_for_longer_than_that(tmp_path):
    install(tmp_path, "hang", "import threading\nthreading.Event().wait(30)\n")
    install(tmp_path, "good", EVERYTHING)
    brought = found(tmp_path, deadline_s=0.3)

    assert {row.name: row.state for row in brought.plugins} == {"hang": "unavailable", "good": "used"}


def test_one_that_says_of_no_platform_is_none_that_cannot_be_used(tmp_path):
    install(tmp_path, "broken", "def register(:")
    brought = found(tmp_path)

    assert [row.name for row in brought.unavailable()] == ["broken"]
    assert not brought.platforms.all_entries()


def test_without_a_gateway_nothing_is_imported(tmp_path):
    install(tmp_path, "boom", "raise SystemExit")
    install(tmp_path, "off", "raise SystemExit")
    install(tmp_path, "broken", "def register(:")

    rows = {row.name: row for row in on_disk(tmp_path, disabled=("off",))}
    assert {name: row.state for name, row in rows.items()} == {
        "boom": "found",
        "off": "disabled",
        "broken": "unavailable",
    }
    assert "hermes_plugin_boom" not in sys.modules


# --- the toolbox ------------------------------------------------------------------------------------------------------------


def tool(name: str, toolset: str = "", source: str = "builtin") -> Tool:
    return Tool(name, "", {}, print, toolset=toolset, source=source)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("enabled", "disabled", "offered"),
    [
        ((), (), "abc"),
        (("a",), (), "a"),
        (("set",), (), "bc"),
        ((), ("set",), "a"),
        (("set",), ("c",), "b"),
        (("x",), (), ""),
    ],
)
def test_the_settings_say_what_is_offered(enabled, disabled, offered):
    box = Toolbox(enabled, disabled)
    for one in (tool("a"), tool("b", "set"), tool("c", "set")):
        box.register(one)

    assert "".join(one.name for one in box.offered()) == offered
    assert [name for name in "abc" if box.find(name)] == list(offered)
    assert list(box.unknown()) == (["x"] if "x" in enabled else [])


def test_of_one_name_the_last_one_counts_and_the_log_says_so(caplog):
    box = Toolbox()
    box.register(tool("a"))
    box.register(tool("a", source="plug-in extra"))

    assert [one.source for one in box.offered()] == ["plug-in extra"]
    assert "tool a is now that of plug-in extra, not that of builtin" in caplog.text
