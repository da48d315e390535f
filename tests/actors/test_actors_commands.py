"""Commands while a turn runs, and those that come too late."""

import pytest
import trio
from agents import Deaf, Typist

from hermes.store import queries
from hermes.testing.fakes import FakeAgent, Hang
from hermes.types import texts


@pytest.mark.parametrize(
    ("command", "said"), [("/stop", texts.STOPPED), ("/new", texts.NEW_CONVERSATION)], ids=["stop", "new"]
)
async def test_a_control_command_ends_the_turn_and_the_next_message_is_answered(
    command, said, open_world, autojump_clock
):
    world = await open_world(FakeAgent(Hang()))
    await world.say("long")
    await trio.sleep(1)

    await world.say(command)
    await world.say("next")
    await world.settle(within_s=5)

    assert world.heard() == [said, "next"]
    assert world.rows("state") == ["stopped", "answered", "answered"]
    assert world.tree()[world.session()].incarnation == 1


async def test_an_answer_that_comes_after_its_stop_is_dropped(open_world, autojump_clock):
    agent = Deaf()
    world = await open_world(agent)
    await world.say("long")
    await trio.sleep(1)
    await world.say("/stop")
    await trio.sleep(1)

    agent.released.set()
    await trio.sleep(1)

    assert agent.late == 1
    assert world.heard() == [texts.STOPPED]
    assert world.transcript() == []


async def test_a_stopped_turn_that_does_not_end_does_not_hold_up_the_conversation(open_world, autojump_clock):
    agent = Deaf()
    world = await open_world(agent)
    await world.say("long")
    await trio.sleep(1)

    await world.say("/stop")
    await world.say("next")
    await world.settle(within_s=15)

    assert world.heard() == [texts.STOPPED, "next"]
    agent.released.set()


async def test_no_draft_follows_the_stop_of_its_turn(open_world, autojump_clock):
    """The lane shows drafts at an interval, so one is always waiting while the agent writes."""
    world = await open_world(Typist(1000, every_s=0.05))
    await world.say("long")
    await trio.sleep(1.01)
    await world.say("/stop")
    await world.until(lambda: world.heard() == [texts.STOPPED])
    shown = len(world.platform.drafts)

    await trio.sleep(10)

    assert shown > 0
    assert len(world.platform.drafts) == shown


async def test_new_begins_a_stretch_without_the_old_history(open_world, autojump_clock):
    world = await open_world()
    for text in ("one", "/new", "two"):
        await world.say(text)
        await world.settle()

    assert world.agent.turns[1].history == ()
    assert [hit.excerpt for hit in world.look(queries.search, "one", 5)] == ["[one]", "[one]"]


async def test_info_commands_are_answered_while_a_turn_runs(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("long")
    await trio.sleep(1)

    await world.say("/status")
    await world.say("/help")
    await world.until(lambda: len(world.heard()) == 2, within_s=5)

    assert "1 busy" in world.heard()[0]
    assert world.heard()[1].startswith(texts.HELP)


async def test_an_unknown_command_is_refused_in_words(open_world, autojump_clock):
    world = await open_world()

    await world.say("/stpo")
    await world.settle()

    assert world.heard() == [
        f"{texts.UNKNOWN_COMMAND.format(name='`/stpo`')} {texts.DID_YOU_MEAN.format(name='stop')}"
    ]
    assert world.rows("state, rule") == [("refused", "refused:unknown_command")]


async def test_a_control_command_from_before_the_start_is_not_run(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("long")
    await trio.sleep(1)
    world.kill_at("after_inbox_commit")

    await world.say("/stop")
    await world.settle()

    assert sorted(world.heard()) == sorted(["long", texts.STALE_COMMAND.format(name="stop")])
    assert world.rows("state, rule")[1] == ("ignored", "ignored:stale_command")


async def test_a_stop_with_nothing_to_stop_says_so(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()

    await world.say("/stop")
    await world.settle()

    assert world.heard() == ["hello", texts.NOTHING_TO_STOP]


async def _disabled(world):
    """Let the session of chat 1 end too often."""
    await world.say("first")
    await world.settle()
    while world.state(world.session()) != "disabled":
        await world.until(lambda: world.state(world.session()) in {"running", "disabled"})
        if world.state(world.session()) == "running":
            world.crash(world.session())
            await trio.sleep(0.01)


async def test_a_message_to_a_disabled_session_ends_failed_with_words_and_new_revives_it(
    open_world, autojump_clock
):
    world = await open_world()
    await _disabled(world)

    await world.say("hello")
    await world.settle()
    assert world.heard() == ["first", texts.SESSION_DISABLED]
    assert world.rows("state, rule")[-1] == ("failed", "session_disabled")
    await world.say("/new")
    await world.settle()
    await world.say("again")
    await world.settle()

    assert world.heard()[-2:] == [texts.NEW_CONVERSATION, "again"]


async def test_law_C5_a_disabled_session_gets_another_chance_after_ten_minutes(open_world, autojump_clock):
    world = await open_world()
    await _disabled(world)
    began = trio.current_time()

    await world.until(lambda: world.state(world.session()) == "running", within_s=700)
    await world.say("again")
    await world.settle()

    assert 599 <= trio.current_time() - began < 602
    assert world.heard() == ["first", "again"]


async def test_a_stop_whose_decider_dies_after_the_commit_frees_the_conversation(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("long")
    await trio.sleep(1)
    world.crash_at("after_decision")

    await world.say("/stop")
    await world.say("next")
    await world.settle(within_s=15)

    assert world.heard() == [texts.STOPPED, "next"]
    assert world.tree()[world.session()].incarnation == 1


async def test_an_answer_to_a_command_is_named_for_its_message_and_not_for_its_row_alone(
    open_world, autojump_clock
):
    """Rows count anew in a database that follows a damaged one, and an open page drops a name that it has shown."""
    names = []
    for event_id in ("before", "after"):
        world = await open_world()
        await world.say("/help", event_id=event_id)
        await world.settle()
        assert world.rows("row_id") == [1]
        names += world.rows("delivery_id", "outbox")

    assert len(set(names)) == 2
