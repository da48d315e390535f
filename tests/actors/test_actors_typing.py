"""Somebody types: shown while an answer is worked on, at the platform's pace, and over before the answer comes."""

import trio
from agents import Deaf

from actors.ports.delivery import TYPING_AFTER_S
from hermes.store import ops
from hermes.testing.fakes import FakeAdapter, FakeAgent, Hang, Reply
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, SendError

SLOW = Capabilities(authenticated=True, idempotent_send=True, typing_interval_s=4.0)


class Noting(FakeAdapter):
    """Notes what comes in which order; ``trouble`` is raised by the next typing."""

    def __init__(self):
        super().__init__(capabilities=SLOW)
        self.order = []
        self.trouble = None

    async def typing(self, chat_id, thread_id, on):
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        await super().typing(chat_id, thread_id, on)
        self.order.append(on)

    async def send(self, chat_id, part, *, reply_to, metadata):
        self.order.append(part.text)
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


class Hanging(FakeAdapter):
    """Its typing never returns."""

    async def typing(self, chat_id, thread_id, on):
        await trio.sleep_forever()


def shown(platform):
    """When it was shown, in whole seconds."""
    return [round(at) for at, _, _, on in platform.typed if on]


async def test_typing_is_shown_at_the_platforms_pace_and_ends_before_the_answer(open_world, autojump_clock):
    platform = Noting()
    world = await open_world(FakeAgent(Reply(delay_s=10.0)), platform=platform)
    began = round(trio.current_time())

    await world.say("hello")
    await world.settle()
    await trio.sleep(60)

    assert [at - began for at in shown(platform)] == [0, 4, 8]
    assert platform.order == [True, True, True, False, "hello"]
    assert platform.typed[-1][0] - began < 10.5


async def test_nobody_is_seen_to_type_before_an_answer_that_comes_at_once(open_world, autojump_clock):
    platform = Noting()
    soon, later = TYPING_AFTER_S - 0.1, TYPING_AFTER_S + 0.1
    world = await open_world(FakeAgent(Reply(delay_s=soon), Reply(delay_s=later)), platform=platform)

    await world.say("soon")
    await world.settle()
    await world.say("later")
    await world.settle()

    assert platform.order == ["soon", True, False, "later"]


async def test_typing_ends_before_an_answer_whose_turn_has_not_seen_its_commit_yet(
    open_world, autojump_clock
):
    platform = Noting()
    world = await open_world(FakeAgent(Reply(delay_s=1.0)), platform=platform)
    store, write = world.boot.store, world.boot.store.write

    async def late(op):
        result = await write(op)
        await trio.sleep(20 if isinstance(op, ops.FinishTurn) else 0)
        return result

    store.write = late
    await world.say("hello")
    await world.until(lambda: world.heard() == ["hello"])

    assert platform.order == [True, False, "hello"]


async def test_a_lane_stays_awake_while_somebody_types(open_world, autojump_clock):
    platform = Noting()
    world = await open_world(FakeAgent(Reply(delay_s=200.0)), platform=platform)

    await world.say("hello")
    await world.settle()

    assert len(shown(platform)) == 50
    assert world.incarnations()[world.lane()] == 1


async def test_typing_pauses_while_an_approval_waits(open_world, autojump_clock):
    platform = Noting()
    world = await open_world(FakeAgent(Hang()), platform=platform)
    await world.say("hello")
    await trio.sleep(1)
    (turn_id,) = world.rows("turn_id")
    lane = world.agent.turns[0].events[0].origin.lane
    delivery = world.services.delivery

    delivery.resting(lane, turn_id)
    await trio.sleep(20)
    paused = list(platform.order)
    delivery.working(lane, turn_id, None)
    await trio.sleep(1)

    assert paused == [True, False]
    assert platform.order == [True, False, True]


async def test_a_stopped_turn_types_no_more_even_if_it_does_not_end(open_world, autojump_clock):
    platform, agent = Noting(), Deaf()
    world = await open_world(agent, platform=platform)
    await world.say("long")
    await trio.sleep(1)

    await world.say("/stop")
    await trio.sleep(30)
    so_far = len(platform.order)
    await trio.sleep(60)

    assert len(platform.order) == so_far
    assert platform.order[-1] is False
    agent.released.set()


async def test_somebody_types_on_while_another_of_the_chat_has_an_answer(open_world, autojump_clock):
    platform = Noting()
    world = await open_world(FakeAgent(Hang()), platform=platform)
    await world.say("long")
    await trio.sleep(1)

    await world.say("/help")
    await trio.sleep(1)

    assert platform.order[0] is True
    assert False not in platform.order
    assert len(world.heard()) == 1


async def test_typing_that_fails_harms_nothing_and_leaves_the_platform_alone(open_world, autojump_clock):
    platform = Noting()
    platform.trouble = SendError(Failure("rate_limited", retry_after=30.0), "not_sent")
    world = await open_world(FakeAgent(Reply(delay_s=40.0)), platform=platform)
    began = round(trio.current_time())

    await world.say("hello")
    await world.settle()
    platform.trouble = ValueError("a bug")
    await world.say("again")
    await world.settle()

    assert [at - began for at in shown(platform)] == [30, 34, 38]
    assert world.heard() == ["hello", "again"]
    assert world.incarnations()[world.lane()] == 1


async def test_typing_that_hangs_holds_up_the_answer_for_two_seconds_at_most(open_world, autojump_clock):
    platform = Hanging()
    world = await open_world(FakeAgent(Reply(delay_s=0.1)), platform=platform)
    began = trio.current_time()

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"]
    assert trio.current_time() - began < 5


async def test_nothing_is_shown_while_a_message_waits_to_be_tried_again(open_world, autojump_clock):
    platform = Noting()
    world = await open_world(FakeAgent(Reply(), Hang()), platform=platform)
    platform.failures.append(SendError(Failure("flood", scope="chat", retry_after=30.0), "not_sent"))
    await world.say("first")
    await trio.sleep(1)
    first = len(platform.order)

    await world.say("second")
    await trio.sleep(25)
    during = platform.order[first:]
    await trio.sleep(30)

    assert during == []
    assert True in platform.order[first:]
