"""What is done once an answer has arrived: once, and not for a turn that is over."""

from dataclasses import replace

import pytest
import trio

from hermes.store import ops, queries
from hermes.testing.fakes import FakeAdapter, FakeAgent, Hang, Reply
from hermes.types.content import Capabilities, Outbound, React
from hermes.types.errors import RATE_LIMITED, Failure, SendError
from hermes.types.ids import DeliveryId

PLAIN = Capabilities(authenticated=True)


class Emojis(FakeAdapter):
    """Notes what is put to which message."""

    def __init__(self):
        super().__init__(capabilities=PLAIN)
        self.reactions = []
        self.trouble = None

    async def react(self, chat_id, message_id, emoji):
        await trio.lowlevel.checkpoint()
        self.reactions.append((chat_id, message_id, emoji))
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def platform():
    return Emojis()


async def answer(world, **changes):
    """A second answer of the first turn, with an effect."""
    record = world.look(queries.session, world.key())
    message = Outbound(
        DeliveryId("with-effect"),
        "fake",
        "default",
        "1",
        "done",
        reply_to="e1",
        session_key=world.key(),
        generation=record.generation,
        effects=(React("✅"),),
    )
    await world.services.store.write(ops.Enqueue(replace(message, **changes), 1.0))
    world.services.delivery.wake(message.lane)
    await world.settle()


async def test_it_is_done_on_the_receipt(open_world, autojump_clock, platform):
    world = await open_world(platform=platform)
    await world.say("hello")
    await world.settle()
    await answer(world)

    assert platform.reactions == [("1", "e1", "✅")]
    assert world.heard() == ["hello", "done"]


async def test_all_messages_that_were_answered_together_have_it(open_world, autojump_clock, platform):
    world = await open_world(platform=platform)
    await world.say("hello")
    await world.settle()
    await answer(world, metadata={"answers": "e1 e7"})

    assert platform.reactions == [("1", "e1", "✅"), ("1", "e7", "✅")]


async def test_a_turn_that_is_over_leaves_nothing_behind(open_world, autojump_clock, platform):
    world = await open_world(FakeAgent(Reply(), Hang()), platform=platform)
    await world.say("hello")
    await world.settle()
    generation = world.look(queries.session, world.key()).generation
    await world.say("next")
    await trio.sleep(1)
    await world.say("/stop")
    await world.settle()
    await answer(world, generation=generation)

    assert platform.reactions == []
    assert world.heard()[-1] == "done"


async def test_a_platform_that_has_had_enough_is_left_alone_and_the_answer_stands(
    open_world, autojump_clock, platform
):
    world = await open_world(platform=platform)
    await world.say("hello")
    await world.settle()
    platform.trouble = SendError(Failure(RATE_LIMITED, scope="chat", retry_after=30.0), "not_sent")
    await answer(world, metadata={"answers": "e1 e7"})

    assert len(platform.reactions) == 1
    assert world.heard() == ["hello", "done"]


async def test_without_the_capability_nothing_happens(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()
    await answer(world)

    assert world.heard() == ["hello", "done"]
