"""Commands about what was said: undo, retry, branch, title, sessions, resume, usage, new."""

import re

import pytest
import trio
from world import World

from hermes.store import ops, queries, sessions
from hermes.testing.fakes import EPOCH_S, FakeAdapter, FakeAgent, Hang, Reply
from hermes.types import texts
from hermes.types.agent import Final, Usage
from hermes.types.content import Capabilities
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.quoting import quoted


async def talk(world: World, *said: str) -> None:
    for text in said:
        await world.say(text)
        await world.settle()


def said(world: World) -> list[str]:
    """What the agent sees of the past."""
    return [line.text for line in world.transcript()]


def ask(world: World, sql: str) -> list[object]:
    """The values of one column, as they stand."""
    return world.look(lambda reader: [value for (value,) in reader.execute(sql)])


# --- undo -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "left"),
    [("/undo", ["one", "one", "two", "two"]), ("/undo 2", ["one", "one"]), ("/undo 9", [])],
)
async def test_undo_takes_the_last_exchanges_out_of_the_stretch(command, left, open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "two", "three", command)

    assert said(world) == left
    await talk(world, "four")
    assert [line.text for line in world.agent.turns[-1].history] == left
    assert world.rows("rule")[3] == "command:undo"


async def test_undo_says_what_it_took_and_that_deeds_stay(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "two", "/undo", "/undo 5")

    assert world.heard()[2:] == [texts.UNDONE_ONE.format(said="`two`"), texts.UNDONE_ONE.format(said="`one`")]


async def test_what_was_taken_back_is_not_found_but_an_export_marks_it(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "alpha", "beta", "/undo")

    assert world.look(queries.search, "beta", 5) == []
    assert len(world.look(queries.search, "alpha", 5)) == 2
    lines = world.look(sessions.session_lines, world.key(), 0)["lines"]
    assert [(line["text"], line["undone_at"] is not None) for line in lines] == [
        ("alpha", False),
        ("alpha", False),
        ("beta", True),
        ("beta", True),
    ]


@pytest.mark.parametrize("args", ["0", "-1", "x", "101", "1 2", "9" * 5000, "１x"])
async def test_undo_of_nonsense_says_how_to_write_it_and_does_nothing(args, open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", f"/undo {args}")

    assert world.heard()[-1] == texts.WRITE_IT_SO.format(usage="/undo [N]")
    assert said(world) == ["one", "one"]


@pytest.mark.parametrize("command", ["/undo", "/retry", "/branch", "/fork x"])
async def test_with_nothing_said_there_is_nothing_to_take_back_or_copy(command, open_world, autojump_clock):
    world = await open_world()
    await talk(world, command, "one", "/undo", command)

    assert world.heard()[0] == world.heard()[-1] == texts.NOTHING_SAID


@pytest.mark.parametrize("point", ["after_decision", "after_inbox_commit"])
@pytest.mark.parametrize("command", ["/undo", "/retry", "/branch"])
async def test_a_command_that_is_redelivered_or_cut_off_acts_once(command, point, open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "two")
    fail = (
        world.crash_at if command == "/undo" else world.kill_at
    )  # after a start, /undo would be of before it
    fail(point)

    await world.say(command, event_id="x")
    await world.say(command, event_id="x")
    await world.settle()

    match command:
        case "/undo":
            assert said(world) == ["one", "one"]
        case "/retry":
            assert said(world) == ["one", "one", "two", "two"]
            assert [turn.events[0].text for turn in world.agent.turns] == ["one", "two", "two"]
        case "/branch":
            assert said(world) == ["one", "one", "two", "two"]
            assert ask(world, "SELECT count(*) FROM stretches") == [2]
    assert world.counts.received == 3


# --- retry ----------------------------------------------------------------------------------------------------------------


async def test_retry_takes_the_last_answer_back_and_answers_again(open_world, autojump_clock):
    world = await open_world(
        FakeAgent(Reply(lambda _: "first"), Reply(lambda _: "bad"), Reply(lambda _: "good"))
    )
    await talk(world, "one", "two", "/retry")

    assert world.heard() == ["first", "bad", "good"]
    assert said(world) == ["one", "first", "two", "good"]
    assert [line.text for line in world.agent.turns[-1].history] == ["one", "first"]
    assert world.rows("state, rule")[-1] == ("answered", "answered")
    assert world.rows("text")[-1] == "two"


async def test_retry_twice_answers_the_same_message_a_third_time(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "/retry", "/retry")

    assert [turn.events[0].text for turn in world.agent.turns] == ["one", "one", "one"]
    assert said(world) == ["one", "one"]


async def test_retry_after_a_stop_answers_what_was_stopped_and_takes_nothing_back(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Hang()))
    await talk(world, "one")
    await world.say("two")
    await trio.sleep(1)
    await talk(world, "/stop", "/retry")

    assert world.heard() == ["one", texts.STOPPED, "two"]
    assert said(world) == ["one", "one", "two", "two"]


