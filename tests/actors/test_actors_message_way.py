"""The way of a message through the whole tree: accepted, decided, answered, delivered, each once and in order."""

import trio


async def test_a_message_is_answered_once_and_its_receipt_is_kept(open_world, autojump_clock):
    world = await open_world()

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.rows("state, rule") == [("answered", "answered")]
    assert world.rows("state, attempts, parts_sent", "outbox") == [("sent", 1, 1)]
    assert (world.counts.received, world.counts.answered, world.counts.unaccounted) == (1, 1, 0)


async def test_the_transcript_is_in_order(open_world, autojump_clock):
    world = await open_world()

    for text in ("one", "two"):
        await world.say(text)
    await world.settle()

    lines = world.transcript()
    assert [(line.role, line.text) for line in lines] == [
        ("user", "one"),
        ("assistant", "one"),
        ("user", "two"),
        ("assistant", "two"),
    ]
    assert [line.text for line in world.agent.turns[1].history] == ["one", "one"]


async def test_fifty_messages_of_five_chats_keep_their_order_within_each(open_world, autojump_clock):
    world = await open_world()

    async def person(chat):
        for n in range(10):
            await world.say(f"{chat}/{n}", chat)

    async with trio.open_nursery() as people:
        for chat in "abcde":
            people.start_soon(person, chat)
    await world.settle()

    for chat in "abcde":
        assert world.heard(chat) == [f"{chat}/{n}" for n in range(10)]
    assert world.counts.answered == 50


async def test_AC_14_a_duplicate_is_acked_and_dropped(open_world, autojump_clock):
    world = await open_world()

    await world.say("hello", event_id="same")
    await world.settle()
    await world.say("hello", event_id="same")
    await trio.sleep(60)

    assert world.heard() == ["hello"]
    assert world.counts.received == 1
