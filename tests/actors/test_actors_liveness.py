"""An adapter is connected for as long as it receives, and its silence ends it; in virtual time."""

import logging
from itertools import count

import pytest
import trio
from world import ADAPTER

from actors.adapter import mind_silence
from actors.ports.adapters import AdapterPort
from hermes.config.homes import HomeChannel
from hermes.testing.fakes import FakeAdapter
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, GatewayError

POLL_S = 30.0
DEADLINE_S = POLL_S + 15.0
AC01_S = 2 * POLL_S + 30.0
DAY_S = 86_400.0
CONFLICT = GatewayError(
    Failure("conflict", "transient", "adapter", retry_after=35.0, detail="another poller")
)
HOMES = {("other", "default"): HomeChannel("ops")}


class Server:
    """A platform that keeps what was not taken; ``mute``: it answers everything but a poll."""

    def __init__(self):
        self.waiting = []
        self.mute = False
        self.clients = count(1)


class Poller(FakeAdapter):
    """Polls as one does that trusts its library: it has no deadline of its own, and makes a client for each life."""

    receive_deadline_s = DEADLINE_S

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.server = Server()
        self.client = 0
        self.deaf = False

    async def connect(self, io, *, task_status):
        self.client = next(self.server.clients)
        self._io = io
        self._up.set()
        task_status.started()
        while True:
            await trio.sleep(POLL_S)
            if self.server.mute:
                with trio.CancelScope(shield=self.deaf):
                    await trio.sleep(DAY_S)
            io.beat()
            for event_id in tuple(self.server.waiting):
                await self.receive(event_id, event_id=event_id)
                self.server.waiting.remove(event_id)


def port_of(adapter, faults):
    """The port of an adapter that is all there is."""
    parts = "boot_id store intake moves now identified commands wake_inbound wake_lane raised"
    unused = dict.fromkeys(parts.split())
    return AdapterPort(adapter, account="default", incarnation=1, fault=faults.append, **unused)


async def how(world):
    return (await world.services.overview.status())["adapters"][0]


@pytest.mark.parametrize("deaf", [False, True])
async def test_AC01_one_that_waits_for_ever_is_stale_and_then_replaced_and_nothing_is_lost(
    deaf, open_world, autojump_clock
):
    world = await open_world(platform=Poller())
    platform = world.platform
    await trio.sleep(10 * POLL_S + 1)
    assert (await how(world))["state"] == "connected"

    platform.deaf, platform.server.mute = deaf, True
    began = trio.current_time() - 1
    platform.server.waiting = ["one", "two"]
    await world.until(lambda: world.services.adapters.find("fake", "default").receiving.is_stale)
    stale = await how(world)
    assert trio.current_time() - began <= DEADLINE_S + 1
    assert (stale["state"], stale["incarnation"], stale["receive_age_s"] >= DEADLINE_S) == ("stale", 1, True)
    await world.until(lambda: world.state(ADAPTER) != "running", within_s=AC01_S)
    assert trio.current_time() - began <= AC01_S
    await world.until(lambda: world.state(ADAPTER) == "backoff", within_s=20)
    ended = await how(world)
    assert (ended["state"], ended["failure"]["code"]) == ("backoff", "silent")

    platform.server.mute = False
    await world.until(lambda: world.incarnations()[ADAPTER] == 2)
    assert (await how(world))["state"] == "connected"
    await world.until(lambda: not platform.server.waiting)
    await world.settle()
    assert platform.client == 2
    assert world.heard() == ["one", "two"]


async def test_AC01_silence_is_a_failure_that_is_tried_for_ever_and_touches_nobody_else(
    open_world, autojump_clock
):
    world = await open_world(platform=Poller(), others=[FakeAdapter("other")])
    world.platform.server.mute = True
    await trio.sleep(3_600)

    assert world.incarnations()[ADAPTER] > 10
    assert {n for path, n in world.incarnations().items() if path != ADAPTER} == {1}
    assert world.state(ADAPTER) != "disabled"


async def test_AC02_what_is_sent_and_the_age_of_a_task_are_no_signs_of_life(open_world, autojump_clock):
    world = await open_world(platform=Poller())
    world.platform.server.mute = True
    for number in range(10):
        await trio.sleep(DEADLINE_S / 10)
        await world.services.router.deliver(f"{number}", "fake:1")
    await trio.sleep(1)

    assert len(world.heard()) == 10
    assert (await how(world))["state"] == "stale"
    overview = world.services.overview
    assert overview.health()[1][0]["state"] == "stale"  # what gateway_state.json is made of
    node = overview.tree(ADAPTER)["root"]
    assert (node["state"], node["health"]) == ("running", "stale")


async def test_AC02_a_status_says_of_which_moment_and_of_which_lives_it_is(open_world, autojump_clock):
    world = await open_world(platform=Poller())
    status = await world.services.overview.status()
    assert status["adapters"][0]["receive_age_s"] is None
    await trio.sleep(POLL_S)
    later = await world.services.overview.status()

    assert later["as_of"] - status["as_of"] == pytest.approx(POLL_S, abs=0.1)
    assert (later["boot_id"], later["adapters"][0]["incarnation"]) == ("boot1", 1)
    assert later["adapters"][0]["receive_age_s"] < 1.0


async def test_AC03_a_day_without_a_message_is_no_restart(autojump_clock, nursery):
    faults = []
    port = port_of(Poller(), faults)
    port.receiving.begin()
    nursery.start_soon(mind_silence, port)
    for _ in range(int(DAY_S / POLL_S)):
        await trio.sleep(POLL_S)
        assert not port.receiving.is_stale
        port.beat()
    assert faults == []

    await trio.sleep(AC01_S)
    assert [error.failure.code for error in faults] == ["silent"]


