"""When a conversation begins anew: decided from what it was before the message, committed with the message's route."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock
from world import World

from hermes.config.model import Config, Display, ResetPolicy
from hermes.store import ops, queries
from hermes.testing.fakes import FakeAdapter, FakeAgent, Hang, Reply
from hermes.types import texts
from hermes.types.agent import Final, Usage
from hermes.types.ids import SessionId, SessionKey
from hermes.types.records import SessionRecord

HALF_AN_HOUR = Config(session_reset=ResetPolicy(mode="idle", idle_minutes=30))
IDLE_NOTICE = f"{texts.RESET_IDLE} {texts.NEW_CONVERSATION}"
MINUTE_S, HOUR_S = 60.0, 3600.0


def session(world: World, chat: str = "1") -> SessionRecord:
    return world.look(queries.session, world.key(chat))


def stretches(world: World) -> list[tuple[str, str]]:
    """The ids without their random part, and why each ended."""
    found = world._store._connection.execute(
        "SELECT session_key, substr(session_id, 1, 15), end_reason FROM stretches ORDER BY session_key, started_at"
    )
    return found.fetchall()


async def test_silence_begins_it_anew_with_words_before_the_answer(open_world, autojump_clock):
    world = await open_world(config=HALF_AN_HOUR)
    await world.say("one")
    await world.settle()
    before = session(world)
    await trio.sleep(31 * MINUTE_S)

    await world.say("two")
    await world.settle()

    assert world.heard() == ["one", IDLE_NOTICE, "two"]
    assert session(world).session_id != before.session_id
    assert [line.role for line in world.transcript()] == ["system", "user", "assistant"]
    (note,) = world.agent.turns[1].history
    assert (note.role, "anew" in note.text) == ("system", True)


async def test_silence_for_just_that_long_does_not(open_world, autojump_clock):
    world = await open_world(config=HALF_AN_HOUR)
    await world.say("one")
    await world.settle()
    await trio.sleep(29 * MINUTE_S)

    await world.say("two")
    await world.settle()

    assert world.heard() == ["one", "two"]
    assert len(stretches(world)) == 1


async def test_the_policy_of_the_platform_decides(open_world, autojump_clock):
    never = replace(HALF_AN_HOUR, reset_by_platform={"fake": ResetPolicy()})
    world = await open_world(config=never)
    await world.say("one")
    await world.settle()
    await trio.sleep(HOUR_S)
    await world.say("two")
    await world.settle()
    assert world.heard() == ["one", "two"]


async def test_an_answer_counts_as_activity_and_one_at_work_as_no_silence(open_world, autojump_clock):
    config = replace(HALF_AN_HOUR, display=Display(busy_input_mode="queue", busy_ack=False))
    config = replace(config, agent=replace(config.agent, no_progress_s=7200.0, turn_timeout_s=7200.0))
    agent = FakeAgent(Reply(delay_s=45 * MINUTE_S))
    world = await open_world(agent, config=config)
    await world.say("long")
    await trio.sleep(40 * MINUTE_S)
    await world.say("meanwhile")
    await world.settle(7200.0)
    await trio.sleep(20 * MINUTE_S)
    await world.say("after")
    await world.settle()
    assert world.heard() == ["long", "meanwhile", "after"]
    assert len(stretches(world)) == 1


async def test_AC29_a_thousand_first_messages_at_once_make_one_session_and_one_actor(
    open_world, autojump_clock
):
    config = Config()
    world = await open_world(config=replace(config, limits=replace(config.limits, waiting=2000)))
    started = []
    world.boot.system.events.listen(
        lambda event: (
            started.append(event) if event.kind == "started" and event.path == world.session() else None
        )
    )
    async with trio.open_nursery() as nursery:
        for n in range(1000):
            nursery.start_soon(world.say, f"{n}")
    await world.settle()
    assert len(stretches(world)) == 1
    assert len(world.rows("session_key", "(SELECT 1 AS row_id, session_key FROM sessions)")) == 1
    assert len({turn.session_key for turn in world.agent.turns}) == 1
    assert world.incarnations()[world.session()] == 1
    assert sorted(world.rows("seq")) == list(range(1, 1001))


async def test_AC29_a_thousand_callers_that_want_it_awake_start_it_once(open_world, autojump_clock):
    world = await open_world()
    key = world.key("new")
    admitted = []

    async def admit():
        admitted.append(await world.services.conversations.admit(key))

    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            nursery.start_soon(admit)
    assert admitted == [True] * 1000
    assert world.incarnations()[world.session("new")] == 1
    assert world.services.conversations.awake() == [key]


async def test_a_session_that_changes_before_the_commit_is_decided_as_it_is_then(
    open_world, autojump_clock, monkeypatch
):
    world = await open_world(config=HALF_AN_HOUR)
    await world.say("one")
    await world.settle()
    await trio.sleep(31 * MINUTE_S)

    write, raced = world.services.store.write, []

    async def racing(op):
        if isinstance(op, ops.Then) and isinstance(op.op, ops.Upon) and not raced:
            raced.append(op)
            at = world.services.clock.wall()
            await write(ops.StopTurn(world.key(), "race", at, SessionId("another")))
        return await write(op)

    monkeypatch.setattr(world.services.store, "write", racing)
    await world.say("two")
    await world.settle()

    assert raced
    assert session(world).session_id == "another"  # it began a moment ago: nothing is due any more
    assert world.heard() == ["one", "two"]


async def test_three_kills_by_one_message_suspend_the_conversation_and_the_next_begins_anew(
    open_world, autojump_clock
):
    agent = FakeAgent(Reply(), Hang(), Hang(), Hang())
    world = await open_world(agent)
    await world.say("good")
    await world.settle()
    await world.say("deadly")
    for _ in range(3):
        await trio.sleep(5)
        await world.kill()
    await world.settle()

    assert world.heard() == ["good", texts.SUSPENDED]
    assert session(world).suspended
    await world.say("next")
    await world.settle()
    assert world.heard()[2:] == [f"{texts.RESET_SUSPENDED} {texts.NEW_CONVERSATION}", "next"]
    assert not session(world).suspended
    assert [reason for *_, reason in stretches(world)] == ["suspended", ""]
    assert [line.role for line in agent.turns[-1].history] == ["system"]


async def test_a_turn_that_a_stop_cut_off_is_marked_until_it_has_ended_well(open_world, autojump_clock):
    agent = FakeAgent(Hang())
    world = await open_world(agent)
    await world.say("cut off")
    await trio.sleep(5)
    await world.stop()
    marked = session(world)
    assert marked.resume_reason == "shutdown_timeout"
    assert not marked.suspended


async def test_an_interrupted_turn_goes_on_in_its_stretch_and_clears_the_mark(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang(), Reply(delay_s=5.0)))
    await world.say("hi")
    await trio.sleep(5)
    await world.kill()
    await trio.sleep(1)
    assert session(world).resume_reason == "restart_interrupted"
    await world.settle()
    assert session(world).resume_marked_at is None
    assert len(stretches(world)) == 1


async def test_an_interruption_that_did_not_end_well_is_not_waited_for_longer_than_an_hour(
    open_world, autojump_clock
):
    config = replace(HALF_AN_HOUR, session_reset=ResetPolicy(mode="idle", idle_minutes=600))
    agent = FakeAgent(Hang(), Hang())
    world = await open_world(agent, config=replace(config, agent=replace(config.agent, no_progress_s=60.0)))
    await world.say("hi")
    await trio.sleep(5)
    await world.kill()
    await world.settle()
    assert session(world).resume_marked_at is not None
    await trio.sleep(61 * MINUTE_S)
    await world.say("next")
    await world.settle()
    assert world.heard()[1:] == [f"{texts.RESET_RESUME_EXPIRED} {texts.NEW_CONVERSATION}", "next"]


class Costly:
    """Answers with a bill."""

    name = "costly"

    def __init__(self, *usages):
        self.usages = list(usages)

    async def run(self, turn, io):
        await trio.lowlevel.checkpoint()
        return Final("ok", self.usages.pop(0))


async def test_what_answers_cost_is_added_up_and_a_bill_that_cannot_be_costs_no_answer(
    open_world, autojump_clock
):
    world = await open_world(Costly(Usage(10, 5, cost_usd=0.5), Usage(-3), Usage(1, 1), None))
    for n in range(4):
        await world.say(f"{n}")
        await world.settle()
    assert world.heard() == ["ok"] * 4
    found = world._store._connection.execute("SELECT input_tokens, output_tokens, cost_usd FROM stretches")
    assert found.fetchall() == [(11, 6, 0.5)]


async def test_the_rules_of_the_configuration_name_the_conversation(open_world, autojump_clock):
    world = await open_world(
        config=Config(group_sessions_per_user=False, display=Display(busy_input_mode="queue"))
    )
    await world.platform.receive("hi", "team", chat_type="group")
    await world.settle()
    assert world.rows("session_key") == ["agent:main:fake:group:team"]
    assert [line.text for line in world.look(queries.history, *_only(world), 9)] == ["hi", "hi"]


async def test_one_person_on_whatsapp_is_one_conversation(open_world, autojump_clock):
    world = await open_world(platform=FakeAdapter("whatsapp"), wait=False)
    world.whatsapp_aliases["149606612619433"] = "15551234567"  # before the first boot, as the files are
    await world.up()
    for address in ("15551234567:47@s.whatsapp.net", "149606612619433@lid"):
        await world.platform.receive("hi", address)
    await world.settle()
    assert set(world.rows("session_key")) == {"agent:main:whatsapp:dm:15551234567"}


def _only(world: World) -> tuple[SessionKey, SessionId]:
    (found,) = world._store._connection.execute("SELECT session_key, session_id FROM sessions").fetchall()
    return found


# --- AC-46 ---------------------------------------------------------------------------------------------------------------

GAPS_S = (20.0, 58.0, 61.0, 5 * MINUTE_S, 20 * MINUTE_S, 45 * MINUTE_S)
"""Short, because a virtual day costs real seconds."""

POLICIES = (
    ResetPolicy(mode="none"),
    ResetPolicy(mode="idle", idle_minutes=1),
    ResetPolicy(mode="daily", at_hour=11),
    ResetPolicy(mode="both", at_hour=11, idle_minutes=30),
)
THINKS_S = 0.1


def timeline(seed: int) -> list[tuple[float, str, str]]:
    """When, in which chat, what: never on the edge of a second, so that a moment's delay changes no name."""
    rng, at, plan = random.Random(seed), 10.2, []
    for n in range(12):
        plan.append((at, rng.choice("1112"), f"m{n}"))
        at += rng.choice(GAPS_S)
    return plan


