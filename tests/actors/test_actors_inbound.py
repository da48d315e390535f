"""The inbound pipeline in the whole tree: durable dedupe, what was missed, hooks, what is never internal."""

from dataclasses import replace

import pytest
import trio
from test_actors_access import OPEN, access, said

from actors import inbound, judge
from hermes.config.model import Config, Inbound
from hermes.routing import missed
from hermes.testing.fakes import EPOCH_S, FakeAgent, Hang
from hermes.types import texts
from hermes.types.hooks import Allow, NoHooks, Rewrite, Skip

HOUR_S = 3600.0


# --- dedupe -------------------------------------------------------------------------------------------------------------


async def test_AC_16_a_duplicate_in_one_poll_and_in_the_next_is_one_message(open_world, autojump_clock):
    world = await open_world()

    first = await world.platform.hand_in(said("one", "e1"), said("one", "e1"), said("two", "e2"))
    await world.settle()
    again = await world.platform.hand_in(said("two", "e2"), said("three", "e3"))
    await world.settle()

    assert [accepted.duplicate for accepted in (*first, *again)] == [False, True, False, True, False]
    assert "\n".join(world.heard()).split("\n") == ["one", "two", "three"]
    assert world.counts.received == 3


@pytest.mark.parametrize("point", ["after_inbox_commit", "before_ack"])
async def test_AC_16_a_kill_between_commit_and_cursor_costs_no_second_answer(
    point, open_world, autojump_clock
):
    world = await open_world()
    world.kill_at(point)

    await world.say("hello")  # the platform delivers it again, because its cursor has not moved
    await world.settle()
    await world.kill()
    await world.say("hello", event_id="e1")
    await trio.sleep(60)

    assert len(world.boots) == 3
    assert world.heard() == ["hello"]
    assert world.counts.received == 1


# --- what was missed ----------------------------------------------------------------------------------------------------


def ago(text, event_id, hours, **fields):
    return said(text, event_id, sent_at=EPOCH_S + trio.current_time() - hours * HOUR_S, **fields)


async def test_AC_15_messages_from_the_downtime_are_answered_in_order(open_world, autojump_clock):
    world = await open_world()

    for n in range(6):
        await world.platform.hand_in(ago(f"m{n}", f"e{n}", 23 - n))
        await world.settle()

    assert world.heard() == [f"m{n}" for n in range(6)]
    assert len(world.agent.turns) == 6


async def test_AC_15_older_ones_are_named_in_one_notice_after_several_polls(open_world, autojump_clock):
    world = await open_world()
    notice = missed.notice([said(f"m{n}", f"e{n}") for n in range(7)])

    await trio.sleep(inbound.SWEEP_S - 1)
    for poll in (range(4), range(4, 7)):  # there is a sweep between them
        await world.platform.hand_in(*(ago(f"m{n}", f"e{n}", 30) for n in poll))
        await trio.sleep(2)
    await world.platform.hand_in(ago("yesterday", "e7", 2))
    await world.settle()
    await trio.sleep(60)

    assert world.heard() == ["yesterday", notice]
    assert notice.startswith("I was away and missed 7 messages")
    assert "- `m0`" in notice
    assert "2 more" in notice
    assert world.rows("state, rule")[:7] == [("ignored", "ignored:too_old")] * 7
    assert world.agent.turns[0].events[0].text == "yesterday"


async def test_AC_15_a_kill_before_the_notice_does_not_swallow_or_repeat_it(open_world, autojump_clock):
    world = await open_world()
    await world.platform.hand_in(ago("m0", "e0", 30), ago("m1", "e1", 30))
    await trio.sleep(1)
    await world.kill()
    await trio.sleep(30)
    await world.kill()
    await trio.sleep(30)

    assert world.heard() == [missed.notice([said("m0", "e0"), said("m1", "e1")])]


async def test_AC_15_each_downtime_and_each_chat_is_told_of_its_own(open_world, autojump_clock):
    world = await open_world()

    await world.platform.hand_in(ago("a", "e1", 30), ago("b", "e2", 30, chat="2"))
    await trio.sleep(30)
    await world.platform.hand_in(ago("c", "e3", 30))
    await trio.sleep(30)

    assert world.heard() == [missed.notice([said(text, "")]) for text in ("a", "c")]
    assert world.heard("2") == [missed.notice([said("b", "")])]


async def test_AC_15_how_old_is_too_old_can_be_set(open_world, autojump_clock):
    world = await open_world(config=Config(inbound=Inbound(max_age_s=60.0)))

    await world.platform.hand_in(ago("m0", "e0", 1))
    await trio.sleep(30)

    assert world.heard() == [missed.notice([said("m0", "")])]


async def test_AC_16_control_commands_from_before_the_boot_are_acknowledged_and_not_executed(
    open_world, autojump_clock
):
    world = await open_world(FakeAgent(Hang()))
    await world.say("long")
    await trio.sleep(1)

    for n, hours in enumerate((1, 30)):
        await world.platform.hand_in(ago("/stop", f"s{n}", hours))
    await trio.sleep(30)

    assert world.heard() == [texts.STALE_COMMAND.format(name="stop")] * 2
    assert world.rows("state") == ["in_turn", "ignored", "ignored"]