async def test_AC03_after_a_restart_the_clock_starts_with_the_connect(open_world, autojump_clock):
    class Slow(Poller):
        """Takes nearly its receive deadline to connect, as with a server that is slow to answer."""

        async def connect(self, io, *, task_status):
            io.beat()
            await trio.sleep(DEADLINE_S - 1)
            await super().connect(io, task_status=task_status)

    world = await open_world(platform=Slow())
    for lives in (2, 3):
        world.services.adapters.find("fake", "default").report(CONFLICT)
        await world.until(lambda lives=lives: world.incarnations()[ADAPTER] == lives, within_s=400)
        await world.up(within_s=100)
        await trio.sleep(5 * DEADLINE_S)
        assert world.incarnations()[ADAPTER] == lives


async def test_AC03_a_pause_shorter_than_the_deadline_is_no_restart(open_world, autojump_clock):
    class Rotating(Poller):
        """Its endpoint moves, and is away for 45 seconds now and then."""

        receive_deadline_s = 60.0

        async def connect(self, io, *, task_status):
            task_status.started()
            for pause_s in [10.0, 45.0] * 100:
                await trio.sleep(pause_s)
                io.beat()

    world = await open_world(platform=Rotating())
    await trio.sleep(5_000)
    assert world.incarnations()[ADAPTER] == 1


async def test_AC01_a_store_that_is_away_is_no_silence(open_world, autojump_clock):
    world = await open_world(platform=Poller())
    world.services.intake.shut_down()
    world.platform.server.waiting = ["one"]
    await trio.sleep(3_600)

    assert (await how(world))["state"] == "connected"
    assert world.incarnations()[ADAPTER] == 1


async def test_one_that_is_called_upon_listens_and_shows_the_age_of_the_last_event(
    open_world, autojump_clock
):
    world = await open_world()
    await trio.sleep(7_200)
    assert ((await how(world))["state"], (await how(world))["receive_age_s"]) == ("listening", None)
    await world.say("hello")
    await world.settle()
    await trio.sleep(3_600)

    seen = await how(world)
    assert seen["state"] == "listening"
    assert seen["receive_age_s"] == pytest.approx(3_600, abs=10)


async def test_each_state_has_its_word(open_world, autojump_clock):
    class Leaving(Poller):
        """Takes its time to say goodbye."""

        async def disconnect(self):
            await trio.sleep(4)

    world = await open_world(platform=Leaving())
    seen = [(await how(world))["state"]]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.services.overview.pause, "fake")
        await trio.sleep(1)
        seen.append((await how(world))["state"])
    seen.append((await how(world))["state"])

    assert seen == ["connected", "stopped", "paused"]


@pytest.mark.parametrize("criterion", ["AC30", "AC50"])
async def test_AC30_AC50_what_fails_alike_five_times_is_named_in_the_status_and_told(
    criterion, open_world, autojump_clock, caplog
):
    """AC30: its lives end before they are connected. AC50: each of them is up for a moment."""

    class Contested(Poller):
        contested = True

        async def connect(self, io, *, task_status):
            await trio.sleep(1)
            if self.contested:
                if criterion == "AC50":
                    task_status.started()
                    io.beat()
                    await trio.sleep(1)
                raise CONFLICT
            await super().connect(io, task_status=task_status)

    other = FakeAdapter("other", Capabilities(authenticated=True))
    world = await open_world(platform=Contested(), others=[other], homes=HOMES, wait=False)
    with caplog.at_level(logging.WARNING, "actors.notices"):
        await world.until(lambda: world.incarnations().get(ADAPTER, 0) == 5, within_s=1_000)
        await trio.sleep(0.5)
        assert other.texts == []
        await trio.sleep(3_600)

    found = await how(world)
    assert (found["failure"]["code"], found["failure"]["times"] > 5) == ("conflict", True)
    assert found["state"] in ("backoff", "starting", "connected")
    (told,) = [one for one in other.texts if "in a row" in one]
    assert told == texts.ADAPTER_REPEATS.format(name="fake:default", times=5, code="conflict")
    assert [one.getMessage() for one in caplog.records if "in a row" in one.getMessage()] != []

    world.platform.contested = False
    await world.up(within_s=1_000)
    await trio.sleep(301)
    assert ((await how(world))["state"], (await how(world))["failure"]) == ("connected", None)


async def test_AC30_a_conflict_that_is_over_is_named_no_longer_than_it_would_take_to_come_again(
    open_world, autojump_clock
):
    class Contested(Poller):
        contested = True

        async def connect(self, io, *, task_status):
            if self.contested:
                raise GatewayError(Failure("conflict", "transient", "adapter", 35.0))
            await super().connect(io, task_status=task_status)

    world = await open_world(platform=Contested(), wait=False)
    await trio.sleep(6 * 42)
    assert (await how(world))["failure"]["times"] >= 5
    world.platform.contested = False
    await world.up()
    assert ((await how(world))["state"], (await how(world))["failure"]["code"]) == ("connected", "conflict")
    await trio.sleep(71)
    assert ((await how(world))["state"], (await how(world))["failure"]) == ("connected", None)


async def test_AC50_different_failures_are_no_repetition(open_world, autojump_clock):
    other = FakeAdapter("other", Capabilities(authenticated=True))
    codes = count()

    class Unlucky(FakeAdapter):
        async def connect(self, io, *, task_status):
            await trio.sleep(1)
            raise GatewayError(Failure(("dns", "reset")[next(codes) % 2], "transient", "adapter"))

    world = await open_world(platform=Unlucky(), others=[other], homes=HOMES, wait=False)
    await trio.sleep(3_600)

    assert (await how(world))["failure"]["times"] == 1
    assert other.texts == []
