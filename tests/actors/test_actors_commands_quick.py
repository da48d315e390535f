"""Quick commands as turns, and messages that come with a mode of their own (/queue, /steer, /busy)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import trio
from agents import Listener
from world import QUEUE, SECRET, World

from hermes.config.access import AccessSettings, Setting
from hermes.config.model import Config, Display
from hermes.config.quick import Program, Shortcut
from hermes.ops.processes import Finished, Processes
from hermes.store import queries
from hermes.testing.fakes import EPOCH_S, FakeAgent, Hang, Reply
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import CONFIG_INVALID, PROGRAM_UNUSABLE, TOO_MANY_PROCESSES, Failure, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

DISK = Program("disk", "here", "df -h", role="user")
QUICK = Config(
    display=QUEUE,
    quick_commands=(DISK, Program("wipe", "here", "rm -r x"), Shortcut("d", "here", "disk /home")),
)


@dataclass
class Shell:
    """Programs that take ``seconds`` and say ``end``; ``ran`` are those that were started, of which ``ended`` came to an end."""

    seconds: float = 0.0
    end: Finished | GatewayError = field(default_factory=lambda: Finished(0, "full\n", timed_out=False))
    ran: list[tuple[str, ...]] = field(default_factory=list)
    ended: int = 0

    async def run(self, command: Sequence[str], **_limits: Any) -> Finished:
        self.ran.append(tuple(command))
        await trio.sleep(self.seconds)
        self.ended += 1
        if isinstance(self.end, GatewayError):
            raise self.end
        return self.end


@pytest.fixture
def shell(monkeypatch) -> Shell:
    fake = Shell()

    async def run(_processes: Processes, command: Sequence[str], **limits: Any) -> Finished:
        return await fake.run(command, **limits)

    monkeypatch.setattr(Processes, "run", run)
    return fake


async def test_a_quick_command_runs_its_program_as_a_turn_and_shows_what_it_said(
    open_world, autojump_clock, shell
):
    world = await open_world(config=QUICK)
    await world.say("/disk")
    await world.settle()

    assert shell.ran == [("/bin/sh", "-c", "df -h", "disk")]
    assert world.heard() == ["```\nfull\n```"]
    assert world.rows("state, rule, session_key") == [("answered", "answered", world.key())]
    assert world.rows("journey.rule", "journey WHERE state = 'routed'") == ["command:quick:disk"]
    assert [line.text for line in world.transcript()] == ["/disk", "```\nfull\n```"]
    assert world.agent.turns == []


@pytest.mark.parametrize(
    ("typed", "args"),
    [
        ("/disk /home  /tmp", ("/home", "/tmp")),
        ("/disk $(reboot); `id` \"x\" 'y'", ("$(reboot);", "`id`", '"x"', "'y'")),
        ("/d; rm", None),
        ("/d", ("/home",)),
        ("/D@bot -h", ("/home", "-h")),
        ("／disk\n| sh", ("|", "sh")),
    ],
)
async def test_what_a_person_typed_is_never_part_of_the_command(
    typed, args, open_world, autojump_clock, shell
):
    world = await open_world(config=QUICK)
    await world.say(typed)
    await world.settle()

    assert shell.ran == ([] if args is None else [("/bin/sh", "-c", "df -h", "disk", *args)])


@pytest.mark.parametrize(
    ("end", "heard"),
    [
        (
            Finished(3, "no\n", timed_out=False),
            f"```\nno\n```\n\n{texts.QUICK_FAILED.format(name='disk', code=3)}",
        ),
        (Finished(0, " \n", timed_out=False), texts.QUICK_SILENT.format(name="disk")),
        (
            Finished(-15, "a", timed_out=True),
            f"```\na\n```\n\n{texts.QUICK_TIMEOUT.format(name='disk', seconds=30)}",
        ),
        (Finished(0, "```\n/stop\n\x1b[31mred\x1b[0m\r\n", timed_out=False), "````\n```\n/stop\nred\n````"),
        (Finished(0, f"token {SECRET}", timed_out=False), "```\ntoken [redacted]\n```"),
        (GatewayError(Failure(TOO_MANY_PROCESSES)), texts.QUICK_TOO_MANY.format(name="disk")),
        (GatewayError(Failure(PROGRAM_UNUSABLE, detail=SECRET)), texts.QUICK_UNUSABLE.format(name="disk")),
    ],
    ids=["a code", "silence", "too long", "escapes", "a secret", "the cap", "no shell"],
)
async def test_how_a_program_ended_is_said_in_words(end, heard, open_world, autojump_clock, shell):
    world = await open_world(config=QUICK)
    shell.end = end
    await world.say("/disk")
    await world.settle()

    assert world.heard() == [heard]
    assert world.rows("state") == ["answered"]


@pytest.mark.parametrize("point", ["after_step", "before_turn_commit"])
async def test_what_was_started_before_a_kill_is_never_started_again(
    point, open_world, autojump_clock, shell
):
    world = await open_world(config=QUICK)
    world.kill_at(point)
    await world.say("/disk", event_id="x")
    await world.say("/disk", event_id="x")
    await world.settle()

    assert len(shell.ran) == (0 if point == "after_step" else 1)
    uncertain = point == "after_step"
    assert world.heard() == [texts.QUICK_UNCERTAIN.format(name="disk") if uncertain else "```\nfull\n```"]


async def test_a_program_that_was_cut_off_by_a_kill_is_not_started_again(open_world, autojump_clock, shell):
    world = await open_world(config=QUICK)
    shell.seconds = 20
    await world.say("/disk")
    await trio.sleep(1)
    await world.kill()
    await world.settle()

    assert (len(shell.ran), shell.ended) == (1, 0)
    assert world.heard() == [texts.QUICK_UNCERTAIN.format(name="disk")]


async def test_stop_ends_a_program_and_the_next_message_is_answered(open_world, autojump_clock, shell):
    world = await open_world(config=QUICK)
    shell.seconds = 20
    await world.say("/disk")
    await trio.sleep(1)
    await world.say("/stop")
    await world.say("next")
    await world.settle(within_s=3)

    assert world.heard() == [texts.STOPPED, "next"]
    assert shell.ended == 0
    assert world.rows("state, rule")[0] == ("stopped", "command:stop")


async def test_a_program_may_be_silent_for_as_long_as_it_may_run(open_world, autojump_clock, shell):
    limits = replace(QUICK.agent, no_progress_s=60.0)
    world = await open_world(config=replace(QUICK, agent=limits))
    shell.seconds = 300
    await world.say("/disk")
    await world.settle()

    assert world.heard() == ["```\nfull\n```"]


async def test_a_program_shares_no_turn_with_a_message_and_none_interrupts_it(
    open_world, autojump_clock, shell
):
    display = Display(busy_ack=False)
    world = await open_world(FakeAgent(Reply(delay_s=5)), config=replace(QUICK, display=display))
    shell.seconds = 3
    for text in ("one", "/disk", "/disk", "two", "three"):
        await world.say(text)
        await trio.sleep(0.1)
    await world.settle()

    assert len(shell.ran) == 2
    assert world.heard() == ["one", "```\nfull\n```", "```\nfull\n```", "two\nthree"]


async def test_an_edit_changes_nothing_of_what_a_program_is_run_with(open_world, autojump_clock, shell):
    world = await open_world(FakeAgent(Reply(delay_s=5)), config=QUICK)
    await world.say("long")
    await trio.sleep(1)
    await world.say("/disk /home", event_id="e")
    await trio.sleep(1)
    now = EPOCH_S + trio.current_time()
    edit = InboundEvent(
        "edit",
        Origin("fake", "1", user_id="u1"),
        "other words",
        now,
        TraceId("t"),
        kind="edit",
        message_id="e",
    )
    await world.platform.hand_in(edit)
    await world.settle()

    assert shell.ran == [("/bin/sh", "-c", "df -h", "disk", "/home")]
    assert world.rows("rule")[-1] == "ignored:edit"


# --- who may, and what the operator may write -----------------------------------------------------------------------------


def known(*ids: str, **more: str) -> AccessSettings:
    own = {
        "allow_from": Setting(frozenset(ids), "here"),
        "group_allowed_chats": Setting(frozenset({"g"}), "here"),
    }
    own |= {key: Setting(frozenset(value.split()), "here") for key, value in more.items()}
    return AccessSettings(platforms={"fake": own})


@pytest.mark.parametrize(
    ("who", "access", "text", "allowed"),
    [
        ("ann", known("ann"), "/wipe", True),
        ("ann", known("ann", allow_admin_from="ann"), "/wipe", True),
        ("bob", known("bob", allow_admin_from="ann"), "/wipe", False),
        ("bob", known("bob", allow_admin_from="ann"), "/disk", False),
        ("bob", known("bob", allow_admin_from="ann", user_allowed_commands="disk"), "/disk", True),
        ("bob", known("bob", allow_admin_from="ann", user_allowed_commands="disk"), "/d", True),
        ("bob", known("bob", allow_admin_from="ann", user_allowed_commands="d"), "/d", False),
        ("bob", known("bob", allow_admin_from="ann", user_allowed_commands="again"), "/again", False),
        ("bob", known("bob", allow_admin_from="ann", user_allowed_commands="restart"), "/again", True),
    ],
)
async def test_S19_a_quick_command_takes_the_same_gate_as_a_built_in_one(
    who, access, text, allowed, open_world, autojump_clock, shell
):
    """A shortcut needs what it stands for; to list the shortcut itself gives nothing."""
    again = Shortcut("again", "here", "restart")
    config = replace(QUICK, quick_commands=(*QUICK.quick_commands, again))
    world = await open_world(config=config, access=access, capabilities=Capabilities())
    now = EPOCH_S + trio.current_time()
    event = InboundEvent("1", Origin("fake", who, user_id=who), text, now, TraceId("t"))
    await world.platform.hand_in(event)
    await world.settle()

    assert (world.rows("rule") != ["refused:slash_access"]) is allowed
    assert bool(shell.ran) is (allowed and text != "/again")


@pytest.mark.parametrize("text", ["/wipe", "/disk", "/d"])
async def test_S19_a_guest_runs_no_program(text, open_world, autojump_clock, shell):
    config = replace(QUICK, quick_commands=(*QUICK.quick_commands,))
    world = await open_world(config=config, access=known("ann"), capabilities=Capabilities())
    now = EPOCH_S + trio.current_time()
    origin = Origin("fake", "g", user_id="stranger", chat_type="group")
    await world.platform.hand_in(InboundEvent("1", origin, text, now, TraceId("t"), mentions_bot=True))
    await world.settle()

    assert shell.ran == []
    assert world.rows("rule") == ["refused:slash_access"]


@pytest.mark.parametrize("kind", ["message", "command"])
async def test_S20_a_native_quick_command_is_the_same_command(kind, open_world, autojump_clock, shell):
    world = await open_world(config=QUICK)
    now = EPOCH_S + trio.current_time()
    event = InboundEvent("1", Origin("fake", "1", user_id="u1"), "/d x", now, TraceId("t"), kind=kind)
    await world.platform.hand_in(event)
    await world.settle()

    assert shell.ran == [("/bin/sh", "-c", "df -h", "disk", "/home", "x")]


async def test_S21_a_quick_command_in_a_forward_or_under_a_picture_is_text(open_world, autojump_clock, shell):
    world = await open_world(config=QUICK)
    now = EPOCH_S + trio.current_time()
    event = InboundEvent("1", Origin("fake", "1", user_id="u1"), "/disk", now, TraceId("t"), forwarded=True)
    await world.platform.hand_in(event)
    await world.settle()

    assert shell.ran == []
    assert world.heard() == ["/disk"]


async def test_a_reload_brings_and_takes_quick_commands_and_refuses_bad_ones_whole(
    open_world, autojump_clock, shell, caplog
):
    world = await open_world(config=QUICK)
    new = replace(QUICK, quick_commands=(Program("up", "here", "uptime", role="user"),))
    await world.reload(new)
    for text in ("/up", "/disk"):
        await world.say(text)
        await world.settle()
    assert [command[2] for command in shell.ran] == ["uptime"]
    assert world.rows("rule")[-1] == "refused:unknown_command"

    await world.reload(replace(new, quick_commands=(Shortcut("stop", "config.yaml, line 7", "up"),)))

    assert "config.yaml, line 7: quick_commands: stop: there is a command of that name already" in caplog.text
    await world.say("/up")
    await world.settle()
    assert len(shell.ran) == 2


async def test_what_was_taken_away_while_it_waited_is_not_run(open_world, autojump_clock, shell):
    world = await open_world(FakeAgent(Reply(delay_s=5)), config=QUICK)
    await world.say("long")
    await trio.sleep(1)
    await world.say("/disk")
    await trio.sleep(0.5)
    await world.reload(Config(display=QUEUE))
    await world.settle()

    assert shell.ran == []
    assert world.heard() == ["long", texts.QUICK_GONE.format(name="disk")]


async def test_a_gateway_does_not_start_with_quick_commands_that_cannot_be(open_world, autojump_clock):
    with pytest.raises(GatewayError) as refused:
        World(config=replace(QUICK, quick_commands=(Shortcut("a", "line 2", "b"),)))._make()

    assert refused.value.failure.code == CONFIG_INVALID
    assert refused.value.failure.detail.startswith("line 2: quick_commands: a: it stands for /b")


# --- queue, steer, busy -----------------------------------------------------------------------------------------------------


def config(mode: str) -> Config:
    return Config(display=Display(busy_input_mode=mode, busy_ack=False))  # type: ignore[arg-type]


@pytest.mark.parametrize("command", ["/queue", "/q"])
async def test_a_queued_message_waits_its_turn_where_others_interrupt(command, open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=5)), config=config("interrupt"))
    for text in ("one", f"{command} later", "two"):
        await world.say(text)
        await trio.sleep(0.1)
    await world.settle()

    assert world.heard() == ["one\ntwo", "later"]
    assert [line.text for line in world.transcript()][-2:] == ["later", "later"]


async def test_a_steered_message_is_handed_to_the_turn_where_others_wait(open_world, autojump_clock):
    world = await open_world(Listener(), config=config("queue"))
    for text in ("one", "two", "/steer rather so"):
        await world.say(text)
        await trio.sleep(0.1)
    await world.settle()

    assert world.heard() == ["one\nrather so", "two"]


@pytest.mark.parametrize("command", ["/queue hello", "/steer hello"])
async def test_with_nothing_at_work_it_is_answered_as_any_message(command, open_world, autojump_clock):
    world = await open_world(config=config("interrupt"))
    await world.say(command)
    await world.settle()

    assert world.heard() == ["hello"]
    assert world.rows("text") == ["hello"]


@pytest.mark.parametrize(
    ("command", "usage"), [("/queue", "/queue TEXT"), ("/q  ", "/queue TEXT"), ("/steer", "/steer TEXT")]
)
async def test_without_a_text_there_is_nothing_to_send(command, usage, open_world, autojump_clock):
    world = await open_world()
    await world.say(command)
    await world.settle()

    assert world.heard() == [texts.WRITE_IT_SO.format(usage=usage)]


async def test_a_queued_command_is_text(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(delay_s=5)), config=config("queue"))
    await world.say("one")
    await trio.sleep(1)
    await world.say("/queue /stop")
    await world.settle()

    assert world.heard() == ["one", "/stop"]


async def test_a_queued_message_that_is_killed_after_its_decision_is_answered_once(
    open_world, autojump_clock
):
    world = await open_world()
    world.kill_at("after_decision")
    await world.say("/queue hello", event_id="x")
    await world.say("/queue hello", event_id="x")
    await world.settle()

    assert world.heard() == ["hello"]


async def test_busy_shows_the_mode_sets_one_of_its_own_and_takes_it_back(open_world, autojump_clock):
    world = await open_world(config=config("interrupt"))

    def shown(mode: str) -> str:
        return texts.BUSY_IS.format(mode=mode, meaning=texts.BUSY_MODES[mode])

    for text in ("/busy", "/busy queue", "hello", "/busy QUEUE", "/busy", "/busy default", "/busy quick"):
        await world.say(text)
        await world.settle()

    assert world.heard() == [
        shown("interrupt"),
        texts.NO_CONVERSATION,
        "hello",
        shown("queue"),
        shown("queue"),
        shown("interrupt"),
        texts.WRITE_IT_SO.format(usage="/busy [interrupt | queue | steer | collect | default]"),
    ]


async def test_busy_holds_for_what_comes_while_a_turn_runs(open_world, autojump_clock):
    world = await open_world(FakeAgent(Reply(), Reply(delay_s=5)), config=config("interrupt"))
    await world.say("hello")
    await world.settle()
    for text in ("one", "/busy queue", "two"):
        await world.say(text)
        await trio.sleep(0.1)
    await world.settle()

    assert world.heard()[-2:] == ["one", "two"]
    assert world.look(queries.busy_mode, world.key()) == "queue"


async def test_a_hanging_turn_can_be_queued_behind_and_stopped(open_world, autojump_clock):
    world = await open_world(FakeAgent(Hang()), config=config("interrupt"))
    await world.say("long")
    await trio.sleep(1)
    await world.say("/queue later")
    await trio.sleep(1)
    await world.say("/stop")
    await world.settle()

    assert world.heard() == [f"{texts.STOPPED} {texts.DROPPED_TOO.format(count=1)}"]
