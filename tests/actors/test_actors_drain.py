"""A stop in good order: intake shuts, turns finish, lanes flush, and what is left goes on in the next boot."""

import pytest
import trio
from world import PLAIN

from actors import tree
from hermes.config import model
from hermes.store import ops
from hermes.testing.fakes import FakeAdapter, FakeAgent, Hang, Reply, echo
from hermes.types import faults, texts
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from supervisors.dynamic import SupervisorRef
from supervisors.system import StopRequest


async def test_AC_42_a_running_turn_finishes_and_its_answer_is_sent(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=5.0)))
    await world.say("hello")
    await trio.sleep(1)
    began = trio.current_time()

    outcome = await world.stop()

    assert outcome.code == 0
    assert trio.current_time() - began < 5
    assert world.heard() == ["hello"]
    assert world.rows("state", "outbox") == ["sent"]


async def test_an_idle_gateway_stops_at_once(open_world, autojump_clock):
    world = await open_world()
    await world.say("hello")
    await world.settle()
    began = trio.current_time()

    await world.stop()

    assert trio.current_time() - began < 0.5


async def test_rows_that_wait_for_their_turn_wait_for_the_next_boot(open_world, autojump_clock, nursery):
    world = await open_world(FakeAgent(Reply(delay_s=5.0)))
    for text in ("one", "two"):
        await world.say(text)
    await trio.sleep(1)

    await world.stop()
    assert world.heard() == ["one"]
    assert world.rows("state") == ["answered", "routed"]
    nursery.start_soon(world.keep)
    await world.settle()

    assert world.heard() == ["one", "two"]


async def test_nothing_is_acked_during_a_drain_and_the_platform_brings_it_again(
    open_world, autojump_clock, nursery
):
    world = await open_world(FakeAgent(Reply(delay_s=5.0)))
    await world.say("one")
    await trio.sleep(1)
    nursery.start_soon(world.stop)
    await trio.sleep(1)

    nursery.start_soon(world.say, "two")
    await world.boot.ended.wait()
    assert world.counts.received == 1
    nursery.start_soon(world.keep)
    await world.until(lambda: world.heard() == ["one", "two"])


async def test_a_decision_that_meets_the_drain_starts_no_turn(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=5.0), otherwise=Hang()))
    await world.say("one", "a")
    await trio.sleep(1)

    def stop(point):
        if point == "after_decision":
            world.boot.system.request_stop(StopRequest(0, "the test"))

    faults.arm(stop)
    await world.say("two", "b")
    await world.boot.ended.wait()

    assert world.heard("a") == ["one"]
    assert world.rows("state") == ["answered", "routed"]


