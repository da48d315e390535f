"""What delivery promises, in virtual time and in the whole tree: AC-13, AC-21, AC-22, AC-25, AC-26, and that others flow."""

from dataclasses import replace

import pytest
import trio
from world import ADAPTER, IDEMPOTENT, PLAIN, QUEUE

from hermes.config.model import Config, Delivery
from hermes.store import queries
from hermes.store.people_ops import Forget, Traces
from hermes.testing.fakes import FakeAdapter, FakeAgent, Reply
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, GatewayError, SendError

LINE_DOWN = GatewayError(Failure("unreachable", scope="adapter"))
REVOKED = GatewayError(Failure("unauthorized", "needs_operator", "adapter"))
POINTS = (
    "before_turn_commit",
    "after_turn_commit",
    "before_send",
    "after_send_before_receipt",
    "after_receipt",
)
PARTS = 5


class Down(FakeAdapter):
    """Its line is down for a while: every attempt to connect or to send fails at once, with nothing sent."""

    def __init__(self, platform="fake", capabilities=PLAIN):
        super().__init__(platform, capabilities)
        self.down = False

    async def connect(self, io, *, task_status):
        await trio.lowlevel.checkpoint()
        if self.down:
            raise LINE_DOWN
        await super().connect(io, task_status=task_status)

    async def send(self, chat_id, part, *, reply_to, metadata):
        if self.down:
            raise SendError(LINE_DOWN.failure, "not_sent")
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


def plain(texts_read):
    """Without the marks of second copies."""
    return [one.removeprefix(texts.RESENT_MARK) for one in texts_read]


async def test_AC21_what_waits_goes_out_within_a_second_after_the_adapter_is_up(open_world, autojump_clock):
    platform = Down()
    world = await open_world(platform=platform)
    platform.down = True
    platform.crash(LINE_DOWN)
    await world.until(lambda: world.state(ADAPTER) == "backoff", every_s=0.001)
    for number in range(20):
        await world.services.router.deliver(f"hello {number}", f"fake:{number}")
    await trio.sleep(300)
    assert platform.sent == []

    platform.down = False
    await world.up(within_s=700)
    await trio.sleep(1.0)
    assert len(platform.sent) == 20


async def test_AC21_what_may_be_tried_again_is_tried_by_the_clock_without_any_restart(
    open_world, autojump_clock
):
    world = await open_world()
    world.platform.failures = [SendError(Failure("server_error"), "not_sent")] * 5
    await world.services.router.deliver("hello", "fake:1")
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.platform.connects == 1


@pytest.mark.parametrize("k", range(PARTS))
@pytest.mark.parametrize("ambiguous", [False, True])
async def test_AC22_a_part_that_fails_is_where_it_goes_on(k, ambiguous, open_world, autojump_clock):
    capabilities = Capabilities(authenticated=True, max_length=10 + len(texts.RESENT_MARK))
    text = " ".join(f"part {n:04}" for n in range(PARTS))
    world = await open_world(FakeAgent(Reply(lambda _turn: text)), capabilities=capabilities)
    failure = SendError(Failure("timeout"), "unknown" if ambiguous else "not_sent")
    world.platform.failures = [None] * k + [failure]
    world.platform.unknown_arrives = True
    await world.say("hello")
    await world.settle()

    indices = [sent.part.index for sent in world.platform.sent]
    marked = [sent.part.text.startswith(texts.RESENT_MARK) for sent in world.platform.sent]
    if ambiguous:  # it had arrived: its copy says so, and no other part is sent twice
        assert indices == [*range(k + 1), *range(k, PARTS)]
        assert marked == [n == k + 1 for n in range(PARTS + 1)]
    else:
        assert indices == list(range(PARTS))
        assert not any(marked)
    assert " ".join(dict.fromkeys(plain(world.heard()))).split() == text.split()
    assert len(world.rows("outbox_row_id * 100 + part AS row_id", "receipts")) == PARTS


