"""Agents that fail: the turn ends in words, the conversation goes on, and nothing is done twice."""

import gc
from typing import Any

import pytest
import trio
from agents import Busy, Deaf, Hasty, Typist, Worker
from world import QUEUE, World

from actors.turn import SIGNS_TOGETHER
from hermes.config import model
from hermes.store import ops
from hermes.testing.fakes import Crash, FakeAgent, GiveUp, Hang, Reply
from hermes.types import texts
from hermes.types.agent import Delta, Final
from hermes.types.errors import AGENT_CRASHED, Failure

IMPATIENT = model.Config(agent=model.Agent(turn_timeout_s=20.0, no_progress_s=5.0), display=QUEUE)


async def answers(world: World, *said: str) -> list[str]:
    for text in said:
        await world.say(text)
    await world.settle()
    return world.heard()


async def test_an_agent_that_raises_once_is_tried_again(open_world, autojump_clock):
    world = await open_world(FakeAgent(Crash(ValueError("a bug"))))

    assert await answers(world, "one", "two") == ["one", "two"]
    assert world.rows("state, crashes") == [("answered", 1), ("answered", 0)]


async def test_a_row_that_crashes_two_turns_is_set_aside_and_the_next_one_is_answered(
    open_world, autojump_clock
):
    bug = Crash(ValueError("a bug"))
    world = await open_world(FakeAgent(bug, bug))
    before = world.incarnations()

    assert await answers(world, "poison", "two") == [texts.POISONED, "two"]
    assert world.rows("state, rule") == [("failed", "poison"), ("answered", "answered")]
    assert len(world.agent.turns) == 3
    assert before.items() <= world.incarnations().items()


class WrongType:
    name = "wrong"

    async def run(self, turn: Any, io: Any) -> Any:
        await trio.lowlevel.checkpoint()


async def test_an_agent_that_returns_something_else_is_a_crash(open_world, autojump_clock):
    world = await open_world(WrongType())

    assert await answers(world, "hello") == [texts.POISONED]


async def test_an_agent_that_says_nothing_is_excused(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(lambda _: " \n")))

    assert await answers(world, "one", "two") == [texts.AGENT_EMPTY, "two"]
    assert world.rows("state, rule")[0] == ("answered", "empty_answer")


async def test_an_agent_that_gives_up_ends_the_turn_in_words(open_world, autojump_clock):
    world = await open_world(FakeAgent(GiveUp(Failure(AGENT_CRASHED, detail="internal"))))

    assert await answers(world, "one", "two") == [texts.AGENT_CRASHED, "two"]
    assert world.rows("state, rule")[0] == ("failed", AGENT_CRASHED)


@pytest.mark.parametrize(
    ("agent", "seconds"),
    [(FakeAgent(Hang()), 5), (Typist(1000, every_s=4.0), 20)],
    ids=["no sign of life", "no end"],
)
async def test_a_turn_past_its_deadline_ends_in_words(agent, seconds, open_world, autojump_clock):
    world = await open_world(agent, config=IMPATIENT)
    began = trio.current_time()

    assert await answers(world, "hello") == [texts.AGENT_DEADLINE.format(seconds=seconds)]
    assert trio.current_time() - began < seconds + 1
    assert world.rows("state, rule") == [("failed", "turn_deadline")]


async def test_an_agent_that_hears_no_cancellation_is_given_up_by_its_session(open_world, autojump_clock):
    agent = Deaf()
    world = await open_world(agent, config=IMPATIENT)

    assert await answers(world, "hello") == ["hello"]
    assert world.tree()[world.session()].incarnation == 1
    (zombie,) = world.boot.system.zombies
    assert zombie.cell.path == f"{world.session()}/turn"

    agent.released.set()
    await trio.sleep(10)
    assert (agent.late, world.heard(), world.boot.system.zombies) == (1, ["hello"], set())


async def test_an_answer_of_a_turn_that_was_given_up_does_not_end_its_successor(open_world, autojump_clock):
    agent = Deaf(then_s=4.0)
    world = await open_world(agent, config=IMPATIENT)
    await world.say("hello")
    await world.until(lambda: world.rows("crashes") == [1])

    agent.released.set()
    await world.settle()

    assert agent.late == 1
    assert world.heard() == ["hello"]