def lived(seed: int, deaths: list[tuple[float, float, bool]]) -> tuple[object, ...]:
    """What has become of the timeline where the process dies (or stops) at certain times and stays away for a while."""

    async def live() -> tuple[object, ...]:
        policy = POLICIES[seed % len(POLICIES)]
        display = Display(busy_input_mode="queue", busy_ack=False)
        world = World(
            FakeAgent(otherwise=Reply(delay_s=THINKS_S)), config=Config(session_reset=policy, display=display)
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.keep)
            await world.up()
            for at, away_s, by_force in deaths:
                nursery.start_soon(die, world, at, away_s, by_force)
            for at, chat, text in timeline(seed):
                await trio.sleep_until(at)
                await world.say(text, chat)
            await world.settle(2 * 86_400.0)
            assert world.counts.unaccounted == 0
            said = world._store._connection.execute(
                "SELECT session_key, substr(session_id, 1, 15), role, text FROM transcript ORDER BY 1, 2, line_id"
            ).fetchall()
            found = stretches(world), said, [text for _, text in sorted(world.rows("row_id, text")) if text]
            nursery.cancel_scope.cancel()
        return found

    async def die(world: World, at: float, away_s: float, by_force: bool) -> None:
        await trio.sleep_until(at)
        world.away_s = away_s
        if by_force:
            world.boot.kill()
        else:
            world.restart()

    return trio.run(live, clock=MockClock(autojump_threshold=0))


