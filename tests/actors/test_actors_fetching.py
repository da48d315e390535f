"""Files that people send: the turn fetches them under caps, and none of them fails it."""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from agents import Listener
from world import PLAIN, QUEUE, World

from actors import fetching
from actors.ports.adapters import AdapterTable
from actors.ports.files import HomeFiles
from hermes.config.model import Config, Display, Media
from hermes.net.fetch import fetch
from hermes.sessions import context
from hermes.testing.fakes import EPOCH_S, Crash, FakeAdapter, FakeAgent, FakeIds
from hermes.types.agent import LocalFile
from hermes.types.content import Capabilities
from hermes.types.errors import URL_REFUSED, Failure, GatewayError
from hermes.types.events import Attachment, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.ports import FileSink

JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
SMALL = Config(display=QUEUE, media=Media(max_inbound_bytes=1_000))

Body = bytes | Exception | Callable[[FileSink], Any]


class Shelf(FakeAdapter):
    """A platform that hands out files by name; ``asked`` is what was asked for."""

    def __init__(self, files: Mapping[str, Body] = {}, capabilities: Capabilities = PLAIN) -> None:
        super().__init__(capabilities=capabilities)
        self.files = dict(files)
        self.asked: list[str] = []

    async def fetch(self, attachment: Attachment, to: FileSink) -> None:
        """In pieces of 10 bytes, or as the file's own function does."""
        self.asked.append(attachment.ref)
        await trio.lowlevel.checkpoint()
        body = self.files[attachment.ref]
        if isinstance(body, bytes):
            for at in range(0, len(body), 10):
                await to.write(body[at : at + 10])
        elif isinstance(body, Exception):
            raise body
        else:
            await body(to)

    async def send_in(
        self, *attachments: Attachment, text: str = "look", chat: str = "1", name: str = "e1", **more: Any
    ) -> None:
        """A person sends files."""
        now = EPOCH_S + trio.current_time()
        origin = Origin("fake", chat, user_id="u1", user_name="Ann")
        event = InboundEvent(name, origin, text, now, TraceId(name), message_id=name, attachments=attachments)
        await self.hand_in(replace(event, **more))


def image(ref: str, name: str | None = None, **more: Any) -> Attachment:
    return Attachment("image", ref, name, **more)


async def endless(to: FileSink) -> None:
    while True:
        await to.write(bytes(300))


async def slow(to: FileSink) -> None:
    while True:
        await to.write(b"x")
        await trio.sleep(5)


async def files_of(
    world: World, shelf: Shelf, *attachments: Attachment, **more: Any
) -> tuple[LocalFile, ...]:
    await shelf.send_in(*attachments, **more)
    await world.settle()
    return world.agent.turns[-1].files


def cached(world: World) -> list[str]:
    return sorted(path.name for path in (world.home / "cache").rglob("*") if path.is_file())


async def test_a_turn_has_the_files_that_came_with_it(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG, "f2": b"a,b"})
    world = await open_world(FakeAgent(), platform=shelf)

    photo, table = await files_of(
        world, shelf, image("f1", "../Holiday 1.jpg"), Attachment("document", "f2", "t.csv", "text/csv")
    )

    assert Path(photo.path).read_bytes() == JPEG
    assert Path(photo.path).parent == world.home / "cache" / "images"
    assert (photo.event, photo.name, photo.mime, photo.size_bytes) == (0, "Holiday_1.jpg", "image/jpeg", 104)
    assert Path(table.path).read_bytes() == b"a,b"
    assert table.mime == "text/csv"
    (turn,) = world.agent.turns
    assert turn.said == (
        f"look\n[image `Holiday_1.jpg`, 104 B: {photo.path}]\n[document `t.csv`, 3 B: {table.path}]",
    )
    assert turn.context.startswith("You speak on fake, in a direct chat with `Ann` (id `u1`).")
    assert world.transcript()[0].text == "look\n[image `../Holiday 1.jpg`]\n[document `t.csv`]"


