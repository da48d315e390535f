"""New settings for a gateway that runs: only whom they concern is touched, and a bad file touches nobody."""

from dataclasses import replace

import pytest
import trio
from world import ADAPTER, QUEUE

from actors import reloader, tree
from hermes.config.homes import HomeChannel
from hermes.config.load import load
from hermes.config.model import Agent, Config, Limits, Model, Web
from hermes.registry.accounts import Accounts
from hermes.registry.entry import PlatformEntry
from hermes.registry.registry import PlatformRegistry
from hermes.testing.fakes import FakeAdapter, FakeAgent, FakeClock, FakeIds, Reply
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError

PLATFORMS = ("fake", "other", "third")


def path(name):
    return f"root/gateway/adapters/{name}"


@pytest.fixture
async def three(open_world, tmp_path, autojump_clock):
    """A world of three platforms whose file says ``text``; ``write`` says another, and has it read."""
    text = [{"fake": "one", "other": "two", "third": "three"}]

    def settings():
        blocks = [f"{name}: {{token: {token}}}" for name, token in text[0].items()]
        (tmp_path / "config.yaml").write_text("\n".join(blocks))
        return replace(load(tmp_path, {}), config=Config(display=QUEUE))

    platforms = {name: FakeAdapter(name) for name in PLATFORMS}
    registry = PlatformRegistry(
        PlatformEntry(name, name, lambda setup: platforms[setup.platform]) for name in PLATFORMS
    )
    accounts = Accounts(registry, settings(), home=tmp_path, clock=FakeClock(), ids=FakeIds())
    agent = FakeAgent(otherwise=Reply(delay_s=3.0))
    world = await open_world(
        agent,
        platform=platforms["fake"],
        others=[platforms["other"], platforms["third"]],
        accounts=accounts,
        config=Config(display=QUEUE),
    )

    async def reread():
        await trio.lowlevel.checkpoint()
        return settings()

    world.reread = reread

    async def write(**tokens):
        text[0] = tokens
        return await world.boot.system.registry.ref(tree.RELOADER).ask(reloader.Reload, 60.0)

    return world, platforms, write


async def test_AC53_only_the_adapter_whose_settings_changed_restarts_and_turns_elsewhere_go_on(
    three, autojump_clock
):
    world, platforms, write = three
    for platform in platforms.values():
        await platform.receive("hello", "1", event_id=f"e-{platform.platform}")
    await trio.sleep(1.0)
    before = world.incarnations()

    outcome = await write(fake="another", other="two", third="three")
    await world.settle()

    after = world.incarnations()
    assert outcome.new == ("new settings for fake:default",)
    assert after.pop(ADAPTER) == before.pop(ADAPTER) + 1
    turns = {name: before.pop(name) for name in list(before) if name.endswith("/turn")}
    assert len(turns) == len(PLATFORMS), "which have ended since, each in its first life"
    assert {name: life for name, life in after.items() if name in before} == before
    assert world.counts.answered == len(PLATFORMS)
    assert [len(platform.sent) for platform in platforms.values()] == [1, 1, 1]


async def test_adapters_come_and_go_with_the_settings_and_with_no_life_but_their_own(three, autojump_clock):
    world, _, write = three
    before = world.incarnations()

    gone = await write(fake="one", third="three")

    assert gone.new == ("these adapters have gone: other:default",)
    assert world.state(path("other:default")) == "stopped"
    assert world.services.adapters.accounts == {("fake", "default"), ("third", "default")}
    assert "other" not in {one["platform"] for one in (await world.services.overview.status())["adapters"]}

    back = await write(fake="one", other="two", third="three")
    await world.up()

    assert back.new == ("these adapters have come: other:default",)
    lives = {name: life for name, life in world.incarnations().items() if name in before}
    assert lives == before | {path("other:default"): 2}

    world.crash("root/gateway/adapters")
    await world.up()
    assert world.state(path("other:default")) == "running", "their supervisor knows them, too"


async def test_a_reloader_that_ended_before_the_adapters_came_is_made_good_by_its_next_life(
    three, autojump_clock
):
    world, _, write = three
    await write(fake="one", third="three")
    policies = world.services.policies
    kept = [spec for spec in policies.built_in("root/gateway/adapters") if not spec.id.startswith("third")]
    policies.adopt(policies.rules, {"root/gateway/adapters": kept})  # and there it ended

    world.crash(tree.RELOADER)
    await world.until(lambda: world.state(path("third:default")) == "stopped")

    assert world.state(ADAPTER) == "running"


async def test_the_next_decision_is_by_the_new_settings_and_the_next_turn_by_the_new_model(
    open_world, autojump_clock
):
    world = await open_world(config=Config(display=QUEUE, limits=Limits(turns=3)))
    services, before = world.services, world.incarnations()
    wanted = Config(display=QUEUE, agent=Agent(turn_timeout_s=5.0), limits=Limits(turns=4), web=Web(port=1))

    await world.reload(wanted)

    assert services.config.agent.turn_timeout_s == 5.0
    assert services.turns.total_tokens == 4
    assert services.config.web.port is None
    assert (await services.overview.status())["settings"] == {"problem": None, "needs_restart": ["web.port"]}
    assert world.agents_asked_for == [services.config], "as many at once as turns"

    await world.reload(replace(wanted, model=Model(base_url="http://elsewhere/v1")))
    assert [one.model.base_url for one in world.agents_asked_for] == ["", "http://elsewhere/v1"]
    assert world.incarnations() == before


async def test_AC53_a_bad_file_changes_nothing_and_is_said_in_log_status_and_one_notice(
    open_world, autojump_clock, caplog
):
    world = await open_world(homes={("fake", "default"): HomeChannel("7")})
    before = world.incarnations()
    wrong = GatewayError(
        Failure(CONFIG_INVALID, "fatal", "gateway", detail="home/config.yaml, line 3: no number")
    )

    for _ in range(2):
        await world.reload(wrong)
    await world.settle()

    status = await world.services.overview.status()
    assert status["settings"]["problem"] == "home/config.yaml, line 3: no number"
    assert "home/config.yaml, line 3: no number" in caplog.text
    (notice,) = world.heard("7")
    assert "config.yaml, line 3: no number" in notice
    assert "home/" not in notice
    assert {name: life for name, life in world.incarnations().items() if name in before} == before

    await world.reload(Config(display=QUEUE))
    assert (await world.services.overview.status())["settings"]["problem"] is None


async def test_the_files_are_read_once_they_have_changed_and_come_to_rest(autojump_clock):
    looks = iter([1, 1, 2, 3, 3, 3, 1, 1, 1])
    read = []

    async def look():
        await trio.lowlevel.checkpoint()
        return next(looks, 1)

    with trio.move_on_after(60.0):
        await reloader.watch(look, lambda: read.append(trio.current_time()))

    assert len(read) == 2


async def test_a_change_of_the_files_is_a_reload(open_world, autojump_clock):
    world = await open_world()
    stamp = [1]

    async def look():
        await trio.lowlevel.checkpoint()
        return stamp[0]

    world.look_at_settings = look
    world.restart()
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await trio.sleep(10.0)
    seen = world._readings
    stamp[0] = 2
    await trio.sleep(10.0)

    assert (seen, world._readings) == (0, 1)
