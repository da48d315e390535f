"""What the gateway says itself in a group carries the tag that keeps other gateways from answering it."""

import pytest

from hermes.routing.loops import TAG
from hermes.testing.fakes import FakeAgent, GiveUp
from hermes.types import texts
from hermes.types.errors import Failure


@pytest.mark.parametrize("chat_type", ["dm", "group"])
async def test_AC36_notices_in_a_group_are_tagged_and_answers_are_not(open_world, autojump_clock, chat_type):
    world = await open_world(FakeAgent(GiveUp(Failure("no_model"))))
    mark = TAG if chat_type == "group" else ""

    for text in ("one", "/stop", "two"):
        await world.platform.receive(text, chat_type=chat_type)
        await world.settle(within_s=5)

    assert world.heard() == [texts.AGENT_CRASHED + mark, texts.NOTHING_TO_STOP + mark, "two"]
