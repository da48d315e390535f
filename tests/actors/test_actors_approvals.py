"""An agent asks a person: what is decided, by whom, and what becomes of the question when anything around it fails."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from agents import Asker, Deaf
from test_actors_access import OPEN, access, said
from world import QUEUE, World

from actors import tree
from hermes.config.model import Agent, Approvals, Config, Display, Limits
from hermes.store import approvals, queries
from hermes.testing.fakes import EPOCH_S, FakeAdapter
from hermes.types import texts
from hermes.types.agent import ApprovalRequest, Approved, Final
from hermes.types.approvals import APPROVAL_ID, Approval
from hermes.types.content import Capabilities

TIMEOUT_S = 300.0

OpenWorld = Callable[..., Awaitable[World]]


def asked(world: World, chat: str = "1") -> list[Approval]:
    """What waits in the chat's session."""
    return list(world.look(approvals.pending, world.key(chat)))


def all_of(world: World) -> list[tuple[int, str]]:
    """Number and state of every approval there ever was."""
    return sorted((one.number, one.state) for one in world.look(approvals.latest, 1000))


def prompts(world: World, chat: str = "1") -> list[str]:
    """The questions a person has read."""
    return [text for text in world.heard(chat) if text.startswith("May I")]


async def ask(world: World, text: str = "x", chat: str = "1", prompts_more: int = 1) -> None:
    """Say ``text``, and wait until its prompts have arrived."""
    before = len(prompts(world, chat))
    await world.say(text, chat)
    await world.until(lambda: len(prompts(world, chat)) >= before + prompts_more)


# --- what is decided ------------------------------------------------------------------------------------------------------


