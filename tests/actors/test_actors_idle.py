"""Actors that leave when there is nothing to do, and rows that no wake-up came for."""

from types import SimpleNamespace

import pytest
import trio
from wires import Silent
from world import IDEMPOTENT

from actors import answers, delivery, inbound, session, tree
from actors.ports.conversations import News
from hermes.store import ops, queries
from hermes.testing.fakes import EPOCH_S, FakeAgent, Hang
from hermes.types.content import Outbound
from hermes.types.events import InboundEvent
from hermes.types.ids import DeliveryId, SessionId, TraceId
from hermes.types.origin import DEFAULT_ACCOUNT, Origin, lane_key

LANE = lane_key("fake", DEFAULT_ACCOUNT, "1")
NOTICE = Outbound(DeliveryId("notice"), "fake", DEFAULT_ACCOUNT, "1", "late")


def accepted(text="late"):
    return InboundEvent("late", Origin("fake", "1", user_id="u1"), text, EPOCH_S, TraceId("t"))


def route(world, row_id):
    return ops.Route(row_id, world.key(), SessionId("s"), "allowed", EPOCH_S, Origin("fake", "1"))


@pytest.fixture
def no_sweeps(monkeypatch):
    """What is found now is found by a wake-up."""
    monkeypatch.setattr(inbound, "SWEEP_S", 1e9)
    monkeypatch.setattr(delivery, "SWEEP_S", 1e9)


async def test_a_session_and_a_lane_leave_and_come_back(open_world, autojump_clock, no_sweeps):
    world = await open_world()
    await world.say("one")
    await world.settle()

    await trio.sleep(session.IDLE_S + 1)
    assert world.state(world.session()) is None
    assert world.state(world.lane()) is None
    await world.say("two")
    await world.settle(within_s=1)

    assert world.heard() == ["one", "two"]


@pytest.mark.parametrize("checkpoints", range(6))
async def test_law_N5_a_message_for_a_session_that_is_leaving(
    checkpoints, open_world, autojump_clock, no_sweeps, monkeypatch, nursery
):
    world = await open_world()
    await world.say("one")
    await world.settle()
    since, look = trio.current_time() + 1, queries.open_work
    late_at = []

    def arrive():
        world.services.store.post(ops.Accept((accepted(),)))
        world.services.store.post(route(world, 2))
        world.services.conversations.wake(world.key())

    async def after():
        for _ in range(checkpoints):
            await trio.lowlevel.checkpoint()
        arrive()

    def last_look(reader, key, limit):
        work = look(reader, key, limit)
        if trio.current_time() > since and not late_at:
            late_at.append(trio.current_time())
            nursery.start_soon(after) if checkpoints else arrive()
        return work

    monkeypatch.setattr(queries, "open_work", last_look)
    await trio.sleep(session.IDLE_S - 5)
    await world.until(lambda: bool(late_at), within_s=10)
    await world.until(lambda: world.heard() == ["one", "late"], within_s=2)


@pytest.mark.parametrize("checkpoints", range(6))
async def test_law_N5_a_message_for_a_lane_that_is_leaving(
    checkpoints, open_world, autojump_clock, no_sweeps, monkeypatch, nursery
):
    world = await open_world()
    await world.say("one")
    await world.settle()
    since, look = trio.current_time() + 1, queries.next_open_row
    late_at = []

    def arrive():
        world.services.store.post(ops.Enqueue(NOTICE, EPOCH_S))
        world.services.delivery.wake(LANE)

    async def after():
        for _ in range(checkpoints):
            await trio.lowlevel.checkpoint()
        arrive()

    def last_look(reader, *chat):
        row = look(reader, *chat)
        if trio.current_time() > since and not late_at:
            late_at.append(trio.current_time())
            nursery.start_soon(after) if checkpoints else arrive()
        return row

    monkeypatch.setattr(queries, "next_open_row", last_look)
    await trio.sleep(delivery.IDLE_S - 5)
    await world.until(lambda: bool(late_at), within_s=10)
    await world.until(lambda: world.heard() == ["one", "late"], within_s=2)


