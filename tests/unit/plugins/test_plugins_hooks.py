"""Hooks from a home: found, checked, imported and called, with real threads, a real asyncio loop and real programs."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
import trio

from hermes.ops.processes import Processes
from hermes.plugins.asyncio_thread import AsyncioThread
from hermes.plugins.calls import MOST_LEFT, HookError
from hermes.plugins.discover import discover
from hermes.plugins.hooks import NOT_ALLOWED, Found, Hook, HookShelf, Idle, PluginHook
from hermes.registry.registry import PlatformRegistry

SYNC = "def handle(event_type, context):\n    return [event_type, context]\n"
ASYNC = "import asyncio\nasync def handle(event_type, context):\n    await asyncio.sleep(0)\n    return event_type\n"
TRIO = "import trio\nasync def handle(event_type, context):\n    await trio.sleep(0)\n    return event_type\n"
SOON_S = 5.0
"""What is over in milliseconds, on a machine that has other things to do."""


def install(home: Path, name: str, source: str, manifest: str = "events: [x:y]") -> Path:
    directory = home / "hooks" / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "HOOK.yaml").write_text(manifest)
    (directory / "handler.py").write_text(source)
    return directory


def shelf(home: Path, plugins: tuple[PluginHook, ...] = (), deadline_s: float = SOON_S) -> HookShelf:
    return HookShelf(home, Processes(4), plugins, deadline_s=deadline_s)


def one(found: Found) -> Hook:
    assert not found.idle
    (hook,) = found.hooks
    return hook


def reason(found: Found) -> str:
    assert not found.hooks
    (idle,) = found.idle
    return idle.reason


# --- found ----------------------------------------------------------------------------------------------------------------


def test_hooks_by_directory_and_what_is_not_one_says_why(tmp_path):
    install(tmp_path, "b", SYNC)
    install(tmp_path, "a", ASYNC, "events: [x:*]\ndescription: first")
    install(tmp_path, "broken", "1/0")
    install(tmp_path, "leaves", "raise SystemExit(3)")
    install(tmp_path, "off", "1/0", "events: [x]\nenabled: false")
    install(tmp_path, "no-events", SYNC, "name: x")
    install(tmp_path, "no-handle", "x = 1")
    (tmp_path / "hooks" / "empty").mkdir()
    (tmp_path / "hooks" / ".hidden").mkdir()
    found = shelf(tmp_path).look()
    assert [(hook.name, hook.events, hook.description) for hook in found.hooks] == [
        ("a", ("x:*",), "first"),
        ("b", ("x:y",), "b"),
    ]
    reasons = {idle.name: idle.reason for idle in found.idle}
    assert reasons["broken"] == "ZeroDivisionError: division by zero"
    assert reasons["leaves"] == "SystemExit: 3"
    assert "names none" in reasons["no-events"]
    assert "has no handle(event_type, context)" in reasons["no-handle"]
    assert "has no HOOK.yaml" in reasons["empty"]
    assert [idle.name for idle in found.idle if idle.off] == ["off"]


def test_no_home_no_hooks(tmp_path):
    assert shelf(tmp_path / "nowhere").look() == Found()


def test_what_everybody_may_write_to_is_not_run(tmp_path):
    directory = install(tmp_path, "a", "raise AssertionError('run')")
    (directory / "handler.py").chmod(0o666)
    assert "everybody on this machine may write to it" in reason(shelf(tmp_path).look())
    (directory / "handler.py").chmod(0o644)
    (tmp_path / "hooks").chmod(0o777)
    assert "everybody on this machine may write to it" in reason(shelf(tmp_path).look())


def test_an_import_that_hangs_costs_its_deadline_once_and_nobody_else_anything(tmp_path):
    install(tmp_path, "hangs", "import threading; threading.Event().wait()")
    install(tmp_path, "well", SYNC)
    hooks = shelf(tmp_path, deadline_s=0.3)
    found = hooks.look()
    assert [hook.name for hook in found.hooks] == ["well"]
    assert "has not come to an end" in found.idle[0].reason
    began = time.monotonic()
    assert hooks.look() == found
    assert time.monotonic() - began < 0.3


async def test_what_has_changed_is_read_again_and_nothing_else(tmp_path):
    install(tmp_path, "same", SYNC)
    install(tmp_path, "other", "def handle(e, c):\n    return 1\n")
    hooks = shelf(tmp_path)
    before = hooks.look()
    assert hooks.look() == before
    install(tmp_path, "other", "def handle(e, c):\n    return 2\n")
    after = hooks.look()
    assert after.hooks[1] is before.hooks[1]
    assert [await found.hooks[0].call("x:y", {}) for found in (before, after)] == [1, 2]
    (tmp_path / "hooks" / "other" / "HOOK.yaml").unlink()
    assert [hook.name for hook in hooks.look().hooks] == ["same"]


# --- called ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "manifest"), [(ASYNC, ""), (TRIO, "\nruntime: trio")])
async def test_async_handlers_of_both_kinds(source, manifest, tmp_path):
    install(tmp_path, "a", source, f"events: [x:y]{manifest}")
    hooks = shelf(tmp_path)
    assert await one(hooks.look()).call("x:y", {}) == "x:y"
    hooks.loop.close()


async def test_a_sync_handler_runs_in_a_thread_on_a_copy(tmp_path):
    source = "import threading\ndef handle(e, c):\n    c['own'] = 1\n    return threading.get_ident()\n"
    install(tmp_path, "a", source)
    payload = {"a": 1}
    assert await one(shelf(tmp_path).look()).call("x:y", payload) != threading.get_ident()
    assert payload == {"a": 1}


async def test_a_sync_handler_may_return_a_coroutine(tmp_path):
    source = "async def work():\n    return 7\ndef handle(e, c):\n    return work()\n"
    install(tmp_path, "a", source)
    hooks = shelf(tmp_path)
    assert await one(hooks.look()).call("x:y", {}) == 7
    hooks.loop.close()


@pytest.mark.parametrize("error", ["SystemExit(1)", "KeyboardInterrupt()", "GeneratorExit()", "OSError('x')"])
@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_whatever_a_handler_raises_ends_its_call_alone(error, kind, tmp_path):
    install(tmp_path, "a", f"{kind} handle(e, c):\n    raise {error}\n")
    hooks = shelf(tmp_path)
    hook = one(hooks.look())
    for _ in range(2):
        with pytest.raises((HookError, RuntimeError, OSError)):
            await hook.call("x:y", {})
    hooks.loop.close()


async def test_sync_calls_that_hang_are_left_and_then_no_more_are_made(tmp_path):
    source = "import builtins\ndef handle(e, c):\n    builtins.hook_gate.wait()\n    return 1\n"
    install(tmp_path, "a", source)
    import builtins

    builtins.hook_gate = gate = threading.Event()
    hook = one(shelf(tmp_path).look())
    try:
        for n in range(MOST_LEFT):
            with trio.move_on_after(0.05):
                await hook.call("x:y", {})
            assert hook.call.left == n + 1
        with pytest.raises(HookError, match="earlier calls of it still run"):
            await hook.call("x:y", {})
    finally:
        gate.set()
        del builtins.hook_gate
    with trio.fail_after(SOON_S):
        while hook.call.left:
            await trio.sleep(0.01)


async def test_an_asyncio_handler_is_cancelled_there_and_the_loop_goes_on(tmp_path):
    source = (
        "import asyncio, pathlib\n"
        "async def handle(e, c):\n"
        "    if e == 'quick':\n        return 1\n"
        "    try:\n        await asyncio.sleep(1e6)\n"
        "    except asyncio.CancelledError:\n        pathlib.Path(c['mark']).write_text('cancelled')\n        raise\n"
    )
    install(tmp_path, "a", source)
    hooks = shelf(tmp_path)
    hook, mark = one(hooks.look()), tmp_path / "mark"
    with trio.move_on_after(0.05):
        await hook.call("x:y", {"mark": str(mark)})
    assert await hook.call("quick", {}) == 1
    with trio.fail_after(SOON_S):
        while not mark.exists() or hook.call.left:
            await trio.sleep(0.01)
    assert hooks.loop.lost == 0
    hooks.loop.close()


async def test_AC12_an_asyncio_handler_that_blocks_its_loop_blocks_neither_us_nor_the_next_for_long(tmp_path):
    loop, gate = AsyncioThread(), threading.Event()

    async def blocks() -> None:
        gate.wait()

    async def well() -> int:
        return 1

    try:
        began = time.monotonic()
        with trio.move_on_after(0.05):
            await loop.run(blocks)
        assert time.monotonic() - began < 1.0
        await trio.sleep(1.1)
        with trio.fail_after(SOON_S):
            assert await loop.run(well) == 1
        assert loop.lost == 1
    finally:
        gate.set()
        loop.close()


# --- plug-ins and programs ------------------------------------------------------------------------------------------------


def allow(home: Path, event: str, command: str) -> None:
    said = {"approvals": [{"event": event, "command": command}]}
    (home / "shell-hooks-allowlist.json").write_text(json.dumps(said))


def program(home: Path, code: str, timeout: float = 20.0) -> str:
    script = home / "hook.py"
    script.write_text(code)
    command = f"{sys.executable} -I -S {script}"
    entry = json.dumps({"command": command, "timeout": timeout})
    (home / "config.yaml").write_text(f"hooks:\n  x:y:\n    - {entry}\n")
    return command


async def test_a_shell_hook_runs_once_somebody_has_said_yes(tmp_path):
    code = "import json, os, sys\ntold = json.load(sys.stdin)\nprint('talk')\n"
    code += "told['extra']['a'] = len(told['extra']['a'])\nprint(json.dumps({'saw': told, 'home': os.environ['HERMES_HOME']}))\n"
    command = program(tmp_path, code)
    hooks = shelf(tmp_path)
    assert reason(hooks.look()) == NOT_ALLOWED
    allow(tmp_path, "x:z", command)
    assert reason(hooks.look()) == NOT_ALLOWED
    allow(tmp_path, "x:y", command)
    answer = await one(hooks.look()).call("x:y", {"a": "b" * 200_000})
    assert answer["saw"]["hook_event_name"] == "x:y"
    assert answer["saw"]["extra"] == {"a": 200_000}
    assert answer["home"] == str(tmp_path)


def test_consent_that_everybody_could_have_written_is_none(tmp_path):
    allow(tmp_path, "x:y", program(tmp_path, ""))
    (tmp_path / "shell-hooks-allowlist.json").chmod(0o666)
    found = shelf(tmp_path).look()
    assert not found.hooks
    assert any("everybody on this machine may write to it" in idle.reason for idle in found.idle)


def test_S45_all_may_be_allowed_at_once_but_not_by_a_file_that_everybody_may_write_to(tmp_path):
    command = program(tmp_path, "")
    config = tmp_path / "config.yaml"
    config.write_text(f"hooks_auto_accept: true\n{config.read_text()}")
    assert one(shelf(tmp_path).look()).name == f"x:y {command}"
    config.chmod(0o666)
    found = shelf(tmp_path).look()
    assert not found.hooks
    because, not_allowed = found.idle
    assert because.reason.endswith("does not count")
    assert not_allowed.reason == NOT_ALLOWED
    config.chmod(0o644)
    config.write_text(config.read_text().replace("true", "perhaps", 1))
    found = shelf(tmp_path).look()
    assert not found.hooks
    assert f"{config}, line 1: hooks_auto_accept: true or false" in found.idle[0].reason


@pytest.mark.parametrize(
    ("code", "words"),
    [("import sys; sys.exit('went wrong')", "exit code 1: went wrong"), ("1/0", "ZeroDivisionError")],
)
async def test_a_program_that_fails_says_how(code, words, tmp_path):
    allow(tmp_path, "x:y", program(tmp_path, code))
    with pytest.raises(HookError, match=words):
        await one(shelf(tmp_path).look()).call("x:y", {})


async def test_a_program_that_hangs_ends_at_its_deadline_and_with_its_caller(tmp_path):
    code = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(1e6)\n"
    allow(tmp_path, "x:y", program(tmp_path, code, timeout=0.5))
    with pytest.raises(HookError, match="not done within"):
        await one(shelf(tmp_path).look()).call("x:y", {"big": "x" * 1_000_000})
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_plug_ins_come_first(tmp_path):
    install(tmp_path, "a", SYNC)
    hooks = shelf(tmp_path, (PluginHook("irc", "x:y", lambda e, _c: e),))
    found = hooks.look()
    assert [(hook.name, hook.source.partition("/")[0]) for hook in found.hooks] == [
        ("irc:x:y", "plug-in irc"),
        ("a", ""),
    ]
    assert await found.hooks[0].call("x:y", {}) == "x:y"


def test_a_configuration_that_cannot_be_read_costs_its_programs_alone(tmp_path):
    install(tmp_path, "a", SYNC)
    (tmp_path / "config.yaml").write_text("hooks: [")
    found = shelf(tmp_path).look()
    assert [hook.name for hook in found.hooks] == ["a"]
    assert isinstance(found.idle[0], Idle)


def plug_in(home: Path, source: str, kind: str = "hooks") -> None:
    path = home / "plugins" / "extra"
    path.mkdir(parents=True)
    (path / "plugin.yaml").write_text(f"name: extra\nkind: {kind}\n")
    (path / "__init__.py").write_text(source)


@pytest.fixture(autouse=True)
def forget_modules():
    yield
    for name in [name for name in sys.modules if name.startswith(("hermes_plugin_", "hermes_hook_"))]:
        del sys.modules[name]


REGISTERS = "def register(ctx):\n    ctx.register_hook('x:y', lambda e, c: e.upper(), timeout_s=3)\n"


async def test_a_plug_in_registers_hooks_and_need_bring_no_platform(tmp_path):
    plug_in(tmp_path, REGISTERS)
    registry = PlatformRegistry()
    (hook,) = shelf(tmp_path, discover(tmp_path, registry).hooks).look().hooks
    assert (hook.name, hook.timeout_s, await hook.call("x:y", {})) == ("extra:x:y", 3.0, "X:Y")
    assert not registry.all_entries()


@pytest.mark.parametrize(
    "source",
    [
        "def register(ctx): pass",
        "def register(ctx):\n    ctx.register_hook('x:y', 7)",
        "def register(ctx):\n    ctx.register_hook('x:y', print, timeout_s=0)",
        "def register(ctx):\n    ctx.register_hook('x:y', print, runtime='curio')",
        "1/0",
    ],
)
def test_a_plug_in_of_hooks_that_is_of_no_use_is_no_platform_that_is_unavailable(source, tmp_path, caplog):
    plug_in(tmp_path, source)
    registry = PlatformRegistry()
    (row,) = discover(tmp_path, registry).plugins
    assert (row.state, row.platform) == ("unavailable", False)
    assert not registry.all_entries()
    assert "plug-in extra is not used" in caplog.text


def test_what_is_not_used_is_said_once(tmp_path, caplog):
    install(tmp_path, "a", "1/0")
    install(tmp_path, "off", "1/0", "events: [x]\nenabled: false")
    hooks = shelf(tmp_path)
    for _ in range(3):
        hooks.look()
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == [
        "hook a is not used: ZeroDivisionError: division by zero"
    ]
