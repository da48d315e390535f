"""Lanes: order, patience, backoff, second copies, drafts, expiry."""

from itertools import pairwise

import pytest
import trio
from agents import Typist
from wires import Silent
from world import IDEMPOTENT, PLAIN

from hermes.config import model
from hermes.store import queries
from hermes.testing.fakes import FakeAdapter, FakeAgent, Reply
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import UNREACHABLE, Failure, SendError


class Phones(FakeAdapter):
    """A platform whose people are away until they are not; remembers when it showed each draft."""

    def __init__(self, capabilities=IDEMPOTENT, away=()):
        super().__init__(capabilities=capabilities)
        self.away = set(away)
        self.drafted_at = []

    async def send(self, chat_id, part, *, reply_to, metadata):
        if chat_id in self.away:
            raise SendError(Failure(UNREACHABLE, scope="chat"), "not_sent")
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)

    async def draft(self, chat_id, draft):
        self.drafted_at.append(trio.current_time())
        await super().draft(chat_id, draft)

    def back(self, chat_id):
        self.away.discard(chat_id)
        self._io.chat_up(chat_id)


def again(code="busy", **kwargs):
    return SendError(Failure(code, **kwargs), "not_sent")


async def test_a_chat_that_cannot_be_reached_costs_no_attempts_and_is_served_when_it_is_up(
    open_world, autojump_clock
):
    world = await open_world(platform=Phones(away="1"))
    for text in ("one", "two"):
        await world.say(text)

    for _ in range(5):
        await trio.sleep(59)
        assert world.rows("state, attempts", "outbox") == [("prepared", 0)] * 2
    world.platform.back("1")
    await world.settle(within_s=1)

    assert world.heard() == ["one", "two"]


async def test_a_chat_that_cannot_be_reached_holds_up_no_other(open_world, autojump_clock):
    world = await open_world(platform=Phones(away="1"))
    await world.say("one", "1")
    await world.say("two", "2")

    await world.until(lambda: world.heard("2") == ["two"], within_s=1)