@pytest.mark.parametrize("checkpoints", range(6))
async def test_law_N5_a_message_for_an_inbound_worker_that_is_leaving(
    checkpoints, open_world, autojump_clock, no_sweeps, monkeypatch, nursery
):
    world = await open_world()
    look = queries.accepted_of
    looks = []

    def arrive():
        world.services.store.post(ops.Accept((accepted(),)))
        world.services.conversations.wake_inbound(LANE)

    async def after():
        for _ in range(checkpoints):
            await trio.lowlevel.checkpoint()
        arrive()

    def last_look(reader, *args):
        rows = look(reader, *args)
        looks.append(rows)
        if len(looks) == 1:  # what it finds is not the last there is
            nursery.start_soon(after) if checkpoints else arrive()
        return rows

    monkeypatch.setattr(queries, "accepted_of", last_look)
    await world.say("one")

    await world.until(lambda: world.heard() == ["one", "late"], within_s=2)


@pytest.mark.parametrize("news", [None, News(2, "steer", None)])
async def test_a_message_that_comes_behind_the_commit_of_an_answer_is_looked_for(
    news, open_world, autojump_clock, no_sweeps, monkeypatch
):
    world = await open_world()

    plain = world.services.store.write

    async def write(op):
        done = await plain(op)
        if isinstance(op, ops.Then) and isinstance(op.op, ops.FinishTurn) and world.heard() == []:
            world.services.store.post(ops.Accept((accepted(),)))
            world.services.store.post(route(world, 2))
            world.services.conversations.wake(world.key(), news)
            await trio.sleep(0.1)  # the turn hears of its commit after its session has heard of the message
        return done

    monkeypatch.setattr(world.services.store, "write", write)
    await world.say("one")

    await world.until(lambda: world.heard() == ["one", "late"], within_s=2)


def test_what_the_end_of_a_turn_has_found_counts_unless_a_later_row_has_come_since():
    found = [SimpleNamespace(seq=5), SimpleNamespace(seq=6)], None

    def work(*woken, begun=True):
        ending = answers.Ending(begun=begun, found=found)
        for seq in woken:
            ending.woken(seq)
        return ending.work

    assert work() == work(5) == work(5, 6) == work(7, None, begun=False) == found
    assert work(7) is work(7, 5) is work(None) is None


def test_of_two_wake_ups_the_later_one_counts_if_both_say_what_it_is_about():
    first, second = News(1, "queue", ([], None)), News(2, "queue", None)

    assert first.joined(second) is second.joined(first) is second
    assert first.joined(None) is first.joined(News(2, "steer", None)) is None


async def test_the_sweep_finds_an_accepted_row(open_world, autojump_clock):
    world = await open_world()

    world.services.store.post(ops.Accept((accepted(),)))
    await world.settle(within_s=inbound.SWEEP_S + 1)

    assert world.heard() == ["late"]


async def test_the_sweep_finds_a_routed_row(open_world, autojump_clock):
    world = await open_world()

    world.services.store.post(ops.Accept((accepted(),)))
    world.services.store.post(route(world, 1))
    await world.settle(within_s=inbound.SWEEP_S + 1)

    assert world.heard() == ["late"]


async def test_the_sweep_finds_a_message_that_nobody_sends(open_world, autojump_clock):
    world = await open_world()

    world.services.store.post(ops.Enqueue(NOTICE, EPOCH_S))
    await world.settle(within_s=delivery.SWEEP_S + 1)

    assert world.heard() == ["late"]


async def test_the_sweep_brings_back_the_sessions_that_their_supervisor_took_with_it(
    open_world, autojump_clock
):
    world = await open_world(FakeAgent(Hang()))
    await world.say("one")
    await trio.sleep(1)

    world.crash(tree.SESSIONS)
    await world.settle(within_s=20)

    assert world.heard() == ["one"]


async def test_the_sweep_brings_back_the_lanes_that_their_supervisor_took_with_it(open_world, autojump_clock):
    world = await open_world(platform=Silent(capabilities=IDEMPOTENT))
    await world.say("one")
    await trio.sleep(1)

    world.crash(tree.LANES)
    await world.settle(within_s=20)

    assert len(world.platform.sent) == 2
    assert world.heard() == ["one"]
