"""What becomes of an answer: its files, its silence, its failures, as the chat sees them (AC-56, S22, S39, S49, S50)."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from world import IDEMPOTENT, World

from actors.ports import outgoing
from actors.ports.files import HomeFiles
from hermes.config.model import Config
from hermes.config.model import Media as MediaConfig
from hermes.store import outbox
from hermes.testing.fakes import FakeAdapter, FakeAgent, GiveUp, Reply
from hermes.types import errors, texts
from hermes.types.agent import Final
from hermes.types.content import Media, MediaKind
from hermes.types.errors import Failure, SendError

KINDS: frozenset[MediaKind] = frozenset({"image", "audio", "document"})
SENDS_FILES = replace(IDEMPOTENT, media=KINDS, max_media_bytes=1000)
HISTORY = replace(SENDS_FILES, history=True)


def says(*answers: str) -> FakeAgent:
    return FakeAgent(*(Reply(lambda _, answer=answer: answer) for answer in answers))


def picture(home: Path, name: str = "cat.png", data: bytes = b"meow") -> Path:
    path = home / "cache" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def sent(world: World) -> list[tuple[str, list[tuple[str, bytes]]]]:
    """Each part: its text, and its files."""
    return [
        (one.part.text, [(media.name, Path(media.ref).read_bytes()) for media in one.part.media])
        for one in world.platform.sent
    ]


def copies(home: Path) -> list[Path]:
    return sorted(home.glob("cache/outbound/*/*"))


# --- files ----------------------------------------------------------------------------------------------------------------


async def test_a_file_that_is_named_goes_after_the_words(open_world, tmp_path, autojump_clock):
    path = picture(tmp_path)
    world = await open_world(says(f"Here it is.\n\nMEDIA:{path}"), capabilities=SENDS_FILES)
    await world.say("show me")
    await world.settle()

    assert sent(world) == [("Here it is.", []), ("", [("cat.png", b"meow")])]
    assert world.transcript()[-1].text == f"Here it is.\n\nMEDIA:{path}"


async def test_what_the_agent_hands_over_goes_without_words(open_world, tmp_path, autojump_clock):
    path = picture(tmp_path)

    class Painter:
        name = "painter"

        async def run(self, turn, io):
            await trio.lowlevel.checkpoint()
            return Final("", media=(Media("image", str(path), "painted.png"),))

    world = await open_world(Painter(), capabilities=SENDS_FILES)
    await world.say("paint")
    await world.settle()

    assert sent(world) == [("", [("painted.png", b"meow")])]
    assert world.rows("rule") == ["answered"]


async def test_S39_a_file_that_may_not_go_is_a_sentence_and_no_path(open_world, tmp_path, autojump_clock):
    secret = tmp_path / "auth.json"
    secret.write_text("key")
    world = await open_world(says(f"Look MEDIA:{secret}", "MEDIA:/etc/passwd.txt"), capabilities=SENDS_FILES)
    await world.say("one")
    await world.settle()
    await world.say("two")
    await world.settle()

    assert world.heard() == [f"Look\n\n{texts.FILE_NOT_SENT}", texts.FILE_NOT_SENT]
    assert copies(tmp_path) == []


async def test_what_the_configuration_allows_goes(open_world, tmp_path, autojump_clock):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.pdf").write_bytes(b"pdf")
    config = Config(media=MediaConfig(allow_dirs=("out",)))
    world = await open_world(says(f"{tmp_path}/out/a.pdf"), capabilities=SENDS_FILES, config=config)
    await world.say("a")
    await world.settle()

    assert sent(world) == [("", [("a.pdf", b"pdf")])]


async def test_S39_after_a_kill_what_was_meant_is_sent_whatever_lies_there_now(
    open_world, tmp_path, autojump_clock
):
    path = picture(tmp_path)
    world = await open_world(says(f"MEDIA:{path}"), capabilities=SENDS_FILES)
    world.kill_at("after_turn_commit")
    await world.say("show me")
    await world.until(lambda: len(world.boots) == 2)
    path.unlink()
    path.symlink_to("/etc/passwd")
    await world.settle()

    assert sent(world) == [("", [("cat.png", b"meow")])]


async def test_a_turn_that_is_run_again_copies_again(open_world, tmp_path, autojump_clock):
    path = picture(tmp_path)
    agent = FakeAgent(otherwise=Reply(lambda _: f"MEDIA:{path}"))
    world = await open_world(agent, capabilities=SENDS_FILES)
    world.kill_at("before_turn_commit")
    await world.say("show me")
    await world.settle()

    assert sent(world) == [("", [("cat.png", b"meow")])]


async def test_a_disk_that_hangs_costs_the_files_and_not_the_answer(open_world, tmp_path, autojump_clock):
    path = picture(tmp_path)
    world = await open_world(says(f"Here MEDIA:{path}"), capabilities=SENDS_FILES, wait=False)
    hangs = trio.Event()

    async def in_thread(call):
        if hangs.is_set():
            await trio.sleep_forever()
        await trio.lowlevel.checkpoint()
        return call()

    world.files = HomeFiles(tmp_path, in_thread)
    await world.up()
    hangs.set()
    await world.say("show me")
    await world.settle()

    assert world.heard() == [f"Here\n\n{texts.FILE_NOT_SENT}"]


# --- what is cleared away -------------------------------------------------------------------------------------------------


async def test_copies_go_once_their_message_has_arrived(open_world, tmp_path, autojump_clock):
    world = await open_world(says(f"MEDIA:{picture(tmp_path)}"), capabilities=SENDS_FILES)
    await world.say("show me")
    await world.until(lambda: world.rows("state", "outbox") == ["sent"])

    await world.services.outgoing.sweep(frozenset())

    assert copies(tmp_path) == []


async def test_copies_stay_while_their_message_waits_and_while_a_dead_one_may_be_retried(
    open_world, tmp_path, monkeypatch, autojump_clock
):
    monkeypatch.setattr(outgoing, "KEPT_S", 30.0)
    platform = FakeAdapter(capabilities=SENDS_FILES)
    away = SendError(Failure(errors.UNREACHABLE, scope="chat"), "not_sent")
    no = SendError(Failure(errors.FORBIDDEN, "needs_operator"), "not_sent")
    platform.failures = [away, no]
    world = await open_world(says(f"MEDIA:{picture(tmp_path)}"), platform=platform)
    await world.say("show me")
    await world.until(lambda: world.rows("state", "outbox") == ["prepared"] and not platform.failures[1:])
    await world.services.outgoing.sweep(frozenset())
    assert len(copies(tmp_path)) == 1
    await world.until(lambda: world.rows("state", "outbox") == ["dead"])
    await world.services.outgoing.sweep(frozenset())
    assert len(copies(tmp_path)) == 1

    await trio.sleep(outgoing.KEPT_S + 1)
    await world.services.outgoing.sweep(frozenset())
    assert copies(tmp_path) == []


async def test_where_people_read_from_our_store_copies_are_kept_for_a_while(
    open_world, tmp_path, monkeypatch, autojump_clock
):
    monkeypatch.setattr(outgoing, "KEPT_S", 30.0)
    world = await open_world(says(f"MEDIA:{picture(tmp_path)}"), capabilities=HISTORY)
    await world.say("show me")
    await world.settle()

    await world.services.outgoing.sweep(frozenset({"fake"}))
    assert len(copies(tmp_path)) == 1
    await trio.sleep(outgoing.KEPT_S + 1)
    await world.services.outgoing.sweep(frozenset({"fake"}))
    assert copies(tmp_path) == []


@pytest.mark.parametrize(("age_s", "left"), [(60.0, 1), (2 * outgoing.NOT_PROMISED_S, 0)])
async def test_copies_that_no_message_names_go_once_none_will(
    open_world, tmp_path, age_s, left, autojump_clock
):
    """Of a turn that was killed, or of somebody who is forgotten."""
    world = await open_world()
    directory = tmp_path / "cache" / "outbound" / "t9%3A0.0123abcd"
    directory.mkdir(parents=True)
    (directory / "0_cat.png").write_bytes(b"meow")
    at = world.services.clock.wall() - age_s
    os.utime(directory, (at, at))

    await world.services.outgoing.sweep(frozenset())

    assert len(copies(tmp_path)) == left


async def test_only_the_account_that_sends_a_message_is_told_of_its_files(
    open_world, tmp_path, autojump_clock
):
    world = await open_world(says(f"MEDIA:{picture(tmp_path)}"), capabilities=SENDS_FILES)
    await world.say("show me")
    await world.settle()
    (delivery_id,) = world.rows("delivery_id", "outbox")

    assert [media.name for media in world.look(outbox.attachments, delivery_id, "fake", "default")] == [
        "cat.png"
    ]
    assert world.look(outbox.attachments, delivery_id, "fake", "other") == ()
    assert world.look(outbox.attachments, delivery_id, "webchat", "default") == ()
    assert world.look(outbox.attachments, "none", "fake", "default") == ()


# --- silence --------------------------------------------------------------------------------------------------------------


async def test_silence_is_an_answer_and_nothing_is_sent(open_world, autojump_clock):
    world = await open_world(says("NO_REPLY", "Yes?"))
    await world.say("you there?")
    await world.settle()

    assert world.heard() == []
    assert world.rows("state, rule") == [("answered", "silent")]
    assert [(line.role, line.text) for line in world.transcript()] == [
        ("user", "you there?"),
        ("assistant", "NO_REPLY"),
    ]
    await world.say("hello?")
    await world.settle()
    assert world.heard() == ["Yes?"]


async def test_AC56_who_waits_for_an_answer_hears_that_there_is_none(open_world, autojump_clock):
    """A client that knows its messages by name would wait until its deadline."""
    world = await open_world(says("[SILENT]"), capabilities=HISTORY)
    await world.say("you there?")
    await world.settle()

    (one,) = world.platform.sent
    assert (one.part.text, one.part.total, one.reply_to) == ("", 1, "e1")


async def test_S22_what_a_person_writes_is_a_message_whatever_it_says(open_world, autojump_clock):
    said = ["NO_REPLY", "[SILENT]", "(empty)", "<think>hm</think>", "MEDIA:/etc/passwd"]
    agent = FakeAgent(otherwise=Reply(lambda turn: f"You said {len(turn.events[-1].text)} characters."))
    world = await open_world(agent)
    for text in said:
        await world.say(text)
        await world.settle()

    assert world.heard() == [f"You said {len(text)} characters." for text in said]
    assert [turn.events[-1].text for turn in agent.turns] == said


# --- nothing, thoughts, failures ------------------------------------------------------------------------------------------


async def test_S49_thoughts_reach_neither_the_chat_nor_what_is_kept(open_world, autojump_clock):
    world = await open_world(says("<think>they are new here</think>\n\nWelcome!", "<think>hm", "(empty)"))
    for text in "abc":
        await world.say(text)
        await world.settle()

    assert world.heard() == ["Welcome!", texts.AGENT_EMPTY, texts.AGENT_EMPTY]
    assert not any("<think>" in line.text for line in world.transcript())


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errors.MODEL_UNREACHABLE, texts.MODEL_UNREACHABLE),
        (errors.MODEL_BUSY, texts.MODEL_BUSY.format(wait="30 seconds")),
        (errors.CONTEXT_TOO_LONG, texts.CONTEXT_TOO_LONG),
        ("of a plug-in", texts.AGENT_CRASHED),
    ],
)
async def test_S50_a_failure_is_told_in_words_and_its_detail_in_the_log(
    code, words, open_world, caplog, autojump_clock
):
    failure = Failure(code, retry_after=30.0, detail="connect to 10.0.0.7:443 with sk-key")
    world = await open_world(FakeAgent(GiveUp(failure)))
    await world.say("a")
    await world.settle()

    assert world.heard() == [words]
    assert world.rows("state, rule") == [("failed", code)]
    assert "10.0.0.7" in caplog.text
