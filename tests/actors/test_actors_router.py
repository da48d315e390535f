"""Sending on one's own, in virtual time: everything leaves by the outbox, and only a receipt says that it has arrived."""

import pytest
import trio
from world import ADAPTER, World

from actors.ports.send_desk import SendDesk
from hermes.config.homes import HomeChannel
from hermes.delivery.targets import Place
from hermes.store import queries
from hermes.store.ops import StopTurn
from hermes.testing.fakes import FakeAdapter, FakeAgent, Hang
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, GatewayError, SendError

FORBIDDEN = Failure("forbidden", severity="needs_operator", scope="chat")


async def deliver(world: World, targets: str, content: str = "hello", **more):
    return await world.services.router.deliver(content, targets, **more)


async def receipts(world: World, results, within_s: float = 60.0):
    ids = [one.delivery_id for one in results if one.delivery_id]
    return {one.delivery_id: one for one in await world.services.router.receipts(ids, within_s)}


async def test_AC24_accepted_is_not_delivered_until_the_platform_has_said_so(open_world, autojump_clock):
    world = await open_world()
    (result,) = await deliver(world, "fake:9:17")
    assert result.success
    status = (await receipts(world, [result]))[result.delivery_id]
    assert (status.delivered, status.message_ids) == (True, ("m1",))
    (sent,) = world.platform.sent
    assert (sent.chat_id, sent.part.text, sent.metadata["thread_id"]) == ("9", "hello", "17")


async def test_a_lane_that_sleeps_or_waits_is_woken_at_once(open_world, autojump_clock):
    world = await open_world()
    for number in (1, 2):
        await deliver(world, "fake:9")
        await trio.sleep(0.5)
        assert len(world.platform.sent) == number


async def test_AC24_a_send_that_the_platform_refuses_is_no_delivery(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures.append(SendError(FORBIDDEN, "not_sent"))
    results = await deliver(world, "fake:9")
    assert results[0].success
    (status,) = (await receipts(world, results)).values()
    assert (status.state, status.delivered, status.ended) == ("dead", False, True)
    assert "forbidden" in status.failure


async def test_AC25_a_platform_that_is_down_gets_it_when_it_is_up(open_world, autojump_clock):
    world = await open_world()
    world.platform.crash(GatewayError(Failure("unreachable", scope="adapter")))
    await world.until(lambda: world.state(ADAPTER) == "backoff", every_s=0.001)
    results = await deliver(world, "fake:9")
    assert results[0].success
    assert world.platform.sent == []
    assert (await receipts(world, results, 0.1))[results[0].delivery_id].state == "prepared"
    (status,) = (await receipts(world, results)).values()
    assert status.delivered
    assert world.heard("9") == ["hello"]


async def test_a_wait_for_a_receipt_has_an_end(open_world, autojump_clock):
    world = await open_world()
    world.platform.failures.extend([SendError(Failure("unreachable", scope="chat"), "not_sent")])
    results = await deliver(world, "fake:9")
    before = trio.current_time()
    (status,) = (await receipts(world, results, 7.0)).values()
    assert (status.ended, trio.current_time() - before) == (False, 7.0)


async def test_one_target_that_fails_stops_no_other(open_world, autojump_clock):
    world = await open_world(others=[FakeAdapter("web", Capabilities(authenticated=True))])
    results = await deliver(world, "nosuch:1, fake:1, telegram:5, web:2, fake@work:1, local, fake:")
    assert [one.success for one in results] == [False, True, False, True, False, True, False]
    await world.settle()
    assert world.heard("1") == ["hello"]
    assert "telegram is not configured here; there is fake, web" in results[2].error
    assert "fake has no account work; it has default" in results[4].error


async def test_the_same_order_twice_is_one_delivery(open_world, autojump_clock):
    world = await open_world()
    first = await deliver(world, "fake:1", name="run7", mirror="assistant")
    again = await deliver(world, "fake:1", name="run7", mirror="assistant")
    await world.settle()
    assert first == again
    assert world.heard("1") == ["hello"]


async def test_an_order_that_was_taken_survives_a_kill(open_world, autojump_clock):
    world = await open_world()
    world.kill_at("before_send")
    await deliver(world, "fake:1")
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.settle()
    assert len(set(world.heard("1"))) == 1


async def test_a_long_text_goes_whole_to_a_platform_that_splits_and_cut_to_one_that_does_not(
    open_world, autojump_clock
):
    small = Capabilities(authenticated=True, idempotent_send=True, max_length=1000)
    one_only = Capabilities(authenticated=True, idempotent_send=True, max_length=160, splits=False)
    world = await open_world(capabilities=small, others=[sms := FakeAdapter("pager", one_only)])
    text = "word " * 1000
    whole, short = await deliver(world, "fake:1,pager:2", text, job_id="job9")
    await world.settle()
    whole_text = [one.removesuffix(f"({n}/6)") for n, one in enumerate(world.heard("1"), 1)]
    assert " ".join(whole_text).split() == text.split()
    assert max(map(len, world.heard("1"))) <= 1000
    (part,) = sms.texts
    assert len(part) <= 160
    assert whole.path is None
    assert short.path.startswith(str(world.home / "cron" / "output" / "job9_"))
    assert [path.read_text() for path in (world.home / "cron" / "output").iterdir()] == [text]


async def test_a_disk_that_does_not_answer_is_an_error_in_words(open_world, autojump_clock):
    world = await open_world()

    async def hang(_call):
        await trio.sleep_forever()

    world.files._in_thread = hang
    with pytest.raises(GatewayError, match="has not answered"):
        await deliver(world, "local")


# --- homes and names -------------------------------------------------------------------------------------------------------


def set_home(world: World, chat: str, at: float = 1.0) -> None:
    world._store._connection.execute(
        "INSERT OR REPLACE INTO homes VALUES ('fake', 'default', ?, NULL, '', ?)", (chat, at)
    )


async def test_home_is_what_was_set_in_chat_before_what_is_written(open_world, autojump_clock):
    world = await open_world(homes={("fake", "default"): HomeChannel("written", "7")})
    (result,) = await deliver(world, "home")
    assert result.place == Place("fake", "default", "written", "7")
    set_home(world, "chosen")
    assert [one.place.chat_id for one in await deliver(world, "fake")] == ["chosen"]
    assert [one.target for one in await deliver(world, "all")] == ["fake:chosen"]


async def test_homes_of_a_reloaded_file_hold_from_then_on(open_world, autojump_clock):
    world = await open_world()
    assert "no home channel" in (await deliver(world, "home"))[0].error
    world.homes = {("fake", "default"): HomeChannel("5")}
    await world.reload(world.config)
    assert (await deliver(world, "home"))[0].place.chat_id == "5"


async def test_origin_is_where_the_order_came_from(open_world, autojump_clock):
    world = await open_world()
    (result,) = await deliver(world, "origin", origin=Place("fake", "default", "3"))
    await world.settle()
    assert (result.target, world.heard("3")) == ("origin", ["hello"])


async def test_a_name_is_looked_up_in_the_directory_and_by_the_users_own_names(open_world, autojump_clock):
    world = await open_world()
    await world.say("hi", "77")
    await world.settle()
    await trio.sleep(301)
    (world.home / "channel_aliases.json").write_text('{"fake": {"77": "crew"}}')
    (result,) = await deliver(world, "fake:#crew")
    assert result.place.chat_id == "77"


# --- the mirror ------------------------------------------------------------------------------------------------------------


async def test_the_chats_conversation_keeps_a_line_and_its_agent_sees_it(open_world, autojump_clock):
    world = await open_world()
    await world.say("hi")
    await world.settle()
    await deliver(world, "fake:1", "deployed", mirror="assistant")
    await deliver(world, "fake:1", "nightly report", mirror="user")
    await world.settle()
    assert [(line.role, line.text) for line in world.transcript()][2:] == [
        ("assistant", "deployed"),
        ("user", "nightly report"),
    ]
    assert [hit.role for hit in world.look(queries.search, "nightly", 9)] == ["user"]
    await world.say("what is new?")
    await world.settle()
    assert [line.text for line in world.agent.turns[-1].history][-2:] == ["deployed", "nightly report"]


async def test_a_mirror_wakes_nobody_and_disturbs_no_turn(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()))
    await world.say("hi")
    await trio.sleep(1)
    turns = len(world.agent.turns)
    await deliver(world, "fake:1", mirror="assistant")
    await trio.sleep(5)
    assert len(world.agent.turns) == turns
    assert world.heard() == ["hello"]
    world.services.store.post(StopTurn(world.key(), "test", 0.0))