def deaths(seed: int) -> list[tuple[float, float, bool]]:
    """In the middle of answers and between them, for a moment or until the next message; but never so that one message is
    found in its turn by three boots, because that is told, and suspends its conversation.
    """
    rng, plan, found = random.Random(seed + 1_000_000), timeline(seed), []
    away_s, until_next = 1.0, 0.0
    for (at, *_), (then, *_) in pairwise(plan):
        if rng.random() < 0.7:
            # Before the decision, before or in the answer, after it.
            died = at + (5.0 if away_s == until_next else rng.choice((0.0005, 0.01, THINKS_S / 2, 1.0)))
            until_next = then - died
            away_s = rng.choice((1.0, until_next - 5.0, until_next))
            found.append((died, away_s, rng.random() < 0.7))
    return found


@pytest.mark.parametrize("seed", range(16))
def test_AC46_a_restart_changes_no_session_no_reset_and_no_history(seed, seldom_swept):
    assert lived(seed, deaths(seed)) == lived(seed, []), f"repro: seed {seed}"


def test_AC46_the_timelines_have_resets_and_the_restarts_cut_answers_off(seldom_swept):
    ended = [reason for seed in range(8) for *_, reason in lived(seed, [])[0]]
    assert {"idle", "daily", ""} == set(ended)
    assert any(
        0 < died - at < THINKS_S
        for seed in range(8)
        for (at, *_) in timeline(seed)
        for (died, *_) in deaths(seed)
    )
