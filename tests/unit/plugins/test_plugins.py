"""Plug-ins: which are found, which are refused without being imported, and what an import may do."""

import logging
import sys
import textwrap
from importlib.metadata import EntryPoint

import pytest

from hermes.config.load import load
from hermes.plugins import discover as module
from hermes.plugins import home as home_module
from hermes.plugins.builtin import BUILT_IN, entries
from hermes.plugins.discover import discover
from hermes.plugins.home import Plugin, Unusable, find
from hermes.registry.accounts import Accounts
from hermes.registry.entry import PlatformEntry
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.testing.fakes import FakeAdapter, FakeClock, FakeIds

REGISTER = """
from hermes.testing.fakes import FakeAdapter

def register(ctx):
    ctx.register_platform(name="{name}", label="{label}", factory=lambda setup: FakeAdapter("{name}"), always=True)
"""
MANIFEST = "name: {name}\nkind: platform\nlabel: {name}\n"


@pytest.fixture(autouse=True)
def forget_modules():
    yield
    for name in [name for name in sys.modules if name.startswith("hermes_plugin_")]:
        del sys.modules[name]


@pytest.fixture
def install(tmp_path):
    """Put a plug-in into the home."""

    def install(name="irc", source=None, manifest=None, **files):
        path = tmp_path / "plugins" / name
        path.mkdir(parents=True)
        path.parent.chmod(0o755)
        path.chmod(0o755)
        written = {
            "__init__.py": REGISTER.format(name=name, label=name)
            if source is None
            else textwrap.dedent(source),
            "plugin.yaml": MANIFEST.format(name=name) if manifest is None else manifest,
            **{f"{key}.py": textwrap.dedent(text) for key, text in files.items()},
        }
        for file, text in written.items():
            (path / file).write_text(text)
            (path / file).chmod(0o644)
        return path

    return install


def platforms(home, *, disabled=(), deadline_s=10.0, registry=None):
    registry = PlatformRegistry() if registry is None else registry
    discover(home, registry, disabled, deadline_s=deadline_s)
    return registry


def why(home, registry, name):
    """Why no adapter of that platform can be made."""
    accounts = Accounts(registry, load(home, {}), home=home, clock=FakeClock(), ids=FakeIds())
    result = accounts.create(name, "default")
    assert isinstance(result, Unavailable), result
    assert result.code == "plugin_unusable"
    return str(result)


def test_what_is_built_in_is_what_it_is_called():
    assert [(entry.name, entry.source) for entry in entries()] == [(name, "builtin") for name in BUILT_IN]


def test_a_home_without_plug_ins_has_none(tmp_path):
    assert platforms(tmp_path).all_entries() == ()


def test_a_plug_in_brings_its_platform(tmp_path, install):
    install(
        source="""
        from .adapter import make

        def register(ctx):
            ctx.register_platform(name="irc", label="IRC", factory=make, source="builtin")
        """,
        adapter="""
        from hermes.testing.fakes import FakeAdapter

        def make(setup):
            return FakeAdapter("irc")
        """,
    )
    entry = platforms(tmp_path).get("irc")

    assert (entry.label, entry.source, entry.plugin_name) == ("IRC", "plugin", "irc")
    assert isinstance(entry.factory(None), FakeAdapter)


def test_later_ones_win_and_the_log_says_so(tmp_path, install, monkeypatch, caplog):
    install("chat")
    point = EntryPoint("chat", "package:register", module.GROUP)
    monkeypatch.setattr(
        EntryPoint,
        "load",
        lambda self: (
            lambda ctx: ctx.register_platform(name="chat", label="From a package", factory=lambda setup: None)
        ),
    )
    monkeypatch.setattr(
        module.importlib.metadata, "entry_points", lambda group: [point] if group == module.GROUP else []
    )
    shipped = PlatformEntry("chat", "Shipped", lambda setup: FakeAdapter("chat"), source="builtin")

    registry = platforms(tmp_path, registry=PlatformRegistry([shipped]))

    assert [entry.label for entry in registry.all_entries()] == ["From a package"]
    assert [message.partition(" is now")[2] for message in caplog.messages] == [
        " that of plug-in chat, not that of the gateway itself",
        " that of plug-in chat, not that of plug-in chat",
    ]


def test_one_that_is_disabled_is_not_even_imported(tmp_path, install):
    install(source="raise SystemExit")

    assert platforms(tmp_path, disabled=("irc",)).all_entries() == ()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (
            "import a_package_that_nobody_has",
            "ModuleNotFoundError: No module named 'a_package_that_nobody_has'",
        ),
        ("x = 1", "has no register(ctx)"),
        ("def register(ctx): ctx.register_platform(name='irc')", "TypeError"),
        (
            "def register(ctx): ctx.register_platform(name='a b', label='', factory=print)",
            "ValueError: 'a b' is no name",
        ),
        ("def register(ctx): pass", "has registered no platform"),
        ("def register(:", "invalid syntax"),
    ],
)
def test_one_that_crashes_is_unavailable_and_says_why(tmp_path, install, source, words):
    install(source=source)
    install("good")

    registry = platforms(tmp_path)

    assert words in why(tmp_path, registry, "irc")
    assert registry.get("good").label == "good"


