"""What a commit has found is not looked for again: fewer reads, and nothing missed, doubled or out of order for it."""

import pytest
import trio
from world import QUEUE

from actors import inbound
from actors.inbound import SWEEP_S
from actors.ports.conversations import News
from hermes.config.model import Config, Display, Limits
from hermes.store import ops
from hermes.store.memory import MemoryStore
from hermes.store.people_ops import Forget, Traces
from hermes.testing.fakes import EPOCH_S, FakeAgent, Reply
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionId, TraceId
from hermes.types.origin import DEFAULT_ACCOUNT, Origin, lane_key
from supervisors.mailbox import Outcome

LANE = lane_key("fake", DEFAULT_ACCOUNT, "1")


@pytest.fixture
def reads(monkeypatch):
    """The names of the queries that were run for themselves."""
    names, read = [], MemoryStore.read

    async def noted(store, query, /, *args, **kwargs):
        names.append(query.__name__)
        return await read(store, query, *args, **kwargs)

    monkeypatch.setattr(MemoryStore, "read", noted)
    return names


def said(chat, n=0):
    return InboundEvent(
        f"{chat}-{n}", Origin("fake", chat, user_id=chat), f"{chat}-{n}", EPOCH_S, TraceId(f"{chat}-{n}")
    )


async def test_a_message_to_an_idle_conversation_is_looked_for_once(reads, open_world, autojump_clock):
    world = await open_world()
    await world.say("one")
    await world.settle()
    reads.clear()

    await world.say("two")
    await world.settle(within_s=1)

    assert world.heard() == ["one", "two"]
    assert reads == ["accepted_of"]


async def test_many_chats_are_read_at_once_and_each_in_order(reads, open_world, autojump_clock):
    chats = [f"c{n}" for n in range(30)]
    world = await open_world(config=Config(display=QUEUE))

    await world.platform.hand_in(*[said(chat, n) for n in range(3) for chat in chats])
    await world.settle()

    for chat in chats:
        assert world.heard(chat) == [f"{chat}-{n}" for n in range(3)]
    assert reads.count("accepted_of") == 1


async def test_AC17_what_waits_behind_a_turn_is_known_at_its_end(reads, open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=5.0)), config=Config(display=QUEUE))
    await world.say("0")
    await trio.sleep(1)
    for n in range(1, 20):
        await world.say(str(n))
    await trio.sleep(1)
    reads.clear()
    await world.settle()

    assert world.heard() == [str(n) for n in range(20)]
    assert "open_work" not in reads


async def test_several_messages_that_come_to_a_busy_conversation_at_once_cost_it_no_look(
    reads, open_world, autojump_clock
):
    world = await open_world(FakeAgent(Reply(delay_s=5.0)), config=Config(display=QUEUE))
    await world.say("0")
    await world.say("1")  # the notice that something waits takes a look
    await trio.sleep(1)
    reads.clear()

    await world.platform.hand_in(*[said("1", n) for n in range(10)])
    await trio.sleep(1)
    assert not {"line_behind", "open_work"} & {*reads}
    await world.settle()

    assert world.heard() == ["0", "1", *(f"1-{n}" for n in range(10))]


@pytest.mark.parametrize("come", [0, 1, 2])
async def test_messages_that_come_while_the_end_of_a_turn_is_written_are_not_missed(
    come, reads, open_world, autojump_clock, monkeypatch
):
    """The look of that commit has seen those before it, and not those after it."""
    world = await open_world(config=Config(display=QUEUE))
    store, write = world.services.store, MemoryStore.write

    async def slow(store, op):
        outcome = await write(store, op)
        if isinstance(op, ops.Then) and isinstance(op.op, ops.FinishTurn) and not reads.count("slow"):
            reads.append("slow")
            await world.platform.hand_in(*[said("1", n) for n in range(come)])
            await trio.sleep(1)
        return outcome

    monkeypatch.setattr(type(store), "write", slow)
    await world.say("0")
    await world.settle(within_s=3)

    assert world.heard() == ["0", *(f"1-{n}" for n in range(come))]


