"""Web chat against a fake gateway and fake tabs, under a virtual clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from chat_double import FakeIO, FakeTab, Outcome
from trio.testing import MockClock

from hermes.net import clientlink, linkchat
from hermes.net.room import QUEUE_FRAMES
from hermes.platforms.webchat.adapter import WebChat
from hermes.testing.fakes import EPOCH_S, FakeIds, TrioClock
from hermes.types import faults, ports
from hermes.types.content import Draft, Media, MediaKind, Part
from hermes.types.errors import SEND_UNCONFIRMED, TOO_LARGE, UNREACHABLE, SendError
from hermes.types.ids import DeliveryId
from hermes.types.origin import Origin
from hermes.types.records import FeedItem


class Chat:
    """A connected adapter and as many tabs as a test wants."""

    def __init__(self, adapter: WebChat, io: FakeIO, nursery: trio.Nursery) -> None:
        self.adapter = adapter
        self.io = io
        self._nursery = nursery

    def connect(self, chat: str | None = "main") -> FakeTab:
        tab = FakeTab()
        route, _ = self.adapter.routes()
        query = {} if chat is None else {"chat": chat}
        self._nursery.start_soon(route.handler, ports.Request("GET", route.path, query), tab)
        return tab

    async def tab(self, chat: str | None = "main", since: str | None = None) -> FakeTab:
        tab = self.connect(chat)
        tab.say(t="hello", client="test", since=since)
        assert (await tab.hear())["t"] == "welcome"
        return tab

    async def send(
        self, text: str = "hi", delivery_id: str = "d1", chat: str = "main", reply_to: str | None = None
    ):
        part = Part(DeliveryId(delivery_id), 0, 1, text)
        return await self.adapter.send(chat, part, reply_to=reply_to, metadata={})

    def sending(self, delivery_id: str = "d1", chat: str = "main") -> "Outcome":
        outcome = Outcome()
        self._nursery.start_soon(outcome.of, lambda: self.send(delivery_id=delivery_id, chat=chat))
        return outcome


@asynccontextmanager
async def gateway(io: FakeIO | None = None) -> AsyncIterator[Chat]:
    adapter, io = WebChat(TrioClock(), FakeIds()), io or FakeIO()
    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:

            async def connect(task_status: trio.TaskStatus[None]) -> None:
                await adapter.connect(io, task_status=task_status)

            await nursery.start(connect)
            yield Chat(adapter, io, nursery)
            nursery.cancel_scope.cancel()


# --- the contract -----------------------------------------------------------------------------------------------------


def test_it_is_an_adapter_that_shows_drafts() -> None:
    adapter = WebChat(TrioClock(), FakeIds())

    assert isinstance(adapter, ports.Drafts)
    assert (adapter.capabilities.authenticated, adapter.capabilities.idempotent_send) == (True, True)
    assert [(route.path, route.auth) for route in adapter.routes()] == [
        ("/chat/socket", "token"),
        ("/chat/media/*", "token"),
    ]


async def test_a_tab_before_connect_is_told_to_come_back(autojump_clock: MockClock) -> None:
    tab = FakeTab()
    route, _ = WebChat(TrioClock(), FakeIds()).routes()
    await route.handler(ports.Request("GET", route.path), tab)

    assert tab.closed == (linkchat.TRY_AGAIN_LATER, "starting")


async def test_the_end_of_connect_closes_every_tab(autojump_clock: MockClock) -> None:
    adapter, io = WebChat(TrioClock(), FakeIds()), FakeIO()
    async with trio.open_nursery() as nursery, trio.open_nursery() as connecting:
        await connecting.start(lambda task_status: adapter.connect(io, task_status=task_status))
        chat = Chat(adapter, io, nursery)
        tabs = [await chat.tab(), await chat.tab(), await chat.tab("other")]
        connecting.cancel_scope.cancel()

    assert [tab.closed for tab in tabs] == [(linkchat.GOING_AWAY, "connect again")] * 3


# --- hello and welcome ------------------------------------------------------------------------------------------------


def item(n: int, role: str = "agent", text: str = "**x**") -> FeedItem:
    return FeedItem(str(n), role, f"i{n}", text, EPOCH_S + n, f"m{n}")


async def test_a_new_tab_gets_the_newest_history_with_safe_html(autojump_clock: MockClock) -> None:
    io = FakeIO()
    io.history = [item(1, "user", "<b>hi</b>"), item(2, "agent", "**yo** <b>")]
    async with gateway(io) as chat:
        tab = chat.connect()
        tab.say(t="hello", client="test")
        welcome = await tab.hear()

    assert (welcome["t"], welcome["boot"], welcome["cursor"]) == ("welcome", "boot", "2")
    user, agent = welcome["items"]
    assert (user["item_id"], user["role"], user["text"], user["html"]) == ("i1", "user", "<b>hi</b>", None)
    assert (agent["html"], agent["reply_to"]) == ("<p><strong>yo</strong> &lt;b&gt;</p>\n", "m2")


async def test_a_tab_that_comes_back_gets_what_it_missed_in_pages(autojump_clock: MockClock) -> None:
    io = FakeIO()
    io.history = [item(n) for n in range(1, 2 * WebChat.history_items + 8)]
    async with gateway(io) as chat:
        tab = chat.connect()
        tab.say(t="hello", client="test", since="3")
        welcomes = [await tab.hear() for _ in range(3)]

    told = [shown["item_id"] for welcome in welcomes for shown in welcome["items"]]
    assert told == [f"i{n}" for n in range(4, 2 * WebChat.history_items + 8)]
    assert welcomes[-1]["cursor"] == str(2 * WebChat.history_items + 7)


async def test_a_tab_that_missed_nothing_keeps_its_cursor(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = chat.connect()
        tab.say(t="hello", client="test", since="3")
        assert await tab.hear() == {"t": "welcome", "boot": "boot", "cursor": "3", "items": []}


async def test_the_lane_is_woken_once_a_tab_can_be_reached(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        await chat.tab(None)
        await trio.testing.wait_all_tasks_blocked()
        assert chat.io.up == ["main"]
        assert chat.io.asked == [("main", None)]


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a:b", "../x", "é"])
async def test_a_chat_needs_a_proper_name(name: str, autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = chat.connect(name)
        await trio.testing.wait_all_tasks_blocked()
        assert tab.closed[0] == linkchat.POLICY_VIOLATION


@pytest.mark.parametrize("first", ['{"t": "ping"}', "garbage", "[" * 10_000])
async def test_hello_comes_first(first: str, autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = chat.connect()
        tab.say_raw(first)
        await trio.testing.wait_all_tasks_blocked()
        assert tab.closed[0] == linkchat.POLICY_VIOLATION


async def test_a_tab_that_says_nothing_is_let_go(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = chat.connect()
        await trio.sleep(linkchat.HELLO_DEADLINE_S + 1)
        assert tab.closed


# --- in ---------------------------------------------------------------------------------------------------------------


async def test_a_message_becomes_one_event_and_is_accepted_after_the_commit(
    autojump_clock: MockClock,
) -> None:
    async with gateway() as chat:
        tab = await chat.tab("work")
        chat.io.open = trio.Event()
        tab.say(t="send", id="c1", text="hello")
        await trio.testing.wait_all_tasks_blocked()
        assert chat.io.events == []
        chat.io.open.set()
        assert await tab.hear() == {"t": "accepted", "id": "c1"}

    (event,) = chat.io.events
    assert event.event_id == "work/c1"
    assert event.origin == Origin("webchat", "work", user_id="operator")
    assert (event.text, event.message_id, event.extra) == ("hello", "c1", {"client_id": "c1"})
    assert (event.mentions_bot, event.internal, event.received_at) == (
        True,
        False,
        EPOCH_S + trio.current_time(),
    )
    assert event.trace


async def test_one_tabs_messages_keep_their_order(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        for n in range(200):
            tab.say(t="send", id=f"c{n}", text=str(n))
        assert [(await tab.hear())["id"] for _ in range(200)] == [f"c{n}" for n in range(200)]

    assert [event.text for event in chat.io.events] == [str(n) for n in range(200)]


async def test_a_message_sent_again_is_accepted_again_and_is_one_event(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab, other = await chat.tab(), await chat.tab()
        for _ in range(2):
            tab.say(t="send", id="c1", text="hello")
            assert await tab.hear() == {"t": "accepted", "id": "c1"}
        assert (await other.hear())["t"] == "said"
        other.say(t="ping")
        assert await other.hear() == {"t": "pong"}  # and not said a second time

    assert len(chat.io.events) == 1


async def test_a_message_shows_in_the_other_tabs_of_its_chat_alone(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab, other, elsewhere = await chat.tab(), await chat.tab(), await chat.tab("other")
        tab.say(t="send", id="c1", text="**hello**")
        assert (await tab.hear())["t"] == "accepted"
        said = await other.hear()
        elsewhere.say(t="ping")
        assert (await elsewhere.hear())["t"] == "pong"

    assert said["t"] == "said"
    assert (said["item"]["item_id"], said["item"]["role"]) == ("c1", "user")
    assert (said["item"]["text"], said["item"]["html"]) == ("**hello**", None)


async def test_a_text_over_the_cap_is_refused_in_words_and_the_next_one_is_taken(
    autojump_clock: MockClock,
) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        tab.say(t="send", id="c1", text="x" * (clientlink.MAX_TEXT_CHARS + 1))
        tab.say(t="send", id="c2", text="x" * clientlink.MAX_TEXT_CHARS)
        refused = await tab.hear()
        assert (refused["t"], refused["id"], refused["code"]) == ("refused", "c1", TOO_LARGE)
        assert "100,000" in refused["message"]
        assert await tab.hear() == {"t": "accepted", "id": "c2"}


async def test_a_frame_over_the_cap_ends_its_connection_after_the_reason(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab, other = await chat.tab(), await chat.tab()
        tab.say(t="send", id="c0", text="before")
        tab.say(t="send", id="c1", text="x" * clientlink.MAX_FRAME_BYTES)
        assert {(await tab.hear())["t"], (await tab.hear())["t"]} == {"accepted", "error"}
        await trio.testing.wait_all_tasks_blocked()
        assert tab.closed[0] == linkchat.MESSAGE_TOO_BIG
        assert other.closed is None


@pytest.mark.parametrize(
    "garbage", ["", "x", "[]", '{"t": "hello", "client": "again"}', '{"t": "send", "id": 3}']
)
async def test_garbage_is_answered_and_the_connection_goes_on(
    garbage: str, autojump_clock: MockClock
) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        tab.say_raw(garbage)
        assert (await tab.hear())["code"] == clientlink.BAD_FRAME
        tab.say(t="send", id="c1", text="hello")
        assert await tab.hear() == {"t": "accepted", "id": "c1"}


async def test_acks_and_pings_do_not_wait_for_a_disk_that_is_away(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        chat.io.open = trio.Event()
        tab.say(t="send", id="c1", text="hello")
        outcome = chat.sending()
        assert (await tab.hear())["t"] == "message"
        tab.say(t="ping")
        assert await tab.hear() == {"t": "pong"}
        tab.say(t="ack", item="d1")
        await outcome.known.wait()

    assert outcome.message_id == "d1"


async def test_a_silent_connection_is_closed(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        silent, alive = await chat.tab(), await chat.tab("other")
        for _ in range(5):
            await trio.sleep(linkchat.IDLE_DEADLINE_S / 4)
            alive.say(t="ping")
            assert await alive.hear() == {"t": "pong"}
        assert silent.closed == (linkchat.GOING_AWAY, "silent for too long")
        assert alive.closed is None


async def test_S31_faults_can_strike_after_decode_and_before_the_ack(autojump_clock: MockClock) -> None:
    passed: list[str] = []
    faults.arm(passed.append)
    try:
        async with gateway() as chat:
            tab = await chat.tab()
            tab.say(t="send", id="c1", text="hello")
            await tab.hear()
    finally:
        faults.arm(None)

    assert passed == ["after_decode", "before_ack"]


# --- out --------------------------------------------------------------------------------------------------------------


async def test_with_no_tab_a_chat_is_unreachable_and_nothing_was_sent(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        gone = await chat.tab()
        gone.leave()
        await chat.tab("other")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(SendError) as caught:
            await chat.send()

    error = caught.value
    assert (error.failure.code, error.failure.scope, error.phase) == (UNREACHABLE, "chat", "not_sent")


async def test_the_first_ack_of_any_tab_is_the_receipt(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        first, second = await chat.tab(), await chat.tab()
        outcome = chat.sending()
        for tab in (first, second):
            frame = await tab.hear()
            assert (frame["t"], frame["item"]["item_id"], frame["item"]["html"]) == (
                "message",
                "d1",
                "<p>hi</p>\n",
            )
        second.say(t="ack", item="d1")
        await outcome.known.wait()
        first.say(t="ack", item="d1")  # late, and harmless
        first.say(t="ping")
        assert await first.hear() == {"t": "pong"}

    assert outcome.message_id == "d1"


async def test_without_an_ack_in_time_it_is_unknown(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        outcome = chat.sending()
        await tab.hear()
        tab.say(t="ack", item="another")
        began = trio.current_time()
        await outcome.known.wait()

    assert trio.current_time() - began == pytest.approx(linkchat.ACK_DEADLINE_S)
    assert (outcome.error.failure.code, outcome.error.phase) == (SEND_UNCONFIRMED, "unknown")


async def test_an_ack_from_another_chat_does_not_count(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        await chat.tab()
        other = await chat.tab("other")
        outcome = chat.sending()
        other.say(t="ack", item="d1")
        await outcome.known.wait()

    assert outcome.error.phase == "unknown"


async def test_when_the_last_tab_leaves_it_is_unknown_at_once(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        first, second = await chat.tab(), await chat.tab()
        outcome = chat.sending()
        await first.hear()
        began = trio.current_time()
        first.leave()
        await trio.testing.wait_all_tasks_blocked()
        assert not outcome.known.is_set()
        second.leave()
        await outcome.known.wait()

    assert trio.current_time() == began
    assert outcome.error.phase == "unknown"


async def test_what_was_unknown_is_sent_again_under_the_same_id(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        outcome = chat.sending()
        await tab.hear()
        await outcome.known.wait()
        again = chat.sending()
        assert (await tab.hear())["item"]["item_id"] == "d1"
        tab.say(t="ack", item="d1")
        await again.known.wait()

    assert again.message_id == "d1"


async def test_a_message_pushed_during_the_welcome_comes_after_it(autojump_clock: MockClock) -> None:
    io = FakeIO()
    io.history = [item(1)]
    async with gateway(io) as chat:
        tab = chat.connect()
        tab.say(t="hello", client="test")
        await trio.testing.wait_all_tasks_blocked()
        outcome = chat.sending()
        assert (await tab.hear())["t"] == "welcome"
        assert (await tab.hear())["item"]["item_id"] == "d1"
        tab.say(t="ack", item="d1")
        await outcome.known.wait()

    assert outcome.message_id == "d1"


async def test_a_tab_that_does_not_read_loses_its_own_connection_only(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        deaf, alive, elsewhere = await chat.tab(), await chat.tab(), await chat.tab("other")
        for n in range(QUEUE_FRAMES + 2):
            outcome = chat.sending(f"d{n}")
            assert (await alive.hear())["item"]["item_id"] == f"d{n}"
            alive.say(t="ack", item=f"d{n}")
            await outcome.known.wait()
            assert outcome.message_id == f"d{n}"
        await trio.testing.wait_all_tasks_blocked()
        assert deaf.closed == (linkchat.GOING_AWAY, "connect again")
        elsewhere.say(t="ping")
        assert await elsewhere.hear() == {"t": "pong"}


async def test_a_write_has_a_deadline(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        deaf = await chat.tab()
        outcome = chat.sending()
        await outcome.known.wait()
        await trio.sleep(linkchat.IDLE_DEADLINE_S / 2)
        assert deaf.closed == (linkchat.GOING_AWAY, "connect again")


async def test_a_draft_is_shown_safely_in_every_tab(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tabs = [await chat.tab(), await chat.tab()]
        await chat.adapter.draft("main", Draft("t1", "**half <i", "c1"))
        await chat.adapter.draft("nobody", Draft("t2", "x"))
        for tab in tabs:
            assert await tab.hear() == {
                "t": "draft",
                "draft_id": "t1",
                "reply_to": "c1",
                "html": "<p>**half &lt;i</p>\n",
            }


async def test_typing_is_shown_in_every_tab(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tabs = [await chat.tab(), await chat.tab()]
        assert isinstance(chat.adapter, ports.Typing)
        await chat.adapter.typing("main", None, True)
        await chat.adapter.typing("nobody", None, True)
        await chat.adapter.typing("main", None, False)
        for tab in tabs:
            assert [await tab.hear(), await tab.hear()] == [
                {"t": "typing", "on": True},
                {"t": "typing", "on": False},
            ]


async def test_S16_no_frame_of_a_tab_makes_an_event_internal_or_somebody_elses(
    autojump_clock: MockClock,
) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        forged = {"internal": True, "platform": "telegram", "user_id": "9", "origin": {"user_id": "9"}}
        tab.say(t="send", id="c1", text="hi", **forged, extra={"internal": True}, role_authorized=True)
        await tab.hear_until("accepted")

    (event,) = chat.io.events
    assert (event.internal, event.origin.role_authorized) == (False, False)
    assert (event.origin.platform, event.origin.user_id) == ("webchat", "operator")
    assert event.extra == {"client_id": "c1"}


async def test_drafts_never_crowd_out_the_answer(autojump_clock: MockClock) -> None:
    async with gateway() as chat:
        tab = await chat.tab()
        for n in range(10 * QUEUE_FRAMES):
            await chat.adapter.draft("main", Draft("t1", str(n)))
        outcome = chat.sending()
        await tab.hear_until("message")
        tab.say(t="ack", item="d1")
        await outcome.known.wait()
        assert tab.closed is None

    assert outcome.message_id == "d1"


# --- files ------------------------------------------------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def kept(tmp_path: Path, name: str = "0_cat.png", data: bytes = PNG, kind: MediaKind = "image") -> Media:
    path = tmp_path / name
    path.write_bytes(data)
    return Media(kind, str(path), name.partition("_")[2], size_bytes=len(data))


async def fetch(chat: Chat, path: str) -> ports.Response:
    _, route = chat.adapter.routes()
    return await route.handler(ports.Request("GET", path))


async def test_a_message_shows_its_files_with_its_words(tmp_path: Path, autojump_clock: MockClock) -> None:
    io = FakeIO()
    media = (kept(tmp_path), Media("image", "https://h.example/x.png", "x.png"))
    io.files["t:0"] = media
    async with gateway(io) as chat:
        tab = await chat.tab()
        outcome = Outcome()
        part = Part(DeliveryId("t:0"), 0, 2, "**see**")
        chat._nursery.start_soon(
            outcome.of, lambda: chat.adapter.send("main", part, reply_to="m1", metadata={})
        )
        shown = (await tab.hear())["item"]
        tab.say(t="ack", item="t:0")
        await outcome.known.wait()
        later = Part(DeliveryId("t:0"), 1, 2, "", media=media)
        receipt = await chat.adapter.send("main", later, reply_to="m1", metadata={})
        with trio.move_on_after(1) as nothing_more:
            await tab.hear()

    assert shown["files"] == [
        {"name": "cat.png", "kind": "image", "ref": "/chat/media/t%3A0/0", "size_bytes": 16},
        {"name": "x.png", "kind": "image", "ref": "https://h.example/x.png", "size_bytes": 0},
    ]
    assert (outcome.message_id, receipt.message_id) == ("t:0", "t:0")
    assert nothing_more.cancelled_caught


async def test_history_shows_files_and_an_end_without_words(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    io = FakeIO()
    io.history = [
        replace(item(1, text=""), files=(kept(tmp_path),)),
        replace(item(2, text=""), answers=("m2",)),
    ]
    async with gateway(io) as chat:
        tab = chat.connect()
        tab.say(t="hello", client="test")
        with_file, silent = (await tab.hear())["items"]

    assert [one["ref"] for one in with_file["files"]] == ["/chat/media/i1/0"]
    assert (silent["text"], silent["files"], silent["answers"]) == ("", [], ["m2"])


@pytest.mark.parametrize(
    ("data", "media_type", "disposition"),
    [
        (PNG, "image/png", "inline"),
        (b"GIF89a", "image/gif", "inline"),
        (b"<svg onload='alert(1)'/>", "application/octet-stream", "attachment"),
        (b"<html><script>alert(1)</script>", "application/octet-stream", "attachment"),
        (b"%PDF-1.7", "application/octet-stream", "attachment"),
        (b"", "application/octet-stream", "attachment"),
    ],
)
async def test_S39_a_file_is_shown_only_as_what_can_hold_no_script(
    tmp_path: Path, data: bytes, media_type: str, disposition: str
) -> None:
    io = FakeIO()
    io.files["t:0"] = (kept(tmp_path, '0_a "ä".png', data),)
    async with gateway(io) as chat:
        answer = await fetch(chat, "/chat/media/t:0/0")

    assert (answer.status, answer.body, answer.media_type) == (200, data, media_type)
    assert answer.headers == {
        "content-disposition": f"{disposition}; filename*=UTF-8''a%20%22%C3%A4%22.png",
        "cache-control": "private, no-store",
    }


@pytest.mark.parametrize(
    "path",
    [
        "t:0/1",
        "t:0/2",
        "t:0/x",
        "t:0/-1",
        "t:0/",
        "t:0",
        "",
        "none/0",
        "../0",
        "t:0/0000",
        "t:0/٠",
        "\ud800/0",
        "t:0/0/0",
    ],
)
async def test_S39_only_what_a_message_names_is_served(tmp_path: Path, path: str) -> None:
    """And it alone by its number: no path of the disk is part of the address."""
    io = FakeIO()
    io.files["t:0"] = (kept(tmp_path), Media("image", "https://h.example/x.png"))
    async with gateway(io) as chat:
        answer = await fetch(chat, f"/chat/media/{path}")

    assert answer.status == 404


async def test_a_file_that_is_not_kept_any_more_or_was_replaced_is_not_found(tmp_path: Path) -> None:
    io = FakeIO()
    gone, link = kept(tmp_path), kept(tmp_path, "1_b.png")
    io.files["t:0"] = (gone, link)
    Path(gone.ref).unlink()
    Path(link.ref).unlink()
    Path(link.ref).symlink_to("/etc/passwd")
    async with gateway(io) as chat:
        answers = [await fetch(chat, f"/chat/media/t:0/{n}") for n in (0, 1)]

    assert [answer.status for answer in answers] == [404, 404]
