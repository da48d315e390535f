"""What the operator is told, in virtual time: that we are back, what stays down, what does not get out."""

import logging

import pytest
import trio
from world import ADAPTER

from actors import exits
from hermes.config.homes import HomeChannel
from hermes.testing.fakes import FakeAdapter
from hermes.types import texts
from hermes.types.content import Capabilities
from hermes.types.errors import Failure, GatewayError, SendError

PLAIN = Capabilities(authenticated=True)
HOMES = {("fake", "default"): HomeChannel("home"), ("other", "default"): HomeChannel("ops")}
REVOKED = GatewayError(Failure("unauthorized", "needs_operator", "adapter", detail="token a-secret"))
LINE_DOWN = GatewayError(Failure("unreachable", scope="adapter"))


class Away(FakeAdapter):
    """Takes nothing, and says so, until it is back."""

    def __init__(self) -> None:
        super().__init__(capabilities=PLAIN)
        self.away = True

    async def send(self, chat_id, part, *, reply_to, metadata):
        if self.away:
            raise SendError(Failure("unreachable", scope="chat"), "not_sent")
        return await super().send(chat_id, part, reply_to=reply_to, metadata=metadata)


@pytest.fixture
def other():
    return FakeAdapter("other", PLAIN)


def said(platform: FakeAdapter, text: str) -> int:
    return sum(text in one for one in platform.texts)


