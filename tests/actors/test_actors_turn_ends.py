"""Every turn ends: by its deadlines (AC-19), by /stop, /new or an interruption, in every state (AC-37), and for good (AC-32)."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from agents import Deaf, Ghost, Typist
from world import QUEUE, World

from hermes.config.model import Agent, Config, Display, Limits
from hermes.store import ops, queries
from hermes.testing.fakes import Crash, FakeAgent, Hang, Reply
from hermes.types import texts
from hermes.types.agent import Delta, Final, Step

ENDS_WITHIN_S = 2.0
IMPATIENT = Config(agent=Agent(turn_timeout_s=20.0, no_progress_s=5.0), display=QUEUE)


async def next_is_answered(world: World, within_s: float, chat: str = "1") -> None:
    """The conversation is free: what comes next is worked on at once."""
    await world.say("next", chat)
    await world.until(lambda: "next" in "\n".join(world.heard(chat)).split("\n"), within_s)


# --- AC-19: busy is the existence of the turn ------------------------------------------------------------------------------


class Lingers:
    """Its first turn needs a second to end when it is cancelled, and has to be, twice."""

    name = "lingers"

    def __init__(self) -> None:
        self.turns = 0

    async def run(self, turn: Any, io: Any) -> Final:
        """Hang once."""
        self.turns += 1
        if self.turns > 1:
            return Final(turn.events[-1].text)
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
        raise AssertionError


@pytest.mark.parametrize(
    ("agent", "busy_s"),
    [
        (FakeAgent(Crash(ValueError("a bug")), Crash(ValueError("a bug"))), 0.0),
        (FakeAgent(Hang()), 5.0),
        (Typist(10_000, every_s=4.0), 20.0),
        (Lingers(), 5.5),
    ],
    ids=["crash", "no progress", "too long", "slow to end"],
)
async def test_AC19_however_a_turn_ends_its_conversation_is_free_within_a_second(
    agent, busy_s, open_world, autojump_clock
):
    world = await open_world(agent, config=IMPATIENT)
    await world.say("one")
    began = trio.current_time()
    await world.until(lambda: world.rows("state") == ["failed"])

    assert trio.current_time() - began <= busy_s + 1
    assert not world.services.conversations.busy(world.key())
    assert world.services.turns.borrowed_tokens == 0


@pytest.mark.parametrize("stuck", [Deaf(), Deaf(deaf_turns=2)], ids=["once", "whenever"])
async def test_AC19_an_agent_that_hears_nothing_is_given_up_a_second_after_its_deadline(
    stuck, open_world, autojump_clock
):
    world = await open_world(stuck, config=IMPATIENT)
    await world.say("one")
    await trio.sleep(6.1)

    assert len(world.boot.system.zombies) == 1
    assert world.incarnations()[world.session()] == 1
    await world.settle()
    await next_is_answered(world, within_s=1)
    stuck.released.set()


async def test_AC19_who_shows_life_is_not_given_up_before_the_whole_time_is_over(open_world, autojump_clock):
    """Also where it will not hear of its end: what counts is when it last showed life."""

    class DeafTypist(Typist):
        async def run(self, turn, io):
            with trio.CancelScope(shield=True):
                return await super().run(turn, io)

    world = await open_world(DeafTypist(5, every_s=4.0), config=Config(agent=Agent(100.0, 5.0)))
    await world.say("one")
    await world.settle()

    assert world.heard() == ["0 1 2 3 4 "]
    assert not world.boot.system.zombies


async def test_AC19_a_turn_that_was_given_up_gives_its_place_back(open_world, autojump_clock):
    deaf = Deaf()
    world = await open_world(deaf, config=Config(limits=Limits(turns=1), display=QUEUE))
    await world.say("one", "a")
    await trio.sleep(1)
    await world.say("/stop", "a")
    await trio.sleep(1.5)

    await next_is_answered(world, within_s=1, chat="b")
    deaf.released.set()
    await trio.sleep(1)
    assert world.services.turns.borrowed_tokens == 0


async def test_AC19_places_go_to_whoever_waits_longest(open_world, autojump_clock):
    agent = FakeAgent(otherwise=Reply(delay_s=2.0))
    world = await open_world(agent, config=Config(limits=Limits(turns=1), display=QUEUE))
    for text in ("a1", "a2", "a3", "b1", "c1"):
        await world.say(text, text[0])
        await trio.sleep(0.1)
    await world.settle()

    assert [turn.events[0].text for turn in agent.turns] == ["a1", "b1", "c1", "a2", "a3"]


async def test_AC19_a_session_that_crashes_with_a_deaf_turn_gives_its_place_back(open_world, autojump_clock):
    deaf = Deaf()
    world = await open_world(deaf, config=Config(limits=Limits(turns=1), display=QUEUE))
    await world.say("one", "a")
    await trio.sleep(1)

    world.crash(world.session("a"))
    await world.settle(within_s=10)

    assert world.heard("a") == ["one"]
    assert world.services.turns.borrowed_tokens == 0
    deaf.released.set()


class Thinker:
    """Thinks for longer than silence may last, and shows that it is there."""

    name = "thinker"

    async def run(self, turn: Any, io: Any) -> Final:
        """Say something at last."""
        for text in ("well", "", "", ""):
            await io.emit(Delta(text))
            await trio.sleep(4.0)
        return Final("well")


async def test_AC19_thinking_is_a_sign_of_life_and_shows_nothing_new(open_world, autojump_clock):
    world = await open_world(Thinker(), config=IMPATIENT)
    await world.say("hard question")
    await world.until(lambda: world.heard() == ["well"], 20.0)

    assert [draft.text for _, draft in world.platform.drafts] == ["well"]


# --- AC-37: /stop, /new and an interruption end a turn in every state --------------------------------------------------------


class Stepping:
    """Takes a step that is never committed, because the disk is busy."""

    name = "stepping"

    async def run(self, turn: Any, io: Any) -> Final:
        """Only the first turn steps."""
        if turn.events[-1].text == "one":
            await io.step(Step("result", "look", ""))
        return Final("\n".join(event.text for event in turn.events))


class InThread:
    """Has a tool in a thread that nobody can stop: the wait for it is not cancelled."""

    name = "in_thread"

    def __init__(self) -> None:
        self.ended = trio.Event()

    async def run(self, turn: Any, io: Any) -> Final:
        """Only the first turn has one."""
        if turn.events[-1].text == "one":
            with trio.move_on_after(3600, shield=True):
                await self.ended.wait()
                await io.emit(Delta("a late draft"))
                with trio.move_on_after(1):
                    await io.step(Step("result", "late", ""))
        return Final("\n".join(event.text for event in turn.events))


class Together:
    """Answers only what comes in company."""

    name = "together"

    async def run(self, turn: Any, io: Any) -> Final:
        """Wait for the interruption."""
        if len(turn.events) == 1:
            await trio.sleep_forever()
        return Final("\n".join(event.text for event in turn.events))


Begin = Callable[[World], Awaitable[None]]


async def model_call(world: World) -> None:
    """It waits for its model."""


async def tool_in_thread(world: World) -> None:
    """It waits for a tool that hears nothing."""
    world.agent = InThread()


async def step_commit(world: World) -> None:
    """The disk takes its time for a step."""
    world.agent = Stepping()
    _slow(world, ops.AddStep, 100.0)


async def taking(world: World) -> None:
    """The disk takes its time for the first row of the turn."""
    _slow(world, ops.Take, 0.5)


async def finishing(world: World) -> None:
    """The disk takes its time for the answer."""
    world.agent = FakeAgent()
    _slow(world, ops.FinishTurn, 100.0)


async def slow_store(world: World) -> None:
    """The disk takes its time for everything."""
    _slow(world, ops.Op, 0.2)


async def place(world: World) -> None:
    """It waits for a place: all are taken."""
    await world.say("elsewhere", "b")
    await trio.sleep(0.5)


def _slow(world: World, kind: type, seconds: float) -> None:
    """The first write of that kind takes ``seconds``; of all kinds, each does."""
    write, left = world.services.store.write, [kind]

    async def late(op: Any) -> Any:
        if left and isinstance(op.op if isinstance(op, ops.Then) else op, left[0]):
            if kind is not ops.Op:
                left.clear()
            await trio.sleep(seconds)
        return await write(op)

    world.services.store.write = late  # type: ignore[method-assign]


STATES = (model_call, tool_in_thread, step_commit, taking, finishing, slow_store, place)
WORDS = {"/stop": texts.STOPPED, "/new": texts.NEW_CONVERSATION}


async def busy_world(open_world: Any, state: Begin, mode: str) -> World:
    """A conversation whose turn is in that state, for a second."""
    config = Config(
        limits=Limits(turns=1 if state is place else 100),
        display=Display(busy_input_mode=mode, busy_ack=False),  # type: ignore[arg-type]
    )
    world: World = await open_world(FakeAgent(otherwise=Hang()), config=config, wait=False)
    agent = world.agent
    await world.up()
    await state(world)
    if world.agent is not agent:
        object.__setattr__(world.services, "agent", world.agent)
    await world.say("one")
    await trio.sleep(0.1 if state is taking else 1.0)
    assert world.services.conversations.busy(world.key())
    return world


@pytest.mark.parametrize("command", WORDS)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_AC37_a_command_ends_the_turn_in_every_state(state, command, open_world, autojump_clock):
    world = await busy_world(open_world, state, "queue")
    turn = f"{world.session()}/turn"
    began = trio.current_time()

    await world.say(command)
    await world.until(lambda: turn not in world.tree(), within_s=ENDS_WITHIN_S)
    await world.until(lambda: world.heard() == [WORDS[command]], within_s=ENDS_WITHIN_S)

    assert trio.current_time() - began <= ENDS_WITHIN_S
    assert world.rows("state", "inbox WHERE text = 'one'") == ["stopped"]
    await trio.sleep(300)
    assert world.heard() == [WORDS[command]], "nothing comes after it (AC-32)"
    assert not world.platform.drafts or world.platform.drafts[-1][1].text != "a late draft"


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
async def test_AC37_an_interruption_ends_the_turn_in_every_state(state, open_world, autojump_clock):
    world = await busy_world(open_world, state, "interrupt")
    object.__setattr__(world.services, "agent", Together())
    if state is place:
        await world.say("/stop", "b")

    await world.say("two")
    await world.until(
        lambda: bool(world.heard()), within_s=ENDS_WITHIN_S + (1.0 if state is slow_store else 0)
    )
    await world.settle()

    assert world.heard() == ["one\ntwo"]
    assert set(world.rows("state", "inbox WHERE chat_id = '1'")) <= {"merged", "answered"}


@pytest.mark.parametrize("deaf", [False, True], ids=["hears", "deaf"])
async def test_AC37_a_stop_that_meets_a_drain_ends_the_turn_and_the_drain_does_not_wait_for_it(
    deaf, open_world, autojump_clock, nursery
):
    agent = Deaf() if deaf else Typist(1000, every_s=1.0)
    world = await open_world(agent, config=Config(drain_timeout_s=60.0))
    await world.say("one")
    await trio.sleep(1)
    began = trio.current_time()
    nursery.start_soon(world.stop)
    await trio.sleep(0.1)

    await world.services.store.write(ops.StopTurn(world.key(), "command:stop", 0.0))
    world.services.conversations.interrupt(world.key())
    await world.until(lambda: f"{world.session()}/turn" not in world.tree(), within_s=ENDS_WITHIN_S)
    if deaf:
        agent.released.set()
    await world.boot.ended.wait()

    assert trio.current_time() - began <= ENDS_WITHIN_S
    assert world.rows("state") == ["stopped"]


async def test_AC37_stop_ends_all_that_waits_and_says_how_much(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    for text in ("one", "two", "three"):
        await world.say(text)
        await trio.sleep(0.1)

    await world.say("/stop")
    await trio.sleep(ENDS_WITHIN_S)
    assert world.heard() == [f"{texts.STOPPED} {texts.DROPPED_TOO.format(count=2)}"]
    assert world.rows("state, rule")[:3] == [("stopped", "command:stop")] * 3
    await next_is_answered(world, within_s=1)


async def test_AC37_stops_one_after_the_other_never_disable_the_conversation(open_world, autojump_clock):
    """A turn that was given up is nobody's crash."""
    deaf = Deaf(deaf_turns=8)
    world = await open_world(deaf)
    for n in range(8):
        await world.say(f"m{n}")
        await trio.sleep(0.1)
        await world.say("/stop")
        await trio.sleep(ENDS_WITHIN_S)

    assert world.state(world.session()) == "running"
    assert world.incarnations()[world.session()] == 1
    await next_is_answered(world, within_s=1)
    deaf.released.set()


