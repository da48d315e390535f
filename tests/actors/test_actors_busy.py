"""What becomes of a message that finds its conversation at work: the busy modes, the queue, edits and deletions."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import trio
from agents import Deaf, Listener, Worker
from world import QUEUE, World

from hermes.config.model import Config, Display, Limits, PlatformDisplay
from hermes.store import busy_ops, feed, ops, queries
from hermes.store.memory import MemoryStore
from hermes.testing.fakes import EPOCH_S, Crash, FakeAgent, Hang, Reply, echo
from hermes.types import faults, texts
from hermes.types.agent import Final
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.records import FeedItem

MODES = ("interrupt", "queue", "steer", "collect")


def config(mode: str, **more: object) -> Config:
    return Config(display=Display(busy_input_mode=mode, **{"busy_ack": False, **more}))  # type: ignore[arg-type]


def slow(*, seconds: float = 5.0) -> FakeAgent:
    """The first answer takes its time."""
    return FakeAgent(Reply(delay_s=seconds))


async def say(world: World, *said: str, chat: str = "1") -> None:
    """One after the other, a tenth of a second between them, after the first has begun its turn."""
    for text in said:
        await world.say(text, chat)
        await trio.sleep(0.1)


async def revise(world: World, kind: str, of: str, text: str = "") -> None:
    """Edit or delete the message that came as event ``of``."""
    origin = Origin("fake", "1", user_id="u1")
    now = EPOCH_S + trio.current_time()
    event = InboundEvent(f"{kind}-{of}", origin, text, now, TraceId("t"), kind=kind, message_id=of)  # type: ignore[arg-type]
    world.services.store.post(ops.Accept((event,)))
    world.services.conversations.wake_inbound(origin.lane)
    await trio.sleep(0.1)


# --- interrupt ------------------------------------------------------------------------------------------------------------


async def test_interrupt_is_the_default_and_both_messages_are_answered_together(open_world, autojump_clock):
    world = await open_world(slow(seconds=60), config=Config())
    began = trio.current_time()
    await say(world, "one", "two")
    await world.settle()

    assert trio.current_time() - began < 2
    assert world.heard() == ["one\ntwo"]
    assert world.rows("state, rule") == [("merged", "merged:interrupt"), ("answered", "answered")]
    lines = [(line.role, line.text) for line in world.transcript()]
    assert lines == [("user", "one"), ("user", "two"), ("assistant", "one\ntwo")]


async def test_the_steps_of_an_interrupted_turn_are_not_taken_again(open_world, autojump_clock):
    """A step is committed before the interruption; the turn goes on after it, with both messages."""
    listener = Listener()
    world = await open_world(listener, config=config("interrupt"))
    await say(world, "one")
    await trio.sleep(1.5)
    await say(world, "two")
    await world.settle()

    first, second = listener.turns
    assert (first.turn_id, first.steps) == (second.turn_id, ())
    assert [step.name for step in second.steps] == ["look 0"]
    assert [event.text for event in second.events] == ["one", "two"]
    assert world.heard() == ["one\ntwo"]
    assert world.rows("crashes, boots") == [(0, 0), (0, 0)]


async def test_a_message_that_comes_while_the_turn_begins_is_answered_with_the_first(
    open_world, autojump_clock
):
    """As in the original, where text that meets a starting agent is put after it."""
    agent = FakeAgent(Reply(delay_s=5.0))
    world = await open_world(agent, config=config("interrupt"))

    def at(point: str) -> None:
        if point == "after_take":
            faults.arm(None)
            post(world, "two")

    faults.arm(at)
    await world.say("one")
    await world.settle(within_s=3)

    assert world.heard() == ["one\ntwo"]


async def test_many_interruptions_end_in_one_answer_to_all_in_order(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=2.0)), config=config("interrupt"))
    said = [f"m{n}" for n in range(10)]
    await say(world, *said)
    await world.settle()

    assert world.heard() == ["\n".join(said)]
    assert world.rows("state") == ["merged"] * 9 + ["answered"]


async def test_an_answer_that_is_committed_first_stands_and_the_follow_up_has_its_own(
    open_world, autojump_clock
):
    world = await open_world(config=config("interrupt"))

    def at(point: str) -> None:
        if point == "after_turn_commit":
            faults.arm(None)
            post(world, "two")

    faults.arm(at)
    await world.say("one")
    await world.settle()

    assert world.heard() == ["one", "two"]
    assert world.rows("state") == ["answered", "answered"]


async def test_a_kill_after_the_interruption_loses_neither_message(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang(), Hang()), config=config("interrupt"))
    await say(world, "one", "two")
    assert world.rows("state") == ["merged", "in_turn"]

    await world.kill()
    await world.settle()

    assert world.heard() == ["one\ntwo"]


async def test_a_drain_is_not_prolonged_by_what_interrupts(open_world, autojump_clock, nursery):
    world = await open_world(slow(), config=config("interrupt"))
    await say(world, "one")
    nursery.start_soon(world.stop)
    await trio.sleep(0.1)
    post(world, "two")
    await world.boot.ended.wait()

    assert world.heard() == ["one"]


# --- queue ----------------------------------------------------------------------------------------------------------------


async def test_queue_answers_each_in_order_and_says_where_it_stands(open_world, autojump_clock):
    world = await open_world(slow(), config=config("queue", busy_ack=True))
    await say(world, "one", "two", "three")
    assert world.heard() == [texts.QUEUED.format(position=1)]
    assert world.rows("state")[1:] == ["routed", "routed"], "told after the commit"
    await world.settle()

    assert world.heard()[1:] == ["one", "two", "three"]
    assert world.platform.sent[0].reply_to == "e2"


async def test_a_burst_is_told_once_and_the_next_one_again(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()), config=config("queue", busy_ack=True))
    await say(world, *(f"m{n}" for n in range(6)))
    await trio.sleep(60)
    assert world.heard() == [texts.QUEUED.format(position=1)]

    await say(world, "later")
    assert world.heard() == [texts.QUEUED.format(position=position) for position in (1, 6)]


async def test_nobody_is_told_where_notices_are_off(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()), config=config("queue", busy_ack=False))
    await say(world, "one", "two")
    await trio.sleep(60)

    assert world.heard() == []


async def test_AC17_what_is_over_the_limit_is_refused_in_words_and_counted(open_world, autojump_clock):
    full = Config(display=QUEUE, limits=Limits(waiting=32))
    world = await open_world(slow(seconds=30), config=full)
    said = [f"m{n}" for n in range(50)]
    for text in said:
        await world.say(text)
    await world.settle()

    refusal = texts.TOO_MANY_WAITING.format(limit=32)
    assert [text for text in world.heard() if text != refusal] == said[:32]
    assert world.heard().count(refusal) == 18
    assert (world.counts.received, world.counts.answered, world.counts.refused) == (50, 32, 18)


@pytest.mark.parametrize("mode", MODES)
async def test_AC17_fifty_messages_to_a_busy_conversation_all_reach_its_agent_in_order(
    mode, open_world, autojump_clock
):
    agent = FakeAgent(Reply(delay_s=3.0))
    world = await open_world(agent, config=config(mode))
    said = [f"m{n}" for n in range(50)]
    for text in said:
        await world.say(text)
        await trio.sleep(0.02)
    await world.settle()

    assert "\n".join(world.heard()).split("\n") == said
    counts = world.counts
    assert (counts.received, counts.answered + counts.merged, counts.refused) == (50, 50, 0)


async def test_what_waits_in_line_is_answered_after_a_kill(open_world, autojump_clock):
    world = await open_world(slow(), config=config("queue"))
    await say(world, "one", "two", "three")

    await world.kill()
    await world.settle()

    assert world.heard() == ["one", "two", "three"]


# --- steer ----------------------------------------------------------------------------------------------------------------


async def test_steer_hands_the_message_to_the_running_turn_at_its_next_step(open_world, autojump_clock):
    listener = Listener()
    world = await open_world(listener, config=config("steer"))
    await say(world, "one")
    await trio.sleep(0.5)
    await say(world, "two", "three")
    await world.settle()

    assert len(listener.turns) == 1
    assert world.heard() == ["one\ntwo\nthree"]
    assert world.rows("state") == ["answered"] * 3
    assert world.platform.sent[0].reply_to == "e3"
    assert [line.text for line in world.transcript()] == ["one", "two", "three", "one\ntwo\nthree"]


async def test_an_agent_that_never_asks_has_them_one_after_the_other(open_world, autojump_clock):
    world = await open_world(slow(), config=config("steer", busy_ack=True))
    await say(world, "one", "two", "three")
    await world.settle()

    assert world.heard() == ["one", "two", "three"]


async def test_what_a_turn_was_steered_with_stays_its_own_through_a_kill(open_world, autojump_clock):
    listener = Listener()
    world = await open_world(listener, config=config("steer"))
    await say(world, "one")
    await say(world, "two")
    await trio.sleep(1.5)
    assert world.rows("state") == ["in_turn", "in_turn"]

    await world.kill()
    await world.settle()

    assert [event.text for event in listener.turns[1].events] == ["one", "two"]
    assert world.heard() == ["one\ntwo"]


async def test_steering_that_is_cut_off_takes_no_message_away(open_world, autojump_clock):
    class Hasty(Listener):
        """Gives up waiting for what it asks."""

        async def run(self, turn, io):
            with trio.CancelScope() as scope:
                await trio.sleep(1)
                world.services.store.write = cancels(world.services.store.write, scope)
                await io.steered()
            return await super().run(turn, io)

    def cancels(write, scope):
        async def late(op):
            if isinstance(op, busy_ops.Steer):
                scope.cancel()
            return await write(op)

        return late

    world = await open_world(Hasty(steps=0), config=config("steer"))
    await say(world, "one", "two")
    await world.settle()

    assert world.heard() == ["one", "two"]
    assert world.rows("state, crashes") == [("answered", 0)] * 2


async def test_AC37_steering_a_turn_that_was_stopped_returns_nothing(open_world, autojump_clock, monkeypatch):
    listener = Listener(steps=100)
    world = await open_world(listener, config=config("steer"))
    await say(world, "one")
    monkeypatch.setattr(world.services.conversations, "interrupt", lambda key: None)
    await say(world, "/stop", "two")
    await world.until(lambda: world.heard() == [texts.STOPPED])
    monkeypatch.undo()
    await trio.sleep(6)

    assert [event.text for turn in listener.turns for event in turn.events] == ["one", "two"]


# --- collect --------------------------------------------------------------------------------------------------------------


async def test_collect_answers_together_what_came_meanwhile(open_world, autojump_clock):
    world = await open_world(slow(), config=config("collect"))
    await say(world, "one", "two", "three", "four")
    await world.settle()

    assert world.heard() == ["one", "two\nthree\nfour"]
    assert world.rows("state") == ["answered"] * 4


@pytest.mark.parametrize(
    ("collect_s", "heard"), [(2.0, ["one", "two\nthree"]), (0.0, ["one", "two", "three"])]
)
async def test_collect_waits_a_little_for_more(collect_s, heard, open_world, autojump_clock):
    world = await open_world(slow(seconds=1.0), config=config("collect", busy_collect_s=collect_s))
    await say(world, "one", "two")
    await trio.sleep(1.5)
    await say(world, "three")
    await world.settle()

    assert world.heard() == heard


async def test_collect_answers_the_first_message_at_once(open_world, autojump_clock):
    world = await open_world(config=config("collect", busy_collect_s=60.0))
    await world.say("one")
    await world.settle(within_s=1)

    assert world.heard() == ["one"]


# --- whose mode it is -----------------------------------------------------------------------------------------------------


async def test_a_platform_has_its_own_mode(open_world, autojump_clock):
    display = Display(
        busy_input_mode="interrupt", busy_ack=False, platforms={"fake": PlatformDisplay("queue")}
    )
    world = await open_world(slow(), config=Config(display=display))
    await say(world, "one", "two")
    await world.settle()

    assert world.heard() == ["one", "two"]


async def test_a_conversation_has_its_own_mode_and_keeps_it_through_a_kill(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Reply(delay_s=5.0)), config=config("queue"))
    await world.say("hello")
    await world.settle()
    assert await world.services.store.write(busy_ops.SetBusyMode(world.key(), "interrupt")) is True
    await world.kill()

    await say(world, "one", "two")
    await world.settle()

    assert world.heard() == ["hello", "one\ntwo"]


# --- edits and deletions --------------------------------------------------------------------------------------------------


async def test_an_edit_of_a_message_in_line_is_what_is_answered_in_its_place(open_world, autojump_clock):
    world = await open_world(slow(), config=config("queue"))
    await say(world, "one", "two", "three")
    await revise(world, "edit", "e2", "two, rather")
    await world.settle()

    assert world.heard() == ["one", "two, rather", "three"]
    assert world.rows("state, rule")[3] == ("merged", "merged:edit")


@pytest.mark.parametrize("of", ["e1", "e2"])
async def test_an_edit_of_what_is_in_work_or_done_is_ignored(of, open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Reply(delay_s=5.0)), config=config("queue"))
    await world.say("one")
    await world.settle()
    await say(world, "two")
    await revise(world, "edit", of, "something else")
    await world.settle()

    assert world.heard() == ["one", "two"]
    assert world.rows("state, rule, text")[2] == ("ignored", "ignored:edit", "")


@pytest.mark.parametrize("text", ["/stop", "/new now"])
async def test_AC37_an_edit_is_never_a_command_nor_the_text_of_one(text, open_world, autojump_clock):
    agent = slow()
    world = await open_world(agent, config=config("queue"))
    await say(world, "one", "two")
    await revise(world, "edit", "e2", text)
    await world.settle()

    assert world.heard() == ["one", "two"]


async def test_a_message_in_line_that_is_deleted_is_not_answered(open_world, autojump_clock):
    world = await open_world(slow(), config=config("queue"))
    await say(world, "one", "two", "three")
    await revise(world, "delete", "e2")
    await world.settle()

    assert world.heard() == ["one", "three"]
    assert world.rows("state, rule, text")[1] == ("stopped", "stopped:deleted", "")


async def test_an_edit_between_the_look_and_the_taking_is_not_missed(open_world, autojump_clock):
    agent = FakeAgent()
    world = await open_world(agent, config=config("queue"))
    write = world.services.store.write

    async def late(op):
        if isinstance(op, ops.Then) and isinstance(op.op, ops.Take):
            await revise(world, "edit", "e1", "rather this")
        return await write(op)

    world.services.store.write = late
    await world.say("one", event_id="e1")
    await world.settle()

    assert world.heard() == ["rather this"]


# --- AC-18 ----------------------------------------------------------------------------------------------------------------

ENDINGS = (
    "after_take",
    "after_step",
    "before_turn_commit",
    "after_turn_commit",
    "before_send",
    "after_receipt",
)


def post(world: World, text: str) -> None:
    """A message, in the midst of something else: durable at once, and inbound is woken."""
    now = EPOCH_S + trio.current_time()
    origin = Origin("fake", "1", user_id="u1")
    event = InboundEvent(f"posted-{text}", origin, text, now, TraceId(f"posted-{text}"))
    world.services.store.post(ops.Accept((event,)))
    world.services.conversations.wake_inbound(origin.lane)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", ENDINGS)
async def test_AC18_a_message_that_comes_while_a_turn_ends_is_answered(
    point, mode, open_world, autojump_clock
):
    class Echo(Worker):
        """Takes a step, and answers all events."""

        async def run(self, turn, io):
            await super().run(turn, io)
            return Final(echo(turn))

    world = await open_world(Echo(), config=config(mode))

    def at(passed: str) -> None:
        if passed == point:
            faults.arm(None)
            post(world, "two")

    faults.arm(at)
    await world.say("one")
    await world.settle()

    assert "\n".join(world.heard()).split("\n") == ["one", "two"]


@pytest.mark.parametrize("mode", MODES)
async def test_AC18_and_at_any_time_else(mode, open_world, autojump_clock):
    """Not at marked points: every two thousandths of a second over the whole life of a turn."""
    world = await open_world(
        FakeAgent(otherwise=Reply(delay_s=0.01)), config=config(mode, busy_collect_s=0.01)
    )
    for n in range(25):
        chat = f"c{n}"
        await world.say("one", chat)
        await trio.sleep(0.002 * n)
        await world.say("two", chat)
    await world.settle()

    assert {"\n".join(world.heard(f"c{n}")) for n in range(25)} == {"one\ntwo"}


async def test_a_message_to_a_conversation_whose_tool_hears_nothing_is_answered(open_world, autojump_clock):
    agent = Deaf()
    world = await open_world(agent, config=config("interrupt"))
    await say(world, "one", "two")
    await world.settle(within_s=3)

    assert world.heard() == ["two"]
    assert world.rows("state") == ["merged", "answered"]
    assert world.look(queries.counts).unaccounted == 0
    agent.released.set()


async def test_an_answer_to_several_messages_names_them_all_and_a_notice_none(open_world, autojump_clock):
    world = await open_world(slow(), config=Config(limits=Limits(waiting=5)))
    await say(world, "one", "two")
    await world.settle()
    (both,) = [item for item in await _items(world) if item.role == "agent"]
    assert both.text == "one\ntwo"
    assert len(both.answers) == 2
    assert both.reply_to == both.answers[-1]

    queued = await open_world(slow(), config=config("queue", busy_ack=True))
    await say(queued, "one", "two")
    await queued.settle()
    notice, *answers = [item for item in await _items(queued) if item.role == "agent"]
    assert notice.text == texts.QUEUED.format(position=1)
    assert (notice.reply_to, notice.answers) == (answers[1].reply_to, ())
    assert [item.answers for item in answers] == [(item.reply_to,) for item in answers]


async def _items(world: World) -> Sequence[FeedItem]:
    return await world.services.store.read(feed.feed, "fake", "default", "1", None, 10)


async def test_AC17_a_message_that_comes_while_its_turn_waits_for_a_place_interrupts_it_once_it_has_begun(
    open_world, autojump_clock
):
    one_at_a_time = replace(config("interrupt"), limits=Limits(turns=1))
    world = await open_world(FakeAgent(Reply(delay_s=5.0), Reply(delay_s=100.0)), config=one_at_a_time)
    await world.say("x", "c1")
    await trio.sleep(1)
    await world.say("one", "c2")
    await trio.sleep(1)
    await world.say("two", "c2")

    await world.settle(within_s=10)

    assert world.heard("c2") == ["one\ntwo"]


async def test_AC17_an_interruption_that_came_too_early_is_made_up_for_also_if_nobody_knows_that_yet(
    open_world, autojump_clock, monkeypatch
):
    """It is committed before the turn takes its rows, and told of after the turn has begun."""
    world = await open_world(FakeAgent(Reply(delay_s=300.0)), config=config("interrupt"))
    refused, write = trio.Event(), MemoryStore.write

    async def reordered(store, op):
        kind = type(getattr(op, "op", op))
        if kind is ops.Take and not refused.is_set():
            await refused.wait()
        outcome = await write(store, op)
        if kind is busy_ops.Interrupt and not refused.is_set():
            refused.set()
            await trio.testing.wait_all_tasks_blocked()
        return outcome

    monkeypatch.setattr(MemoryStore, "write", reordered)
    await world.say("one")
    await trio.sleep(0.1)
    await world.say("two")
    await world.settle(within_s=10)

    assert world.heard() == ["one\ntwo"]


# --- what was found once ----------------------------------------------------------------------------------------------------


async def test_a_line_of_messages_is_looked_for_once_and_not_behind_each_of_them(
    found, open_world, autojump_clock
):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=5.0)), config=config("queue"))
    await say(world, *(f"m{n}" for n in range(20)))
    found.clear()
    await world.settle(within_s=200)

    assert world.heard() == [f"m{n}" for n in range(20)]
    assert sum(found) <= 19 + 1, "what is behind the first one, and nothing behind the last"


async def test_what_comes_while_a_line_is_worked_off_is_answered_behind_it(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=5.0)), config=config("queue"))
    await say(world, "a", "b", "c")
    await trio.sleep(7)
    await say(world, "d", "e")
    await world.settle(within_s=60)

    assert world.heard() == ["a", "b", "c", "d", "e"]


async def test_what_has_become_of_those_in_line_is_heeded(open_world, autojump_clock):
    """Found long ago, and edited, or taken back since: also the next one, whose turn would find nothing."""
    agent = FakeAgent(otherwise=Reply(delay_s=5.0))
    world = await open_world(agent, config=config("queue"))
    await say(world, "one", "two", "three", "four", "five")
    await trio.sleep(5.5)
    first, second, third, fourth, fifth = world.rows("event_id")
    await revise(world, "delete", third)
    await revise(world, "edit", fifth, "other words")
    await world.settle(within_s=60)

    assert world.heard() == ["one", "two", "four", "other words"]
    assert (first, second, fourth) == tuple(world.rows("event_id")[n] for n in (0, 1, 3))


@pytest.mark.parametrize("at_s", [2.0, 7.0])
async def test_a_stop_ends_the_line_that_was_found(at_s, open_world, autojump_clock):
    agent = FakeAgent(otherwise=Reply(delay_s=5.0))
    world = await open_world(agent, config=config("queue"))
    await say(world, *(f"m{n}" for n in range(8)))
    await trio.sleep(at_s)
    answered, turns = list(world.heard()), len(agent.turns)
    await world.say("/stop")
    await trio.sleep(0.5)
    await world.say("new")
    await world.settle(within_s=10)

    assert world.heard()[len(answered) + 1 :] == ["new"]
    assert len(agent.turns) == turns + 1


async def test_busy_holds_for_what_waits_already(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=20.0)), config=config("queue"))
    await say(world, "one", "two", "three")
    await world.say("/busy interrupt")
    await world.settle(within_s=30)

    assert world.heard()[1:] == ["one\ntwo\nthree"]


async def test_a_turn_that_fails_leaves_the_line_as_it_is(open_world, autojump_clock):
    world = await open_world(FakeAgent(Crash(ValueError("a bug"))), config=config("queue"))
    await world.platform.hand_in(*[_said(f"m{n}") for n in range(5)])
    await world.settle(within_s=60)

    assert world.heard() == [f"m{n}" for n in range(5)]


def _said(text: str) -> InboundEvent:
    return InboundEvent(
        text, Origin("fake", "1", user_id="u1"), text, EPOCH_S, TraceId(text), message_id=text
    )


async def test_an_interrupting_message_does_not_wait_for_a_line_that_was_found_before_it(
    open_world, autojump_clock, monkeypatch
):
    """Its interruption comes too late for the turn that ends just now; the next one is to be interrupted."""
    acts = (Reply(delay_s=5.0), Reply(delay_s=30.0))
    world = await open_world(FakeAgent(*acts, otherwise=Reply(delay_s=100.0)), config=config("interrupt"))
    write, late = MemoryStore.write, [True]

    async def slow(store, op):
        if type(op) is busy_ops.Interrupt and late:
            late.clear()
            await trio.sleep(0.5)
        return await write(store, op)

    monkeypatch.setattr(MemoryStore, "write", slow)
    began = trio.current_time()
    await say(world, "a", "/queue b", "/queue c", "/queue d")
    await trio.sleep(began + 34.8 - trio.current_time())
    await world.say("e")
    await world.settle(within_s=300)

    assert world.heard() == ["a", "b", "c\ne", "d"]


async def test_a_reload_holds_for_a_line_that_was_found_before_it(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Reply(delay_s=30.0)), config=config("queue"))
    await say(world, "a", "b", "c", "d")
    await trio.sleep(35)
    await say(world, "e", "f")
    await world.reload(config("interrupt"))
    await world.settle(within_s=100)

    assert world.heard() == ["a", "b", "c\nd\ne\nf"]
