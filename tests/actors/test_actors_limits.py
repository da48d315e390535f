"""What a platform takes: rates, and windows in which it wants no call of any kind (AC-43). AC-20: one way out."""

import re
from collections import Counter
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest
import trio
from agents import Typist
from world import IDEMPOTENT

from actors.ports.places import MOST, PLACES, SLOW_S, Places
from hermes.testing.fakes import FakeAdapter, FakeAgent, Reply
from hermes.types import texts
from hermes.types.content import Capabilities, Rate
from hermes.types.errors import RATE_LIMITED, Failure, SendError

PLAIN = Capabilities(authenticated=True, streaming=("draft",), own_page=True)
LONG = Capabilities(authenticated=True, idempotent_send=True, max_length=10, chat_rate=Rate(2, 1.0))


class Strict(FakeAdapter):
    """Notes the moment and the kind of every call that is made to it, by chat."""

    def __init__(self, capabilities=PLAIN):
        super().__init__(capabilities=capabilities)
        self.calls = []

    async def send(self, chat_id, part, *, reply_to, metadata):
        self.calls.append((trio.current_time(), chat_id, "send"))
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    async def draft(self, chat_id, draft):
        self.calls.append((trio.current_time(), chat_id, "draft"))
        await super().draft(chat_id, draft)

    async def typing(self, chat_id, thread_id, on):
        self.calls.append((trio.current_time(), chat_id, "typing"))
        await super().typing(chat_id, thread_id, on)

    def within(self, begin, end, chat=None):
        return [call for call in self.calls if begin < call[0] < end and chat in (None, call[1])]


def flood(seconds, scope="chat"):
    return SendError(Failure(RATE_LIMITED, scope=scope, retry_after=seconds), "not_sent")


async def test_AC43_in_a_window_a_chat_gets_no_call_of_any_kind_and_others_flow(open_world, autojump_clock):
    platform = Strict()
    world = await open_world(Typist(pieces=20, every_s=1.0), platform=platform)
    platform.failures.append(flood(30.0))
    for text in (
        "first",
        "second",
    ):  # the second one is worked on, typed and drafted while the window is open
        await world.say(text)
    await world.until(lambda: not platform.failures)
    began = trio.current_time()
    await world.say("hello", chat="2")
    await trio.sleep(29)

    assert platform.within(began, began + 29.5, chat="1") == []
    assert {kind for _, _, kind in platform.within(began, began + 29.5, chat="2")} == {
        "typing",
        "draft",
        "send",
    }
    await world.settle()
    assert len(world.heard("1")) == 2


async def test_AC43_a_window_of_the_bot_holds_for_all_its_chats_and_ends_no_adapter(
    open_world, autojump_clock
):
    platform = Strict()
    world = await open_world(platform=platform)
    platform.failures.append(flood(20.0, scope="adapter"))
    for chat in ("1", "2", "3"):
        await world.say("hello", chat=chat)
    await world.until(lambda: bool(platform.calls))
    began = platform.calls[0][0]
    await trio.sleep(60)
    await world.settle()

    assert len(platform.within(began + 0.01, began + 20)) == 0
    assert [world.heard(chat) for chat in ("1", "2", "3")] == [["hello"]] * 3
    assert world.incarnations()["root/gateway/adapters/fake:default"] == 1


async def test_AC43_what_is_exactly_obeyed_is_the_platforms_own_time(open_world, autojump_clock):
    platform = Strict()
    world = await open_world(platform=platform)
    platform.failures.append(flood(12.5))
    await world.say("hello")
    await world.settle()

    first, second = (at for at, _, kind in platform.calls if kind == "send")
    assert 12.5 <= second - first < 12.6


async def test_AC43_no_crash_of_adapter_lane_or_process_shortens_a_window(open_world, autojump_clock):
    platform = Strict()
    world = await open_world(platform=platform)
    platform.failures.append(flood(300.0))
    await world.say("hello")
    await world.until(lambda: not platform.failures)
    began = trio.current_time()
    platform.crash(ValueError("a bug"))
    await trio.sleep(40)
    await world.kill()
    await world.say("again")
    await trio.sleep(100)

    assert world.heard() == []
    await world.settle()
    assert [at - began >= 299.9 for at, _, kind in platform.calls if kind == "send"] == [False, True, True]
    assert world.heard() == ["hello", "again"]


async def test_a_rate_is_kept_over_the_parts_of_a_message_and_its_row_is_not_taken_for_unknown(
    open_world, autojump_clock
):
    platform = Strict(LONG)
    world = await open_world(FakeAgent(Reply(lambda _turn: "word " * 10)), platform=platform)
    await world.say("hello")
    await world.until(lambda: len(platform.sent) == 2)
    await trio.sleep(0.5)
    assert world.rows("state, parts_sent, attempts", "outbox") == [("prepared", 2, 0)]
    await world.settle()

    sent = [at for at, _, kind in platform.calls if kind == "send"]
    assert [round(later - first, 1) for first, later in pairwise(sent)] == [0, 1, 1, 1]
    assert " ".join(world.heard()).split() == ["word"] * 10