async def test_a_stranger_is_not_told_what_was_missed(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"))

    await world.platform.hand_in(ago("m0", "e0", 30, user="u2"))
    await trio.sleep(60)

    assert world.platform.sent == []
    assert world.rows("rule, text") == [("denied:default", "")]


# --- hooks --------------------------------------------------------------------------------------------------------------


class Handler(NoHooks):
    """Says ``verdict`` to what begins with "!", after ``delay_s``; raises it if it is an exception."""

    def __init__(self, verdict, delay_s=0.0):
        self.verdict, self.delay_s = verdict, delay_s
        self.seen = []

    async def before_dispatch(self, event):
        self.seen.append(event.text)
        event.extra["touched"] = "yes"
        if not event.text.startswith("!"):
            return Allow()
        await trio.sleep(self.delay_s)
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


async def test_where_no_hook_minds_messages_none_is_asked(open_world, autojump_clock):
    handler = Handler(Skip())
    handler.minds_messages = False
    world = await open_world(hooks=handler)
    await world.say("!a")
    await world.settle()

    assert world.heard() == ["!a"]
    assert handler.seen == []


async def test_a_hook_may_skip_a_message_or_put_other_words_in_its_place(open_world, autojump_clock):
    world = await open_world(hooks=Handler(Rewrite("other words")))
    await world.say("!a")
    await world.settle()
    skipping = await open_world(hooks=Handler(Skip()))
    await skipping.say("!b")
    await skipping.say("as it is")
    await skipping.settle()

    assert world.heard() == ["other words"]
    assert [line.text for line in world.transcript()] == ["other words", "other words"]
    assert world.rows("text") == ["other words"]
    assert skipping.heard() == ["as it is"]
    assert skipping.rows("state, rule, text")[0] == ("ignored", "ignored:hook", "")


async def test_S17_S20_a_hook_stands_before_access_and_cannot_get_past_it(open_world, autojump_clock):
    """Nor does its rewriting into a command do what the sender may not."""
    handler = Handler(Rewrite("/stop"))
    world = await open_world(
        capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"), hooks=handler, agent=FakeAgent(Hang())
    )
    await world.say("long")
    await trio.sleep(1)

    await world.platform.hand_in(said("!let me in", "e2", user="u2"))
    await world.platform.hand_in(replace(said("!forwarded", "e3"), forwarded=True))
    await trio.sleep(30)

    assert handler.seen == ["long", "!let me in", "!forwarded"]
    assert world.heard() == []
    assert world.rows("rule")[1] == "denied:default"
    assert texts.STOPPED not in world.heard()


@pytest.mark.parametrize(
    "wrong", [RuntimeError("a bug"), "no verdict", Rewrite(7)], ids=["raises", "text", "number"]
)
async def test_S17_a_hook_that_fails_is_not_there(wrong, open_world, autojump_clock, caplog):
    world = await open_world(hooks=Handler(wrong))

    await world.say("!hello")
    await world.settle()

    assert world.heard() == ["!hello"]
    assert "the hooks had no say in a message" in caplog.text
    assert world.tree()["root/gateway/inbound"].incarnation == 1


async def test_a_hook_at_its_deadline_delays_its_own_chat_only(open_world, autojump_clock, caplog):
    world = await open_world(hooks=Handler(Skip(), delay_s=1e6))
    began = trio.current_time()

    await world.say("!slow", "1")
    for n in range(10):
        await world.say(f"quick {n}", f"c{n}")
    await world.until(lambda: all(world.heard(f"c{n}") for n in range(10)), every_s=0.01)
    others = trio.current_time() - began
    await world.until(lambda: world.heard() == ["!slow"], every_s=0.01)

    assert others < 0.5
    assert judge.HOOKS_DEADLINE_S <= trio.current_time() - began < judge.HOOKS_DEADLINE_S + 0.5
    assert "no answer within 1 s" in caplog.text


async def test_a_hook_sees_a_copy(open_world, autojump_clock):
    handler = Handler(Allow())
    world = await open_world(hooks=handler)
    event = said("!hello", "e1")

    await judge.Judge(world.services).decide(event)

    assert handler.seen == ["!hello"]
    assert event.extra == {}


async def test_S16_an_internal_event_comes_from_within_and_no_hook_sees_it(open_world, autojump_clock):
    """It needs no list and no user: the right to make one is an object that no adapter has."""
    handler = Handler(Skip())
    world = await open_world(capabilities=OPEN, hooks=handler)
    event = said("!a reminder", "e1", user=None)

    (accepted,) = await world.services.internal_events.accept([event])
    await world.settle()

    assert not accepted.duplicate
    assert world.heard() == ["!a reminder"]
    assert handler.seen == []


async def test_S16_an_internal_event_happens_once_however_often_it_is_handed_in(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    for duplicate in (False, True):
        (accepted,) = await world.services.internal_events.accept([said("a job", "job/7", user=None)])
        assert accepted.duplicate is duplicate
        await world.settle()

    await world.kill()
    (accepted,) = await world.services.internal_events.accept([said("a job", "job/7", user=None)])
    assert accepted.duplicate
    assert world.heard() == ["a job"]


async def test_S16_no_event_of_a_platform_stands_in_the_way_of_an_internal_one(open_world, autojump_clock):
    """Else somebody who can guess the name of a job could keep it from happening."""
    world = await open_world(capabilities=OPEN)
    for name in ("internal:job/7", "external:internal:job/7", "job/7"):
        await world.platform.hand_in(said("a stranger", name))
    await (await world.platform.io()).undecodable("internal:job/8", b"\xff")

    for job in ("job/7", "job/8"):
        (accepted,) = await world.services.internal_events.accept([said(job, job, user=None)])
        assert not accepted.duplicate
        await world.settle()

    assert world.heard()[1:] == ["job/7", "job/8"]  # the first is the stranger's pairing code
    assert len(set(world.rows("event_id"))) == 6


async def test_S16_an_internal_event_waits_while_intake_is_shut(open_world, autojump_clock):
    world = await open_world(capabilities=OPEN)
    world.services.intake.shut_down()
    with trio.move_on_after(60) as scope:
        await world.services.internal_events.accept([said("a job", "job/7", user=None)])

    assert scope.cancelled_caught
    assert world.rows("event_id") == []