async def test_an_agent_that_never_hears_is_set_aside_and_the_next_message_is_answered(
    open_world, autojump_clock
):
    agent = Deaf(deaf_turns=2)
    world = await open_world(agent, config=IMPATIENT)

    assert await answers(world, "poison", "two") == [texts.POISONED, "two"]
    agent.released.set()
    await trio.sleep(10)
    assert world.heard() == [texts.POISONED, "two"]


async def test_drafts_of_an_agent_that_dies_are_not_shown_after_the_words(open_world, autojump_clock):
    world = await open_world(Typist(5, every_s=0.1, end=ValueError("a bug")))

    assert await answers(world, "hello") == [texts.POISONED]
    drafts = len(world.platform.drafts)
    await trio.sleep(5)
    assert len(world.platform.drafts) == drafts


async def test_steps_of_a_turn_that_dies_are_not_taken_again(open_world, autojump_clock):
    worker = Worker()
    world = await open_world(worker)
    world.crash_at("after_step")

    assert await answers(world, "hello") == ["re: hello"]
    assert worker.begun == ["hello"]
    assert world.rows("crashes") == [1]


async def test_steps_that_are_cut_off_or_end_side_by_side_are_no_crash(open_world, autojump_clock):
    world = await open_world(Hasty())

    assert await answers(world, "hello") == ["re: hello"]
    assert world.rows("crashes") == [0]


async def test_a_turn_that_was_stopped_takes_no_further_step(open_world, autojump_clock, monkeypatch):
    """Also where nobody comes to end it: the word of the stop may be lost."""
    busy = Busy()
    world = await open_world(busy)
    await world.say("long")
    await trio.sleep(2.5)
    monkeypatch.setattr(world.services.conversations, "interrupt", lambda key: None)
    await world.say("/stop")

    await trio.sleep(30)

    assert busy.done == 2


async def test_a_commit_that_takes_longer_than_any_turn_may_is_latency_and_not_a_stuck_turn(
    open_world, autojump_clock, monkeypatch
):
    world = await open_world(FakeAgent(), config=IMPATIENT)
    write = world.services.store.write

    async def slow(op: Any) -> Any:
        if isinstance(op, ops.FinishTurn):
            await trio.sleep(100)
        return await write(op)

    monkeypatch.setattr(world.services.store, "write", slow)

    assert await answers(world, "hello") == ["hello"]
    assert world.rows("state, crashes") == [("answered", 0)]
    assert world.incarnations()[world.session()] == 1


class Chatty:
    """Says very much and waits for nothing; ``rounds`` are those that others could make meanwhile."""

    name, model = "chatty", ""

    def __init__(self):
        self.rounds = 0

    async def run(self, turn, io):
        async with trio.open_nursery() as beside:
            beside.start_soon(self._others)
            for _ in range(10 * SIGNS_TOGETHER):
                await io.emit(Delta("."))
            beside.cancel_scope.cancel()
        return Final("done")

    async def _others(self):
        while True:
            await trio.lowlevel.checkpoint()
            self.rounds += 1


async def test_an_agent_that_waits_for_nothing_lets_others_go_on(open_world, autojump_clock):
    agent = Chatty()
    world = await open_world(agent)

    assert await answers(world, "hello") == ["done"]
    assert agent.rounds >= 5


async def test_what_a_turn_held_is_freed_with_its_end(open_world, autojump_clock):
    """All that was said before is in it: where it waits for the garbage collector, each answer makes the process larger."""

    class Forgetful:
        name = "forgetful"

        async def run(self, turn: Any, io: Any) -> Final:
            await io.emit(Delta("so"))
            return Final("so")

    world = await open_world(Forgetful())
    await world.say("one")
    await world.settle()
    gc.collect()
    before = {id(one) for one in gc.get_objects()}
    gc.disable()
    try:
        for text in ("two", "three"):
            await world.say(text)
            await world.settle()
        new = {type(one).__name__ for one in gc.get_objects() if id(one) not in before}
    finally:
        gc.enable()

    assert not {"Turn", "_TurnIO", "Calling", "TranscriptLine"} & new
