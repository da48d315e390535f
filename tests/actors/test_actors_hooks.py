"""Hooks in the whole tree, in virtual time: handlers that answer, hang, raise and rewrite, while people write."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import trio
from test_actors_commands_gateway import ROLES, people, say
from world import SECRET

from actors import hooks as actor
from actors import tree
from actors.ports.hook_desk import HookDesk
from actors.ports.hooks import ASK_DEADLINE_S, TOOL_DEADLINE_S
from hermes.config.access import AccessSettings
from hermes.hooks import payloads
from hermes.hooks.answers import UNDECIDED
from hermes.hooks.events import EVENTS
from hermes.ops.redaction import Redaction
from hermes.plugins.hooks import Hook
from hermes.store import ops, queries
from hermes.testing.fakes import FakeAgent
from hermes.types.agent import AgentIO, Final, Step, Turn
from hermes.types.content import Capabilities, Outbound
from hermes.types.errors import Failure, GatewayError, SendError
from hermes.types.hooks import Allow, Block, ToolUse
from hermes.types.ids import DeliveryId


class Stepping:
    """An agent that takes one step and is done."""

    name, model = "stepping", ""

    def __init__(self, step: Step) -> None:
        self._step = step

    async def run(self, _turn: Turn, io: AgentIO) -> Final:
        await io.step(self._step)
        return Final("done")


Handle = Callable[[str, Mapping[str, Any]], Awaitable[object]]

OPEN = Capabilities()


class Called:
    """A handler that notes what it is told, and answers; ``calls`` holds what it was told."""

    left = 0

    def __init__(
        self, answer: object = None, *, hangs: bool = False, raises: Exception | None = None
    ) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self._answer, self._hangs, self._raises = answer, hangs, raises

    async def __call__(self, event: str, payload: Mapping[str, Any]) -> object:
        self.calls.append((event, payload))
        await trio.lowlevel.checkpoint()
        if self._raises:
            raise self._raises
        if self._hangs:
            await trio.sleep_forever()
        return self._answer

    @property
    def names(self) -> list[str]:
        return [event for event, _ in self.calls]


def hook(call: Any, *events: str, name: str = "h", timeout_s: float = 10.0) -> Hook:
    return Hook(name, events, call, "a test", timeout_s)


# --- pre_gateway_dispatch -------------------------------------------------------------------------------------------------


async def test_the_first_answer_decides_and_only_it(open_world, autojump_clock):
    silent, first, second = Called(), Called({"action": "rewrite", "text": "b"}), Called({"action": "skip"})
    handlers = [
        hook(one, "pre_gateway_dispatch", name=str(n)) for n, one in enumerate((silent, first, second))
    ]
    world = await open_world(handlers=handlers)
    await world.say("a")
    await world.settle()
    assert world.heard() == ["b"]
    assert (len(silent.calls), len(first.calls), len(second.calls)) == (1, 1, 0)


async def test_S17_a_hook_that_rewrites_crashes_or_hangs_is_not_past_access(open_world, autojump_clock):
    allow = Called({"action": "allow"})
    rewrites = Called({"action": "rewrite", "text": "/status"})
    for call in (Called(raises=OSError("x")), Called(hangs=True), rewrites, allow):
        agent = FakeAgent()
        world = await open_world(
            agent, capabilities=OPEN, handlers=[hook(call, "pre_gateway_dispatch")], access=AccessSettings()
        )
        await world.say("let me in")
        await world.settle()
        assert call.calls
        assert not agent.turns
        assert world.rows("state") == ["denied"]
        await world.stop()


async def test_a_hook_that_hangs_or_fails_lets_the_message_through(open_world, autojump_clock, caplog):
    hangs, raises = Called(hangs=True), Called(raises=ValueError("boom"))
    world = await open_world(
        handlers=[
            hook(raises, "pre_gateway_dispatch", name="bad"),
            hook(hangs, "pre_gateway_dispatch", name="slow"),
        ]
    )
    began = trio.current_time()
    await world.say("a")
    await world.settle()
    assert world.heard() == ["a"]
    assert ASK_DEADLINE_S <= trio.current_time() - began < ASK_DEADLINE_S + 0.5
    tallies = world.boot.hooks.tallies
    assert (tallies["bad"].errors, tallies["slow"].timeouts) == (1, 1)
    assert "hook bad, pre_gateway_dispatch: ValueError: boom" in caplog.text


@pytest.mark.parametrize("answer", ["yes", {"action": "destroy"}, {"action": "rewrite"}, 7])
async def test_what_is_no_answer_decides_nothing(open_world, autojump_clock, answer):
    world = await open_world(handlers=[hook(Called(answer), "pre_gateway_dispatch", name="odd")])
    await world.say("a")
    await world.settle()
    assert world.heard() == ["a"]
    assert world.boot.hooks.tallies["odd"].errors == 1


async def test_a_handler_sees_values_and_nothing_else(open_world, autojump_clock):
    call = Called()
    world = await open_world(handlers=[hook(call, "pre_gateway_dispatch")])
    await world.say("a")
    await world.settle()
    ((_, seen),) = call.calls
    assert seen["event"].text == "a"
    assert seen["gateway"].platforms == ("fake",)
    assert (seen["session_store"].session_key, seen["session_store"].busy) == (world.key(), False)


async def test_while_the_actor_is_disabled_the_verdict_is_allow(open_world, autojump_clock, caplog):
    world = await open_world(handlers=[hook(Called({"action": "skip"}), "pre_gateway_dispatch")])
    for _ in range(10):
        world.crash(tree.HOOKS)
        await trio.sleep(1)
        if world.state(tree.HOOKS) == "disabled":
            break
    assert world.state(tree.HOOKS) == "disabled"
    await world.say("a")
    await world.settle()
    assert world.heard() == ["a"]
    assert "had no say" not in caplog.text


# --- what happens ---------------------------------------------------------------------------------------------------------


async def test_one_that_hangs_holds_up_nobody_else(open_world, autojump_clock):
    hangs, well = Called(hangs=True), Called()
    handlers = [
        hook(hangs, "x:*", name="hangs", timeout_s=5.0),
        hook(well, "x:*", name="well"),
    ]
    world = await open_world(handlers=handlers)
    for n in range(3):
        world.services.hooks.happened(f"x:{n}", {})
    await trio.sleep(0.1)
    assert well.names == ["x:0", "x:1", "x:2"]
    assert hangs.names == ["x:0"]
    await trio.sleep(16)
    assert hangs.names == ["x:0", "x:1", "x:2"]
    assert world.boot.hooks.tallies["hangs"].timeouts == 3


async def test_exact_names_before_all_of_a_kind_in_their_order(open_world, autojump_clock):
    order: list[str] = []

    def noting(name: str) -> Handle:
        async def note(_event: str, _payload: Mapping[str, Any]) -> object:
            order.append(name)
            return None

        return note

    handlers = [
        hook(noting(n), *events, name=n) for n, *events in (("w", "command:*"), ("e", "command:status"))
    ]
    world = await open_world(handlers=handlers)
    await world.say("/status")
    await world.settle()
    assert order == ["e", "w"]


async def test_what_finds_no_room_is_counted_and_nothing_else_is_lost(open_world, autojump_clock, caplog):
    hangs = Called(hangs=True)
    world = await open_world(handlers=[hook(hangs, "x:*", name="full", timeout_s=300.0)])
    for _ in range(actor.ROOM + 11):
        world.services.hooks.happened("x:y", {})
        await trio.sleep(0.01)
    assert world.boot.hooks.tallies["full"].dropped == 10
    assert "hook full was not told of x:y" in caplog.text


async def test_hooks_are_looked_at_again(open_world, autojump_clock):
    world = await open_world(handlers=[])
    late = Called()
    world.handlers = [hook(late, "x:y")]
    world.services.hooks.happened("x:y", {})
    await trio.sleep(actor.LOOK_EVERY_S + 0.1)
    world.services.hooks.happened("x:y", {})
    await trio.sleep(0.1)
    assert late.names == ["x:y"]


async def test_startup_is_told_once_with_the_platforms(open_world, autojump_clock):
    call = Called()
    world = await open_world(handlers=[hook(call, "gateway:startup")])
    await trio.sleep(1)
    world.crash(tree.HOOKS)
    await trio.sleep(20)
    assert call.calls == [("gateway:startup", {"platforms": ["fake"]})]


async def test_a_crash_of_another_actor_is_told_and_none_of_its_own(open_world, autojump_clock):
    call = Called()
    world = await open_world(handlers=[hook(call, "actor:crashed")])
    world.crash(tree.HOOKS)
    await trio.sleep(5)
    world.crash(tree.INBOUND)
    await trio.sleep(5)
    ((_, told),) = call.calls
    assert told["path"] == tree.INBOUND
    assert told["reason"]


async def test_a_person_sees_the_hooks_and_can_try_them(open_world, autojump_clock):
    bad = Called(raises=OSError(f"no {SECRET}"))
    world = await open_world(
        handlers=[hook(Called({"a": 1}), "x:y", name="good"), hook(bad, "x:*", name="bad")]
    )
    desk = HookDesk(world.boot.hooks, Redaction((SECRET,)).redact)
    tried = (await desk.answer("hooks_test", {"event": "x:y"}))["called"]
    assert [(one["hook"], one["ok"], one["answer"]) for one in tried] == [
        ("good", True, "{'a': 1}"),
        ("bad", False, ""),
    ]
    assert "OSError" in tried[1]["error"]
    listed = (await desk.answer("hooks_list", {}))["hooks"]
    assert [(one["name"], one["calls"], one["errors"]) for one in listed] == [("good", 1, 0), ("bad", 1, 1)]
    assert listed[0]["never"] == ["x:y"]
    assert SECRET not in f"{tried}{listed}"
    for verb, args in (("hooks_test", {}), ("hooks_eat", {})):
        with pytest.raises(GatewayError, match="usage"):
            await desk.answer(verb, args)


@pytest.mark.parametrize("event", [*EVENTS, "command:status"])
async def test_each_event_can_be_tried_with_made_up_data(open_world, autojump_clock, event):
    name = event.replace("<name>", "new")
    call = Called()
    world = await open_world(handlers=[hook(call, name)])
    await HookDesk(world.boot.hooks, str).answer("hooks_test", {"event": name})
    assert call.calls[-1][1]


# --- commands -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "heard", "row"),
    [
        (None, "The gateway", ("answered", "command:status")),
        ({"decision": "allow"}, "The gateway", ("answered", "command:status")),
        ({"decision": "deny"}, "/status", ("refused", "refused:hook")),
        ({"decision": "deny", "message": "not today"}, "not today", ("refused", "refused:hook")),
        ({"decision": "handled", "message": "done"}, "done", ("answered", "command:status:hook")),
        (
            {"decision": "rewrite", "command_name": "help", "raw_args": "stop"},
            "/stop",
            ("answered", "command:help"),
        ),
    ],
)
async def test_a_hook_has_a_say_in_a_command(open_world, autojump_clock, answer, heard, row):
    call = Called(answer)
    world = await open_world(handlers=[hook(call, "command:status")])
    await world.say("/status now")
    await world.settle()
    assert heard in world.heard()[0]
    assert world.rows("state, rule") == [row]
    told = {"platform": "fake", "user_id": "u1", "command": "status", "raw_command": "status"}
    assert call.calls == [("command:status", told | {"args": "now", "raw_args": "now"})]


async def test_a_command_that_was_handled_without_a_word_is_answered_with_none(open_world, autojump_clock):
    world = await open_world(handlers=[hook(Called({"decision": "handled"}), "command:*")])
    await world.say("/status")
    await world.settle()
    assert (world.heard(), world.rows("state")) == ([], ["answered"])


async def test_S17_a_command_put_in_anothers_place_passes_the_same_gate(open_world, autojump_clock):
    rewrites = Called({"decision": "rewrite", "command_name": "restart"})
    world = await open_world(
        handlers=[hook(rewrites, "command:*")],
        capabilities=OPEN,
        access=people(ROLES),
    )
    await say(world, "eve", "/help")
    assert world.rows("state, rule") == [("refused", "refused:slash_access")]
    assert rewrites.names == ["command:help"]


async def test_nobody_is_asked_about_a_command_that_its_sender_may_not_give(open_world, autojump_clock):
    call = Called()
    world = await open_world(handlers=[hook(call, "command:*")], capabilities=OPEN, access=AccessSettings())
    await world.say("/status")
    await world.settle()
    assert not call.calls


# --- tools ----------------------------------------------------------------------------------------------------------------


TERMINAL = ToolUse("terminal", {"command": "ls"})


def gate(call: Any, *, matcher: str | None = None, fail_closed: bool = False, timeout_s: float = 5.0) -> Hook:
    about = re.compile(matcher) if matcher else None
    one = hook(call, "pre_tool_call", "post_tool_call", timeout_s=timeout_s)
    return replace(one, matcher=about, fail_closed=fail_closed)


async def test_a_hook_blocks_a_tool_with_its_words_and_only_the_tools_it_is_about(open_world, autojump_clock):
    call = Called({"action": "block", "message": "not here"})
    world = await open_world(handlers=[gate(call, matcher="term.*")])
    hooks = world.boot.hooks
    assert await hooks.before_tool(TERMINAL) == Block("not here")
    assert call.calls[-1][1]["args"] == {"command": "ls"}
    assert await hooks.before_tool(ToolUse("web", {})) == Allow()
    done = payloads.tool_done(TERMINAL, "ok", "blocked", 0.0)
    hooks.happened("post_tool_call", done)
    hooks.happened("post_tool_call", payloads.tool_done(ToolUse("web", {}), "ok", "ok", 0.0))
    await trio.sleep(1)
    assert call.calls[1:] == [("post_tool_call", done)]


@pytest.mark.parametrize("fail_closed", [False, True])
@pytest.mark.parametrize("call", [Called(raises=OSError("x")), Called(hangs=True), Called("no answer")])
async def test_one_that_cannot_say_blocks_only_if_it_is_to_fail_closed(
    open_world, autojump_clock, call, fail_closed
):
    world = await open_world(handlers=[gate(call, fail_closed=fail_closed), gate(Called())])
    expected = Block(UNDECIDED) if fail_closed else Allow()
    assert await world.boot.hooks.before_tool(TERMINAL) == expected


@pytest.mark.parametrize("fail_closed", [False, True])
async def test_closed_is_also_what_is_too_slow_and_what_is_away(open_world, autojump_clock, fail_closed):
    slow = [gate(Called(hangs=True), timeout_s=TOOL_DEADLINE_S + 9, fail_closed=fail_closed)]
    world = await open_world(handlers=slow)
    expected = Block(UNDECIDED) if fail_closed else Allow()
    began = trio.current_time()
    assert await world.boot.hooks.before_tool(TERMINAL) == expected
    assert trio.current_time() - began < TOOL_DEADLINE_S + 1
    for _ in range(10):
        world.crash(tree.HOOKS)
        await trio.sleep(1)
    assert world.state(tree.HOOKS) == "disabled"
    assert await world.boot.hooks.before_tool(TERMINAL) == expected


# --- what is told, and when -----------------------------------------------------------------------------------------------


async def test_a_conversation_its_turns_and_its_deliveries_are_told_in_order(open_world, autojump_clock):
    call = Called()
    world = await open_world(
        handlers=[hook(call, "session:*", "agent:*", "delivery:*")],
        agent=Stepping(Step("result", "web", "found")),
    )
    await world.say("one")
    await world.settle()
    await trio.sleep(1)
    assert call.names == ["session:start", "agent:start", "agent:step", "agent:end", "delivery:sent"]
    session_id = call.calls[0][1]["session_id"]
    assert call.calls[0][1]["session_key"] == world.key()
    chat = {"chat_id": "1", "thread_id": None, "chat_type": "dm"}
    who = {"platform": "fake", "user_id": "u1", "session_id": session_id}
    assert call.calls[1][1] == who | chat | {"message": "one"}
    tools = {"iteration": 1, "tool_names": ["web"], "tools": [{"name": "web", "result": "found"}]}
    assert call.calls[2][1] == who | tools
    assert call.calls[3][1] == who | chat | {"message": "one", "response": "done"}
    receipt = call.calls[4][1]
    assert (receipt["kind"], receipt["chat_id"], len(receipt["message_ids"])) == ("reply", "1", 1)
    await world.say("two")
    await world.settle()
    assert "session:start" not in call.names[5:]


async def test_a_new_conversation_is_told(open_world, autojump_clock):
    call = Called()
    world = await open_world(handlers=[hook(call, "session:*")])
    await world.say("/new")
    await world.say("hello")
    await world.settle()
    await world.say("/new")
    await world.settle()
    await trio.sleep(1)
    assert call.names == ["session:start", "session:end", "session:reset", "session:start"]
    first, last = call.calls[0][1]["session_id"], call.calls[3][1]["session_id"]
    assert first != last
    await world.say("again")
    await world.settle()
    assert len(call.calls) == 4
    assert world.look(queries.session, world.key()).session_id == last


async def test_what_was_given_up_is_told_without_its_words(open_world, autojump_clock):
    call = Called()
    world = await open_world(handlers=[hook(call, "delivery:dead")])
    world.platform.failures.append(SendError(Failure("bad_chat", "fatal", "message"), "rejected"))
    await world.say("one")
    await world.until(lambda: bool(call.calls))
    ((_, told),) = call.calls
    assert told["failure"]
    assert "one" not in told.values()


async def test_what_expires_is_told_as_any_other_dead_letter(open_world, autojump_clock):
    call = Called()
    away = SendError(Failure("away", scope="chat", retry_after=1e6), "not_sent")
    world = await open_world(handlers=[hook(call, "delivery:dead")])
    world.platform.failures.append(away)
    late = Outbound(
        DeliveryId("late"), "fake", "default", "1", "one", expires_at=world.services.clock.wall() + 90
    )
    await world.services.store.write(ops.Enqueue(late, 0.0))
    await world.until(lambda: bool(call.calls), within_s=200)
    ((_, told),) = call.calls
    assert (told["delivery_id"], told["failure"]) == ("late", "expired")
    assert "one" not in told.values()


async def test_traffic_under_hooks_that_hang_raise_and_rewrite_loses_nothing(open_world, autojump_clock):
    hangs, raises = Called(hangs=True), Called(raises=RuntimeError("x"))

    async def shout(_event: str, seen: Mapping[str, Any]) -> object:
        return {"action": "rewrite", "text": seen["event"].text.upper()}

    handlers = [
        hook(hangs, "agent:*", "session:*", "delivery:*", name="hangs", timeout_s=1.0),
        hook(raises, "agent:*", "pre_gateway_dispatch", "command:*", name="raises"),
        hook(shout, "pre_gateway_dispatch", name="shouts"),
    ]
    world = await open_world(handlers=handlers)
    began = trio.current_time()
    for n in range(5):
        for chat in "123":
            await world.say(f"m{n}", chat)
    await world.settle()
    assert trio.current_time() - began < 5.0
    for chat in "123":
        assert world.heard(chat) == [f"M{n}" for n in range(5)]
