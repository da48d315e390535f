"""What the running gateway answers to ``hermes sessions``, and what it does."""

import pytest
import trio
from world import World

from actors.ports.session_desk import SessionDesk
from hermes.config.model import Config, Display
from hermes.testing.fakes import FakeAgent, Hang
from hermes.types import texts
from hermes.types.errors import GatewayError


def desk(world: World) -> SessionDesk:
    return SessionDesk(world.services)


async def states(world: World, **more) -> dict[str, str]:
    args = {"platform": None, "active": False, "limit": 9} | more
    answer = await desk(world).answer("sessions_list", args)
    return {one["chat_id"]: one["state"] for one in answer["sessions"]}


async def test_the_list_says_who_is_busy_awake_or_asleep(open_world, autojump_clock):
    world = await open_world(FakeAgent(otherwise=Hang()))
    await world.say("hi", "busy")
    await trio.sleep(1)
    await world.say("hi", "stopped")
    await trio.sleep(1)
    await world.say("/stop", "stopped")
    await trio.sleep(1)
    assert await states(world) == {"busy": "busy", "stopped": "awake"}
    assert await states(world, active=True) == {"busy": "busy", "stopped": "awake"}
    assert await states(world, limit=1) == {"stopped": "awake"}
    await trio.sleep(700)
    assert (await states(world))["stopped"] == "asleep"
    assert "stopped" not in await states(world, active=True)


async def test_a_reset_stops_the_turn_begins_anew_and_says_so(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()), config=Config(display=Display(busy_input_mode="queue")))
    await world.say("hi")
    await trio.sleep(1)
    done = await desk(world).answer("sessions_reset", {"key": "fake"})
    await world.settle()
    assert world.heard() == [texts.OPERATOR_RESET]
    assert world.rows("state, rule") == [("stopped", "operator:reset")]
    assert done["session_key"] == world.key()
    await world.say("next")
    await world.settle()
    assert world.heard()[1:] == ["next"]
    assert world.agent.turns[-1].history == ()
    assert (await desk(world).answer("sessions_show", {"key": "fake"}))["session_id"] == done["session_id"]


async def test_a_reset_of_a_sleeping_conversation_sends_nobody_a_message(open_world, autojump_clock):
    world = await open_world()
    await world.say("hi")
    await world.settle()
    await trio.sleep(700)
    assert world.state(world.session()) is None
    await desk(world).answer("sessions_reset", {"key": "fake"})
    await world.settle()
    assert world.heard() == ["hi", texts.OPERATOR_RESET]
    assert not world.boot.system.letters.newest(100)


async def test_a_resume_goes_on_with_what_was_said_before(open_world, autojump_clock):
    world = await open_world()
    await world.say("one")
    await world.settle()
    await world.say("/new")
    await world.settle()
    await desk(world).answer("sessions_resume", {"key": "fake", "session_id": None})
    await world.settle()
    assert world.heard()[-1] == texts.OPERATOR_RESUME
    await world.say("two")
    await world.settle()
    assert [line.text for line in world.agent.turns[-1].history] == ["one", "one"]


async def test_search_and_pages_come_from_the_store(open_world, autojump_clock):
    world = await open_world()
    await world.say("the fox")
    await world.settle()
    hits = (await desk(world).answer("sessions_search", {"text": "fox", "limit": 1}))["hits"]
    assert [hit["session_key"] for hit in hits] == [world.key()]
    page = await desk(world).answer("sessions_lines", {"key": "fake", "after": 0})
    assert ([line["role"] for line in page["lines"]], page["next"]) == (["user", "assistant"], None)


@pytest.mark.parametrize(
    ("verb", "args", "code"),
    [
        ("sessions_list", {}, "usage"),
        ("sessions_show", {"key": 3}, "usage"),
        ("sessions_nothing", {}, "usage"),
        ("sessions_show", {"key": "x"}, "no_such_session"),
        ("sessions_resume", {"key": "fake", "session_id": "x"}, "no_such_stretch"),
        ("sessions_resume", {"key": "fake", "session_id": None}, "no_such_stretch"),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_words(open_world, autojump_clock, verb, args, code):
    world = await open_world()
    await world.say("hi")
    await world.settle()
    with pytest.raises(GatewayError) as error:
        await desk(world).answer(verb, args)
    assert error.value.failure.code == code