async def test_a_session_that_is_told_often_looks_once(reads, open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=2.0)))
    await world.say("one")
    await trio.sleep(1)
    reads.clear()

    for _ in range(100):
        world.services.conversations.wake(world.key())
    await trio.sleep(0.5)

    assert reads == ["line_behind"]


async def test_a_wake_up_that_a_leaving_session_has_passed_over_holds_no_other_back(
    open_world, autojump_clock
):
    world = await open_world(FakeAgent(Reply(delay_s=2.0), Reply(), Reply()))
    await world.say("one")
    await trio.sleep(1)

    world.boot.system.registry.ref(world.session()).stop("the test")
    world.services.conversations.wake(world.key())
    await world.until(lambda: world.state(world.session()) is None, within_s=2)
    await world.say("two")
    await world.settle(within_s=3)

    assert world.heard() == ["one", "two"]


async def test_AC27_an_answer_that_was_sent_before_it_was_handed_over_goes_out_once(
    open_world, autojump_clock, monkeypatch
):
    world = await open_world()
    handed, hand = [], world.services.delivery.hand

    def noting(lane, row):
        handed.append(row)
        hand(lane, row)

    monkeypatch.setattr(world.services.delivery, "hand", noting)
    await world.say("one")
    await world.settle()
    hand(LANE, handed[0])
    await trio.sleep(1)

    assert world.heard() == ["one"]
    assert world.rows("state", "outbox") == ["sent"]


async def test_AC13_an_answer_whose_lane_is_not_told_of_it_goes_out(open_world, autojump_clock, monkeypatch):
    """Committed, and then the turn dies before it can hand it over."""
    world = await open_world()

    def dies(lane, row):
        raise RuntimeError("gone")

    monkeypatch.setattr(world.services.delivery, "hand", dies)
    await world.say("one")
    await world.settle(within_s=1)

    assert world.heard() == ["one"]


async def test_a_wake_up_that_is_lost_holds_back_others_until_the_next_sweep_at_most(
    open_world, monkeypatch, autojump_clock
):
    world = await open_world()
    conversations = world.services.conversations
    with monkeypatch.context() as lost:
        lost.setattr(type(conversations._inbound), "tell_nowait", lambda *_: None)
        conversations.wake_inbound(LANE)
    await trio.sleep(SWEEP_S + 1)

    await world.say("hello")
    await world.settle(within_s=1)

    assert world.heard() == ["hello"]


async def test_a_sweep_wakes_nobody_who_was_told_of_all_there_is(reads, open_world, autojump_clock):
    """A hundred busy conversations would look two hundred times every five seconds."""
    world = await open_world(FakeAgent(Reply(delay_s=30.0)), config=Config(display=QUEUE))
    await world.say("0")
    await world.say("1")
    await trio.sleep(1)
    reads.clear()

    await trio.sleep(3 * SWEEP_S)

    assert reads.count("open_sessions") == 3
    assert not {"line_behind", "open_work", "any_open"} & {*reads}
    await world.settle(within_s=60)
    assert world.heard() == ["0", "1"]


async def test_AC13_a_session_that_is_not_told_of_a_message_finds_it_with_the_sweep(
    open_world, autojump_clock, monkeypatch
):
    """Committed, and then whoever had to wake the session dies; it was told of the ones before."""
    world = await open_world()
    for text in ("one", "two"):
        await world.say(text)
        await world.settle(within_s=1)
    conversations = world.services.conversations
    monkeypatch.setattr(conversations, "wake", lambda key, news=None: True)
    await world.say("three")
    await trio.sleep(1)
    assert world.heard() == ["one", "two"]
    monkeypatch.undo()

    await world.settle(within_s=SWEEP_S + 1)

    assert world.heard() == ["one", "two", "three"]