async def test_a_later_turn_knows_that_a_picture_was_there(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    world = await open_world(FakeAgent(), platform=shelf)
    await files_of(world, shelf, image("f1", "a.jpg"))

    await shelf.send_in(name="e2", text="what was on it?")
    await world.settle()

    assert world.agent.turns[1].history[0].text == "look\n[image `a.jpg`]"
    assert world.agent.turns[1].files == ()


async def test_S37_a_body_that_lies_about_its_length_ends_at_the_cap(open_world, autojump_clock):
    shelf = Shelf({"f1": endless, "f2": JPEG})
    world = await open_world(FakeAgent(), platform=shelf, config=SMALL)

    big, small = await files_of(world, shelf, image("f1", "a.jpg", size_bytes=10), image("f2"))

    assert (big.path, big.problem, big.name, big.size_bytes) == ("", context.IS_TOO_LARGE, "a.jpg", 10)
    assert small.problem == ""
    assert cached(world) == [Path(small.path).name]
    assert world.heard() == ["look"]
    assert "[image `a.jpg`, 10 B: could not be fetched: too large]" in world.agent.turns[0].said[0]


async def test_S37_what_says_itself_that_it_is_too_large_is_not_asked_for(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    world = await open_world(FakeAgent(), platform=shelf, config=SMALL)

    (file,) = await files_of(world, shelf, image("f1", size_bytes=1_001))

    assert file.problem == context.IS_TOO_LARGE
    assert shelf.asked == []


async def test_S37_an_adapter_that_makes_light_of_the_cap_leaves_no_half_of_a_file(
    open_world, autojump_clock
):
    async def careless(to: FileSink) -> None:
        for _ in range(3):
            with suppress(GatewayError):
                await to.write(bytes(600))

    shelf = Shelf({"f1": careless})
    world = await open_world(FakeAgent(), platform=shelf, config=SMALL)

    (file,) = await files_of(world, shelf, image("f1"))

    assert file.problem
    assert cached(world) == []


async def test_S37_all_files_of_a_turn_together_are_bounded(open_world, autojump_clock):
    shelf = Shelf({f"f{n}": bytes(900) for n in range(3)})
    world = await open_world(FakeAgent(), platform=shelf, config=SMALL)

    files = await files_of(world, shelf, *(image(f"f{n}") for n in range(3)))

    assert sorted(file.problem for file in files) == ["", "", context.IS_TOO_LARGE]


async def test_no_more_than_ten_files_are_fetched(open_world, autojump_clock):
    shelf = Shelf({f"f{n}": JPEG for n in range(12)})
    world = await open_world(FakeAgent(), platform=shelf)

    files = await files_of(world, shelf, *(image(f"f{n}") for n in range(12)))

    assert [file.problem for file in files] == [""] * 10 + [context.TOO_MANY] * 2
    assert len(shelf.asked) == 10


async def test_none_is_taken_where_the_cap_is_zero(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    config = Config(display=QUEUE, media=Media(max_inbound_bytes=0))
    world = await open_world(FakeAgent(), platform=shelf, config=config)

    (file,) = await files_of(world, shelf, image("f1"))

    assert file.problem == context.NOT_TAKEN
    assert shelf.asked == []
    assert cached(world) == []


async def test_S37_a_slow_body_costs_a_minute_and_keeps_nothing_else_from_coming(open_world, autojump_clock):
    shelf = Shelf({"f1": slow, "f2": JPEG})
    world = await open_world(FakeAgent(), platform=shelf)
    began = trio.current_time()

    late, there = await files_of(world, shelf, image("f1"), image("f2"))

    assert late.problem == context.TOOK_TOO_LONG
    assert there.problem == ""
    assert fetching.DEADLINE_S <= trio.current_time() - began < fetching.DEADLINE_S + 2
    assert world.heard() == ["look"]
    assert len(cached(world)) == 1


async def test_the_time_for_files_is_not_the_agents(open_world, autojump_clock):
    config = replace(Config(display=QUEUE), agent=replace(Config().agent, no_progress_s=10.0))
    shelf = Shelf({"f1": slow})
    world = await open_world(FakeAgent(), platform=shelf, config=config)

    await files_of(world, shelf, image("f1"))

    assert world.heard() == ["look"]


async def test_an_adapter_that_is_away_costs_some_seconds_and_words(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    world = await open_world(FakeAgent(), platform=shelf)
    world.services.adapters.pause("fake", "default")
    shelf.crash(GatewayError(Failure("gone", "transient", "adapter")))
    await world.until(lambda: world.services.adapters.find("fake", "default") is None)
    event = InboundEvent("e1", Origin("fake", "1", user_id="u1"), "look", EPOCH_S, TraceId("t"))
    began = trio.current_time()

    (file,) = await world.services.fetching.fetch([replace(event, attachments=(image("f1"),))], NoLease())

    assert file.problem == context.NOT_REACHABLE
    assert trio.current_time() - began == pytest.approx(fetching.AWAY_S)


async def test_an_adapter_that_comes_back_in_time_is_waited_for(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.send_in(image("f1"))
    shelf.crash(GatewayError(Failure("gone", "transient", "adapter")))
    await world.settle()

    (file,) = world.agent.turns[-1].files
    assert file.problem == ""


async def test_a_life_that_ends_under_the_fetch_ends_it(open_world, autojump_clock):
    shelf = Shelf({"f1": slow})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.send_in(image("f1"))
    await world.until(lambda: bool(shelf.asked))
    began = trio.current_time()

    shelf.crash(GatewayError(Failure("gone", "transient", "adapter")))
    await world.settle()

    assert world.agent.turns[-1].files[0].problem == context.NOT_REACHABLE
    assert trio.current_time() - began < 30


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (GatewayError(Failure(URL_REFUSED, detail="10.0.0.7")), context.NOT_ALLOWED),
        (GatewayError(Failure("timeout")), context.TOOK_TOO_LONG),
        (GatewayError(Failure("http_status", detail="404")), context.NOT_REACHABLE),
        (ValueError("a bug"), context.NOT_REACHABLE),
        (ExceptionGroup("two", [ValueError("a bug")]), context.NOT_REACHABLE),
    ],
)
async def test_a_file_that_cannot_be_had_is_a_sentence_and_the_log_has_the_rest(
    error, problem, open_world, autojump_clock, caplog
):
    shelf = Shelf({"f1": error})
    world = await open_world(FakeAgent(), platform=shelf)
    before = world.incarnations()

    with caplog.at_level(logging.WARNING):
        (file,) = await files_of(world, shelf, image("f1", "a secret name.jpg"))

    assert file.problem == problem
    assert world.heard() == ["look"]
    assert before.items() <= world.incarnations().items()
    assert "file 1 of event 'e1' is not there" in caplog.text
    assert "secret name" not in caplog.text


async def test_a_failure_of_the_whole_adapter_is_its_own(open_world, autojump_clock):
    shelf = Shelf({"f1": GatewayError(Failure("revoked", "needs_operator", "adapter"))})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.send_in(image("f1"))

    await world.until(lambda: world.state("root/gateway/adapters/fake:default") == "disabled")


async def test_a_platform_without_files_says_so(open_world, autojump_clock):
    world = await open_world(FakeAgent())
    event = InboundEvent("e1", Origin("fake", "1", user_id="u1"), "", EPOCH_S, TraceId("t"))
    await world.platform.hand_in(replace(event, attachments=(image("f1"),)))
    await world.settle()

    assert world.agent.turns[0].files[0].problem == context.NOT_REACHABLE


async def test_S36_a_url_is_fetched_by_the_guarded_way_alone(open_world, autojump_clock):
    shelf = Shelf()
    world = await open_world(FakeAgent(), platform=shelf)
    asked = []

    async def internet(url: str, sink: FileSink, *, deadline_s: float, max_bytes: int) -> None:
        asked.append(url)
        if "169.254" in url:
            raise GatewayError(Failure(URL_REFUSED))
        if "bug" in url:
            raise ValueError("a bug")
        await sink.write(JPEG)

    world.services.fetching._fetch_url = internet

    files = await files_of(
        world,
        shelf,
        image("https://cdn.example/a.jpg"),
        image("HTTP://169.254.169.254/latest"),
        image("https://bug.example/"),
    )

    assert [file.problem for file in files] == ["", context.NOT_ALLOWED, context.NOT_REACHABLE]
    assert set(asked) == {
        "https://bug.example/",
        "https://cdn.example/a.jpg",
        "HTTP://169.254.169.254/latest",
    }
    assert shelf.asked == []


async def test_S36_any_other_scheme_is_for_the_platform_to_know(open_world, autojump_clock):
    shelf = Shelf()
    world = await open_world(FakeAgent(), platform=shelf)

    (file,) = await files_of(world, shelf, image("file:///etc/passwd"))

    assert file.problem == context.NOT_REACHABLE
    assert shelf.asked == ["file:///etc/passwd"]


async def test_a_turn_that_is_run_again_finds_what_it_had(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG, "f2": slow})
    world = await open_world(FakeAgent(Crash(ValueError("a bug"))), platform=shelf)

    await files_of(world, shelf, image("f1"), image("f2"))

    first, second = world.agent.turns
    assert first.files[0] == second.files[0]
    assert shelf.asked.count("f1") == 1
    assert shelf.asked.count("f2") == 2
    assert len(cached(world)) == 1


async def test_AC14_a_kill_in_the_middle_of_a_file_fetches_it_again(open_world, autojump_clock):
    shelf = Shelf({"f1": slow})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.send_in(image("f1"))
    await world.until(lambda: bool(shelf.asked))

    shelf.files["f1"] = JPEG
    await world.kill()
    await world.settle()

    (turn,) = world.agent.turns
    assert Path(turn.files[0].path).read_bytes() == JPEG
    assert world.heard() == ["look"]


async def test_a_stop_ends_a_fetch(open_world, autojump_clock):
    shelf = Shelf({"f1": slow})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.send_in(image("f1"))
    await world.until(lambda: bool(shelf.asked))
    began = trio.current_time()

    await world.say("/stop", event_id="stop")
    await world.settle()

    assert trio.current_time() - began < 5
    assert world.agent.turns == []
    assert cached(world) == []


async def test_an_adapter_that_hears_no_cancellation_holds_up_one_turn_and_no_more(
    open_world, autojump_clock
):
    released = trio.Event()

    async def deaf(to: FileSink) -> None:
        with trio.CancelScope(shield=True):
            await released.wait()

    shelf = Shelf({"f1": deaf})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.send_in(image("f1"))
    await world.until(lambda: bool(shelf.asked))
    shelf.files["f1"] = JPEG
    await world.settle()

    assert world.heard() == ["look"]
    released.set()
    await trio.sleep(1)
    assert world.heard() == ["look"]


async def test_AC31_two_conversations_get_their_own_files(open_world, autojump_clock):
    async def late(data: bytes, to: FileSink) -> None:
        for at in range(len(data)):
            await to.write(data[at : at + 1])
            await trio.sleep(0.01)

    chats = [f"chat{n}" for n in range(20)]
    shelf = Shelf({chat: lambda to, chat=chat: late(chat.encode(), to) for chat in chats})
    world = await open_world(FakeAgent(), platform=shelf)

    async with trio.open_nursery() as nursery:
        for chat in chats:
            nursery.start_soon(
                lambda chat=chat: shelf.send_in(image(chat, "photo.jpg"), chat=chat, name=chat, text=chat)
            )
    await world.settle()

    assert len(world.agent.turns) == len(chats)
    for turn in world.agent.turns:
        (event,), (file,) = turn.events, turn.files
        assert Path(file.path).read_bytes().decode() == event.text == event.origin.chat_id
        assert file.name == "photo.jpg"


async def test_AC31_files_of_several_messages_belong_to_theirs(open_world, autojump_clock):
    shelf = Shelf({f"f{n}": f"{n}".encode() for n in range(3)})
    world = await open_world(FakeAgent(), platform=shelf)
    await shelf.hand_in(
        *(
            InboundEvent(
                f"e{n}",
                Origin("fake", "1", user_id="u1"),
                f"{n}",
                EPOCH_S,
                TraceId("t"),
                attachments=(image(f"f{n}", "a.jpg"),),
            )
            for n in range(3)
        )
    )
    await world.settle()

    for turn in world.agent.turns:
        for file in turn.files:
            assert Path(file.path).read_text() == turn.events[file.event].text
            assert file.path in turn.said[file.event]
    assert sum(len(turn.files) for turn in world.agent.turns) == 3


class NoLease:
    """A turn that nobody watches."""

    def watch(self, *limits: trio.CancelScope) -> None:
        """Nothing to do."""


async def test_S36_the_real_fetch_reaches_nothing_on_this_machine(tmp_path):
    reached = []

    async def serve(stream: trio.SocketStream) -> None:
        reached.append(stream)
        await stream.aclose()

    files = HomeFiles(tmp_path, partial(trio.to_thread.run_sync, abandon_on_cancel=True))
    one = fetching.Fetching(AdapterTable("lanes"), files, fetch, FakeIds(), 1_000)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        hosts = ("127.0.0.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]")
        refs = tuple(image(f"http://{host}:{port}/a.jpg") for host in hosts)
        event = InboundEvent("e1", Origin("fake", "1"), "", EPOCH_S, TraceId("t"), attachments=refs)
        found = await one.fetch([event], NoLease())
        nursery.cancel_scope.cancel()

    assert [file.problem for file in found] == [context.NOT_ALLOWED] * len(hosts)
    assert reached == []
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


async def test_a_strangers_file_is_never_fetched(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG}, Capabilities())
    world = await open_world(FakeAgent(), platform=shelf)

    await shelf.send_in(image("f1"))
    await shelf.send_in(image("https://example.org/a.jpg"), name="e2", text="")
    await world.settle()

    assert shelf.asked == []
    assert cached(world) == []
    assert world.agent.turns == []
    assert world.counts.denied == 2


async def test_what_comes_with_a_file_waits_for_a_turn_of_its_own(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    config = Config(display=Display(busy_input_mode="steer", busy_ack=False))
    world = await open_world(Listener(), platform=shelf, config=config)

    await world.say("one")
    await trio.sleep(0.5)
    await world.say("two")
    await shelf.send_in(image("f1"), text="three", name="photo")
    await world.say("four")
    await world.settle()

    first, second, *_ = world.agent.turns
    assert first.files == ()
    assert second.events[0].text == "three"
    assert len(second.files) == 1
    assert world.heard()[0] == "one\ntwo"
    assert "four" in world.heard()[1]


async def test_a_disk_that_takes_nothing_is_told(open_world, autojump_clock):
    shelf = Shelf({"f1": JPEG})
    world = await open_world(FakeAgent(), platform=shelf)
    (world.home / "cache").write_text("in the way")

    (file,) = await files_of(world, shelf, image("f1"))

    assert file.problem == context.NOT_KEPT
    assert world.heard() == ["look"]


async def test_a_location_is_told_and_not_fetched(open_world, autojump_clock):
    shelf = Shelf()
    world = await open_world(FakeAgent(), platform=shelf)

    await shelf.send_in(Attachment("location", "52.52,13.40"), text="")
    await world.settle()

    (turn,) = world.agent.turns
    assert turn.files == ()
    assert turn.said == ("[location: `52.52,13.40`]",)
    assert os.listdir(world.home) == [] or "cache" not in os.listdir(world.home)
