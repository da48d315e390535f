"""What people and monitors are told of the running gateway."""

import json

import pytest
import trio
from world import ADAPTER

from actors import inbound
from hermes.testing.fakes import FakeAdapter, FakeAgent, Hang, Reply
from hermes.types.errors import STORE_DEGRADED, Failure, GatewayError

NODE = {
    "path",
    "name",
    "kind",
    "state",
    "incarnation",
    "restarts",
    "restarts_in_window",
    "uptime_s",
    "mailbox",
    "last_error",
    "next_start_in_s",
    "policy",
    "children",
}


async def test_the_status_has_the_documented_shape(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Hang()))
    await world.say("one", "a")
    await world.settle()
    await world.say("two", "b")
    await trio.sleep(1)

    status = await world.services.overview.status()

    json.dumps(status)
    assert status["state"] == "running"
    assert status["boot_id"] == "boot1"
    assert {"as_of", "pid", "version", "home", "port", "uptime_s", "loop_lag_ms"} <= status.keys()
    assert status["counts"] == {
        **dict.fromkeys(("merged", "refused", "denied", "ignored", "stopped", "failed", "unaccounted"), 0),
        **{"received": 2, "answered": 1, "pending": 1},
    }
    assert status["outbox"] == dict.fromkeys(("prepared", "sending", "retry", "unknown", "dead"), 0)
    assert status["sessions"] == {"known": 2, "active": 2, "busy": 1}
    assert status["adapters"] == [
        {
            "platform": "fake",
            "account": "default",
            "state": "listening",
            "incarnation": 1,
            "receive_age_s": 1.0,
            "failure": None,
        }
    ]


async def test_the_status_names_what_an_adapter_suffers_from(open_world, autojump_clock):
    world = await open_world()
    world.platform.crash(
        GatewayError(Failure("logged_out", "needs_operator", "adapter", detail="pair again"))
    )
    await world.until(lambda: world.state(ADAPTER) == "disabled")

    (adapter,) = (await world.services.overview.status())["adapters"]

    assert adapter["state"] == "disabled"
    assert adapter["failure"] == {
        "code": "logged_out",
        "severity": "needs_operator",
        "detail": "pair again",
        "times": 1,
    }


async def test_the_age_of_the_last_receive_is_counted_from_beats(open_world, autojump_clock):
    world = await open_world()
    world.platform._io.beat()
    await trio.sleep(7)

    (adapter,) = (await world.services.overview.status())["adapters"]

    assert adapter["receive_age_s"] == 7.0


async def test_the_tree_has_the_documented_shape(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()

    tree = world.services.overview.tree()

    json.dumps(tree)
    assert (tree["live"], tree["boot_id"]) == (True, "boot1")
    nodes = [tree["root"]]
    for node in nodes:
        nodes.extend(node["children"])
        assert node.keys() >= NODE
        assert node["path"].rpartition("/")[2] == node["name"]
    paths = {node["path"] for node in nodes}
    assert {ADAPTER, world.session(), world.lane(), "root/gateway/inbound"} <= paths
    assert world.session() == "root/gateway/sessions/agent:main:fake:dm:1"
    assert world.lane() == "root/gateway/delivery/lanes/fake:default:1"


async def test_ready_means_that_every_sync_child_has_been_ready(open_world, autojump_clock, monkeypatch):
    run = inbound.run

    async def slow(ctx, services):
        await trio.sleep(5)
        await run(ctx, services)

    monkeypatch.setattr(inbound, "run", slow)
    world = await open_world(wait=False)
    await trio.sleep(1)
    overview = world.services.overview
    assert (list(overview.waiting()), overview.was_ready()) == (["inbound"], False)
    assert (await overview.status())["state"] == "starting"

    await trio.sleep(5)

    assert (list(overview.waiting()), overview.was_ready()) == ([], True)


async def test_adapters_never_count_for_readiness(open_world, autojump_clock):
    class Slow(FakeAdapter):
        """Connects after a while."""

        async def connect(self, io, *, task_status):
            await trio.sleep(20)
            await super().connect(io, task_status=task_status)

    world = await open_world(platform=Slow(), wait=False)
    await trio.sleep(1)

    assert list(world.services.overview.waiting()) == []
    assert world.state(ADAPTER) == "starting"


async def test_once_ready_a_restart_of_a_service_is_no_reason_to_wait(open_world, autojump_clock):
    world = await open_world()
    assert world.services.overview.was_ready()
    world.crash("root/gateway/inbound")
    await world.until(lambda: world.state("root/gateway/inbound") == "backoff")

    assert list(world.services.overview.waiting()) == []


async def test_a_degraded_store_and_a_drain_are_reasons_to_wait(open_world, autojump_clock, nursery):
    world = await open_world(FakeAgent(Hang()))
    overview = world.services.overview
    await world.say("hello")
    await trio.sleep(1)
    assert list(overview.waiting()) == []

    world.boot.figures.degraded = Failure(STORE_DEGRADED, scope="gateway", detail="the disk is full")
    assert list(overview.waiting()) == ["store"]
    status = await overview.status()
    assert (status["state"], status["store"]) == ("degraded", "store_degraded: the disk is full")
    world.boot.figures.degraded = None

    nursery.start_soon(world.stop)
    await trio.sleep(1)
    assert list(overview.waiting()) == ["drain"]
    assert (await overview.status())["state"] == "draining"
    assert overview.was_ready()


async def test_a_restart_changes_one_incarnation(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()
    before = world.incarnations()

    answer = await world.services.overview.restart(world.session())

    assert answer == {"path": world.session(), "old_incarnation": 1, "incarnation": 2}
    assert world.incarnations() == {**before, world.session(): 2}


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("root/gateway/nobody", "no_such_actor", "there is no actor at root/gateway/nobody"),
        ("", "no_such_actor", "there is no actor at"),
        ("{session}/turn", "not_restarted", "restart {session}"),
        ("root", "not_restarted", "restart the process"),
    ],
)
async def test_a_restart_that_cannot_be_says_why_in_words(path, code, words, open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Hang()))
    await world.say("hello")
    await trio.sleep(1)
    names = {"session": world.session()}

    with pytest.raises(GatewayError) as caught:
        await world.services.overview.restart(path.format(**names))

    assert caught.value.failure.code == code
    assert words.format(**names) in caught.value.failure.detail


async def test_a_restart_of_what_does_not_come_up_says_so(open_world, autojump_clock):
    class Broken(FakeAdapter):
        """Connects once."""

        async def connect(self, io, *, task_status):
            if self.connects:
                raise GatewayError(Failure("refused", detail="nobody listens"))
            await super().connect(io, task_status=task_status)

    world = await open_world(platform=Broken())

    with pytest.raises(GatewayError) as caught:
        await world.services.overview.restart(ADAPTER)

    assert caught.value.failure.code == "not_restarted"
    assert "nobody listens" in caught.value.failure.detail
