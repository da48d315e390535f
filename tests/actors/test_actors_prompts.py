"""A prompt that was decided about says so: the message with the buttons is edited, whoever has decided, and by whatever door."""

import pytest
import trio
from agents import Asker
from test_actors_approvals import ask, asked

from actors.ports.approval_desk import ApprovalDesk
from hermes.store import queries
from hermes.testing.fakes import EditingAdapter
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import RATE_LIMITED, Failure, SendError

OPEN = Capabilities(authenticated=True)
QUESTION = "May I do x?\n\n```\ndetail of x\n```"


async def asking(open_world, capabilities=OPEN):
    world = await open_world(Asker(), platform=EditingAdapter(capabilities=capabilities))
    await ask(world)
    return world


async def say(world, word):
    if word:
        await world.say(word)
    else:
        (one,) = asked(world)
        await ApprovalDesk(world.services).answer(
            "approvals_decide", {"id": one.approval_id, "approved": True, "reason": ""}
        )
    await world.settle()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("yes", "✅ Approved by you."),
        ("/deny 1 no", "❌ Denied by you."),
        ("/stop", "Not needed any more."),
        ("", "✅ Approved by the operator."),
    ],
)
async def test_the_prompt_says_who_has_decided_what(open_world, autojump_clock, word, said):
    world = await asking(open_world)
    await say(world, word)
    assert world.platform.read()[0] == f"{QUESTION}\n\n{said}"
    assert len(world.platform.edits) == 1


async def test_silence_is_said_too(open_world, autojump_clock):
    world = await asking(open_world)
    await world.settle()
    assert world.platform.read()[0].endswith(texts.APPROVAL_CLOSED["expired"])


async def test_of_a_prompt_in_several_messages_the_last_one_says_it(open_world, autojump_clock):
    narrow = Capabilities(authenticated=True, max_length=150)
    world = await open_world(Asker(), platform=EditingAdapter(capabilities=narrow))
    await world.say("x")
    await world.until(lambda: len(world.platform.page) > 1 and not world.look(queries.open_lanes))
    before = world.platform.read()
    await say(world, "yes")
    assert world.platform.read()[: len(before)] == [*before[:-1], "✅ Approved by you."]


async def test_an_edit_that_fails_is_let_be_and_the_answer_comes(open_world, autojump_clock):
    world = await asking(open_world)
    world.platform.edit_failures.append(SendError(Failure(RATE_LIMITED, retry_after=5.0), "not_sent"))
    await say(world, "yes")
    assert world.platform.read() == [world.platform.sent[0].part.text, texts.APPROVED, "did x"]
    assert world.platform.edits == []


async def test_a_restart_of_the_conversation_leaves_the_question_as_it_is(open_world, autojump_clock):
    world = await asking(open_world)
    await world.services.overview.restart(world.session())
    await trio.sleep(5)
    assert world.platform.edits == []
    assert world.incarnations()[world.lane()] == 1
    await say(world, "yes")
    assert world.platform.read()[0].endswith("✅ Approved by you.")


async def test_a_stop_of_the_gateway_leaves_the_question_as_it_is(open_world, autojump_clock):
    world = await asking(open_world)
    world.restart()
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await trio.sleep(1)
    assert world.platform.edits == []
    await say(world, "yes")
    assert world.platform.read()[:2] == [f"{QUESTION}\n\n✅ Approved by you."] * 2