@pytest.mark.parametrize("k", range(1, PARTS + 1))
async def test_AC22_a_kill_between_parts_resends_none_that_has_its_receipt(k, open_world, autojump_clock):
    capabilities = Capabilities(authenticated=True, max_length=10 + len(texts.RESENT_MARK))
    text = " ".join(f"part {n:04}" for n in range(PARTS))
    world = await open_world(FakeAgent(Reply(lambda _turn: text)), capabilities=capabilities)
    world.kill_at("after_receipt", k)
    await world.say("hello")
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.settle()

    assert [sent.part.index for sent in world.platform.sent] == list(range(PARTS))
    assert " ".join(plain(world.heard())).split() == text.split()


@pytest.mark.parametrize("end", [LINE_DOWN, REVOKED], ids=["backoff", "disabled"])
async def test_AC25_an_answer_for_an_adapter_that_is_not_up_waits_for_it(end, open_world, autojump_clock):
    platform = Down()
    world = await open_world(FakeAgent(Reply(delay_s=5.0)), platform=platform)
    await world.say("hello")
    platform.crash(end)
    platform.down = end is LINE_DOWN
    await trio.sleep(30)
    assert world.counts.answered == 1
    assert (platform.sent, world.rows("state, attempts", "outbox")) == ([], [("prepared", 0)])

    platform.down = False
    await world.services.overview.resume("fake")
    await world.settle()
    assert world.heard() == ["hello"]


async def test_AC25_nobody_is_there_yet_when_the_process_begins(open_world, autojump_clock):
    platform = Down()
    world = await open_world(platform=platform)
    world.kill_at("before_send")
    await world.say("hello")
    platform.down = True
    await world.until(lambda: len(world.boots) == 2)
    await trio.sleep(60)
    platform.down = False
    await world.settle()

    assert plain(world.heard()) == ["hello"]