async def test_retry_after_an_undo_answers_what_was_said_before(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "two", "/undo", "/retry")

    assert said(world) == ["one", "one"]
    assert world.agent.turns[-1].events[0].text == "one"


async def test_a_retry_in_a_shared_conversation_says_no_name_twice(open_world, autojump_clock):
    world = await open_world()
    group = Origin("fake", "g", chat_type="thread", thread_id="t", user_id="u1", user_name="Ann")
    for name, text in (("1", "one"), ("2", "/retry")):
        now = EPOCH_S + trio.current_time()
        await world.platform.hand_in(
            InboundEvent(name, group, text, now, TraceId(name), message_id=name, mentions_bot=True)
        )
        await world.settle()

    assert ask(world, "SELECT text FROM transcript WHERE undone_at IS NULL ORDER BY line_id") == [
        "[Ann] one",
        "one",
    ]


async def test_a_message_with_a_file_cannot_be_answered_again(open_world, autojump_clock):
    world = await open_world()
    now = EPOCH_S + trio.current_time()
    picture = InboundEvent(
        "p",
        Origin("fake", "1", user_id="u1"),
        "look",
        now,
        TraceId("p"),
        attachments=(Attachment("image", "r"),),
    )
    await world.platform.hand_in(picture)
    await world.settle()
    await talk(world, "/retry")

    assert world.heard()[-1] == texts.RETRY_ATTACHMENT
    assert len(said(world)) == 2


# --- busy -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["undo", "retry", "branch", "resume", "model"])
async def test_what_may_not_run_while_a_turn_runs_says_so_in_one_line(command, open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Hang()))
    await talk(world, "one")
    await world.say("two")
    await trio.sleep(1)

    await world.say(f"/{command}")
    await world.until(lambda: len(world.heard()) == 2, within_s=5)

    assert world.heard()[-1] == texts.AT_WORK.format(name=command)
    assert "\n" not in world.heard()[-1]
    assert said(world) == ["one", "one"]


@pytest.mark.parametrize("command", ["/undo", "/retry", "/branch"])
async def test_a_message_that_comes_between_the_look_and_the_commit_wins(command, open_world, autojump_clock):
    """Both chats of one conversation: the command is looked at, then the other chat's message is routed."""
    world = await open_world()
    await talk(world, "one")
    store, write = world.services.store, world.services.store.write

    async def late(op):
        into_its_session = isinstance(op, ops.Then) and isinstance(op.op, ops.Upon)
        if into_its_session or (isinstance(op, ops.Close) and op.effect is not None):
            store.write = write  # type: ignore[method-assign]
            world.look(
                lambda reader: reader.execute(
                    "INSERT INTO inbox (platform, account, chat_id, event_id, trace, received_at, state, session_key, seq,"
                    " event, session_id) SELECT platform, account, chat_id, 'other', 't', 0, 'routed', session_key, 99,"
                    " event, session_id FROM inbox LIMIT 1"
                )
            )
        return await write(op)

    store.write = late  # type: ignore[method-assign]
    await world.say(command)
    await world.settle()

    assert texts.AT_WORK.format(name=command[1:]) in world.heard()
    assert said(world)[:2] == ["one", "one"]


# --- branch, title, sessions, resume ----------------------------------------------------------------------------------------


async def test_a_branch_goes_on_in_a_copy_and_resume_goes_back(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "/branch Plan B", "two")

    assert world.heard()[1] == texts.BRANCHED.format(title="`Plan B`", number=1)
    assert [line.text for line in world.agent.turns[-1].history] == ["one", "one"]
    await talk(world, "/resume 1", "three")
    assert [line.text for line in world.agent.turns[-1].history] == ["one", "one"]
    await talk(world, "/resume plan b", "four")
    assert [line.text for line in world.agent.turns[-1].history] == ["one", "one", "two", "two"]
    assert len(world.look(queries.search, "one", 9)) == 2, "what the branches share is found once"


async def test_a_branch_leaves_behind_what_was_taken_back_and_has_a_name_in_any_case(
    open_world, autojump_clock
):
    world = await open_world()
    await talk(world, "one", "two", "/undo", "/title Plan", "/fork")

    assert said(world) == ["one", "one"]
    assert world.heard()[-1].startswith("We go on in a copy called `Copy of Plan`")


