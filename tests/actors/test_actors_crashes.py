"""Crashes and kills at every fault point: nothing is lost, nothing is answered twice, order holds, nobody else notices."""

from collections import Counter

import pytest
import trio
from agents import Worker
from world import ADAPTER, IDEMPOTENT, OUTBOX, PLAIN, World

from actors import tree
from hermes.store import queries
from hermes.testing.fakes import FakeAgent, Hang
from hermes.types import texts
from hermes.types.faults import POINTS
from supervisors.reasons import path_of

CHATS = ("a", "b")
MESSAGES = 3

FAILS = {
    **dict.fromkeys(("after_decode", "after_inbox_commit", "before_ack"), "adapter"),
    "after_decision": "worker",
    **dict.fromkeys(("after_take", "after_step", "before_turn_commit", "after_turn_commit"), "turn"),
    **dict.fromkeys(("before_send", "after_send_before_receipt", "after_receipt"), "lane"),
}
"""Who runs into each point."""


async def converse(world: World) -> None:
    """Two people write three messages each, all at once, and get their answers."""

    async def person(chat: str) -> None:
        for n in range(MESSAGES):
            await world.say(f"{chat}{n}", chat)

    async with trio.open_nursery() as people:
        for chat in CHATS:
            people.start_soon(person, chat)
    await world.settle()


def assert_each_answered_once(world: World, *, marked_at_most: int) -> None:
    """On a platform that drops second copies there is none to see; on another one it says that it may be one."""
    assert world.counts.received == world.counts.answered == len(CHATS) * MESSAGES
    marked = 0
    for chat in CHATS:
        once = []
        for text in world.heard(chat):
            first = text.removeprefix(texts.RESENT_MARK)
            marked += first != text
            assert first == text or first not in once[:-1]
            assert first != text or first not in once
            if first not in once:
                once.append(first)
        assert once == [f"re: {chat}{n}" for n in range(MESSAGES)]
    assert marked <= (0 if world.platform.capabilities.idempotent_send else marked_at_most)


def lived_twice(world: World) -> set[str]:
    return {path for path, incarnation in world.incarnations().items() if incarnation > 1}


@pytest.mark.parametrize("capabilities", [IDEMPOTENT, PLAIN], ids=["idempotent", "plain"])
@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", POINTS)
async def test_AC_05_a_crash_costs_one_incarnation_and_no_message(
    point, nth, capabilities, open_world, autojump_clock
):
    worker = Worker()
    world = await open_world(worker, capabilities=capabilities)
    world.crash_at(point, nth)

    await converse(world)

    assert_each_answered_once(world, marked_at_most=1)
    assert max(Counter(worker.begun).values()) == 1
    match FAILS[point]:
        case "adapter":
            assert lived_twice(world) == {ADAPTER}
        case "lane":
            (lane,) = lived_twice(world)
            assert lane in {world.lane(chat) for chat in CHATS}
        case _:
            assert lived_twice(world) == set()


@pytest.mark.parametrize("capabilities", [IDEMPOTENT, PLAIN], ids=["idempotent", "plain"])
@pytest.mark.parametrize("nth", [1, 4])
@pytest.mark.parametrize("point", POINTS)
async def test_AC_14_a_kill_loses_no_message_and_answers_none_twice(
    point, nth, capabilities, open_world, autojump_clock
):
    worker = Worker()
    world = await open_world(worker, capabilities=capabilities)
    world.kill_at(point, nth)

    await converse(world)

    assert len(world.boots) == 2
    assert_each_answered_once(world, marked_at_most=len(CHATS))
    assert max(Counter(worker.done).values()) == 1


async def test_AC_14_kills_at_any_time_lose_nothing(open_world, autojump_clock):
    """Not at marked points: after so many milliseconds, whatever happens then."""
    world = await open_world(Worker())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse, world)
        for n in range(12):
            await trio.sleep((0.02, 0.25, 0.6)[n % 3] + 0.013 * n)  # every third boot has the time for a turn
            await world.kill()

    assert_each_answered_once(world, marked_at_most=0)


DEPENDENTS = {ADAPTER: [], tree.INBOUND: [], tree.SESSIONS: [], tree.LANES: [OUTBOX]}