async def test_a_bare_yes_lets_the_agent_go_on(open_world: OpenWorld, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    assert prompts(world)[0].startswith("May I do x?\n\n```\ndetail of x\n```\n\n")
    assert agent.done == []
    await world.say("Yes.")
    await world.settle()

    assert world.heard()[1:] == [texts.APPROVED, "did x"]
    assert world.rows("state, rule") == [("answered", "answered"), ("answered", "command:approve")]
    assert agent.done == ["x"]
    assert all_of(world) == [(1, "approved")]


async def test_a_denial_is_the_agent_s_to_answer_with_its_reason(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    await world.say("/deny too risky")
    await world.settle()

    assert world.heard()[1:] == [texts.DENIED, "did not x: too risky"]
    assert agent.done == []
    (row,) = world.look(approvals.latest, 9)
    assert (row.state, row.reason, row.decided_by) == ("denied", "too risky", "fake:u1")


async def test_the_prompt_is_a_notice_that_answers_nothing_and_names_its_approval(open_world, autojump_clock):
    world = await open_world(Asker())
    await ask(world)
    (prompt,) = world.platform.sent
    assert prompt.metadata[APPROVAL_ID] == asked(world)[0].approval_id
    assert prompt.metadata["answers"] == ""
    assert world.rows("state") == ["in_turn"]


async def test_two_at_once_are_decided_by_number_or_all_together(open_world, autojump_clock):
    agent = Asker(at_once=True)
    world = await open_world(agent)
    await ask(world, "x y", prompts_more=2)
    first, second = asked(world)
    assert {first.number, second.number} == {1, 2}
    await world.say("/approve")
    await world.until(lambda: len(world.heard()) == 3)
    which = texts.APPROVAL_WHICH.format(numbers="1, 2", command="approve", first=1)
    assert world.heard()[2] == which
    await world.say(f"/deny {second.number}")
    await world.until(lambda: len(asked(world)) == 1)
    await world.say("ok")
    await world.settle()

    assert world.heard()[3:5] == [texts.DENIED, texts.APPROVED]
    assert agent.done == [first.action.removeprefix("do ")]


@pytest.mark.parametrize(("word", "text"), [("/approve all", "APPROVED_ALL"), ("/deny all", "DENIED_ALL")])
async def test_all_means_all_that_wait(word, text, open_world, autojump_clock):
    agent = Asker(at_once=True)
    world = await open_world(agent)
    await ask(world, "x y z", prompts_more=3)
    await world.say(word)
    await world.settle()
    assert world.heard()[3] == getattr(texts, text).format(count=3)
    assert sorted(agent.done) == (["x", "y", "z"] if word == "/approve all" else [])


async def test_the_same_request_is_asked_anew_after_its_step(open_world, autojump_clock):
    """A decision is for one time: what was approved was done."""

    class Twice:
        name = "twice"

        async def run(self, turn, io):
            from hermes.types.agent import Step

            for n in range(2):
                await io.approve(ApprovalRequest("go"))
                await io.step(Step("result", f"{n}", ""))
            return Final("went")

    world = await open_world(Twice())
    await ask(world)
    await world.say("yes")
    await world.until(lambda: len(prompts(world)) == 2)
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "went"
    assert all_of(world) == [(1, "approved"), (2, "approved")]


# --- words that are no decision -------------------------------------------------------------------------------------------


async def test_a_word_that_decides_nothing_is_a_message_like_any_other(open_world, autojump_clock):
    world = await open_world()
    await world.say("yes")
    await world.settle()
    assert world.heard() == ["yes"]


async def test_a_word_is_text_while_two_things_wait(open_world, autojump_clock):
    world = await open_world(Asker(at_once=True))
    await ask(world, "x y", prompts_more=2)
    await world.say("yes")
    await world.until(lambda: world.rows("state") == ["in_turn", "routed"])
    assert len(asked(world)) == 2
    assert world.rows("text")[1] == "yes"


async def test_AC47_a_second_decision_is_refused_in_words(open_world, autojump_clock):
    world = await open_world(Asker())
    await ask(world)
    await world.say("yes")
    await world.say("/approve 1")
    await world.say("/approve")
    await world.settle()
    said_to_it = [texts.APPROVED, "did x", texts.APPROVAL_UNKNOWN.format(which="`1`"), texts.APPROVAL_NONE]
    assert sorted(world.heard()[1:]) == sorted(said_to_it)
    assert all_of(world) == [(1, "approved")]


async def test_of_two_answers_at_the_same_moment_the_first_counts(open_world, autojump_clock):
    world = await open_world(Asker(), capabilities=OPEN, access=access(FAKE_ALLOWED_USERS="u1"))
    await ask(world)
    await world.platform.hand_in(said("/approve 1", "y1"), said("/deny 1", "y2"))
    await world.settle()
    assert texts.APPROVED in world.heard()
    assert texts.APPROVAL_UNKNOWN.format(which="`1`") in world.heard()
    assert all_of(world) == [(1, "approved")]


async def test_a_word_from_long_before_it_was_asked_decides_nothing(open_world, autojump_clock):
    """It lay on the platform while the gateway was away, and was about something else."""
    world = await open_world(Asker(), config=Config(display=QUEUE))
    await ask(world)
    early = EPOCH_S + trio.current_time() - 3600
    await world.platform.hand_in(said("yes", "old", sent_at=early))
    await world.until(lambda: world.rows("state") == ["in_turn", "routed"])
    assert len(asked(world)) == 1


# --- S18: who decides -----------------------------------------------------------------------------------------------------

GROUP = {"chat_type": "group", "chat": "g"}


async def group(open_world: OpenWorld, agent: Any, **more: Any) -> World:
    """Ann has asked for something in a group that shares one conversation."""
    config = Config(display=QUEUE, group_sessions_per_user=False)
    rules = access(
        FAKE_ALLOWED_USERS="ann,bob,root", FAKE_GROUP_ALLOWED_CHATS="g", **{"FAKE_ALLOW_BOTS": "all", **more}
    )
    world = await open_world(agent, capabilities=OPEN, access=rules, config=config)
    await world.platform.hand_in(said("x", "ask", user="ann", mentions_bot=True, **GROUP))
    await world.until(lambda: len(prompts(world, "g")) == 1)
    return world


async def in_group(world: World, text: str, event_id: str, **fields: Any) -> str:
    """What somebody in the group is answered."""
    before = len(world.heard("g"))
    await world.platform.hand_in(said(text, event_id, **{"mentions_bot": True, **GROUP, **fields}))
    await world.until(lambda: len(world.heard("g")) > before)
    return world.heard("g")[before]


async def test_S18_another_member_of_the_conversation_decides_nothing(open_world, autojump_clock):
    agent = Asker()
    world = await group(open_world, agent)
    for n, words in enumerate(("/approve", "/approve 1", "/approve all", "/deny 1")):
        reply = await in_group(world, words, f"bob{n}", user="bob")
        assert reply.startswith(texts.APPROVAL_NOT_YOURS)
    await world.platform.hand_in(said("yes", "bob9", user="bob", mentions_bot=True, **GROUP))
    await world.until(lambda: len(world.rows("state")) == 6 and world.rows("state")[5] == "routed")
    assert world.rows("text")[5] == "yes", "to the agent it is what Bob said"
    assert [one.state for one in world.look(approvals.latest, 9)] == ["pending"]
    assert agent.done == []

    assert (await in_group(world, "yes", "ann1", user="ann")).startswith(texts.APPROVED)
    await world.settle()
    assert agent.done[0] == "x"


@pytest.mark.parametrize("who", ["guest of the chat", "bot", "nobody"])
async def test_S18_neither_a_guest_nor_a_bot_decides(who, open_world, autojump_clock):
    world = await group(open_world, Asker())
    fields = {"user": None if who == "nobody" else "x7", "is_bot": who == "bot"}
    await world.platform.hand_in(said("/approve 1", "e7", mentions_bot=True, **GROUP, **fields))
    await world.until(lambda: world.rows("state")[1] != "accepted")
    await trio.sleep(1)
    assert [one.state for one in world.look(approvals.latest, 9)] == ["pending"]
    assert not any(texts.APPROVED in text for text in world.heard("g"))


async def test_S18_an_admin_decides_for_others_in_the_same_conversation(open_world, autojump_clock):
    agent = Asker()
    world = await group(open_world, agent)
    await world.reload(world.config, admins(world))
    assert (await in_group(world, "/approve 1", "root1", user="root")).startswith(texts.APPROVED)
    await world.settle()
    assert agent.done == ["x"]


def admins(world: World) -> Any:
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("platforms: {fake: {group_allow_admin_from: [root]}}\n")
        file.flush()
        from pathlib import Path

        return access(Path(file.name), FAKE_ALLOWED_USERS="ann,bob,root", FAKE_GROUP_ALLOWED_CHATS="g")


async def test_S18_another_session_s_number_and_id_are_unknown_even_to_who_asked(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world, "x", "1")
    approval_id = asked(world, "1")[0].approval_id
    for n, words in enumerate(("/approve 1", f"/approve {approval_id}", "/approve all", "/approve")):
        await world.say(words, "2")
        await world.until(lambda n=n: len(world.heard("2")) == n + 1)
    unknown = [texts.APPROVAL_UNKNOWN.format(which=f"`{which}`") for which in ("1", approval_id)]
    assert world.heard("2") == [*unknown, texts.APPROVAL_NONE, texts.APPROVAL_NONE]
    assert len(asked(world, "1")) == 1
    await world.say("yes", "2")
    await world.until(lambda: len(prompts(world, "2")) == 1)  # there it is a message, and asks for itself
    assert agent.done == []


async def test_S18_forged_names_decide_nothing(open_world, autojump_clock):
    world = await open_world(Asker())
    await ask(world)
    for n, name in enumerate(("0", "-1", "2", "ffffffff", "1;--", "%", "*", "x" * 5000, "../1", "1e0", "¹")):
        await world.say(f"/approve {name}")
        await world.until(lambda n=n: len(world.heard()) == n + 2)
    assert all(reply.startswith("Nothing that is called") for reply in world.heard()[1:])
    assert all(len(reply) < 200 for reply in world.heard()[1:])
    assert len(asked(world)) == 1


@pytest.mark.parametrize(
    ("state", "why"), [("internal", {"internal": True}), ("forwarded", {"forwarded": True})]
)
async def test_S18_internal_and_forwarded_words_are_no_decision(state, why, open_world, autojump_clock):
    from hermes.store import ops

    world = await open_world(Asker())
    await ask(world)
    for n, text in enumerate(("yes", "/approve 1")):
        world.services.store.post(ops.Accept((said(text, f"{state}{n}", **why),)))
    world.services.conversations.wake_inbound(said("", "").origin.lane)
    await world.until(lambda: world.rows("state") == ["in_turn", "routed", "routed"])
    assert len(asked(world)) == 1


async def test_S20_a_bare_word_passes_the_gate_of_its_command(open_world, autojump_clock):
    """Where commands are for admins, a user's yes is no way around it."""
    world = await group(open_world, Asker())
    await world.reload(world.config, admins(world))
    await world.platform.hand_in(said("yes", "ann1", user="ann", mentions_bot=True, **GROUP))
    await world.until(lambda: world.rows("state") == ["in_turn", "routed"])
    refusal = texts.COMMAND_FOR_ADMINS.format(name="approve")
    assert (await in_group(world, "/approve", "ann2", user="ann")).startswith(refusal)
    assert [one.state for one in world.look(approvals.latest, 9)] == ["pending"]


# --- time -----------------------------------------------------------------------------------------------------------------


async def test_AC47_silence_is_a_no_and_ends_the_turn_in_words(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    began = trio.current_time()
    await ask(world)
    await world.settle()

    assert trio.current_time() - began == pytest.approx(TIMEOUT_S, abs=1)
    assert world.heard()[1:] == [texts.APPROVAL_EXPIRED]
    assert world.rows("state, rule") == [("stopped", "approval_expired")]
    assert all_of(world) == [(1, "expired")]
    assert agent.done == []
    assert [line.role for line in world.transcript()] == ["user", "notice"]

    await world.say("/approve 1")
    await world.until(lambda: len(world.heard()) == 3)
    assert world.heard()[2] == texts.APPROVAL_UNKNOWN.format(which="`1`")
    await ask(world, "z")
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "did z", "the conversation goes on"


async def test_the_timeout_is_the_configured_one(open_world, autojump_clock):
    world = await open_world(Asker(), config=Config(display=QUEUE, approvals=Approvals(timeout=7)))
    began = trio.current_time()
    await ask(world)
    assert "7 seconds" in world.heard()[0]
    await world.settle()
    assert trio.current_time() - began == pytest.approx(7, abs=0.5)


async def test_neither_deadline_of_the_turn_runs_while_a_person_thinks(open_world, autojump_clock):
    limits = Agent(turn_timeout_s=20, no_progress_s=10)

    class Slow(Asker):
        async def run(self, turn, io):
            await trio.sleep(8)
            await io.approve(ApprovalRequest("go"))
            await trio.sleep(8)
            return Final("went")

    world = await open_world(Slow(), config=Config(display=QUEUE, agent=limits))
    await ask(world)
    await trio.sleep(200)
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "went"


async def test_both_run_on_afterwards(open_world, autojump_clock):
    """What was left of the whole is what is left; and a silent agent has no more patience than before."""

    class Sleeper(Asker):
        def __init__(self, then_s):
            super().__init__()
            self.then_s = then_s

        async def run(self, turn, io):
            from hermes.types.agent import Delta

            await trio.sleep(8)
            await io.approve(ApprovalRequest("go"))
            for _ in range(100):
                await trio.sleep(self.then_s)
                await io.emit(Delta("."))
            raise AssertionError

    for then_s, lasts_s in ((1, 12), (30, 10)):
        config = Config(display=QUEUE, agent=Agent(turn_timeout_s=20, no_progress_s=10))
        world = await open_world(Sleeper(then_s), config=config)
        await ask(world)
        await trio.sleep(100)
        await world.say("yes")
        went_on = trio.current_time()
        await world.settle()
        assert trio.current_time() - went_on == pytest.approx(lasts_s, abs=0.5)
        assert world.rows("state, rule")[0] == ("failed", "turn_deadline")


async def test_typing_rests_while_a_person_thinks(open_world, autojump_clock):
    class Slow(Asker):
        async def run(self, turn, io):
            await trio.sleep(3)
            await io.approve(ApprovalRequest("go"))
            await trio.sleep(3)
            return Final("went")

    platform = FakeAdapter(
        capabilities=Capabilities(authenticated=True, idempotent_send=True, typing_interval_s=1)
    )
    world = await open_world(Slow(), platform=platform)
    await ask(world)
    await trio.sleep(1.5)
    seen = len(platform.typed)
    assert platform.typed[-1][3] is False
    await trio.sleep(60)
    assert len(platform.typed) == seen
    await world.say("yes")
    await world.settle()
    assert any(on for _, _, _, on in platform.typed[seen:])


# --- stop, interrupt, and the other busy modes ----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["/stop", "/new"])
async def test_AC37_a_stop_ends_a_turn_that_awaits_approval(command, open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    began = trio.current_time()
    await world.say(command)
    await world.until(lambda: world.state(f"{world.session()}/turn") is None)

    assert trio.current_time() - began < 2
    assert world.rows("state")[0] == "stopped"
    assert all_of(world) == [(1, "void")]
    await world.say("/approve")
    await world.until(lambda: len(world.heard()) == 3)
    assert world.heard()[2] == texts.APPROVAL_NONE
    await ask(world, "z")
    await world.say("yes")
    await world.settle()
    assert agent.done == ["z"]


async def test_a_message_that_is_no_decision_takes_the_turn_over_and_voids_the_question(
    open_world, autojump_clock
):
    agent = Asker()
    world = await open_world(agent, config=Config(display=Display(busy_ack=False)))
    await ask(world)
    await ask(world, "z")
    assert all_of(world) == [(1, "void"), (2, "pending")]
    await world.say("/approve 1")
    await world.until(lambda: world.heard()[-1] == texts.APPROVAL_UNKNOWN.format(which="`1`"))
    await world.say("yes")
    await world.settle()
    assert agent.done == ["z"]
    assert world.rows("state, rule")[0] == ("merged", "merged:interrupt")


async def test_a_question_that_is_asked_again_after_the_interruption_is_put_again(open_world, autojump_clock):
    class Stubborn(Asker):
        async def run(self, turn, io):
            self.turns.append(turn)
            decision = await io.approve(ApprovalRequest("go"))
            return Final(f"{isinstance(decision, Approved)}")

    world = await open_world(Stubborn(), config=Config(display=Display(busy_ack=False)))
    await ask(world)
    await ask(world, "hurry up")
    assert all_of(world) == [(1, "void"), (2, "pending")]
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "True"


@pytest.mark.parametrize("mode", ["queue", "steer", "collect"])
async def test_in_the_other_modes_it_waits(mode, open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent, config=Config(display=Display(busy_input_mode=mode, busy_ack=False)))
    await ask(world)
    await world.say("z")
    await trio.sleep(5)
    assert world.rows("state") == ["in_turn", "routed"]
    assert all_of(world) == [(1, "pending")]
    await world.say("ok")
    await world.until(lambda: agent.done == ["x"])
    await world.until(lambda: len(asked(world)) == 1)
    await world.say("no")
    await world.settle()
    assert agent.done == ["x"]


# --- what fails around it -------------------------------------------------------------------------------------------------


async def test_AC47_a_kill_while_it_waits_shows_the_prompt_again_and_yes_is_applied_once(
    open_world, autojump_clock
):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    await world.kill()
    await world.until(lambda: len(prompts(world)) == 2)
    assert [one.number for one in asked(world)] == [1], "it is the same question"
    await world.say("yes")
    await world.say("/approve 1")
    await world.settle()

    assert agent.done == ["x"]
    assert world.heard().count("did x") == 1
    assert world.heard().count(texts.APPROVED) == 1
    assert texts.APPROVAL_UNKNOWN.format(which="`1`") in world.heard()


async def test_AC47_a_word_that_comes_while_the_process_comes_up_counts(open_world, autojump_clock):
    """Before the turn has asked again, and long after its time."""
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    world.away_s = 2 * TIMEOUT_S
    boot = world.boot
    boot.kill()
    async with trio.open_nursery() as people:
        people.start_soon(world.say, "yes")
        await boot.ended.wait()
    await world.up()
    await world.settle()

    assert texts.APPROVED in world.heard()
    assert agent.done == ["x"]


async def test_AC47_after_a_restart_a_person_has_a_minute_at_least(open_world, autojump_clock):
    world = await open_world(Asker())
    await ask(world)
    world.away_s = 2 * TIMEOUT_S
    world.boot.kill()
    await world.until(lambda: len(prompts(world)) == 2, within_s=3 * TIMEOUT_S)
    back = trio.current_time()
    await world.settle()
    assert world.rows("rule") == ["approval_expired"]
    assert trio.current_time() - back == pytest.approx(60, abs=3)


async def test_AC47_what_was_approved_before_the_kill_is_not_asked_again(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    world.kill_at("after_decision")
    await world.say("yes")
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.settle()
    assert len(prompts(world)) == 1
    assert agent.done == ["x"]
    assert world.heard()[1:] in ([texts.APPROVED, "did x"], ["did x", texts.APPROVED])


async def test_AC47_waiting_over_many_restarts_kills_no_turn(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    for n in range(5):
        await world.kill()
        await world.until(lambda n=n: len(prompts(world)) == n + 2)
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "did x"
    assert agent.done == ["x"]


async def test_a_stop_of_the_gateway_waits_for_no_person_and_the_question_goes_on(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    boot, began = world.boot, trio.current_time()
    world.restart()
    await boot.ended.wait()
    assert trio.current_time() - began < 2
    await world.until(lambda: len(prompts(world)) == 2)
    await world.say("yes")
    await world.settle()
    assert agent.done == ["x"]


async def test_a_turn_that_comes_to_ask_during_the_drain_is_not_waited_for(open_world, autojump_clock):
    class Late(Asker):
        async def run(self, turn, io):
            await trio.sleep(3)
            return await super().run(turn, io)

    world = await open_world(Late())
    await world.say("x")
    await trio.sleep(1)
    boot, began = world.boot, trio.current_time()
    world.restart()
    await boot.ended.wait()
    assert trio.current_time() - began < 5
    await world.until(lambda: len(prompts(world)) >= 1)
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "did x"


@pytest.mark.parametrize(
    "path", ["session", tree.INBOUND, tree.SESSIONS, "root/gateway/delivery/outbox", "root/gateway"]
)
async def test_AC47_the_question_outlives_the_restart_of(path, open_world, autojump_clock):
    """No prompt is shown twice in one boot."""
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    target = world.session() if path == "session" else path
    await world.services.overview.restart(target)
    await world.until(lambda: world.state(tree.INBOUND) == "running")
    await world.up()
    await trio.sleep(6)
    assert len(prompts(world)) == 1
    await world.say("yes")
    await world.settle()
    assert agent.done == ["x"]
    assert world.heard()[1:] in ([texts.APPROVED, "did x"], ["did x", texts.APPROVED])


async def test_AC47_the_question_outlives_a_crash_of_its_session(open_world, autojump_clock):
    agent = Asker()
    world = await open_world(agent)
    await ask(world)
    world.crash(world.session())
    await trio.sleep(2)
    assert len(prompts(world)) == 1
    await world.say("yes")
    await world.settle()
    assert agent.done == ["x"]
    assert len(agent.turns) == 2


async def test_AC47_the_question_outlives_a_crash_of_its_turn(open_world, autojump_clock):
    class Fragile(Asker):
        async def run(self, turn, io):
            self.turns.append(turn)
            async with trio.open_nursery() as tools:
                if len(self.turns) == 1:
                    tools.start_soon(self._fall)
                await io.approve(ApprovalRequest("go"))
            return Final("went")

        async def _fall(self):
            await trio.sleep(1)
            raise ValueError("a tool has a bug")

    world = await open_world(Fragile())
    await ask(world)
    await world.until(lambda: len(world.rows("crashes")) == 1 and world.rows("crashes") == [1])
    await trio.sleep(1)
    assert len(prompts(world)) == 1
    await world.say("yes")
    await world.settle()
    assert world.heard()[-1] == "went"


async def test_a_decision_whose_wake_up_was_lost_is_found(open_world, autojump_clock, monkeypatch):
    world = await open_world(Asker())
    await ask(world)
    monkeypatch.setattr(world.services.approvals, "decided", lambda ids: None)
    await world.say("yes")
    await world.settle(within_s=10)
    assert world.heard()[-1] == "did x"


@pytest.mark.parametrize("nth", range(1, 4))
@pytest.mark.parametrize("point", ["after_decision", "after_step", "before_turn_commit", "after_turn_commit"])
async def test_AC47_a_kill_at_any_commit_around_it_asks_until_it_is_answered(
    point, nth, open_world, autojump_clock
):
    """Whenever the process dies, the effect comes once: its step is what a second run looks at."""
    agent = Asker()
    world = await open_world(agent)
    world.kill_at(point, nth)
    await world.say("x")
    with trio.fail_after(TIMEOUT_S):
        while not any(text == "did x" for text in world.heard()):
            if asked(world):
                await world.say("/approve 1")
            await trio.sleep(1)
    await world.settle()
    assert world.heard().count("did x") == 1
    assert all_of(world) == [(1, "approved")]


# --- places ---------------------------------------------------------------------------------------------------------------


async def test_a_hundred_who_think_it_over_keep_nobody_else_out(open_world, autojump_clock):
    """A turn that waits for a person gives its place back, and takes one again."""

    class Mixed(Asker):
        async def run(self, turn, io):
            if turn.events[-1].text == "hello":
                return Final("hello")
            return await super().run(turn, io)

    agent = Mixed()
    world = await open_world(agent, config=Config(display=QUEUE, limits=Limits(turns=2)))
    chats = [f"c{n}" for n in range(100)]
    async with trio.open_nursery() as people:
        for chat in chats:
            people.start_soon(ask, world, "x", chat)
    assert world.services.turns.borrowed_tokens == 0

    await world.say("hello", "other")
    await world.until(lambda: world.heard("other") == ["hello"], within_s=2)

    for chat in chats:
        await world.say("yes", chat)
    await world.settle()
    assert agent.done == ["x"] * 100
    assert all(world.heard(chat)[-1] == "did x" or "did x" in world.heard(chat) for chat in chats)
    assert world.services.turns.borrowed_tokens == 0


async def test_who_was_approved_waits_for_a_place_as_long_as_it_takes(open_world, autojump_clock):
    class Mixed(Asker):
        async def run(self, turn, io):
            if turn.events[-1].text == "long":
                await trio.sleep(250)
                return Final("long")
            return await super().run(turn, io)

    agent = Mixed()
    config = Config(display=QUEUE, limits=Limits(turns=1), agent=Agent(turn_timeout_s=600, no_progress_s=290))
    world = await open_world(agent, config=config)
    await ask(world)
    await world.say("long", "2")
    await trio.sleep(1)
    await world.say("yes")
    await trio.sleep(200)
    assert agent.done == []
    await world.settle()
    assert agent.done == ["x"]
    assert world.services.turns.borrowed_tokens == 0


async def test_a_halted_agent_that_hears_nothing_is_given_up(open_world, autojump_clock):
    class Hears(Deaf):
        async def run(self, turn, io):
            async with trio.open_nursery() as tools:
                tools.start_soon(io.approve, ApprovalRequest("go"))
                return await super().run(turn, io)

    agent = Hears(deaf_turns=9)
    world = await open_world(agent)
    await world.say("x")
    await world.until(lambda: len(prompts(world)) == 1)
    await world.settle()
    assert world.counts.pending == 0
    assert world.rows("state")[0] in ("stopped", "failed")
    assert world.look(queries.open_sessions) == {}
    agent.released.set()
