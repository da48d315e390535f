"""Conversations end when their time is over, whether anybody writes or not; memory is told first, and told once."""

from dataclasses import replace
from datetime import datetime

import pytest
import trio
from test_actors_resets import IDLE_NOTICE, MINUTE_S, session
from trio.testing import MockClock
from world import QUEUE, World

from actors import session_expiry, tree
from hermes.config.model import Config, ResetPolicy
from hermes.hooks import events
from hermes.store.ops import StopTurn
from hermes.store.upkeep_ops import ExpireSession
from hermes.testing.fakes import EPOCH_S, FakeAgent, Reply
from hermes.types.hooks import NoHooks
from hermes.types.ids import SessionId
from hermes.types.memory import Asked, Ended
from hermes.types.origin import Origin

IDLE = Config(display=QUEUE, session_reset=ResetPolicy(mode="idle", idle_minutes=6))
LATER_S = 7 * MINUTE_S + session_expiry.LOOK_S


class Told(NoHooks):
    def __init__(self) -> None:
        self.events: list[str] = []

    def happened(self, event: str, payload: object) -> None:
        self.events.append(event)


class Remembers:
    """Keeps what it is told, unless the test says otherwise."""

    name = "test"

    def __init__(self) -> None:
        self.told: list[Ended] = []
        self.fails = self.hangs = False

    async def recall(self, asked: Asked) -> str:
        return ""

    async def flush(self, ended: Ended) -> None:
        self.told.append(ended)
        if self.hangs:
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        if self.fails:
            raise OSError("no room")

    @property
    def words(self) -> list[list[str]]:
        return [[line.text for line in ended.lines] for ended in self.told]


def marked(world: World) -> bool:
    return bool(session(world).expired)


async def opened(open_world, memory: Remembers, config: Config = IDLE, **more) -> tuple[World, Told]:
    hooks = Told()
    world = await open_world(config=config, hooks=hooks, wait=False, **more)
    world.memories.append(memory)
    await world.up()
    return world, hooks


async def test_memory_is_told_first_then_the_hook_and_both_once(
    open_world, autojump_clock: MockClock
) -> None:
    memory = Remembers()
    world, hooks = await opened(open_world, memory)
    await world.say("one")
    await world.settle()
    before = session(world)
    await trio.sleep(5.5 * MINUTE_S)
    assert (memory.told, marked(world)) == ([], False)
    await trio.sleep(MINUTE_S)
    assert memory.words == [["one", "one"]]
    (ended,) = memory.told
    assert (ended.session_key, ended.session_id, ended.reason) == (world.key(), before.session_id, "idle")
    assert ended.origin == Origin("fake", "1", user_id="u1")
    assert hooks.events.count(events.SESSION_END) == 1
    assert session(world) == replace(before, expired=True)

    await world.kill()
    await trio.sleep(8 * MINUTE_S)
    assert len(memory.told) == 1

    await world.say("two")
    await world.settle()
    assert world.heard() == ["one", IDLE_NOTICE, "two"]
    assert hooks.events.count(events.SESSION_END) == 1
    assert hooks.events.count(events.SESSION_START) == 2
    await trio.sleep(LATER_S)
    assert memory.words == [["one", "one"], ["two", "two"]]
    assert hooks.events.count(events.SESSION_END) == 2


async def test_the_end_of_one_that_is_over_is_not_told_again_when_somebody_begins_anew(
    open_world, autojump_clock: MockClock
) -> None:
    world, hooks = await opened(open_world, Remembers())
    await world.say("one")
    await world.settle()
    await trio.sleep(LATER_S)
    assert hooks.events.count(events.SESSION_END) == 1

    await world.say("/new")
    await world.settle()
    assert (hooks.events.count(events.SESSION_END), hooks.events.count(events.SESSION_RESET)) == (1, 1)
    await world.say("/new")
    await world.settle()
    assert (hooks.events.count(events.SESSION_END), hooks.events.count(events.SESSION_RESET)) == (2, 2)


async def test_a_conversation_that_is_at_work_does_not_expire(open_world, autojump_clock: MockClock) -> None:
    config = replace(IDLE, agent=replace(IDLE.agent, no_progress_s=7200.0, turn_timeout_s=7200.0))
    memory = Remembers()
    world, hooks = await opened(open_world, memory, config, agent=FakeAgent(Reply(delay_s=12 * MINUTE_S)))
    await world.say("long")
    await trio.sleep(10 * MINUTE_S)
    assert (memory.told, hooks.events.count(events.SESSION_END)) == ([], 0)
    await world.settle(7200.0)
    await trio.sleep(5 * MINUTE_S)
    assert memory.told == []
    await trio.sleep(LATER_S)
    assert memory.words == [["long", "long"]]


@pytest.mark.parametrize("how", ["fails", "hangs"])
async def test_a_memory_that_fails_stops_no_end_and_is_asked_three_times(
    open_world, autojump_clock: MockClock, how: str
) -> None:
    memory = Remembers()
    setattr(memory, how, True)
    world, hooks = await opened(open_world, memory)
    await world.say("one")
    await world.settle()
    await trio.sleep(8 * MINUTE_S)
    assert (marked(world), hooks.events.count(events.SESSION_END)) == (True, 1)
    await trio.sleep(20 * MINUTE_S)
    assert memory.words == [["one", "one"]] * 3
    assert hooks.events.count(events.SESSION_END) == 1