# --- AC-32: nothing comes of a turn that is over ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["/stop", "/new", "interruption", "deadline"])
async def test_AC32_nothing_of_a_turn_that_is_over_is_sent_or_kept(how, open_world, autojump_clock):
    agent = InThread()
    config = Config(agent=Agent(10.0, 5.0), display=Display(busy_input_mode="interrupt"))
    world = await open_world(agent, config=config)
    await world.say("one")
    await trio.sleep(1)
    if how == "deadline":
        object.__setattr__(world.services, "agent", FakeAgent(Reply(lambda _: "again")))
        await trio.sleep(6)
    else:
        await world.say("two" if how == "interruption" else how)
        await trio.sleep(ENDS_WITHIN_S)
    before = (world.heard(), world.rows("state, rule"), world.transcript(), list(world.platform.drafts))
    generation = world.look(queries.session, world.key()).generation

    agent.ended.set()
    await trio.sleep(30)

    after = (world.heard(), world.rows("state, rule"), world.transcript(), list(world.platform.drafts))
    assert after == before
    assert world.look(queries.session, world.key()).generation == generation > 1
    assert not world.boot.system.zombies


async def test_AC32_what_comes_of_a_turn_that_is_over_is_counted(open_world, autojump_clock):
    """Two drafts of one turn count once."""
    answering, stepping = Ghost(), Ghost(step=True)
    world = await open_world(answering)
    for text, ghost in (("one", answering), ("two", stepping)):
        object.__setattr__(world.services, "agent", ghost)
        await world.say(text)
        await trio.sleep(1)
        await world.say("/stop")
        await trio.sleep(ENDS_WITHIN_S)
    assert (await world.services.overview.status())["late_results"] == 0

    answering.released.set()
    await trio.sleep(5)
    assert (await world.services.overview.status())["late_results"] == 2, "a draft and an answer"
    stepping.released.set()
    await trio.sleep(5)
    assert (await world.services.overview.status())["late_results"] == 5, "a draft, a step and an answer"

    await world.kill()
    assert (await world.services.overview.status())["late_results"] == 5
    assert world.heard() == [texts.STOPPED, texts.STOPPED]
    assert world.counts.unaccounted == 0


async def test_AC32_every_turn_and_every_end_has_a_generation_of_its_own(open_world, autojump_clock):
    agent = FakeAgent(Hang(), Hang(), Reply())
    world = await open_world(agent, config=Config())
    for text in ("one", "two", "/stop", "three"):
        await world.say(text)
        await trio.sleep(1)

    generations = [turn.generation for turn in agent.turns]
    assert generations == sorted(set(generations))
    assert world.heard() == [texts.STOPPED, "three"]
