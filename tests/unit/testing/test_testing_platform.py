"""The platform that is not real, over real sockets: each fault is what its adapter takes it for."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trio

from hermes.testing.platform import (
    Delay,
    FakePlatform,
    Fault,
    HalfClose,
    Reset,
    Status,
)
from hermes.testing.wire import WireAdapter
from hermes.types.content import Part
from hermes.types.errors import RATE_LIMITED, SendError
from hermes.types.ids import DeliveryId

PART = Part(DeliveryId("d1"), 0, 1, "hello")


@pytest.fixture
async def platform() -> AsyncIterator[FakePlatform]:
    async with FakePlatform().listening() as platform:
        yield platform


async def send(platform: FakePlatform, *, idempotent: bool = False) -> str:
    adapter = WireAdapter(platform.port, idempotent=idempotent)
    return (await adapter.send("ann", PART, reply_to="e1", metadata={})).message_id


async def test_a_message_is_seen_and_has_its_id(platform: FakePlatform) -> None:
    assert await send(platform) == "m1"
    (seen,) = platform.seen
    assert (seen.chat, seen.text, seen.key, seen.reply_to) == ("ann", "hello", "d1/0", "e1")
    assert [(call.kind, call.chat) for call in platform.calls] == [("send", "ann")]


@pytest.mark.parametrize(
    ("fault", "phase", "arrives"),
    [
        (Status(429, retry_after=3.0), "not_sent", False),
        (Status(502), "not_sent", False),
        (Status(403), "not_sent", False),
        (Reset(acted=False), "unknown", False),
        (Reset(acted=True), "unknown", True),
        (HalfClose(), "unknown", True),
    ],
)
async def test_what_goes_wrong_says_what_may_have_arrived(
    fault: Fault, phase: str, arrives: bool, platform: FakePlatform
) -> None:
    platform.plan("send", fault)
    with pytest.raises(SendError) as caught:
        await send(platform)

    assert caught.value.phase == phase
    assert bool(platform.seen) is arrives
    assert platform.planned == 0
    assert await send(platform)


async def test_a_limit_says_for_how_long_and_for_whom(platform: FakePlatform) -> None:
    platform.plan("send", Status(429, retry_after=7.0, scope="adapter"))
    with pytest.raises(SendError) as caught:
        await send(platform)
    failure = caught.value.failure
    assert (failure.code, failure.retry_after, failure.scope) == (RATE_LIMITED, 7.0, "adapter")


async def test_a_late_answer_is_one(platform: FakePlatform) -> None:
    platform.plan("send", Delay(0.05))
    assert await send(platform) == "m1"


async def test_without_a_platform_nothing_was_sent(platform: FakePlatform) -> None:
    adapter = WireAdapter(1)
    with pytest.raises(SendError) as caught:
        await adapter.send("ann", PART, reply_to=None, metadata={})
    assert caught.value.phase == "not_sent"


async def test_only_an_idempotent_one_drops_a_second_copy() -> None:
    for idempotent, copies in ((True, 1), (False, 2)):
        async with FakePlatform(idempotent=idempotent).listening() as platform:
            await send(platform)
            await send(platform)
            assert len(platform.seen) == copies


async def test_the_plug_can_be_pulled(platform: FakePlatform) -> None:
    platform.cut_off(reachable=False)
    with pytest.raises(SendError):
        await send(platform)
    platform.cut_off(reachable=True)
    assert await send(platform)


async def test_what_is_written_comes_in_order_and_a_repeated_event_has_its_old_name(
    platform: FakePlatform,
) -> None:
    adapter = WireAdapter(platform.port)
    first = platform.write("ann", "one")
    platform.write("bob", "two", user="robert")
    platform.repeat(first)
    answer = await adapter._call({"kind": "poll", "after": -1}, 5.0)
    events = [adapter._event(event) for event in answer["events"]]
    assert [(event.event_id, event.text, event.origin.user_id) for event in events] == [
        ("e1", "one", "user-ann"),
        ("e2", "two", "robert"),
        ("e1", "one", "user-ann"),
    ]


async def test_a_poll_waits_for_news(platform: FakePlatform) -> None:
    adapter = WireAdapter(platform.port)
    answers = []

    async def poll() -> None:
        answers.append(await adapter._call({"kind": "poll", "after": -1}, 5.0))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            while not platform.polls:
                await trio.sleep(0.01)
            platform.write("ann", "one")
    assert len(answers[0]["events"]) == 1
    assert platform.most_polls == 1


@pytest.mark.parametrize("fault", [None, HalfClose(), Reset(acted=True), Delay(0.0)])
async def test_a_poll_ends_with_whoever_asked(fault: Fault | None, platform: FakePlatform) -> None:
    if fault is not None:
        platform.plan("poll", fault)
    stream = await trio.open_tcp_stream("127.0.0.1", platform.port)
    await stream.send_all(b'{"kind": "poll", "after": -1}\n')
    with trio.fail_after(5):
        while not platform.polls:
            await trio.sleep(0.01)
        await stream.aclose()
        while platform.polls:
            await trio.sleep(0.01)


async def test_a_message_can_be_changed_and_taken_back(platform: FakePlatform) -> None:
    adapter = WireAdapter(platform.port, edits=True)
    message_id = await send(platform)
    await adapter.edit("ann", message_id, replace(PART, text="hello again"), metadata={}, final=True)
    assert platform.read("ann") == ["hello again"]
    await adapter.delete("ann", message_id)
    assert platform.read("ann") == []
    with pytest.raises(SendError) as caught:
        await adapter.edit("ann", message_id, PART, metadata={}, final=True)
    assert caught.value.phase == "not_sent"