async def test_of_several_memories_those_that_have_kept_it_are_not_told_again(
    open_world, autojump_clock: MockClock
) -> None:
    well, ill, late = Remembers(), Remembers(), Remembers()
    well.name, ill.name, late.name = "well", "ill", "late"
    ill.fails = late.hangs = True
    world, _ = await opened(open_world, well)
    world.memories += [ill, late]
    await world.say("one")
    await world.settle()
    await trio.sleep(8 * MINUTE_S)
    late.hangs = False
    await trio.sleep(20 * MINUTE_S)
    assert (len(well.told), len(ill.told), len(late.told)) == (1, 3, 2)

    for memory in (well, ill, late):
        memory.told.clear()
    ill.fails = False
    await world.say("two")
    await world.settle()
    await trio.sleep(LATER_S)
    assert well.words == ill.words == late.words == [["two", "two"]]


async def test_a_memory_that_is_ill_for_a_while_is_not_asked_again_with_each_end(
    open_world, autojump_clock: MockClock
) -> None:
    memory = Remembers()
    memory.fails = True
    world, _ = await opened(open_world, memory)
    for chat in ("1", "2", "3"):
        await world.say(chat, chat)
        await world.settle()
        await trio.sleep(20.0)
    await trio.sleep(6.5 * MINUTE_S)
    assert sorted(memory.words) == [["1", "1"], ["2", "2"], ["3", "3"]]
    memory.fails = False
    memory.told.clear()
    await trio.sleep(session_expiry.LOOK_S)
    assert sorted(memory.words) == [["1", "1"], ["2", "2"], ["3", "3"]]


async def test_what_comes_while_memory_is_told_is_no_part_of_it(
    open_world, autojump_clock: MockClock
) -> None:
    memory = Remembers()
    memory.hangs = True
    world, hooks = await opened(open_world, memory)
    await world.say("one")
    await world.settle()
    await world.until(lambda: bool(memory.told), LATER_S)
    memory.hangs = False
    await world.say("two")
    await world.settle()
    assert world.heard() == ["one", IDLE_NOTICE, "two"]
    assert hooks.events.count(events.SESSION_END) == 1
    await trio.sleep(LATER_S)
    assert memory.words == [["one", "one"], ["one", "one"], ["two", "two"]]  # the first time it was late
    assert hooks.events.count(events.SESSION_END) == 2


async def test_a_conversation_that_is_begun_anew_is_remembered_too(
    open_world, autojump_clock: MockClock
) -> None:
    memory = Remembers()
    world, _ = await opened(open_world, memory, Config(display=QUEUE))
    await world.say("one")
    await world.settle()
    await world.services.store.write(
        StopTurn(world.key(), "command:new", world.services.clock.wall(), SessionId("fresh"))
    )
    await trio.sleep(session_expiry.START_S + session_expiry.LOOK_S)
    assert [(ended.reason, len(ended.lines)) for ended in memory.told] == [("session_reset", 2)]
    await world.kill()
    await trio.sleep(8 * MINUTE_S)
    assert len(memory.told) == 1


async def test_without_a_policy_nothing_ends(open_world, autojump_clock: MockClock) -> None:
    memory = Remembers()
    world, hooks = await opened(open_world, memory, Config(display=QUEUE))
    await world.say("one")
    await world.settle()
    await trio.sleep(20 * MINUTE_S)
    assert (memory.told, marked(world), hooks.events.count(events.SESSION_END)) == ([], False, 0)


async def test_the_daily_hour_ends_them_when_it_strikes(open_world, autojump_clock: MockClock) -> None:
    memory = Remembers()
    hour = datetime.fromtimestamp(EPOCH_S).hour
    config = replace(IDLE, session_reset=ResetPolicy(mode="daily", at_hour=(hour + 1) % 24))
    world, _ = await opened(open_world, memory, config)
    await world.say("one")
    await world.settle()
    await trio.sleep(58 * MINUTE_S)
    assert memory.words == []
    await trio.sleep(3 * MINUTE_S)
    assert memory.words == [["one", "one"]]


async def test_a_hundred_and_fifty_end_together_and_its_crash_disturbs_nobody(
    open_world, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Remembers()
    world, _ = await opened(open_world, memory)
    for chat in range(150):
        await world.say("one", str(chat))
    await world.settle()
    path = "root/gateway/maintenance/expiry"
    before, write, failed = world.incarnations(), world.services.store.write, []

    async def failing(op):
        if isinstance(op, ExpireSession) and len(failed) < 2:
            failed.append(op)
            raise RuntimeError("a bug")
        return await write(op)

    monkeypatch.setattr(world.services.store, "write", failing)
    await trio.sleep(LATER_S)
    assert len({ended.session_key for ended in memory.told}) == 150
    # Of those that were just being told of, a few twice.
    assert len(memory.told) <= 150 + 2 * session_expiry.TOGETHER
    after = world.incarnations()
    assert after[path] > before[path]
    rest = {p: n for p, n in before.items() if not p.startswith((tree.SESSIONS, tree.LANES)) and p != path}
    assert {p: after[p] for p in rest} == rest
