"""The channel directory: built at connect and every five minutes, from adapters and from known conversations."""

import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from world import World

from hermes.ops.channel_files import ALIASES, DIRECTORY, read_channels
from hermes.testing.fakes import FakeAdapter
from hermes.types.channels import Channel
from hermes.types.errors import Failure, GatewayError
from hermes.types.events import InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin

GOLDEN = Path(__file__).parents[3] / "shared/reference/golden_home_0_19"

GENERAL = Channel("1", "general", "channel", guild="Acme")


class Listing(FakeAdapter):
    """A platform that can say in which chats it is, or fails to."""

    def __init__(self, *listed: Channel) -> None:
        super().__init__()
        self.listed: Sequence[Channel] = listed
        self.trouble: Exception | None = None
        self.asked = 0

    async def list_channels(self) -> Sequence[Channel]:
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.trouble is not None:
            raise self.trouble
        return self.listed


def written(world: World) -> dict:
    return dict(read_channels(world.home).directory)


async def test_it_is_built_at_connect_and_every_five_minutes(open_world, autojump_clock):
    platform = Listing(GENERAL)
    world = await open_world(platform=platform)
    await trio.sleep(1)
    assert written(world) == {"fake": (GENERAL,)}
    asked = platform.asked
    platform.listed = (GENERAL, Channel("2", "random", "channel"))
    await trio.sleep(250)
    assert platform.asked == asked
    await trio.sleep(55)
    assert [one.name for one in written(world)["fake"]] == ["general", "random"]
    asked = platform.asked
    platform.crash(GatewayError(Failure("unreachable", scope="adapter")))
    await trio.sleep(10)
    await world.up()
    await trio.sleep(1)
    assert platform.asked > asked


async def test_chats_that_were_spoken_in_are_known_as_well(open_world, autojump_clock):
    world = await open_world(platform=Listing(GENERAL))
    await world.say("hi", "77")
    await world.settle()
    await trio.sleep(301)
    assert {one.chat_id for one in written(world)["fake"]} == {"1", "77"}
    assert json.loads((world.home / DIRECTORY).read_text())["updated_at"].startswith("2026-03-04T10:")


@pytest.mark.parametrize(
    "trouble", [GatewayError(Failure("rate_limited")), RuntimeError("a bug")], ids=["failure", "bug"]
)
async def test_an_adapter_that_cannot_list_keeps_the_last_list_and_lives_on(
    open_world, autojump_clock, trouble
):
    platform = Listing(GENERAL)
    world = await open_world(platform=platform)
    await trio.sleep(1)
    platform.trouble = trouble
    lives = world.incarnations()
    await trio.sleep(301)
    assert written(world) == {"fake": (GENERAL,)}
    assert world.incarnations() == lives


async def test_an_adapter_that_never_answers_holds_up_nobody(open_world, autojump_clock):
    class Hung(Listing):
        async def list_channels(self) -> Sequence[Channel]:
            await trio.sleep_forever()
            raise AssertionError

    world = await open_world(platform=Hung())
    await world.say("hi", "77")
    await world.settle()
    await trio.sleep(330)
    assert [one.chat_id for one in written(world)["fake"]] == ["77"]


async def test_ours_that_cannot_be_read_is_rebuilt_and_the_users_is_left_alone_and_said_once(
    open_world, autojump_clock, tmp_path, caplog
):
    (tmp_path / DIRECTORY).write_text("{broken")
    (tmp_path / ALIASES).write_text("{broken")
    with caplog.at_level(logging.WARNING, "actors.channels"):
        world = await open_world(platform=Listing(GENERAL))
        await trio.sleep(1000)
    assert written(world) == {"fake": (GENERAL,)}
    assert (tmp_path / ALIASES).read_text() == "{broken"
    said = [record.getMessage() for record in caplog.records if ALIASES in record.getMessage()]
    assert len(said) == 1
    assert any(DIRECTORY in record.getMessage() for record in caplog.records)


async def test_names_of_the_last_life_are_known_before_the_adapter_is_up(
    open_world, autojump_clock, tmp_path
):
    entries = [{"id": "5", "name": "ops", "type": "channel", "thread_id": None}]
    document = {"platforms": {"fake": entries, "telegram": [{"id": "9", "name": "Alice"}]}}
    (tmp_path / DIRECTORY).write_text(json.dumps(document))
    platform = Listing()
    platform.trouble = GatewayError(Failure("rate_limited"))
    world = await open_world(platform=platform)
    await trio.sleep(1)
    (result,) = await world.services.router.deliver("hi", "fake:#ops")
    assert result.place.chat_id == "5"
    assert set(written(world)) == {"fake", "telegram"}


async def test_a_platform_that_lists_no_chats_keeps_what_an_original_home_knew_and_adds_what_it_sees(
    open_world, autojump_clock, tmp_path
):
    """Telegram's way: its bots cannot ask in which chats they are."""
    known = [
        {"id": "-100:7", "name": "Team / topic 7", "type": "group", "thread_id": "7"},
        {"id": "111", "name": "Alice", "type": "dm", "thread_id": None},
        {"id": "-5", "name": "Crew", "type": "group", "thread_id": None},
    ]
    (tmp_path / DIRECTORY).write_text(json.dumps({"platforms": {"fake": known}}))
    platform = FakeAdapter()
    world = await open_world(platform=platform)
    await (await platform.io()).chat_moved("-5", "-1005")
    for thread, topic in (("7", None), ("8", "Plans"), ("8", None)):
        now = world.services.clock.wall()
        origin = Origin(
            "fake",
            "-100",
            chat_type="group",
            user_id="u1",
            chat_name="Staff",
            thread_id=thread,
            chat_topic=topic,
        )
        name = f"{thread}:{topic}"
        await platform.hand_in(InboundEvent(name, origin, "hi", now, TraceId(name), mentions_bot=True))
        await world.settle()
    await trio.sleep(301)
    assert {one.listed_id: one.name for one in written(world)["fake"]} == {
        "-100:7": "Staff / topic 7",
        "-100:8": "Staff / Plans",
        "111": "Alice",
        "-1005": "Crew",
    }
    (result,) = await world.services.router.deliver("hi", "fake:#Alice", by_person=True)
    assert result.place.chat_id == "111"
    await world.kill()
    await trio.sleep(1)
    assert len(written(world)["fake"]) == 4


@pytest.mark.skipif(not GOLDEN.exists(), reason="no golden home here")
async def test_a_golden_home_keeps_its_channel_directory(open_world, autojump_clock, tmp_path):
    shutil.copy(GOLDEN / DIRECTORY, tmp_path / DIRECTORY)
    before = read_channels(tmp_path).directory
    world = await open_world(platform=FakeAdapter("telegram"))
    await trio.sleep(700)
    assert written(world) == before != {}


async def test_a_disk_that_takes_no_file_is_said_and_names_are_still_found(
    open_world, autojump_clock, tmp_path, caplog
):
    (tmp_path / DIRECTORY).mkdir()
    world = await open_world(platform=Listing(GENERAL))
    await trio.sleep(700)
    (result,) = await world.services.router.deliver("hi", "fake:#general")
    assert result.place.chat_id == "1"
    assert sum("could not be written" in record.getMessage() for record in caplog.records) == 1