def test_one_that_hangs_is_given_up_and_what_it_brings_later_does_not_count(tmp_path, install):
    install(
        source="""
        import threading

        gate, left = threading.Event(), threading.Event()

        def register(ctx):
            gate.wait(30)
            ctx.register_platform(name="irc", label="late", factory=print)
            left.set()
        """
    )
    install("good")

    registry = platforms(tmp_path, deadline_s=0.3)

    assert "has not come to an end within 0.3 s" in why(tmp_path, registry, "irc")
    hung = sys.modules["hermes_plugin_irc"]
    hung.gate.set()
    assert hung.left.wait(10)
    assert registry.get("irc").label == "irc"
    assert registry.get("good").label == "good"


@pytest.mark.parametrize(
    "source",
    [
        "from gateway.platforms.base import BasePlatformAdapter\nraise SystemExit",
        "import hermes_agent.gateway as g",
        "class A:\n  async def connect(self, *, is_reconnect: bool = False) -> bool: ...",
    ],
)
def test_one_for_the_original_is_known_by_its_source_and_not_imported(tmp_path, install, source):
    install(source="def register(ctx): ...", adapter=source)

    registry = platforms(tmp_path)

    assert why(tmp_path, registry, "irc").startswith("asyncio plug-in: ")
    assert "hermes_plugin_irc" not in sys.modules


def test_one_that_cannot_be_used_takes_no_platform_from_anybody(tmp_path, install, caplog):
    install("chat", source="raise RuntimeError")
    shipped = PlatformEntry("chat", "Shipped", lambda setup: FakeAdapter("chat"), source="builtin")

    registry = platforms(tmp_path, registry=PlatformRegistry([shipped]))

    assert registry.all_entries() == (shipped,)
    assert "plug-in chat is not used: RuntimeError" in caplog.text


@pytest.mark.parametrize(
    ("manifest", "words", "platform"),
    [
        ("name: ../x\nkind: platform", "'../x' is no name", True),
        ("name: [a, [b]]\nkind: platform", "nothing nested", True),
        ("kind: platform\nkind: platform", "stands in line 1 and again in line 2", True),
        ("- a", "the file must hold keys and values", True),
        ("name: \x00", "may not stand in a YAML file", True),
    ],
)
def test_a_manifest_that_nobody_understands_is_named(tmp_path, install, manifest, words, platform):
    install(manifest=manifest)

    (found,) = find(tmp_path)

    assert isinstance(found, Unusable)
    assert words in found.reason
    assert found.platform is platform


def test_the_manifest_names_the_plug_in(tmp_path, install):
    path = install("a-directory", manifest="name: irc-chat\nkind: platform")

    assert list(find(tmp_path)) == [Plugin("irc-chat", path)]


def test_what_is_no_plug_in_is_said_or_passed_over(tmp_path, install, caplog):
    install("no_manifest").joinpath("plugin.yaml").unlink()
    install("no_module").joinpath("__init__.py").unlink()
    (tmp_path / "plugins" / ".hidden").mkdir()
    (tmp_path / "plugins" / "__pycache__").mkdir()
    (tmp_path / "plugins" / "file").write_text("")

    found = {one.name: one for one in find(tmp_path)}

    assert found.keys() == {"no_manifest", "no_module"}
    assert (found["no_manifest"].platform, found["no_module"].platform) == (False, True)
    assert platforms(tmp_path).all_entries()[0].name == "no_module"


@pytest.mark.parametrize("what", ["", "irc", "irc/plugin.yaml", "irc/adapter.py", "irc/data"])
def test_S_what_everybody_may_write_to_is_not_imported(tmp_path, install, what):
    path = install(source="raise SystemExit", adapter="")
    (path / "data").mkdir()
    (tmp_path / "plugins" / what).chmod(0o777)

    found = list(find(tmp_path))

    assert [type(one) for one in found] == [Unusable]
    assert "everybody on this machine may write to it" in found[0].reason
    assert "chmod o-w" in found[0].reason


def test_S_what_belongs_to_somebody_else_is_not_imported(tmp_path, install, monkeypatch):
    install()
    monkeypatch.setattr(home_module, "OURS", (123_456_789,))

    (found,) = find(tmp_path)

    assert "it belongs to another user" in found.reason


def test_a_link_is_what_it_leads_to(tmp_path, install):
    path = install("real")
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert list(find(tmp_path)) == [Plugin("real", path)]

    elsewhere.chmod(0o777)

    assert isinstance(*find(tmp_path), Unusable)


def test_a_broken_link_is_named(tmp_path, install):
    (install() / "broken").symlink_to(tmp_path / "nowhere")

    (found,) = find(tmp_path)

    assert "broken" in found.reason


def test_a_traceback_stands_in_the_log(tmp_path, install, caplog):
    install(source="raise RuntimeError('no luck')")
    with caplog.at_level(logging.ERROR):
        platforms(tmp_path)

    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError]