@pytest.mark.parametrize(("path", "dependents"), DEPENDENTS.items())
async def test_law_A1_and_A2_a_crash_touches_only_those_that_depend_on_the_crashed(
    path, dependents, open_world, autojump_clock, caplog
):
    world = await open_world()
    await world.say("before")
    await world.settle()
    below = {one for one in world.incarnations() if one.startswith(f"{path}/")}
    before = {one: number for one, number in world.incarnations().items() if one not in below}

    world.crash(path)
    await world.until(lambda: world.incarnations()[path] == 2)
    await world.until(lambda: world.state(path) == "running")
    await world.say("after")
    await world.settle(within_s=10)

    assert world.heard() == ["before", "after"]
    after = world.incarnations()
    assert {one: after[one] for one in before} == {**before, **dict.fromkeys([path, *dependents], 2)}
    assert [r.levelname for r in caplog.records if r.message.startswith(f"{path}#1 ")] == ["WARNING"]


@pytest.mark.parametrize("which", ["session", "lane"])
async def test_law_A1_the_crash_of_one_chat_touches_no_other_chat(which, open_world, autojump_clock):
    world = await open_world()
    for chat in CHATS:
        await world.say("before", chat)
    await world.settle()
    path = getattr(world, which)("a")
    before = world.incarnations()

    world.crash(path)
    await world.until(lambda: world.incarnations()[path] == 2)
    await world.say("after", "a")
    await world.settle(within_s=10)

    assert world.heard("a") == ["before", "after"]
    assert world.incarnations() == {**before, path: 2}


async def test_AC_04_the_outbox_comes_back_after_a_crash(open_world, autojump_clock, monkeypatch):
    world = await open_world()
    before = world.incarnations()

    def broken(_reader):
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(queries, "open_lanes", broken)
        await world.until(lambda: world.state(OUTBOX) == "backoff")
    await world.until(lambda: world.state(OUTBOX) == "running")

    assert world.incarnations() == {**before, OUTBOX: 2}


async def test_a_service_over_its_budget_restarts_the_gateway_once_and_then_ends_the_run(
    open_world, autojump_clock
):
    world = await open_world()
    gateway = "root/gateway"

    async def wear_out() -> None:
        """Crash inbound whenever it is up, until the gateway goes down with it."""
        lives = world.incarnations()[gateway]
        while world.incarnations().get(gateway) == lives and not world.boot.ended.is_set():
            if world.state(tree.INBOUND) == "running":
                world.crash(tree.INBOUND)
            await trio.sleep(0.05)

    await wear_out()
    await world.up()
    await world.say("hello")
    await world.settle()
    assert world.heard() == ["hello"]
    await wear_out()
    with trio.fail_after(60):
        await world.boot.ended.wait()

    assert world.boot.outcome.code == 70
    assert path_of(world.boot.outcome.reason) == ("gateway", "inbound")


async def test_a_session_that_crashes_during_a_turn_goes_on_with_it(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("one")
    await trio.sleep(1)

    world.crash(world.session())
    await world.settle(within_s=10)

    assert world.heard() == ["one"]
    assert [turn.turn_id for turn in world.agent.turns] == [world.agent.turns[0].turn_id] * 2
    assert world.rows("crashes") == [1]


async def test_AC_38_three_boots_that_find_a_row_in_its_turn_set_it_aside(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Hang()))
    await world.say("poison")

    for boots in (0, 1, 2):
        await world.until(lambda n=boots + 1: len(world.agent.turns) == n)
        assert world.rows("boots") == [boots]
        await world.kill()
    await world.settle()

    assert world.heard() == [texts.SUSPENDED]
    assert world.rows("state, rule") == [("failed", "poison")]


async def test_boots_between_which_a_turn_makes_progress_do_not_count(open_world, autojump_clock):
    class Plodder(Worker):
        """One step each boot, five in all."""

        async def run(self, turn, io):
            if len(turn.steps) == 5:
                return await super().run(turn, io)
            await super().run(type(turn)(turn.turn_id, turn.session_key, turn.generation, turn.events), io)
            return await trio.sleep_forever()

    plodder = Plodder()
    world = await open_world(plodder)
    await world.say("long")

    for steps in range(1, 6):
        await world.until(lambda n=steps: len(plodder.done) == n)
        await trio.sleep(1)
        await world.kill()
    await world.settle()

    assert world.heard() == ["re: long"]