async def test_a_window_that_a_draft_hears_of_holds_for_the_answer_too(open_world, autojump_clock):
    class Touchy(Strict):
        async def draft(self, chat_id, draft):
            self.calls.append((trio.current_time(), chat_id, "draft"))
            raise flood(25.0)

    platform = Touchy()
    world = await open_world(Typist(pieces=5, every_s=1.0), platform=platform)
    await world.say("hello")
    await world.settle()

    (draft,) = [at for at, _, kind in platform.calls if kind == "draft"]
    assert platform.within(draft, draft + 24.9) == []
    assert len(world.heard()) == 1


async def test_AC20_only_a_lane_is_given_the_way_out(open_world, autojump_clock):
    world = await open_world()
    ctx = type("Foreign", (), {"path": "root/gateway/cron"})()

    with pytest.raises(PermissionError, match="root/gateway/cron is no lane"):
        world.services.adapters.wire(ctx, "fake", "default")
    assert not hasattr(world.services.adapters.find("fake", "default"), "send")


def test_AC20_no_other_module_sends() -> None:
    root = Path(__file__).parents[2]
    callers = {
        str(path.relative_to(root))
        for folder in ("actors", "hermes")
        for path in (root / folder).rglob("*.py")
        if re.search(
            r"adapters\.wire\(|\bWire\(|_adapter\.(send|edit|delete|draft|typing)\b", path.read_text()
        )
    }
    assert callers == {"actors/delivery.py", "actors/ports/adapters.py", "actors/ports/wire.py"}


class Slow(FakeAdapter):
    """What it is sent arrives, and it says so when it is allowed to."""

    def __init__(self, capabilities=PLAIN):
        super().__init__(capabilities=capabilities)
        self.says_so = trio.Event()

    async def send(self, chat_id, part, *, reply_to, metadata):
        result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
        await self.says_so.wait()
        return result


CROWD = [str(number) for number in range(PLACES + 10)]


async def test_AC27_a_kill_doubts_no_more_messages_than_there_are_places(open_world, autojump_clock):
    platform = Slow()
    world = await open_world(platform=platform)
    for chat in CROWD:
        await world.say("hello", chat=chat)
    await trio.sleep(SLOW_S - 0.1)
    assert Counter(world.rows("state", "outbox")) == {"sending": PLACES, "prepared": 10}
    platform.says_so.set()
    await world.kill()
    await world.settle()

    marked = ["hello", texts.RESENT_MARK + "hello"]
    assert Counter(len(world.heard(chat)) for chat in CROWD) == {1: 10, 2: PLACES}
    assert all(world.heard(chat) in (["hello"], marked) for chat in CROWD)


class Hanging(FakeAdapter):
    """Never answers about what goes to some chats."""

    def __init__(self, hangs):
        super().__init__(capabilities=PLAIN)
        self.hangs = set(hangs)

    async def send(self, chat_id, part, *, reply_to, metadata):
        if chat_id in self.hangs:
            await trio.sleep_forever()
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


async def test_those_that_hang_hold_up_no_other_chat_for_longer_than_a_few_seconds(
    open_world, autojump_clock
):
    world = await open_world(platform=Hanging(CROWD[:PLACES]))
    for chat in CROWD:
        await world.say("hello", chat=chat)
    await trio.sleep(SLOW_S + 1)
    assert [world.heard(chat) for chat in CROWD[PLACES:]] == [["hello"]] * 10
    assert Counter(world.rows("state", "outbox")) == {"sending": PLACES, "sent": 10}


async def test_AC27_of_those_that_hang_no_more_are_in_doubt_than_is_said(open_world, autojump_clock):
    crowd = [str(number) for number in range(MOST + 5)]
    world = await open_world(platform=Hanging(crowd))
    for chat in crowd:
        await world.say("hello", chat=chat)
    await trio.sleep(25)
    assert Counter(world.rows("state", "outbox")) == {"sending": MOST, "prepared": 5}


async def test_a_long_message_that_moves_is_none_that_hangs(autojump_clock):
    places = Places(bounded=True)
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(places.take()) for _ in range(PLACES)]
        for _ in range(5):
            with trio.move_on_after(SLOW_S - 0.5) as waited:
                async with places.take():
                    pass
            assert waited.cancelled_caught
            for place in held:
                place.moved()
        with trio.fail_after(SLOW_S + 0.1):
            async with places.take():
                pass


async def test_where_second_copies_are_dropped_nobody_waits_for_a_place(open_world, autojump_clock):
    platform = Slow(IDEMPOTENT)
    world = await open_world(platform=platform)
    for chat in CROWD:
        await world.say("hello", chat=chat)
    await trio.sleep(5)

    assert len(platform.sent) == len(CROWD)
    platform.says_so.set()


async def test_AC43_who_has_waited_for_a_place_keeps_to_the_rate(open_world, autojump_clock):
    rate = Rate(PLACES + 1, 100.0)
    platform = Slow(Capabilities(authenticated=True, bot_rate=rate))
    world = await open_world(platform=platform)
    for chat in CROWD:
        await world.say("hello", chat=chat)
    await trio.sleep(5)
    platform.says_so.set()
    await trio.sleep(80)
    assert len(platform.sent) == rate.burst
    await world.settle(within_s=2000)

    assert [world.heard(chat) for chat in CROWD] == [["hello"]] * len(CROWD)