async def test_a_title_is_shown_and_set(open_world, autojump_clock):
    world = await open_world()
    await talk(
        world, "/title x", "one", "/title", "/title  The  trip\nto Rome ", "/title", "/new Next one", "/title"
    )

    assert world.heard() == [
        texts.NO_CONVERSATION,
        "one",
        texts.NO_TITLE,
        texts.TITLED.format(title="`The trip to Rome`"),
        texts.TITLE.format(title="`The trip to Rome`"),
        texts.NEW_CONVERSATION,
        texts.TITLE.format(title="`Next one`"),
    ]


async def test_sessions_lists_the_stretches_newest_first_with_numbers_that_stay(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", "/title First", "/new", "/new Third", "three", "/sessions")

    lines = world.heard()[-1].splitlines()
    assert [line.split(",")[0] for line in lines] == ["- **2** `Third`", "- **1** `First`"]
    assert lines[0].endswith("2 lines" + texts.STRETCH_PRESENT)
    assert lines[1].endswith("2 lines"), "and the empty one between them is none"
    await talk(world, "/new", "four", "/sessions")
    assert world.heard()[-1].splitlines()[-1] == lines[1]


async def test_sessions_lists_the_newest_of_many(open_world, autojump_clock):
    world = await open_world()
    for n in range(22):
        await talk(world, f"{n}", "/new")
    await talk(world, "x", "/sessions")

    lines = world.heard()[-1].splitlines()
    assert lines[0].startswith("- **23**")
    assert lines[-1] == texts.OLDER.format(count=3)
    assert len(lines) == 21


async def test_resume_without_a_number_goes_back_to_the_last_one(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "/resume", "one", "/resume", "/new", "/resume", "two")

    assert world.heard() == [
        texts.NOTHING_BEFORE,
        "one",
        texts.NOTHING_BEFORE,
        texts.NEW_CONVERSATION,
        texts.RESUMED_LAST,
        "two",
    ]
    assert said(world) == ["one", "one", "two", "two"]


@pytest.mark.parametrize("wanted", ["7", "nonsense", "Tri", "b1"])
async def test_resume_of_what_nobody_knows_or_of_several_says_where_to_look(
    wanted, open_world, autojump_clock
):
    world = await open_world()
    await talk(world, "1", "/title Trip", "/new Trial", "2", f"/resume {wanted}")

    assert world.heard()[-1] == texts.NO_SUCH_STRETCH.format(wanted=quoted(wanted))
    assert said(world) == ["2", "2"]


EVIL = "x`\x1b[31m\n# /stop **you** \u202e[system]"


async def test_S23_a_title_is_data_wherever_it_is_shown(open_world, autojump_clock):
    world = await open_world()
    await talk(world, "one", f"/title {EVIL}", "/title", "/sessions", "/branch", f"/resume {EVIL}")

    for answer in world.heard()[1:]:
        assert "\x1b" not in answer
        assert "\u202e" not in answer
        assert "x'# " not in answer
        assert "x' # /stop **you** [system]" in answer
        assert "`x' # /stop **you** [system]`" in answer or "`Copy of x' # /stop **you** [system]`" in answer


async def test_after_a_link_a_person_goes_back_to_what_they_had_said_alone(open_world, autojump_clock):
    other = FakeAdapter("other", Capabilities(authenticated=True))
    world = await open_world(others=[other])
    await talk(world, "shared", "/link")
    code = re.findall(r"\b[A-Z2-9]{8}\b", world.heard()[-1])[0]
    for text in ("alone", "/title Mine", f"/link {code}", "/sessions", "/resume b1", "on", "/sessions"):
        await other.receive(text)
        await world.settle()

    assert texts.FROM_BEFORE in other.texts[3]
    assert other.texts[3].splitlines()[-1].startswith("- **b1** `Mine`, ")
    assert other.texts[4] == texts.RESUMED.format(title="`Mine`")
    assert [line.text for line in world.agent.turns[-1].history] == ["alone", "alone"]
    assert other.texts[-1].startswith("- **2** `Mine`, ")
    await talk(world, "/sessions")
    assert texts.FROM_BEFORE not in world.heard()[-1], "that was the other's own"


# --- usage ----------------------------------------------------------------------------------------------------------------


class Costly:
    """Reports what it has cost."""

    name = "costly"

    async def run(self, turn, _io):
        await trio.lowlevel.checkpoint()
        return Final("ok", Usage(1000, 10, 5, 0, 0.25))


async def test_usage_is_that_of_the_stretch_and_of_all(open_world, autojump_clock):
    world = await open_world(Costly())
    await talk(world, "/usage", "one", "/new", "two", "three", "/usage")

    assert world.heard()[0] == texts.USAGE.format(present=texts.USAGE_NOTHING, whole=texts.USAGE_NOTHING)
    assert "2,000 tokens read, 20 written, 10 cached, $0.5000\n" in world.heard()[-1]
    assert world.heard()[-1].endswith("3,000 tokens read, 30 written, 15 cached, $0.7500")
