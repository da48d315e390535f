"""Every way a message may end without an answer tells its adapter so, and by which rule, beside the words."""

import pytest
import trio

from hermes.config.model import Agent, Config, Limits
from hermes.store import feed
from hermes.testing.fakes import FakeAgent, GiveUp, Hang
from hermes.types.content import REFUSAL
from hermes.types.errors import Failure

CAPPED = Config(limits=Limits(sessions=1))
SHORT = Config(agent=Agent(turn_timeout_s=5.0))


def told(world, chat="1"):
    """The rules that the words to ``chat`` were marked with; None for an answer."""
    sent = [one.metadata.get(REFUSAL) for one in world.platform.sent if one.chat_id == chat]
    seen = [
        item.refusal
        for item in world.look(feed.feed, "fake", "default", chat, None, 50)
        if item.role == "agent"
    ]
    assert sent == seen
    return sent


async def test_an_answer_is_no_refusal(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.say("/help")
    await world.settle()

    assert told(world) == [None, None]


@pytest.mark.parametrize(
    ("agent", "config", "text", "rule"),
    [
        (FakeAgent(GiveUp(Failure("no_model"))), Config(), "hi", "no_model"),
        (FakeAgent(otherwise=Hang()), SHORT, "hi", "turn_deadline"),
        (FakeAgent(), Config(), "/frobnicate", "refused:unknown_command"),
    ],
)
async def test_words_in_place_of_an_answer_name_the_rule(
    open_world, autojump_clock, agent, config, text, rule
):
    world = await open_world(agent, config=config)
    await world.say(text)
    await world.settle()

    assert told(world) == [rule]


async def test_no_room_is_a_refusal(open_world, autojump_clock):
    world = await open_world(config=CAPPED)
    for chat in "ab":
        await world.say("hello", chat)
        await trio.sleep(1)
    await world.settle()

    assert (told(world, "a"), told(world, "b")) == ([None], ["refused:sessions"])
