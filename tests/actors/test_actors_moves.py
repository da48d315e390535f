"""A chat that becomes another one: a group that its platform has made a supergroup has another id from then on."""

from typing import Any, cast

import pytest

from actors.ports.wire import Borrowed, Wire
from hermes.config.access import AccessSettings, Setting
from hermes.sessions.keys import build_session_key
from hermes.store import queries, sends
from hermes.store.command_ops import SetHome
from hermes.testing.fakes import DeletingAdapter
from hermes.types.content import Part
from hermes.types.errors import NOT_EDITABLE, SendError
from hermes.types.events import InboundEvent
from hermes.types.ids import DeliveryId, TraceId
from hermes.types.origin import Origin

GROUP, SUPERGROUP = "-5", "-1005"


def origin(chat=GROUP):
    return Origin("fake", chat, chat_type="group", user_id="u1", chat_name="Team")


async def say(world, text, chat=GROUP, **more):
    name = f"{chat}:{text}"
    now = world.services.clock.wall()
    event = InboundEvent(name, origin(chat), text, now, TraceId(name), message_id=name, **more)
    await world.platform.hand_in(event)
    await world.settle()


async def move(world):
    await (await world.platform.io()).chat_moved(GROUP, SUPERGROUP)


def chats(world):
    return [channel.chat_id for _, _, channel in world.look(sends.known_chats, 9)]


def said(world):
    record = world.look(queries.session, build_session_key(origin()))
    return [line.text for line in world.look(queries.history, record.session_key, record.session_id, 9)]


async def test_its_conversation_goes_on_also_after_a_kill(open_world, autojump_clock):
    world = await open_world()
    await say(world, "one", mentions_bot=True)
    await move(world)
    await world.kill()
    await say(world, "two", SUPERGROUP, mentions_bot=True)

    assert said(world) == ["one", "one", "two", "two"]  # the agent says what it hears
    assert [sent.chat_id for sent in world.platform.sent] == [GROUP, SUPERGROUP]
    assert chats(world) == [SUPERGROUP]


async def test_what_is_still_for_the_group_goes_to_the_supergroup_and_answers_nothing_there(
    open_world, autojump_clock
):
    world = await open_world()
    await move(world)
    await say(world, "one", mentions_bot=True)

    (sent,) = world.platform.sent
    assert (sent.chat_id, sent.reply_to) == (SUPERGROUP, None)


async def test_a_kill_between_the_word_and_what_comes_from_there_loses_nothing(open_world, autojump_clock):
    world = await open_world()
    await say(world, "one", mentions_bot=True)
    await move(world)
    await world.kill()
    await world.services.router.deliver("news", f"fake:{GROUP}", by_person=True)
    await world.settle()
    await move(world)  # it comes again, because it was not acknowledged
    await say(world, "two", SUPERGROUP, mentions_bot=True)

    assert [sent.chat_id for sent in world.platform.sent] == [GROUP, SUPERGROUP, SUPERGROUP]
    assert len(said(world)) == 4


async def test_a_conversation_that_has_begun_there_stays_what_goes_on(open_world, autojump_clock):
    world = await open_world()
    await say(world, "one", mentions_bot=True)
    await say(world, "two", SUPERGROUP, mentions_bot=True)
    await move(world)
    await say(world, "three", SUPERGROUP, mentions_bot=True)

    assert len(said(world)) == 2
    assert chats(world) == [SUPERGROUP, GROUP]


@pytest.mark.parametrize(
    "listed",
    [
        {"free_response_channels": [GROUP], "allowed_channels": [GROUP]},
        {"free_response_channels": [SUPERGROUP], "allowed_channels": [SUPERGROUP]},
        {"free_response_channels": ["*"], "allowed_topics": [f"{GROUP}:1"]},
    ],
)
async def test_lists_hold_by_either_id(open_world, autojump_clock, listed):
    held = {key: Setting(frozenset(value), "a test") for key, value in listed.items()}
    access = AccessSettings(platforms={"fake": held})
    world = await open_world(access=access)
    await move(world)
    await say(world, "one", SUPERGROUP)

    assert [sent.chat_id for sent in world.platform.sent] == [SUPERGROUP]


async def test_the_home_that_was_set_in_it_moves_with_it(open_world, autojump_clock):
    world = await open_world()
    await world.services.store.write(SetHome("fake", "default", GROUP, None, "Team", 0.0))
    await move(world)

    assert [home.chat_id for home in await world.services.router.homes()] == [SUPERGROUP]


class Life:
    """In which every chat has moved."""

    up = True
    name = "fake:default"

    def now_at(self, chat_id):
        return f"-100{chat_id[1:]}"

    def borrowed(self, deadline_s):
        return Borrowed(set(), deadline_s)

    def report(self, error):
        raise AssertionError(error)


async def test_messages_of_the_group_are_out_of_reach_for_their_ids_are_others_there():
    adapter = DeletingAdapter()
    wire = Wire(adapter, cast("Any", Life()))
    part = Part(DeliveryId("d"), 0, 1, "hi", "plain")
    with pytest.raises(SendError) as caught:
        await wire.edit(GROUP, "3", part, metadata={}, final=True)
    gone = await wire.delete(GROUP, "3")

    assert (caught.value.failure.code, caught.value.phase) == (NOT_EDITABLE, "not_sent")
    assert gone is not None
    assert (adapter.edits, adapter.deletes) == ([], [])
