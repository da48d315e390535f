"""AC-55: at a limit there are words, and nothing is lost."""

import pytest
import trio
from world import QUEUE

from hermes.config.model import Agent, Config, Limits
from hermes.testing.fakes import FakeAgent, Hang, Reply
from hermes.types import texts


async def test_AC55_no_more_sessions_than_allowed_and_the_others_are_told(open_world, autojump_clock):
    world = await open_world(config=Config(limits=Limits(sessions=2)))
    for chat in "abc":  # one after the other: chats are decided side by side
        await world.say("hello", chat)
        await world.settle()

    assert [world.heard(chat) for chat in "abc"] == [["hello"], ["hello"], [texts.TOO_MANY_SESSIONS]]
    assert world.rows("state, rule")[-1] == ("refused", "refused:sessions")
    assert (world.counts.received, world.counts.refused) == (3, 1)
    assert world.state(world.session("c")) is None

    await world.say("again", "a")  # one that is awake goes on
    await world.settle()
    assert world.heard("a")[-1] == "again"

    await trio.sleep(3_600)  # the others have fallen asleep
    await world.say("again", "c")
    await world.settle()
    assert world.heard("c")[-1] == "again"


async def test_AC55_sessions_at_once_are_no_more_than_allowed_either(open_world, autojump_clock, nursery):
    world = await open_world(FakeAgent(otherwise=Hang()), config=Config(limits=Limits(sessions=3)))
    chats = [f"c{number}" for number in range(20)]
    for chat in chats:
        nursery.start_soon(world.say, "hello", chat)
    await world.until(lambda: world.counts.refused == 17)

    awake = [chat for chat in chats if world.state(world.session(chat)) == "running"]
    await world.until(lambda: sum(world.heard(chat) == [texts.TOO_MANY_SESSIONS] for chat in chats) == 17)
    assert len(awake) == 3
    assert all(world.heard(chat) == [] for chat in awake)
    assert not world.boot.system.letters.newest(100)


async def test_AC55_rows_from_before_wait_for_room_after_a_boot(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Hang()))
    for chat in "ab":
        await world.say("hello", chat)
    await trio.sleep(1)
    world.agent = FakeAgent(otherwise=Reply(delay_s=60.0))
    world.config = Config(limits=Limits(sessions=1))
    await world.kill()

    await world.settle(3 * 3_600)

    assert sorted(map(tuple, map(world.heard, "ab"))) == [("hello",), ("hello",)]


async def test_AC55_no_more_turns_than_allowed_and_one_that_waits_too_long_is_told(
    open_world, autojump_clock
):
    world = await open_world(FakeAgent(otherwise=Hang()), config=Config(limits=Limits(turns=2)))
    for chat in "abc":
        await world.say("hello", chat)
        await trio.sleep(0.5)
    await trio.sleep(28)
    assert len(world.agent.turns) == 2
    assert world.counts.pending == 3

    await trio.sleep(2)

    assert world.heard("c") == [texts.TOO_MANY_TURNS]
    assert world.rows("state, rule")[-1] == ("refused", "refused:turns")
    assert len(world.agent.turns) == 2
    await world.say("/stop", "a")
    await world.say("once more", "c")
    await trio.sleep(1)
    assert [turn.events[0].text for turn in world.agent.turns][-1] == "once more"


async def test_AC55_a_turn_that_gets_a_place_in_time_is_answered(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=20.0)), config=Config(limits=Limits(turns=1)))
    for chat in "ab":
        await world.say("hello", chat)

    await world.settle()

    assert (world.heard("a"), world.heard("b")) == (["hello"], ["hello"])
    assert world.services.turns.borrowed_tokens == 0


async def test_AC55_a_turn_that_was_begun_before_is_never_refused(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Hang()))
    for chat in "ab":
        await world.say("hello", chat)
    await trio.sleep(1)
    world.agent = FakeAgent(otherwise=Reply(delay_s=120.0))
    world.config = Config(limits=Limits(turns=1), agent=Agent(no_progress_s=600.0))
    await world.kill()

    await world.settle()

    assert (world.heard("a"), world.heard("b")) == (["hello"], ["hello"])


@pytest.mark.parametrize("how", ["crash", "stop"])
async def test_AC55_however_a_turn_ends_its_place_is_free_again(how, open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()), config=Config(limits=Limits(turns=1)))
    await world.say("hello", "a")
    await trio.sleep(1)
    if how == "crash":
        world.crash(world.session("a"))
    else:
        await world.say("/stop", "a")

    await trio.sleep(1)
    await world.say("hello", "b")
    await world.settle()
    assert world.heard("b") == ["hello"]


async def test_AC55_messages_that_wait_in_one_conversation_are_bounded(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()), config=Config(limits=Limits(waiting=3), display=QUEUE))
    for text in ("one", "two", "three", "four"):
        await world.say(text)
    await world.until(lambda: world.counts.refused == 1)
    await world.say("elsewhere", "b")
    await trio.sleep(1)

    assert world.heard() == [texts.TOO_MANY_WAITING.format(limit=3)]
    assert world.heard("b") == ["elsewhere"]
    refused = [row for row in world.rows("row_id, state, rule") if row[1] == "refused"]
    assert refused == [(4, "refused", "refused:waiting")]
