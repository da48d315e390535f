"""A turn calls tools: what is committed, on whose behalf it is done, and what becomes of one that misbehaves."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from test_actors_access import OPEN, access, said
from world import QUEUE, World

from actors.calling import Calling
from actors.ports.approval_desk import ApprovalDesk
from actors.ports.memory import StoreMemory
from actors.ports.overview import PLUGINS
from hermes.agents.functions import functions
from hermes.config.model import Agent, Config, Display, Streaming
from hermes.hooks import events as hook_events
from hermes.plugins.brought import PluginRow
from hermes.registry.tools import Toolbox
from hermes.routing.commands import CommandSpec
from hermes.store import queries
from hermes.testing.fakes import EditingAdapter
from hermes.types import texts
from hermes.types.access import Role
from hermes.types.agent import AgentIO, Answered, Asking, Delta, Final, Turn
from hermes.types.errors import Failure, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.hooks import Allow, Block, NoHooks, ToolUse, ToolVerdict
from hermes.types.ids import SessionKey, TraceId, TurnId
from hermes.types.jobs import Author
from hermes.types.memory import Asked, Ended
from hermes.types.origin import ITSELF, Origin
from hermes.types.records import InboxRow
from hermes.types.tools import MOST_RESULT_BYTES, OUTCOME_UNKNOWN, Call, Tool, ToolContext, ToolError

OpenWorld = Callable[..., Awaitable[World]]


@dataclass
class Caller:
    """An agent that calls the tool that it is told, once, and answers with its result."""

    name: str = "caller"
    model: str = ""
    arguments: str = "{}"
    turns: list[Turn] = field(default_factory=list)

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        self.turns.append(turn)
        return Final(await io.call("c1", turn.events[0].text, self.arguments))


@dataclass
class Told(NoHooks):
    """Hooks that block what is called so, and write down what happened."""

    blocks: str = ""
    happenings: list[tuple[str, Any]] = field(default_factory=list)

    async def before_tool(self, use: ToolUse) -> ToolVerdict:
        return Block("not today") if use.name == self.blocks else Allow()

    def happened(self, event: str, payload: Any) -> None:
        self.happenings.append((event, payload))


def tool(run: Callable[[Call, ToolContext], Awaitable[Any]], name: str = "it", **more: Any) -> Tool:
    return Tool(name, "Does it.", {}, run, **more)


async def answer(world: World, text: str = "it", chat: str = "1") -> str:
    await world.say(text, chat)
    await world.settle()
    return world.heard(chat)[-1]


async def test_a_tool_is_called_with_what_the_model_says_and_for_whom(open_world: OpenWorld, autojump_clock):
    seen: list[tuple[Call, ToolContext]] = []

    async def run(call: Call, context: ToolContext) -> str:
        seen.append((call, context))
        return "done"

    world = await open_world(Caller(arguments='{"a": [1, null]}'))
    world.tools.register(tool(run))

    assert await answer(world) == "done"
    ((call, context),) = seen
    assert (call.call_id, call.name, call.arguments) == ("c1", "it", {"a": [1, None]})
    assert (context.platform, context.account, context.chat_id, context.user_id) == (
        "fake",
        "default",
        "1",
        "u1",
    )
    assert (context.role, context.session_key) == ("owner", world.key())
    assert context.turn_id


async def test_its_result_is_committed_and_kept_with_the_answer(open_world: OpenWorld, autojump_clock):
    async def run(call: Call, context: ToolContext) -> str:
        return "x" * 5_000

    world = await open_world(Caller(arguments='{"a": 1}'))
    world.tools.register(tool(run))
    await answer(world)
    record = world.look(queries.session, world.key())
    line = world.look(queries.history, world.key(), record.session_id, 10)[-1]

    assert [(one.name, one.arguments) for one in line.used] == [("it", '{"a": 1}')]
    assert line.used[0].result == "x" * 4_000, "later turns are shown no more of it"
    assert line.text == "x" * 5_000
    await answer(world, "/branch")
    copy = world.look(queries.session, world.key())
    assert copy.session_id != record.session_id
    assert world.look(queries.history, world.key(), copy.session_id, 10)[-1].used == line.used


async def _raise(error: BaseException) -> str:
    raise error


class Mute(Exception):
    def __str__(self) -> str:
        raise AttributeError


WRONG: list[tuple[Any, str]] = [
    (lambda: _raise(ToolError("there is no such city")), "error: there is no such city"),
    (lambda: _raise(GatewayError(Failure("bad_job", detail="no schedule"))), "error: no schedule"),
    (lambda: _raise(ValueError("what?")), "error: it failed: ValueError: what?"),
    (lambda: _raise(SystemExit(3)), "error: it failed: SystemExit: 3"),
    (lambda: _raise(Mute()), "error: it failed: Mute: its own words raise AttributeError"),
    (trio.sleep_forever, "error: it was not done within 7 s; part of it may have been"),
]


@pytest.mark.parametrize(("run", "result"), WRONG)
async def test_one_that_raises_or_hangs_is_a_result(open_world: OpenWorld, autojump_clock, run, result):
    hooks = Told()
    world = await open_world(Caller(), hooks=hooks)
    world.tools.register(tool(lambda _call, _context: run(), deadline_s=7.0))

    assert await answer(world) == result
    assert len(world.agent.turns) == 1, "the turn has not crashed"
    (told,) = [payload for event, payload in hooks.happenings if event == hook_events.POST_TOOL_CALL]
    assert (told["status"], told["tool_name"], told["result"]) == ("error", "it", result)


async def test_a_long_run_counts_as_a_sign_of_life(open_world: OpenWorld, autojump_clock):
    async def run(call: Call, context: ToolContext) -> str:
        await trio.sleep(100)
        return "done"

    world = await open_world(Caller(), config=Config(display=QUEUE, agent=Agent(no_progress_s=15.0)))
    world.tools.register(tool(run, deadline_s=200.0))

    assert await answer(world) == "done"


@pytest.mark.parametrize("said", ["x" * 10_000_000, "😀" * 2_500_000])
async def test_what_it_returns_is_cut(open_world: OpenWorld, autojump_clock, said):
    async def run(call: Call, context: ToolContext) -> str:
        return said

    results: list[str] = []

    class Reader(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            results.append(await io.call("c1", "it", "{}"))
            return Final("read")

    world = await open_world(Reader())
    world.tools.register(tool(run))
    await answer(world)

    text, _, remark = results[0].rpartition("\n")
    assert len(text.encode()) <= MOST_RESULT_BYTES
    assert remark == f"[cut here; in all it has {len(said):,} characters]"


async def test_the_words_of_its_error_are_cut_as_well(open_world: OpenWorld, autojump_clock):
    world = await open_world(Caller())
    world.tools.register(tool(lambda _call, _context: _raise(ToolError("x" * 100_000))))

    assert "cut here; in all it has 100,000 characters" in await answer(world)


@pytest.mark.parametrize("said", [None, {"a": 1}, b"bytes"])
async def test_what_is_no_text_is_an_error(open_world: OpenWorld, autojump_clock, said):
    async def run(call: Call, context: ToolContext) -> Any:
        return said

    world = await open_world(Caller())
    world.tools.register(tool(run))

    assert await answer(world) == f"error: it returned {type(said).__name__}, not a text"


@pytest.mark.parametrize("arguments", ["{", "[1]", "NaN", '{"a": NaN}', "[" * 100_000, "x" * 300_000])
async def test_arguments_that_are_none_never_reach_it(open_world: OpenWorld, autojump_clock, arguments):
    world = await open_world(Caller(arguments=arguments))
    world.tools.register(tool(lambda _call, _context: _raise(AssertionError())))

    assert (await answer(world)).startswith("error: its arguments are ")


async def test_a_tool_that_is_not_there_is_named_with_those_that_are(open_world: OpenWorld, autojump_clock):
    world = await open_world(Caller())
    world.tools.register(tool(lambda _call, _context: _raise(AssertionError()), "other"))

    assert await answer(world) == "error: there is no tool 'it'; there are: other"


async def test_half_a_character_in_its_arguments_is_none(open_world: OpenWorld, autojump_clock):
    """A model may write it as an escape, and no store would take it."""

    async def run(call: Call, context: ToolContext) -> str:
        return json.dumps(call.arguments)

    world = await open_world(Caller(arguments='{"\\ud83d": ["\\ud83d\\ude00", "\\ud83d"]}'))
    world.tools.register(tool(run))

    assert json.loads(await answer(world)) == {"\ufffd": ["😀", "\ufffd"]}


async def test_arguments_as_deep_as_they_come_are_shown_to_who_approves(
    open_world: OpenWorld, autojump_clock
):
    world = await open_world(Caller(arguments='{"a": ' + "[" * 900 + "]" * 900 + "}"))
    world.tools.register(tool(lambda _call, _context: _raise(AssertionError()), needs_approval=True))

    assert (await answer(world)).startswith("error: its arguments are no JSON")
    assert len(world.agent.turns) == 1, "the turn has not crashed"


# --- restarts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kill", [True, False])
async def test_AC_38_what_was_begun_and_cut_off_is_never_run_again(
    open_world: OpenWorld, autojump_clock, kill
):
    runs = []

    async def run(call: Call, context: ToolContext) -> str:
        runs.append(call)
        await trio.sleep_forever()
        raise AssertionError

    world = await open_world(Caller())
    world.tools.register(tool(run, deadline_s=3600.0))
    await world.say("it")
    await world.until(lambda: bool(runs))
    if kill:
        await world.kill()
    else:
        world.crash(world.session())
    await world.settle()

    assert world.heard()[-1] == OUTCOME_UNKNOWN
    assert len(runs) == 1


@pytest.mark.parametrize(("nth", "runs"), [(1, 1), (2, 1)])
async def test_a_kill_between_the_steps_runs_it_at_most_once(
    open_world: OpenWorld, autojump_clock, nth, runs
):
    """After ``begun`` (1) its outcome is unknown although it never ran; after its result (2), that is used."""
    done: list[Call] = []

    async def run(call: Call, context: ToolContext) -> str:
        done.append(call)
        return "done"

    world = await open_world(Caller())
    world.tools.register(tool(run))
    world.kill_at("after_step", nth)
    await world.say("it")
    await world.until(lambda: len(world.boots) == 2)
    await world.up()
    await world.settle()

    assert world.heard()[-1] == (OUTCOME_UNKNOWN if nth == 1 else "done")
    assert len(done) == nth - 1


async def test_what_its_agent_has_given_up_is_not_run_again_either(open_world: OpenWorld, autojump_clock):
    runs = []

    async def run(call: Call, context: ToolContext) -> str:
        runs.append(call)
        await trio.sleep_forever()
        raise AssertionError

    class Impatient(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            with trio.move_on_after(1):
                await io.call("c1", "it", "{}")
            return Final(await io.call("c1", "it", "{}"))

    world = await open_world(Impatient())
    world.tools.register(tool(run))

    assert await answer(world) == OUTCOME_UNKNOWN
    assert len(runs) == 1


async def test_one_that_was_stopped_is_cancelled(open_world: OpenWorld, autojump_clock):
    cancelled = []

    async def run(call: Call, context: ToolContext) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled.append(call)
            raise
        raise AssertionError

    world = await open_world(Caller())
    world.tools.register(tool(run, deadline_s=3600.0))
    await world.say("it")
    await trio.sleep(1)
    await world.say("/stop")
    await world.settle()

    assert len(cancelled) == 1
    assert "outcome unknown" not in "".join(world.heard())


# --- leave ----------------------------------------------------------------------------------------------------------------


async def test_a_person_is_asked_where_a_tool_needs_it(open_world: OpenWorld, autojump_clock):
    async def run(call: Call, context: ToolContext) -> str:
        return "done"

    world = await open_world(Caller(arguments='{"path": "/etc"}'))
    world.tools.register(tool(run, needs_approval=True))
    await world.say("it")
    await world.until(lambda: bool(world.heard()))
    assert world.heard()[0].startswith("May I use the tool it?")
    assert '"path": "/etc"' in world.heard()[0]
    await world.say("yes")
    await world.settle()

    assert world.heard()[-1] == "done"


async def test_a_no_is_a_result_and_nothing_is_done(open_world: OpenWorld, autojump_clock):
    world = await open_world(Caller())
    world.tools.register(tool(lambda _call, _context: _raise(AssertionError()), needs_approval=True))
    await world.say("it")
    await world.until(lambda: bool(world.heard()))
    await world.say("/deny not there")
    await world.settle()

    assert world.heard()[-1] == "error: it was not approved: not there"


async def test_a_death_while_a_person_thinks_it_over_leaves_nothing_unknown(
    open_world: OpenWorld, autojump_clock
):
    done = []

    async def run(call: Call, context: ToolContext) -> str:
        done.append(call)
        return "done"

    world = await open_world(Caller())
    world.tools.register(tool(run, needs_approval=True))
    await world.say("it")
    await world.until(lambda: bool(world.heard()))
    await world.kill()
    await world.say("yes")
    await world.settle()

    assert world.heard()[-1] == "done"
    assert len(done) == 1


async def test_a_hook_may_block_it(open_world: OpenWorld, autojump_clock):
    hooks = Told(blocks="it")
    world = await open_world(Caller(), hooks=hooks)
    world.tools.register(tool(lambda _call, _context: _raise(AssertionError()), needs_approval=True))

    assert await answer(world) == "error: not today"
    assert world.heard() == ["error: not today"], "nobody is asked for what is blocked anyway"
    (told,) = [payload for event, payload in hooks.happenings if event == hook_events.POST_TOOL_CALL]
    assert told["status"] == "blocked"


async def test_in_a_turn_of_several_people_the_one_who_may_least_counts(
    open_world: OpenWorld, autojump_clock, tmp_path: Path
):
    """What a guest has written may be what makes the model call a tool, whoever writes after it."""
    roles = []

    async def run(call: Call, context: ToolContext) -> str:
        roles.append((context.user_id, context.role))
        return "done"

    class Slow(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            await trio.sleep(10)
            return await super().run(turn, io)

    config = Config(group_sessions_per_user=False, display=Display(busy_input_mode="interrupt"))
    file = tmp_path / "config.yaml"
    file.write_text('roles: {admin: ["fake:boss"]}\n')
    rules = access(file=file, FAKE_ALLOWED_USERS="boss,ann")
    world = await open_world(Slow(), access=rules, config=config, capabilities=OPEN)
    world.tools.register(tool(run))
    for n, user in enumerate(("boss", "ann", "boss")):
        await world.platform.hand_in(said("it", f"e{n}", user=user, chat_type="group", mentions_bot=True))
        await trio.sleep(1)
    await world.settle()

    assert roles == [("ann", "user")]


@dataclass
class Group:
    """A group with everybody in it, of whom some are known: what they write, and what all of them read."""

    world: World
    count: int = 0

    async def say(self, text: str, user: str) -> None:
        self.count += 1
        event = said(text, f"g{self.count}", user=user, chat="-9", chat_type="group", mentions_bot=True)
        await self.world.platform.hand_in(event)
        await trio.sleep(1)

    @property
    def last(self) -> str:
        return self.world.heard("-9")[-1].rstrip("\u2062\u2063")


async def group(
    open_world: OpenWorld,
    file: Path,
    settings: str,
    *,
    shared: bool = True,
    agent: Caller | None = None,
    display: Display = QUEUE,
) -> Group:
    async def run(call: Call, context: ToolContext) -> str:
        return f"done for {context.user_id}"

    file.write_text(settings)
    rules = access(file=file, FAKE_ALLOWED_USERS="boss,ann", FAKE_GROUP_ALLOWED_CHATS="-9")
    config = Config(group_sessions_per_user=not shared, display=display)
    world = await open_world(agent or Caller(), access=rules, config=config, capabilities=OPEN)
    world.tools.register(tool(run, needs_approval=True))
    return Group(world)


NAMED = 'roles: {admin: ["fake:boss"]}\n'


async def test_a_guest_does_not_decide_what_a_tool_may_do_for_guests(
    open_world: OpenWorld, autojump_clock, tmp_path: Path
):
    people = await group(open_world, tmp_path / "config.yaml", NAMED)
    await people.say("it", "guest")
    assert people.last.startswith(f"May I use the tool it? {texts.APPROVAL_FOR_ADMINS}\n")
    for user in ("guest", "ann"):
        await people.say("/approve 1", user)
        assert people.last == texts.APPROVAL_NOT_YOURS
    await people.say("/approve 1", "boss")
    await people.world.settle()
    assert people.last == "done for guest"


async def test_the_operator_decides_for_a_guest_on_the_command_line(
    open_world: OpenWorld, autojump_clock, tmp_path: Path
):
    people = await group(open_world, tmp_path / "config.yaml", NAMED)
    await people.say("it", "guest")
    desk = ApprovalDesk(people.world.services)
    (asked,) = (await desk.answer("approvals_list", {"limit": 9, "bodies": False}))["approvals"]
    decision = {"id": asked["approval_id"], "approved": True, "reason": ""}
    await desk.answer("approvals_decide", decision)
    await people.world.settle()
    assert people.last == "done for guest"


@pytest.mark.parametrize(
    ("settings", "shared"),
    [("", True), ("roles: {}\n", True), (NAMED, False)],
    ids=["nobody is named", "none of them", "a conversation of their own"],
)
async def test_where_no_admin_can_be_asked_a_guest_is_refused_with_a_sentence(
    open_world: OpenWorld, autojump_clock, tmp_path: Path, settings: str, shared: bool
):
    people = await group(open_world, tmp_path / "config.yaml", settings, shared=shared)
    await people.say("it", "guest")
    await people.world.settle()
    assert people.world.heard("-9") == [
        "error: it needs the approval of an admin, and none can be asked in this conversation"
    ]


async def test_of_several_the_one_who_is_known_decides_and_no_guest_beside_them(
    open_world: OpenWorld, autojump_clock, tmp_path: Path
):
    class Slow(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            await trio.sleep(10)
            return await super().run(turn, io)

    display = Display(busy_input_mode="interrupt", busy_ack=False)
    people = await group(open_world, tmp_path / "config.yaml", "", agent=Slow(), display=display)
    for user in ("ann", "guest"):
        await people.say("it", user)
    await trio.sleep(20)
    assert people.last.startswith("May I use the tool it?\n")
    await people.say("/approve 1", "guest")
    assert people.last == texts.APPROVAL_NOT_YOURS
    await people.say("/approve 1", "ann")
    await people.world.settle()
    assert people.last == "done for guest"


async def test_whoever_may_not_speak_any_more_has_nothing_done_for_them(
    open_world: OpenWorld, autojump_clock
):
    class Slow(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            await trio.sleep(10)
            return await super().run(turn, io)

    world = await open_world(Slow(), access=access(FAKE_ALLOWED_USERS="u1"), capabilities=OPEN)
    world.tools.register(tool(lambda _call, _context: _raise(AssertionError())))
    await world.say("it")
    await trio.sleep(1)
    await world.reload(world.config, access(FAKE_ALLOWED_USERS="u2"))
    await world.settle()

    assert world.heard() == ["error: nobody may use tools on behalf of whoever asked for this any more"]


# --- memory ---------------------------------------------------------------------------------------------------------------


@dataclass
class Memory:
    """Recalls ``what``, or raises it, or nothing ever."""

    name: str
    what: str | Exception | None
    asked: list[Asked] = field(default_factory=list)

    async def recall(self, asked: Asked) -> str:
        self.asked.append(asked)
        match self.what:
            case str(text):
                return text
            case None:
                await trio.sleep_forever()
                raise AssertionError
            case error:
                raise error

    async def flush(self, ended: Ended) -> None:
        await self.recall(Asked(ended.session_key, ended.origin, ""))  # type: ignore[arg-type]


async def test_what_is_recalled_is_handed_to_the_agent(open_world: OpenWorld, autojump_clock):
    agent = Caller()
    world = await open_world(agent)
    first = Memory("first", " She likes tea. ")
    world.memories += [
        first,
        Memory("broken", ValueError()),
        Memory("late", None),
        Memory("long", "x" * 10**6),
    ]
    await answer(world, "hello")

    assert agent.turns[0].recalled.startswith("She likes tea.\n\nxxx")
    assert len(agent.turns[0].recalled) < 10_000
    assert (first.asked[0].session_key, first.asked[0].text) == (world.key(), "hello")
    assert world.heard() != []


@pytest.mark.parametrize(("what", "kept"), [("", True), (ValueError(), False), (None, False)])
async def test_a_flush_says_whether_all_have_kept_it(open_world: OpenWorld, autojump_clock, what, kept):
    world = await open_world()
    assert await world.services.memories.flush(Ended(world.key(), "s", "idle", ()), 1)
    world.memories += [Memory("fine", ""), Memory("other", what)]

    assert await world.services.memories.flush(Ended(world.key(), "s", "idle", ()), 1) is kept


# --- what is always there, and what plug-ins bring ------------------------------------------------------------------------


async def test_a_person_finds_nothing_of_other_peoples_conversations(open_world: OpenWorld, autojump_clock):
    agent = Caller(arguments='{"query": "secret"}')
    world = await open_world(agent, capabilities=OPEN, access=access(FAKE_ALLOW_ALL_USERS="true"))
    services = world.services
    for one in functions(StoreMemory(services.store, services.clock), services.jobs):
        world.tools.register(one)
    await answer(world, "my secret is blue", "1")
    await answer(world, "my secret is green", "2")

    assert "green" not in await answer(world, "search", "1")
    assert "[secret] is blue" in world.heard("1")[-1]


async def test_a_job_of_the_model_belongs_to_who_asked(open_world: OpenWorld, autojump_clock):
    create = '{"action": "create", "schedule": "every 2h", "message": "drink", "name": "water"}'
    agent = Caller(arguments=create)
    rules = access(FAKE_ALLOWED_USERS="u1,u2")
    world = await open_world(agent, capabilities=OPEN, access=rules)
    services = world.services
    for one in functions(StoreMemory(services.store, services.clock), services.jobs):
        world.tools.register(one)

    job = json.loads(await answer(world, "cron"))["job"]
    assert (job["name"], job["message"]) == ("water", "drink")
    agent.arguments = '{"action": "list"}'
    assert [one["name"] for one in json.loads(await answer(world, "cron"))["jobs"]] == ["water"]
    await world.platform.hand_in(said("cron", "other", user="u2", chat="2"))
    await world.settle()
    assert json.loads(world.heard("2")[-1]) == {"jobs": []}


def with_command(run: Callable[[Call, ToolContext], Awaitable[Any]], role: Role = "user") -> Toolbox:
    box = Toolbox()
    spec = CommandSpec("greet", "info", "Says hello", "[name]", role)
    box.register_command(spec, tool(run, "greet", deadline_s=5.0, source="plug-in extra"))
    return box


async def test_a_command_of_a_plug_in_is_one_like_all_others(open_world: OpenWorld, autojump_clock):
    async def greet(call: Call, context: ToolContext) -> str:
        return f"hello {call.arguments['args']}, {context.user_id}"

    world = await open_world(Caller(), tools=with_command(greet))

    assert await answer(world, "/greet  Ann") == "hello Ann, u1"
    assert "/greet" in await answer(world, "/help")
    assert "Says hello" in await answer(world, "/help greet")
    record = world.look(queries.session, world.key())
    said_ = world.look(queries.history, world.key(), record.session_id, 10)
    assert all(line.used == () for line in said_), "nor shown to it later"
    assert await answer(world, "greet") == "error: there is no tool 'greet'; there are: none", (
        "not for the model"
    )


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda: _raise(ValueError("no luck")), "it failed: ValueError: no luck"),
        (trio.sleep_forever, "it was not done within 5 s; part of it may have been"),
    ],
)
async def test_a_command_that_fails_says_so_in_words(open_world: OpenWorld, autojump_clock, run, words):
    world = await open_world(tools=with_command(lambda _call, _context: run()))

    assert await answer(world, "/greet") == f"/greet: {words}"


async def test_a_command_passes_the_gate_of_its_role(open_world: OpenWorld, autojump_clock, tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text('roles: {admin: ["fake:boss"]}\n')
    rules = access(file=file, FAKE_ALLOWED_USERS="boss,u1")
    box = with_command(lambda _call, _context: _raise(AssertionError()), role="admin")
    world = await open_world(capabilities=OPEN, access=rules, tools=box)

    assert "AssertionError" not in await answer(world, "/greet")


async def test_a_plug_in_that_cannot_be_used_is_a_row_that_says_why(open_world: OpenWorld, autojump_clock):
    world = await open_world(
        plugins=[PluginRow("extra", "plugins", "unavailable", reason="ImportError: no luck")]
    )
    path = f"{PLUGINS}/extra"
    await world.until(lambda: world.state(path) == "disabled")

    shown = world.services.overview.tree(path)["root"]
    assert shown["state"] == "unavailable"
    assert "no luck" in shown["last_error"]
    assert (await world.services.overview.status())["state"] == "running"
    assert await answer(world, "hello") == "hello"


@pytest.mark.parametrize("show", [True, False])
async def test_which_tool_is_used_is_shown_while_it_runs_and_never_in_the_answer(
    open_world: OpenWorld, autojump_clock, show
):
    async def run(call: Call, context: ToolContext) -> str:
        await trio.sleep(30)
        return "done"

    class Talker(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            await io.emit(Delta("I look at it right now."))
            await io.call("c1", "it", "{}")
            await io.emit(Delta("\n\nThere it is, and that is all."))
            return Final("I look at it right now.\n\nThere it is, and that is all.")

    platform = EditingAdapter()
    config = Config(display=QUEUE, streaming=Streaming(enabled=True, transport="edit", show_tools=show))
    world = await open_world(Talker(), platform=platform, config=config)
    world.tools.register(tool(run))
    await world.say("it")
    await trio.sleep(20)
    assert any("uses it" in text for text in platform.read()) is show
    await world.settle()

    assert platform.read() == ["I look at it right now.\n\nThere it is, and that is all."]


# --- in a job ---------------------------------------------------------------------------------------------------------------


class Jobs:
    """The jobs port as far as a turn asks it: who made the job whose conversation it is."""

    def __init__(self, author: Author | GatewayError | None) -> None:
        self._author = author

    async def author(self, origin: Origin) -> Author | None:
        if isinstance(self._author, GatewayError):
            raise self._author
        return self._author


@pytest.mark.parametrize(
    ("author", "needs_approval", "result"),
    [
        (None, False, "done for owner"),
        (Author(Origin("fake", "1", user_id="u1"), "user"), False, "done for user"),
        (
            Author(Origin("fake", "1", user_id="u1"), None),
            False,
            "error: nobody may use tools on behalf of whoever asked for this any more",
        ),
        (None, True, "error: it needs somebody's approval, and nobody is there to ask"),
        (GatewayError(Failure("bad_job", detail="line 7: no JSON")), False, "error: line 7: no JSON"),
    ],
)
async def test_in_a_job_it_has_the_rights_of_who_made_it_and_nobody_is_asked(
    autojump_clock, author, needs_approval, result
):
    async def run(call: Call, context: ToolContext) -> str:
        return f"done for {context.role}"

    class Forgetful:
        async def step(self, step: object) -> None:
            await trio.lowlevel.checkpoint()

        emit = step

        async def ask(self, request: object, decider: object) -> Any:
            raise AssertionError

    box = Toolbox()
    box.register(tool(run, needs_approval=needs_approval))
    event = InboundEvent("1", Origin(ITSELF, "job"), "x", 0.0, TraceId("t"), internal=True)
    turn = Turn(TurnId("t"), SessionKey("k"), 1, (event,))
    calling = Calling(
        SimpleNamespace(tools=box, hooks=NoHooks(), jobs=Jobs(author)),  # type: ignore[arg-type]
        turn,
        "s",
        [InboxRow(1, "in_turn", event)],
        command=False,
    )

    assert await calling.call(Forgetful(), "c1", "it", "{}") == result


async def test_hooks_are_told_of_each_question_to_a_model(open_world: OpenWorld, autojump_clock):
    class Thinker(Caller):
        async def run(self, turn: Turn, io: AgentIO) -> Final:
            await io.emit(Asking("m1"))
            await io.emit(Answered("m1", "so it is"))
            return Final("so it is")

    hooks = Told()
    world = await open_world(Thinker(), hooks=hooks)
    await answer(world)
    told = {event: payload for event, payload in hooks.happenings if event.endswith("llm_call")}

    assert told[hook_events.PRE_LLM_CALL]["model"] == "m1"
    assert told[hook_events.POST_LLM_CALL]["response"] == "so it is"