async def test_a_send_that_is_refused_is_tried_again_later_and_in_order(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures = [again(), again(), again("flood", retry_after=100.0)]
    began = trio.current_time()
    for text in ("one", "two"):
        await world.say(text)

    await world.settle()

    assert world.heard() == ["one", "two"]
    assert world.rows("state, attempts", "outbox") == [("sent", 4), ("sent", 1)]
    assert trio.current_time() - began > 102


async def test_a_message_that_can_never_be_sent_makes_way_for_the_next(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures = [again("forbidden", severity="needs_operator")]
    for text in ("one", "two"):
        await world.say(text)

    await world.settle()

    assert world.heard() == ["two"]
    assert world.rows("state, failure", "outbox") == [("dead", "forbidden"), ("sent", "")]
    assert world.look(queries.outbox_counts)["dead"] == 1


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_send_without_an_answer_is_sent_once_more_with_a_mark(arrives, open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures = [SendError(Failure("timeout"), "unknown")]
    world.platform.unknown_arrives = arrives

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello"] * arrives + [texts.RESENT_MARK + "hello"]


async def test_a_send_that_is_unknown_twice_is_a_dead_letter(open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures = [SendError(Failure("timeout"), "unknown")] * 2

    for text in ("one", "two"):
        await world.say(text)
    await world.settle()

    assert world.heard() == ["one", texts.RESENT_MARK + "one", "two"]
    assert world.rows("state", "outbox") == ["dead", "sent"]


async def test_a_send_that_never_returns_is_unknown_after_its_deadline(open_world, autojump_clock):
    world = await open_world(platform=Silent())
    began = trio.current_time()

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello", texts.RESENT_MARK + "hello"]
    assert 30 <= trio.current_time() - began < 31


async def test_a_send_that_fails_without_a_name_is_unknown_and_a_fault_of_the_adapter(
    open_world, autojump_clock
):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures = [ValueError("a bug")]

    await world.say("hello")
    await world.settle()

    assert world.heard() == [texts.RESENT_MARK + "hello"]
    assert world.platform.connects == 2


async def test_a_long_message_goes_on_at_the_part_without_a_receipt(open_world, autojump_clock):
    small = Capabilities(max_length=40, authenticated=True, idempotent_send=True)
    text = " ".join(f"word{n}" for n in range(20))
    world = await open_world(FakeAgent(Reply(lambda _: text)), capabilities=small)
    world.crash_at("after_receipt", 2)

    await world.say("hello")
    await world.settle()

    assert len(world.platform.sent) > 3
    assert "".join(sent.part.text for sent in world.platform.sent) == text
    assert [sent.part.index for sent in world.platform.sent] == list(range(len(world.platform.sent)))


async def test_each_part_has_its_own_second_copy(open_world, autojump_clock):
    room = 40 + len(texts.RESENT_MARK)
    text = " ".join(f"word{n}" for n in range(10))
    world = await open_world(
        FakeAgent(Reply(lambda _: text)), capabilities=Capabilities(max_length=room, authenticated=True)
    )
    lost = SendError(Failure("timeout"), "unknown")
    world.platform.failures = [lost, None, lost]

    await world.say("hello")
    await world.settle()

    first, second = text[:36], text[36:]
    mark = texts.RESENT_MARK
    assert world.heard() == [first, mark + first, second, mark + second]
    assert world.rows("state", "outbox") == ["sent"]


async def test_drafts_come_newest_first_no_oftener_than_asked_and_never_after_the_answer(
    open_world, autojump_clock
):
    world = await open_world(Typist(100, every_s=0.05), platform=Phones())

    await world.say("hello")
    began = trio.current_time()
    await world.settle()
    shown = [draft.text for _, draft in world.platform.drafts]
    await trio.sleep(10)

    times = world.platform.drafted_at
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 6 <= len(shown) <= 8
    assert min(gaps) >= world.platform.capabilities.draft_interval_s - 1e-6
    written = [(at - began) / 0.05 for at in times]
    assert all(abs(len(text.split()) - n) <= 2 for text, n in zip(shown, written, strict=True))
    assert [draft.text for _, draft in world.platform.drafts] == shown


@pytest.mark.parametrize(("history", "end"), [(True, ("sent", "stored")), (False, ("dead", "expired"))])
async def test_a_message_past_its_time_ends(history, end, open_world, autojump_clock):
    phones = Phones(Capabilities(authenticated=True, history=history), away="1")
    world = await open_world(platform=phones, config=model.Config(delivery=model.Delivery(ttl_s=100.0)))
    await world.say("hello")

    await trio.sleep(95)
    assert world.rows("state", "outbox") == ["prepared"]
    await world.settle(within_s=70)

    assert world.rows("state, failure", "outbox") == [end]


async def test_a_send_that_returns_no_receipt_is_unknown_and_a_fault_of_the_adapter(
    open_world, autojump_clock
):
    class Careless(FakeAdapter):
        async def send(self, chat_id, part, *, reply_to, metadata):
            result = await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)
            return result if len(self.sent) > 1 else None

    world = await open_world(platform=Careless(capabilities=PLAIN))

    await world.say("hello")
    await world.settle()

    assert world.heard() == ["hello", texts.RESENT_MARK + "hello"]
    assert world.platform.connects == 2
    assert world.tree()[world.lane()].incarnation == 1


async def test_law_C5_a_disabled_lane_gets_another_chance_after_ten_minutes(open_world, autojump_clock):
    world = await open_world(platform=Phones(away="1"))
    await world.say("hello")
    while world.state(world.lane()) != "disabled":
        await world.until(lambda: world.state(world.lane()) in {"running", "disabled"})
        if world.state(world.lane()) == "running":
            world.crash(world.lane())
            await trio.sleep(0.01)
    world.platform.back("1")

    await world.settle(within_s=610)

    assert world.heard() == ["hello"]


async def test_a_chat_that_is_away_is_not_tried_at_every_sweep(open_world, autojump_clock):
    platform = Phones(away="1")
    world = await open_world(platform=platform)
    await world.say("hello")
    for _ in range(5):
        await trio.sleep(10)
        assert world.incarnations()[world.lane()] == 1
    await trio.sleep(600)
    assert world.rows("state, attempts", "outbox") == [("prepared", 0)]
    world.platform.away.clear()  # and nobody says so
    await world.settle(within_s=70)
    assert world.heard() == ["hello"]


async def test_no_lane_is_awake_for_an_adapter_that_is_paused(open_world, autojump_clock):
    world = await open_world(platform=Phones(away="1"))
    await world.say("hello")
    await trio.sleep(1)
    await world.services.overview.pause("fake")
    await trio.sleep(700)

    assert world.lane() not in world.tree()
    world.platform.away.clear()
    await world.services.overview.resume("fake")
    await world.settle(within_s=5)
    assert world.heard() == ["hello"]
