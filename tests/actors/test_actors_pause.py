"""``hermes adapter pause`` and ``resume`` on the real tree."""

import pytest
import trio
from world import ADAPTER, SECRET

from hermes.store import ops
from hermes.testing.fakes import FakeAdapter
from hermes.types.content import Outbound
from hermes.types.errors import Failure, GatewayError
from hermes.types.ids import DeliveryId

ADAPTERS = "root/gateway/adapters"


async def adapter_of(world):
    (adapter,) = (await world.services.overview.status())["adapters"]
    return adapter


def shown(world, path):
    nodes = [world.services.overview.tree()["root"]]
    for node in nodes:
        nodes.extend(node["children"])
    return next(node for node in nodes if node["path"] == path)


async def test_a_paused_adapter_is_down_in_good_order_and_says_so(open_world, autojump_clock):
    world = await open_world()
    overview = world.services.overview

    answer = await overview.pause("fake")

    assert (answer["platform"], answer["account"], answer["state"]) == ("fake", "default", "paused")
    assert answer["failure"] is None
    assert world.services.adapters.find("fake", "default") is None
    assert (await adapter_of(world))["state"] == "paused"
    assert shown(world, ADAPTER)["state"] == "paused"
    status = await overview.status()
    assert (status["state"], status["down"]) == ("running", [])  # somebody wanted it so: nothing is wrong


async def test_what_is_for_a_paused_adapter_waits_and_goes_out_with_resume(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()
    await world.services.overview.pause("fake:default")
    now = world.services.clock.wall()
    notice = Outbound(DeliveryId("late"), "fake", "default", "1", "for later", expires_at=now + 86_400)
    await world.services.store.write(ops.Enqueue(notice, now))
    await trio.sleep(3_600)
    assert world.heard() == ["hello"]

    answer = await world.services.overview.resume("fake")

    assert answer["state"] == "listening"
    await world.settle()
    assert world.heard() == ["hello", "for later"]


async def test_a_pause_outlives_restarts_and_crashes_of_any_actor(open_world, autojump_clock):
    world = await open_world()
    overview = world.services.overview
    await overview.pause("fake")

    for path in (ADAPTER, ADAPTERS, "root/gateway"):
        await overview.restart(path)
        await trio.sleep(60)
        assert (await adapter_of(world))["state"] == "paused", path
    world.crash(ADAPTERS)
    await trio.sleep(60)
    assert (await adapter_of(world))["state"] == "paused"
    assert world.platform.connects == 1


async def test_a_pause_ends_with_the_process(open_world, autojump_clock):
    world = await open_world()
    await world.services.overview.pause("fake")

    await world.kill()

    assert (await adapter_of(world))["state"] == "listening"


async def test_a_pause_is_no_restart_that_anybody_has_to_worry_about(open_world, autojump_clock):
    world = await open_world()
    await world.services.overview.pause("fake")
    await world.services.overview.resume("fake")
    await world.services.overview.restart(ADAPTER)
    assert (shown(world, ADAPTER)["incarnation"], shown(world, ADAPTER)["restarts"]) == (4, 0)

    world.platform.crash(ValueError("boom"))
    await world.until(lambda: shown(world, ADAPTER)["incarnation"] == 5)
    assert shown(world, ADAPTER)["restarts"] == 1


async def test_what_is_not_up_says_why_and_whether_it_is_worth_waiting(open_world, autojump_clock):
    world = await open_world()
    overview = world.services.overview

    assert overview.not_up("nobody").code == "unavailable"
    await overview.pause("fake")
    assert (overview.not_up("fake").code, overview.not_up("fake").detail) == (
        "paused",
        "fake:default is paused",
    )
    await overview.resume("fake")
    world.platform.crash(GatewayError(Failure("no_route", detail=f"token={SECRET}")))
    await world.until(lambda: world.state(ADAPTER) == "backoff")
    why = overview.not_up("fake")
    assert why.code == "unavailable"
    assert why.detail.startswith("fake:default is not up at the moment: no_route: ")
    assert SECRET not in why.detail
    await world.until(lambda: world.state(ADAPTER) == "running")
    world.platform.crash(GatewayError(Failure("bad_token", "needs_operator", detail="it was revoked")))
    await world.until(lambda: world.state(ADAPTER) == "disabled")
    why = overview.not_up("fake")
    assert (why.code, why.detail) == ("disabled", "fake:default is disabled: bad_token: it was revoked")


async def test_pausing_and_resuming_twice_changes_nothing(open_world, autojump_clock):
    world = await open_world()
    overview = world.services.overview

    assert (await overview.resume("fake"))["incarnation"] == 1  # it is up, and stays so
    paused = await overview.pause("fake")
    assert await overview.pause("fake") == paused


async def test_resume_brings_back_what_an_operator_had_to_mend(open_world, autojump_clock):
    world = await open_world()
    world.platform.crash(
        GatewayError(Failure("logged_out", "needs_operator", "adapter", detail="pair again"))
    )
    await world.until(lambda: world.state(ADAPTER) == "disabled")

    assert (await world.services.overview.resume("fake"))["state"] == "listening"


async def test_resume_does_not_wait_for_a_platform_that_hangs(open_world, autojump_clock):
    class Slow(FakeAdapter):
        """Connects at once, and later only after a while."""

        async def connect(self, io, *, task_status):
            if self.connects:
                await trio.sleep(20)
            await super().connect(io, task_status=task_status)

    world = await open_world(platform=Slow())
    await world.services.overview.pause("fake")
    began = trio.current_time()

    assert (await world.services.overview.resume("fake"))["state"] == "starting"
    assert trio.current_time() - began < 6


async def test_an_unknown_adapter_is_refused_with_the_known_ones(open_world, autojump_clock):
    world = await open_world()

    with pytest.raises(GatewayError) as caught:
        await world.services.overview.pause("telegram")

    assert caught.value.failure.code == "no_such_adapter"
    assert "fake:default" in caught.value.failure.detail


async def test_S50_the_tree_and_the_status_hold_no_secret(open_world, autojump_clock):
    world = await open_world()
    failure = Failure("unreachable", "needs_operator", "adapter", detail=f"GET https://x/{SECRET}/me failed")
    world.platform.crash(GatewayError(failure))
    await world.until(lambda: world.state(ADAPTER) == "disabled")

    tree, status = world.services.overview.tree(), await world.services.overview.status()

    assert "[redacted]" in str(tree)
    assert "[redacted]" in str(status)
    assert SECRET not in str(tree)
    assert SECRET not in str(status)