@pytest.mark.parametrize("capabilities", [PLAIN, IDEMPOTENT], ids=["plain", "idempotent"])
async def test_AC26_a_hundred_restarts_show_each_message_once_or_marked(
    capabilities, open_world, autojump_clock
):
    """A third of them kills, each at another of the points of a message's way."""
    world = await open_world(capabilities=capabilities)
    said = 0
    for restart in range(100):
        boots = len(world.boots)
        if restart % 3 == 0:
            world.kill_at(POINTS[restart // 3 % len(POINTS)], 1 + restart % 2)
        for chat in ("1", "2"):
            await world.say(f"{said}", chat)
        said += 1
        if restart % 3 == 0:
            with trio.move_on_after(5):
                while len(world.boots) == boots:
                    await trio.sleep(0.05)
        if len(world.boots) == boots:
            world.restart() if restart % 2 else world.boot.kill()
        await world.until(lambda boots=boots: len(world.boots) > boots)
        await world.up()
    await world.settle()

    assert len(world.boots) >= 101
    for chat in ("1", "2"):
        read = world.heard(chat)
        unmarked = [one for one in read if not one.startswith(texts.RESENT_MARK)]
        assert len(unmarked) == len(set(unmarked)), "a second copy without a mark"
        assert list(dict.fromkeys(plain(read))) == [str(n) for n in range(said)]
        if capabilities is IDEMPOTENT:
            assert read == unmarked


@pytest.mark.parametrize("capabilities", [PLAIN, IDEMPOTENT], ids=["plain", "idempotent"])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("point", POINTS)
async def test_AC13_a_kill_between_answer_and_receipt_leaves_never_zero_copies(
    point, nth, capabilities, open_world, autojump_clock
):
    world = await open_world(capabilities=capabilities)
    world.kill_at(point, nth)
    for number in range(4):
        await world.say(str(number))
        await trio.sleep(0.1)
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.settle()

    read = world.heard()
    assert list(dict.fromkeys(plain(read))) == ["0", "1", "2", "3"]
    assert all(read.count(one) == 1 for one in read if not one.startswith(texts.RESENT_MARK))


async def test_a_platform_that_is_down_for_a_minute_holds_up_nobody_else(open_world, autojump_clock):
    platform, other = Down(), Down("other")
    world = await open_world(platform=platform, others=[other])
    platform.down = True
    platform.crash(LINE_DOWN)
    for number in range(5):
        await world.services.router.deliver(f"late {number}", "fake:1")
    waits = []
    for number in range(60):
        began = trio.current_time()
        await other.receive(f"hello {number}", "9")
        await world.until(lambda number=number: len(other.sent) > number, within_s=2, every_s=0.01)
        waits.append(trio.current_time() - began)
        await trio.sleep(1.0 - waits[-1])

    assert platform.sent == []
    assert max(waits) < 0.2
    assert world.incarnations()["root/gateway/adapters/other:default"] == 1
    platform.down = False
    await world.settle()
    assert platform.texts == [f"late {number}" for number in range(5)]


async def test_AC43_a_window_that_opens_while_another_chat_is_about_to_send_holds_it_back_too(
    open_world, autojump_clock
):
    """Both lanes have found the way free and committed ``sending``; then the first one hears of the bot's window."""

    class Slow(FakeAdapter):
        def __init__(self):
            super().__init__(capabilities=PLAIN)
            self.calls = []

        async def send(self, chat_id, part, *, reply_to, metadata):
            self.calls.append((trio.current_time(), chat_id))
            return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    platform = Slow()
    world = await open_world(platform=platform)
    flood = Failure("rate_limited", scope="adapter", retry_after=30.0)
    platform.failures = [SendError(flood, "not_sent")]
    write = world.boot.store.write

    async def late(op):
        """The second chat's commit takes its time."""
        done = await write(op)
        if type(op).__name__ == "Sending" and platform.calls:
            await trio.sleep(0.01)
        elif type(op).__name__ == "Sending":
            await trio.sleep(0.001 * op.row_id)
        return done

    world.boot.store.write = late
    for chat in ("1", "2", "3"):
        await world.services.router.deliver("hello", f"fake:{chat}")
    await world.settle()

    first = platform.calls[0][0]
    assert [at for at, _ in platform.calls if first < at < first + 29.9] == []
    assert [world.heard(chat) for chat in ("1", "2", "3")] == [["hello"]] * 3


async def test_what_was_on_its_way_at_a_kill_expires_though_its_platform_never_comes_back(
    open_world, autojump_clock
):
    """A row in ``sending`` belongs to its lane and expires for nobody; a lane that waits for the platform left it so."""
    platform = Down(capabilities=PLAIN)
    world = await open_world(platform=platform, config=Config(display=QUEUE, delivery=Delivery(ttl_s=600.0)))
    world.kill_at("before_send")
    await world.say("hello")
    platform.down = True
    await world.until(lambda: len(world.boots) == 2)
    await trio.sleep(60)
    assert world.rows("state", "outbox") == ["unknown"]
    await trio.sleep(world.config.delivery.ttl_s + 120)
    ((state, failure),) = world.rows("state, failure", "outbox")
    assert (state, failure.endswith("; then expired")) == ("dead", True)
    assert world.look(queries.open_lanes) == []


async def test_a_message_that_is_forgotten_while_it_leaves_is_sent_no_further(open_world, autojump_clock):
    class Forgets(FakeAdapter):
        async def send(self, chat_id, part, *, reply_to, metadata):
            result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
            here = (("fake", "default", "1"),)
            traces = Traces((), (), (), here, (), ())
            await world.services.store.write(Forget(traces, "somebody", "operator", 0.0))
            return result

    platform = Forgets(capabilities=replace(IDEMPOTENT, max_length=5))
    world = await open_world(platform=platform)
    await world.services.router.deliver("one  two  three", "fake:1")
    await world.settle()
    assert [text.strip() for text in platform.texts] == ["one"]


async def test_a_draft_that_fails_before_it_is_awaited_costs_no_message(open_world, autojump_clock):
    """A plug-in's method need not be a coroutine function."""

    class Odd(FakeAdapter):
        def draft(self, chat_id, draft):
            raise TypeError("no draft")

        def typing(self, chat_id, thread_id, on):
            raise TypeError("no typing")

    platform = Odd(capabilities=IDEMPOTENT)
    world = await open_world(FakeAgent(Reply(delay_s=30.0)), platform=platform)
    await world.say("hello")
    await world.settle(within_s=60)  # a lane that ends too often would rest for ten minutes
    assert world.heard() == ["hello"]