async def test_nothing_is_decided_during_a_drain(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("one", "a")
    await trio.sleep(1)
    world.boot.system.request_stop(StopRequest(0, "the test"))
    await trio.sleep(1)

    late = InboundEvent("late", Origin("fake", "b"), "two", trio.current_time(), TraceId("t"))
    world.services.store.post(ops.Accept((late,)))
    await world.boot.ended.wait()

    assert world.rows("state") == ["routed", "accepted"]


class Slow(FakeAdapter):
    """So many seconds for each message."""

    def __init__(self, seconds):
        super().__init__()
        self._seconds = seconds

    async def send(self, chat_id, part, *, reply_to, metadata):
        await trio.sleep(self._seconds)
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


@pytest.mark.parametrize(
    ("drain_s", "state", "heard"),
    [(15.0, "sent", "one"), (8.0, "unknown", f"{texts.RESENT_MARK}one")],
    ids=["the drain waits for it", "it is cut off, and may have arrived"],
)
async def test_AC_42_a_send_of_ten_seconds_is_neither_lost_nor_doubled_unmarked(
    drain_s, state, heard, open_world, autojump_clock, nursery
):
    world = await open_world(platform=Slow(10), config=model.Config(drain_timeout_s=drain_s))
    await world.say("one")
    await world.until(lambda: world.rows("state", "outbox") == ["sending"])
    assert world.heard() == []

    await world.stop()

    assert world.rows("state", "outbox") == [state]
    nursery.start_soon(world.keep)
    await world.until(lambda: world.heard() == [heard])
    await world.settle()
    assert world.heard() == [heard]


async def test_AC_42_a_lane_sends_what_it_has(open_world, autojump_clock):
    world = await open_world(platform=Slow(2))
    for text in ("one", "two", "three"):
        await world.say(text)
    await world.until(lambda: world.counts.answered == 3)

    await world.stop()

    assert world.heard() == ["one", "two", "three"]


async def test_a_lane_whose_chat_is_out_of_reach_holds_up_nothing(open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    world.platform.crash(ValueError("a bug"))
    await world.say("hello")
    await world.settle()
    world.platform.failures = [ConnectionError("gone")] * 100
    await world.say("again")
    await trio.sleep(1)
    began = trio.current_time()

    await world.stop()

    assert trio.current_time() - began < world.config.drain_timeout_s


@pytest.mark.parametrize("seconds", [15.0, 3.0])
async def test_AC_41_a_turn_that_hangs_ends_with_the_drain_time_and_goes_on_in_the_next_boot(
    seconds, open_world, autojump_clock, nursery
):
    world = await open_world(FakeAgent(Hang()), config=model.Config(drain_timeout_s=seconds))
    await world.say("hello")
    await trio.sleep(1)
    began = trio.current_time()

    outcome = await world.stop()

    assert outcome.code == 0
    assert seconds <= trio.current_time() - began < seconds + 1
    assert world.rows("state") == ["routed"]
    nursery.start_soon(world.keep)
    await world.settle()
    assert world.heard() == ["hello"]


async def test_AC_42_a_turn_cut_by_three_planned_stops_counts_no_death(open_world, autojump_clock, nursery):
    world = await open_world(
        FakeAgent(Hang(), Hang(), Hang(), Reply()), config=model.Config(drain_timeout_s=1.0)
    )
    await world.say("hello")

    for _ in range(3):
        await trio.sleep(1)
        await world.stop()
        nursery.start_soon(world.keep)
        await world.up()
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.rows("state, crashes, boots") == [("answered", 0, 0)]


async def test_a_session_that_an_operator_restarts_in_a_turn_goes_on_and_counts_no_death(
    open_world, autojump_clock
):
    world = await open_world(FakeAgent(Hang(), Hang(), Hang(), Reply()))
    await world.say("hello")
    sessions = SupervisorRef(world.boot.system.registry.ref(tree.SESSIONS))

    for _ in range(3):
        await trio.sleep(1)
        await sessions.restart_child(world.key(), 60)
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.rows("state, crashes, boots") == [("answered", 0, 0)]
    assert world.incarnations()[world.session()] == 4


async def test_AC_42_an_adapter_says_goodbye_while_it_is_still_connected(open_world, autojump_clock):
    class Polite(FakeAdapter):
        """Remembers whether it was connected when it said goodbye."""

        goodbye = None

        async def disconnect(self):
            self.goodbye = self._io is not None

    world = await open_world(FakeAgent(Reply(echo)), platform=Polite())

    await world.stop()

    assert world.platform.goodbye is True


async def test_a_session_restarted_during_the_drain_holds_it_up_no_longer(
    open_world, autojump_clock, nursery
):
    world = await open_world(FakeAgent(Hang()))
    await world.say("hello")
    await trio.sleep(1)
    sessions = SupervisorRef(world.boot.system.registry.ref(tree.SESSIONS))
    nursery.start_soon(world.stop)
    await trio.sleep(1)
    began = trio.current_time()

    await sessions.restart_child(world.key(), 60)
    await world.boot.ended.wait()

    assert trio.current_time() - began < 5
    assert world.rows("state, crashes") == [("routed", 0)]