async def test_a_session_whose_mailbox_is_full_is_told_again(open_world, autojump_clock, monkeypatch):
    world = await open_world(FakeAgent(Reply(delay_s=2.0)), config=Config(display=QUEUE))
    await world.say("0")
    await trio.sleep(1)
    conversations, key = world.services.conversations, world.key()
    cell = world.boot.system.registry.cell(world.session())
    monkeypatch.setattr(cell.mailbox, "offer", lambda envelope: Outcome.FULL)
    assert not conversations.wake(key, News(5, "queue", None))
    monkeypatch.undo()

    conversations.remind({key: 5})

    assert conversations.take_news(key) is None
    assert [type(one).__name__ for one in cell.mailbox.waiting()[1]] == ["Wake"]


async def test_many_chats_with_many_messages_are_all_decided_each_in_order(
    reads, open_world, autojump_clock, monkeypatch
):
    """More than is read at once, in each of two ways: too many rows of these chats, and of those before them."""
    monkeypatch.setattr(inbound, "ROWS_TOGETHER", 8)
    monkeypatch.setattr(inbound, "CHATS_TOGETHER", 5)
    chats = [f"c{n}" for n in range(12)]
    world = await open_world(config=Config(display=QUEUE))

    await world.platform.hand_in(*[said("c0", n) for n in range(20)])
    await world.platform.hand_in(*[said(chat, n) for n in range(20, 24) for chat in chats])
    await world.settle(within_s=SWEEP_S - 1)

    assert world.heard("c0") == [f"c0-{n}" for n in range(24)]
    for chat in chats[1:]:
        assert world.heard(chat) == [f"{chat}-{n}" for n in range(20, 24)]
    assert reads.count("accepted_chats") <= 1, "the sweep had no part in it"


async def test_lanes_that_start_together_ask_once_what_the_platforms_have_said(
    reads, open_world, autojump_clock
):
    world = await open_world()
    await world.platform.hand_in(*[said(f"c{n}") for n in range(10)])
    await world.settle()

    assert reads.count("floods") == 1
    assert reads.count("of_lane") == 10


async def test_a_turn_that_waits_for_a_place_is_not_looked_at_by_every_sweep(
    reads, open_world, autojump_clock
):
    """Its rows are taken by nobody yet, as those of one that was stopped."""
    config = Config(display=QUEUE, limits=Limits(turns=1))
    world = await open_world(FakeAgent(Reply(delay_s=20.0)), config=config)
    await world.say("first", "c1")
    await trio.sleep(1)
    await world.say("second", "c2")
    await trio.sleep(1)
    reads.clear()

    await trio.sleep(2 * SWEEP_S)
    assert reads.count("open_sessions") == 2
    assert "any_open" not in reads
    await world.settle(within_s=60)

    assert (world.heard("c1"), world.heard("c2")) == (["first"], ["second"])


async def test_AC13_rows_that_a_turn_could_not_end_are_found_by_the_sweep(open_world, autojump_clock):
    """Two people of a group share a turn, and one of them is forgotten while it runs: its end does not count."""
    display = Display(busy_input_mode="collect", busy_collect_s=1.0, busy_ack=False)
    world = await open_world(FakeAgent(Reply(delay_s=20.0)), config=Config(display=display))
    store, conversations = world.services.store, world.services.conversations
    for n, user in enumerate(("u1", "u2"), 1):
        origin = Origin("fake", "g", chat_type="group", user_id=user)
        store.post(ops.Accept((InboundEvent(user, origin, user, EPOCH_S, TraceId(user), message_id=user),)))
        row_id = world.rows("row_id")[-1]
        store.post(ops.Route(row_id, world.key(), SessionId("s"), "allowed", EPOCH_S, origin))
        conversations.wake(world.key(), News(n, "collect", None))
    await trio.sleep(8)
    assert world.rows("state") == ["in_turn", "in_turn"]

    await store.write(Forget(Traces((), (), (), (), (world.rows("row_id")[0],), ()), "u1", "operator", 0.0))
    await world.settle(within_s=13 + 2 * SWEEP_S + 20)

    assert world.rows("state") == ["stopped", "answered"]


async def test_of_whom_sessions_were_told_is_forgotten_with_their_rows(open_world, autojump_clock):
    world = await open_world()
    for chat in ("a", "b"):
        await world.say("hello", chat)
    await world.settle()
    await trio.sleep(SWEEP_S)

    assert world.services.conversations._told == {}