async def test_AC58_a_hundred_kills_are_told_once_in_ten_minutes(open_world, autojump_clock, other):
    world = await open_world(homes=HOMES, others=[other])
    began = trio.current_time()
    for _ in range(100):
        await world.kill()
    await world.settle()
    slots = 1 + int((trio.current_time() - began) // 600)

    assert len(world.boots) == 101
    assert [said(one, "am back") for one in (world.platform, other)] == [slots, slots]
    assert slots <= 2


async def test_an_ordinary_stop_and_start_is_told_to_nobody_and_a_restart_that_was_asked_for_is(
    open_world, autojump_clock, other
):
    world = await open_world(homes=HOMES, others=[other])
    for code, heard in ((0, 0), (exits.FAILED, 0), (exits.RESTART, 1)):
        boots = len(world.boots)
        world.restart(code)
        await world.until(lambda boots=boots: len(world.boots) > boots)
        await world.up()
        await trio.sleep(1)
        assert said(other, texts.BACK_AFTER_RESTART) == heard
    assert said(other, texts.BACK_AFTER_CRASH) == 0


async def test_who_does_not_want_to_know_that_we_are_back_is_not_told(open_world, autojump_clock, other):
    world = await open_world(homes=HOMES, others=[other])
    world.restart_notices[("other", "default")] = False
    await world.kill()
    await trio.sleep(1)

    assert (said(world.platform, texts.BACK_AFTER_CRASH), other.texts) == (1, [])


async def test_an_adapter_that_stays_down_is_told_on_another_platform_with_what_to_do(
    open_world, autojump_clock, other
):
    world = await open_world(homes=HOMES, others=[other])
    world.platform.crash(REVOKED)
    await world.until(lambda: world.state(ADAPTER) == "disabled")
    await trio.sleep(31)

    expected = texts.ADAPTER_DISABLED.format(name="fake:default", code="unauthorized")
    assert other.texts == [expected]
    assert "hermes adapter resume fake:default" in expected
    await trio.sleep(7200)
    assert other.texts == [expected]


async def test_an_adapter_that_fails_again_after_it_was_resumed_is_told_again(
    open_world, autojump_clock, other
):
    world = await open_world(homes=HOMES, others=[other])
    for _ in range(2):
        world.platform.crash(REVOKED)
        await world.until(lambda: world.state(ADAPTER) == "disabled")
        await trio.sleep(700)
        await world.services.overview.resume("fake")
        await world.up()

    assert len(other.texts) == 2


async def test_a_backlog_is_told_after_ten_minutes_once_an_hour_and_once_when_it_is_over(
    open_world, autojump_clock, other, caplog
):
    platform = Away()
    world = await open_world(homes=HOMES, platform=platform, others=[other])
    await world.services.router.deliver("hello", "fake:1")
    await trio.sleep(595)
    assert other.texts == []
    with caplog.at_level(logging.WARNING, "actors.notices"):
        await trio.sleep(60)
        assert ["fake: one message not sent" in one.getMessage() for one in caplog.records] == [True]
    assert len(other.texts) == 1
    assert "On fake I could not send one message yet, the oldest for 10 minutes" in other.texts[0]
    (standing,) = (await world.services.overview.status())["backlog"]
    assert (standing["platform"], standing["open"], standing["late"]) == ("fake", 1, True)
    assert standing["oldest_age_s"] > 600
    await trio.sleep(2400)
    await world.kill()  # the hour is counted in the store; after a kill it may become two
    await trio.sleep(60)
    assert said(other, "could not send") == 1
    await trio.sleep(3600)
    assert said(other, "could not send") == 2

    platform.away = False
    await trio.sleep(121)
    assert other.texts[-1] == texts.DELIVERY_OVER.format(name="fake")
    await trio.sleep(7200)
    assert said(other, "waits too long") == 1


async def test_dead_letters_are_told_together_and_those_of_notices_tell_of_nothing(
    open_world, autojump_clock, other
):
    world = await open_world(homes=HOMES, others=[other])
    world.platform.failures += [SendError(Failure("refused", "needs_operator"), "not_sent")] * 3
    other.failures += [SendError(Failure("refused", "needs_operator"), "not_sent")]
    for number in range(3):
        await world.services.router.deliver("hello", f"fake:{number}")
    await trio.sleep(7200)

    assert world.rows("state", "outbox").count("dead") == 4
    assert world.platform.texts == other.texts == []
    world.platform.failures += [SendError(Failure("refused", "needs_operator"), "not_sent")]
    await world.services.router.deliver("hello", "fake:1")
    await trio.sleep(61)
    assert other.texts == [texts.DELIVERY_GIVEN_UP.format(name="fake", count="one message")]


async def test_answers_that_wait_for_their_reader_are_no_backlog(open_world, autojump_clock, other):
    history = Capabilities(authenticated=True, history=True)
    world = await open_world(homes=HOMES, others=[other], capabilities=history)
    await world.services.overview.pause("fake")
    await world.services.router.deliver("hello", "fake:1")
    await trio.sleep(7200)

    assert other.texts == []
    assert (await world.services.overview.status())["backlog"][0]["late"] is False


async def test_without_another_platform_the_log_has_it(open_world, autojump_clock, caplog):
    world = await open_world(homes=HOMES)
    await world.services.overview.pause("fake")
    await world.services.router.deliver("hello", "fake:1")
    await trio.sleep(700)

    assert any("one message not sent yet" in one.getMessage() for one in caplog.records)


# --- dead targets -----------------------------------------------------------------------------------------------------------


GONE = SendError(Failure("chat_not_found", "needs_operator", "chat"), "not_sent")


async def test_a_chat_that_refuses_us_is_left_out_until_something_arrives_there(open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    world.platform.failures.append(GONE)
    await world.services.router.deliver("hello", "fake:7")
    await trio.sleep(1)

    (result,) = await world.services.router.deliver("hello", "fake:7:thread")
    assert (result.skipped, result.success, result.document()["skipped"]) == (
        "dead_target",
        False,
        "dead_target",
    )
    await world.say("are you there?", "7")  # a person who writes is answered, always
    await world.settle()
    assert world.heard("7") == ["are you there?"]
    assert (await world.services.router.deliver("hello", "fake:7"))[0].success


async def test_a_dead_home_is_nobodys_home(open_world, autojump_clock, other):
    world = await open_world(homes=HOMES, others=[other])
    other.failures.append(GONE)
    await world.services.router.deliver("hello", "other")
    await trio.sleep(1)
    assert [home.platform for home in await world.services.router.homes()] == ["fake"]


async def test_what_the_original_knew_is_taken_over_once(open_world, autojump_clock):
    world = await open_world(capabilities=PLAIN)
    (world.home / "gateway").mkdir()
    (world.home / "gateway" / "dead_targets.json").write_text(
        '{"fake:7": {"reason": "forbidden"}, "fake:8": 5, "nonsense": {}}'
    )
    await world.kill()
    await trio.sleep(1)
    assert (await world.services.router.deliver("hello", "fake:7"))[0].skipped == "dead_target"
    assert (await world.services.router.deliver("hello", "fake:8"))[0].success
    await world.say("hi", "7")
    await world.settle()
    await world.kill()
    await trio.sleep(1)
    assert (await world.services.router.deliver("hello", "fake:7"))[0].success


async def test_a_list_of_dead_chats_that_cannot_be_read_is_said_and_changes_nothing(
    open_world, autojump_clock, caplog
):
    world = await open_world()
    (world.home / "gateway").mkdir()
    (world.home / "gateway" / "dead_targets.json").write_text('{"fake:7": ')
    await world.kill()
    await trio.sleep(1)
    assert any("dead_targets.json" in one.getMessage() for one in caplog.records)
    assert (await world.services.router.deliver("hello", "fake:7"))[0].success


async def test_an_agents_silence_is_not_sent_and_a_persons_full_stop_is(open_world, autojump_clock):
    world = await open_world()
    (result,) = await world.services.router.deliver("*(silent)*", "fake:1", job_id="job1")
    assert (result.skipped, result.success) == ("silence", True)
    assert (await world.services.router.deliver(".", "fake:1", by_person=True))[0].delivery_id
    (kept,) = await world.services.router.deliver("...", "local", job_id="job1")
    assert kept.path is not None
    await world.settle()
    assert world.heard() == ["."]