async def test_a_chat_nobody_spoke_in_has_no_mirror(open_world, autojump_clock):
    world = await open_world()
    await deliver(world, "fake:never", mirror="assistant")
    await world.settle()
    assert world.rows("count(*)", "(SELECT line_id AS row_id FROM transcript)") == [0]


# --- the desk --------------------------------------------------------------------------------------------------------------


async def test_the_desk_hands_over_and_tells_what_became_of_it(open_world, autojump_clock):
    world = await open_world()
    desk = SendDesk(world.services.router)
    answer = await desk.answer("send_text", {"to": "fake:1,nosuch", "text": "hello"})
    taken, refused = answer["results"]
    assert (taken["success"], refused["success"]) == (True, False)
    found = await desk.answer("send_receipts", {"ids": [taken["result"]["delivery_id"]], "within_s": 10})
    assert [(one["delivered"], one["state"]) for one in found["deliveries"]] == [(True, "sent")]


async def test_the_desk_waits_no_longer_than_it_may(open_world, autojump_clock):
    world = await open_world()
    world.platform.crash(GatewayError(Failure("gone", severity="needs_operator", scope="adapter")))
    await world.until(lambda: world.state(ADAPTER) == "disabled")
    desk = SendDesk(world.services.router)
    (taken,) = (await desk.answer("send_text", {"to": "fake:1", "text": "hello"}))["results"]
    before = trio.current_time()
    found = await desk.answer("send_receipts", {"ids": [taken["result"]["delivery_id"]], "within_s": 1e9})
    assert [one["state"] for one in found["deliveries"]] == ["prepared"]
    assert trio.current_time() - before == pytest.approx(30.0, abs=1.0)


@pytest.mark.parametrize(
    ("verb", "args"),
    [
        ("send_text", {}),
        ("send_text", {"to": ["fake:1"], "text": "x"}),
        ("send_receipts", {"ids": [1], "within_s": 1}),
        ("send_receipts", {"ids": "d1", "within_s": 1}),
        ("send_nothing", {}),
    ],
)
async def test_what_is_no_order_is_refused_in_words(open_world, autojump_clock, verb, args):
    world = await open_world()
    with pytest.raises(GatewayError) as error:
        await SendDesk(world.services.router).answer(verb, args)
    assert error.value.failure.code == "usage"
