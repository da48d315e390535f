"""Accounts of which no adapter can be made: a row that says why, and nothing else is touched."""

import pytest
import trio
from world import ADAPTER, SECRET

from actors import reloader, tree
from hermes.config.load import load
from hermes.registry.accounts import Accounts
from hermes.registry.entry import PlatformEntry
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.testing.fakes import FakeAdapter, FakeClock, FakeIds

OTHER = "root/gateway/adapters/other:default"


@pytest.fixture
def examined(monkeypatch):
    """What is found wrong with a platform, until it is taken out; and how often somebody looked."""
    from world import World

    wrong: dict[str, Unavailable] = {}
    looks: list[str] = []
    real = World.make

    async def make(self, platform):
        looks.append(platform.platform)
        return wrong.get(platform.platform) or await real(self, platform)

    monkeypatch.setattr(World, "make", make)
    return wrong, looks


async def started(open_world, others=()):
    world = await open_world(others=[FakeAdapter("other"), *others], wait=False)
    await world.until(lambda: world.state(OTHER) == "running")
    await trio.sleep(5)
    return world


def node(world, path):
    nodes = [world.services.overview.tree()["root"]]
    for one in nodes:
        nodes.extend(one["children"])
    return next(one for one in nodes if one["path"] == path)


async def test_a_failed_gate_is_a_row_with_a_hint_and_nothing_else(
    open_world, autojump_clock, examined, seldom_swept
):
    wrong, looks = examined
    wrong["fake"] = Unavailable(
        "missing_dependency", f"what Fake needs is not there ({SECRET})", "pip install fake"
    )
    world = await started(open_world)
    await trio.sleep(80_000)

    status = await world.services.overview.status()

    fake, other = status["adapters"]
    assert (fake["state"], other["state"]) == ("unavailable", "listening")
    assert fake["failure"]["code"] == "missing_dependency"
    assert fake["failure"]["severity"] == "needs_operator"
    assert fake["failure"]["detail"].endswith("; pip install fake")
    assert SECRET not in str(fake)
    assert (status["state"], status["down"]) == ("running", [])
    assert world.services.overview.waiting() == ()
    assert (node(world, ADAPTER)["state"], node(world, ADAPTER)["incarnation"]) == ("unavailable", 1)
    assert node(world, ADAPTER)["last_error"].startswith("missing_dependency: ")
    assert looks.count("fake") == 1
    assert set(world.incarnations().values()) == {1}


async def test_its_other_half_of_the_gateway_answers_and_is_told_nothing(
    open_world, autojump_clock, examined
):
    wrong, _ = examined
    wrong["fake"] = Unavailable("bad_config", "no token")
    other = FakeAdapter("other")
    world = await open_world(others=[other], wait=False)
    await world.until(lambda: world.state(OTHER) == "running")

    await other.receive("hello")
    await world.settle()
    await trio.sleep(600)

    assert list(world.services.overview.disabled_adapters()) == []
    why = world.services.overview.not_up("fake")
    assert (why.code, why.detail) == ("disabled", "fake:default is unavailable: bad_config: no token")


async def test_resume_looks_again(open_world, autojump_clock, examined):
    wrong, looks = examined
    wrong["fake"] = Unavailable("bad_config", "no token")
    world = await started(open_world)

    assert (await world.services.overview.resume("fake"))["state"] == "unavailable"
    del wrong["fake"]

    assert (await world.services.overview.resume("fake"))["state"] == "listening"
    assert looks.count("fake") == 3
    await world.say("hello")
    await world.settle()
    assert world.heard() == ["hello"]


async def test_one_that_was_up_and_cannot_be_made_any_more_is_unavailable_and_comes_back(
    open_world, autojump_clock, examined
):
    wrong, _ = examined
    world = await started(open_world)
    wrong["fake"] = Unavailable("factory_failed", "boom")

    await world.services.overview.renew("fake", "default")

    assert node(world, ADAPTER)["state"] == "unavailable"
    wrong.clear()
    await world.services.overview.renew("fake", "default")
    assert node(world, ADAPTER)["state"] == "running"


async def test_a_paused_one_is_not_looked_at(open_world, autojump_clock, examined):
    wrong, looks = examined
    world = await started(open_world)
    await world.services.overview.pause("fake")
    wrong["fake"] = Unavailable("factory_failed", "boom")

    await world.services.overview.renew("fake", "default")

    assert node(world, ADAPTER)["state"] == "paused"
    assert looks.count("fake") == 1


async def test_resume_reads_the_settings_again(open_world, autojump_clock, tmp_path):
    def settings(token):
        (tmp_path / "config.yaml").write_text(f"fake: {{token: {token}}}")
        return load(tmp_path, {})

    def factory(setup):
        if setup.config.token != "right":
            raise ValueError("no such token")
        return platform

    platform = FakeAdapter("fake")
    registry = PlatformRegistry([PlatformEntry("fake", "fake", factory, always=True)])
    accounts = Accounts(registry, settings("wrong"), home=tmp_path, clock=FakeClock(), ids=FakeIds())
    world = await open_world(platform=platform, accounts=accounts, wait=False)
    await world.until(lambda: world.state(ADAPTER) == "disabled")

    async def reread():
        await trio.lowlevel.checkpoint()
        return settings("right")

    world.reread = reread

    assert (await world.services.overview.resume("fake"))["state"] == "listening"
    assert world.incarnations()[ADAPTER] == 2


async def test_a_reload_starts_those_again_that_are_configured_otherwise(
    open_world, autojump_clock, tmp_path, caplog
):
    def settings(text):
        (tmp_path / "config.yaml").write_text(text)
        return load(tmp_path, {})

    made = []

    def factory(setup):
        made.append((setup.platform, setup.config.token))
        return platforms[setup.platform]

    platforms = {name: FakeAdapter(name) for name in ("fake", "other")}
    registry = PlatformRegistry(PlatformEntry(name, name, factory, always=True) for name in platforms)
    first = settings("fake: {token: one, home_channel: 1}")
    accounts = Accounts(registry, first, home=tmp_path, clock=FakeClock(), ids=FakeIds())
    world = await open_world(platform=platforms["fake"], others=[platforms["other"]], accounts=accounts)

    async def reread():
        await trio.lowlevel.checkpoint()
        return settings("# moved\nfake: {token: two, home_channel: 2, accounts: {work: {token: three}}}")

    world.reread = reread
    caplog.set_level("INFO")
    world.boot.system.registry.ref(tree.RELOADER).tell_nowait(reloader.Reload())
    await world.until(lambda: world.incarnations()[ADAPTER] == 2)
    await world.up()

    assert (set(made[:2]), set(made[2:])) == (
        {("fake", "one"), ("other", "")},
        {("fake", "two"), ("fake", "three")},
    )
    assert world.incarnations()[OTHER] == 1
    assert "reloaded: new settings for fake:default" in caplog.text
    assert "reloaded: these adapters have come: fake:work" in caplog.text
