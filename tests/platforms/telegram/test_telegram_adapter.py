"""The adapter against a Bot API without a network, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
import trio
from botapi import ANN, TOKEN, BotApi, refusal, setup, telegram

from hermes.net.failures import DNS, TIMEOUT, NetError
from hermes.platforms.telegram.adapter import Telegram
from hermes.platforms.telegram.entry import ENTRY
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.testing.conformance.io import FakeAdapterIO, Inbox
from hermes.types.content import Draft, Media, Part
from hermes.types.errors import (
    FORBIDDEN,
    NOT_EDITABLE,
    RATE_LIMITED,
    UNREACHABLE,
    Failure,
    GatewayError,
    SendError,
)
from hermes.types.events import Attachment
from hermes.types.ids import DeliveryId
from hermes.types.ports import Deletes, Drafts, Edits, Files, Reactions, Route, Typing


@pytest.fixture
def api() -> BotApi:
    return BotApi()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def make(api, monkeypatch, tmp_path):
    return lambda **settings: telegram(api, monkeypatch, tmp_path, **settings)


@asynccontextmanager
async def living(adapter: Telegram, inbox: Inbox) -> AsyncIterator[FakeAdapterIO]:
    io = FakeAdapterIO(inbox, "default")
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: adapter.connect(io, task_status=task_status))
        yield io
        await adapter.disconnect()
        nursery.cancel_scope.cancel()


async def life(adapter: Telegram, inbox: Inbox) -> FakeAdapterIO:
    """One that lasts until it fails."""
    io = FakeAdapterIO(inbox, "default")
    await adapter.connect(io, task_status=trio.TASK_STATUS_IGNORED)
    return io


def part(text: str = "hello", **more) -> Part:
    return Part(DeliveryId("d"), 0, 1, text, "telegram", **more)


async def send(adapter: Telegram, chat: str = "7", one: Part | None = None) -> str:
    return (await adapter.send(chat, one or part(), reply_to=None, metadata={})).message_id


# --- receiving ---------------------------------------------------------------------------------------------------------------


async def test_started_means_logged_in_and_polled(api, inbox, make, autojump_clock):
    async with living(make(), inbox) as io:
        assert io.identity == ("123456", "TheBot")
        assert io.beats == 1
        assert [called for _, called, _ in api.calls][:4] == [
            "getMe",
            "setMyCommands",
            "getWebhookInfo",
            "getUpdates",
        ]
        assert trio.current_time() == api.calls[0][0]  # the first poll does not wait
        assert api.asked("setMyCommands") == [
            {"commands": [{"command": "help", "description": "What you can do here"}]}
        ]


async def test_AC14_the_offset_moves_once_the_events_are_durable(api, inbox, make, autojump_clock):
    inbox.pause()
    first = api.say("one")
    async with living(make(), inbox):
        await trio.sleep(1000)
        assert [asked.get("offset") for asked in api.asked("getUpdates")] == [None]
        inbox.resume()
        await trio.sleep(1)
        assert [asked.get("offset") for asked in api.asked("getUpdates")] == [None, first + 1]
    assert inbox.texts == ["one"]


async def test_AC14_what_was_not_committed_comes_again(api, inbox, make, autojump_clock):
    api.say("one")
    inbox.refuse(RuntimeError("killed"))
    with pytest.raises(RuntimeError):
        await life(make(), inbox)
    async with living(make(), inbox):
        await trio.sleep(1)
    assert inbox.texts == ["one"]


async def test_AC14_after_a_quiet_week_update_ids_may_begin_anywhere(api, inbox, make, autojump_clock):
    """Bot API, "Update": then the next one is chosen at random; an offset above it would confirm it unseen."""
    async with living(make(), inbox):
        first = api.say("before")
        await trio.sleep(8 * 86_400)
        api.say("after", update_id=first - 50)
        await trio.sleep(1)
    assert inbox.texts == ["before", "after"]


async def test_AC15_a_backlog_is_taken_in_order_and_in_one_commit(api, inbox, make, autojump_clock):
    api.webhook = "https://elsewhere.example/hook"
    for number in range(6):
        api.say(f"m{number}")
    async with living(make(), inbox) as io:
        await trio.sleep(1)
        assert inbox.texts == [f"m{number}" for number in range(6)]
        assert len(io.batches) == 1
        assert api.asked("deleteWebhook") == [{"drop_pending_updates": False}]


async def test_what_cannot_be_decoded_is_kept_and_passed(api, inbox, make, autojump_clock):
    api.say("before")
    odd = api.bring({"update_id": 5_000_000, "message": {"text": 5}})
    async with living(make(), inbox):
        await trio.sleep(1)
        assert inbox.texts == ["before"]
        assert [name for name, _ in inbox.undecodable] == [f"123456:{odd}"]
        assert api.asked("getUpdates")[-1]["offset"] == odd + 1


async def test_updates_without_an_id_are_a_fault_and_no_loop(api, inbox, make, autojump_clock):
    api.bring({"update_id": None, "message": {}})
    api.plan["getUpdates"].append(refusal(500, "x"))
    with pytest.raises(GatewayError):
        await life(make(), inbox)
    api.pending = []

    async def poll(*_):
        return ["odd"]

    api._poll = poll
    with pytest.raises(GatewayError) as caught:
        await life(make(), inbox)
    assert caught.value.failure.severity == "transient"
    assert len(inbox.undecodable) == 1


async def test_AC01_a_poll_that_is_never_answered_ends_the_life_in_time(api, inbox, make, autojump_clock):
    adapter = make()
    began = trio.current_time()
    api.plan["getUpdates"].append(NetError(TIMEOUT, "fake: no answer", phase="unknown"))
    with pytest.raises(GatewayError) as caught:
        await life(adapter, inbox)

    assert trio.current_time() - began <= 2 * 30 + 30
    assert (caught.value.failure.code, caught.value.failure.severity, caught.value.failure.scope) == (
        TIMEOUT,
        "transient",
        "adapter",
    )


async def test_AC03_a_silent_day_is_one_life(api, inbox, make, autojump_clock):
    async with living(make(), inbox) as io:
        await trio.sleep(24 * 3600)
        assert io.beats >= 24 * 3600 / 30 - 1
        assert api.clients == 1


async def test_AC28_AC50_a_thousand_lives_and_never_two_polls(api, inbox, make, autojump_clock):
    rng = Random(5)
    for number in range(1000):
        api.say(f"m{number}")
        with trio.move_on_after(rng.random() * 3):
            await life(make(), inbox)
    async with living(make(), inbox):
        await trio.sleep(1)

    assert api.most_polls == 1
    assert api.clients == 1001
    assert sorted(set(inbox.texts)) == sorted(f"m{number}" for number in range(1000))


async def test_AC40_one_token_one_gateway(api, inbox, make, tmp_path, autojump_clock):
    async with living(make(), inbox):
        with pytest.raises(GatewayError) as caught:
            await life(make(), inbox)
    failure = caught.value.failure
    assert (failure.code, failure.severity) == ("token_in_use", "transient")
    assert str(tmp_path) in failure.detail
    assert "process" in failure.detail
    assert TOKEN not in str(caught.value)
    async with living(make(), inbox):
        pass


async def test_a_menu_that_is_refused_stops_nobody(api, inbox, make, autojump_clock):
    api.plan["setMyCommands"].append(NetError(TIMEOUT, "fake: mute", phase="unknown"))
    async with living(make(), inbox) as io:
        assert io.beats == 1


async def test_a_chat_that_is_open_again_is_told(api, inbox, make, autojump_clock):
    chat = {"id": 7, "type": "private", "first_name": "Ann"}
    api.bring(
        {
            "update_id": 1,
            "my_chat_member": {"chat": chat, "from": ANN, "new_chat_member": {"status": "member"}},
        }
    )
    async with living(make(), inbox) as io:
        await trio.sleep(1)
        assert io.ups == ["7"]


async def test_S18_a_pressed_button_gets_its_word_after_the_commit(api, inbox, make, autojump_clock):
    prompt = {"message_id": 9, "date": 1, "chat": {"id": 7, "type": "private"}}
    query = {"id": "q1", "from": ANN, "message": prompt, "data": "deny:0123abcd"}
    api.bring({"update_id": 1, "callback_query": query})
    inbox.pause()
    async with living(make(), inbox):
        await trio.sleep(100)
        assert api.asked("answerCallbackQuery") == []
        inbox.resume()
        await trio.sleep(1)
        assert api.asked("answerCallbackQuery") == [{"callback_query_id": "q1"}]
    assert inbox.texts == ["/deny 0123abcd"]


async def test_AC43_a_pressed_button_is_let_be_in_a_flood(api, inbox, make, autojump_clock):
    adapter = make()
    async with living(adapter, inbox):
        api.plan["sendMessage"].append(refusal(429, "Too Many Requests", retry_after=60))
        with pytest.raises(SendError):
            await send(adapter)
        for number in (1, 2):
            prompt = {"message_id": 9, "date": 1, "chat": {"id": 7, "type": "private"}}
            query = {"id": f"q{number}", "from": ANN, "message": prompt, "data": "x"}
            api.bring({"update_id": number, "callback_query": query})
            await trio.sleep(65)
    assert api.asked("answerCallbackQuery") == [{"callback_query_id": "q2"}]


# --- sending -----------------------------------------------------------------------------------------------------------------


async def test_sends_before_the_login_have_not_left(make):
    with pytest.raises(SendError) as caught:
        await send(make())
    assert (caught.value.failure.code, caught.value.phase) == (UNREACHABLE, "not_sent")


async def test_what_is_sent_has_a_number(api, inbox, make, autojump_clock):
    adapter = make()
    async with living(adapter, inbox):
        assert (await send(adapter)).isdecimal()
        album = part(
            "", media=(Media("image", "https://a.example/1.png"), Media("image", "https://a.example/2.png"))
        )
        assert (await send(adapter, one=album)).isdecimal()
        api.plan["sendMessage"].append(refusal(403, "Forbidden: bot was blocked by the user"))
        with pytest.raises(SendError) as caught:
            await send(adapter)
        assert (caught.value.failure.code, caught.value.failure.scope) == (FORBIDDEN, "chat")


async def test_files_go_from_the_disk(api, inbox, make, tmp_path, autojump_clock):
    adapter, file = make(), tmp_path / "a.png"
    file.write_bytes(b"picture")
    async with living(adapter, inbox):
        await send(adapter, one=part("", media=(Media("image", str(file), "a.png"),)))
        assert api.files[-1] == {"photo": b"picture"}
        api.plan["sendPhoto"].append(refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
        await send(adapter, one=part("", media=(Media("image", str(file), "a.png"),)))
        assert api.files[-1] == {"document": b"picture"}
        file.unlink()
        with pytest.raises(SendError) as caught:
            await send(adapter, one=part("", media=(Media("image", str(file), "a.png"),)))
        assert (caught.value.failure.severity, caught.value.phase) == ("needs_operator", "not_sent")


async def test_a_group_that_has_become_a_supergroup_is_followed(api, inbox, make, autojump_clock):
    adapter = make()
    async with living(adapter, inbox):
        api.plan["sendMessage"].append(refusal(400, "upgraded", migrate_to_chat_id=-1005))
        await adapter.send("-5", part("hi"), reply_to="3", metadata={})
        assert inbox.moved == {"-5": "-1005"}
        api.plan["editMessageText"].append(refusal(400, "upgraded", migrate_to_chat_id=-1005))
        with pytest.raises(SendError) as caught:  # in the supergroup that id is another message's
            await adapter.edit("-5", "7", part("new"), metadata={}, final=True)
        assert (caught.value.failure.code, caught.value.phase) == (NOT_EDITABLE, "not_sent")
    first, second = api.asked("sendMessage")
    assert (first["chat_id"], second["chat_id"]) == (-5, -1005)
    assert "reply_parameters" in first
    assert "reply_parameters" not in second
    assert len(api.asked("editMessageText")) == 1


async def test_a_group_that_says_that_it_moves_is_followed(api, inbox, make, autojump_clock):
    adapter = make()
    async with living(adapter, inbox):
        api.say("", chat={"id": -5, "type": "group", "title": "T"}, migrate_to_chat_id=-1005)
        await trio.sleep(1)
    assert inbox.moved == {"-5": "-1005"}
    assert [event.kind for event in inbox.events] == ["system"]


async def test_that_a_group_has_moved_is_durable_before_anything_from_the_supergroup(
    api, inbox, make, autojump_clock
):
    api.say("", chat={"id": -5, "type": "group", "title": "T"}, migrate_to_chat_id=-1005)
    api.say("hello", chat={"id": -1005, "type": "supergroup", "title": "T"})
    inbox.refuse(GatewayError(Failure("store_gone")))
    with pytest.raises(GatewayError):
        await life(make(), inbox)
    assert (inbox.moved, inbox.events) == ({}, [])
    async with living(make(), inbox):
        await trio.sleep(1)
    assert inbox.moved == {"-5": "-1005"}
    assert inbox.texts == ["", "hello"]


async def test_edits_deletes_typing_reactions_and_drafts(api, inbox, make, autojump_clock):
    adapter = make()
    assert all(isinstance(adapter, port) for port in (Edits, Deletes, Drafts, Files, Typing, Reactions))
    async with living(adapter, inbox):
        api.plan["editMessageText"].append(refusal(400, "Bad Request: message is not modified"))
        for _ in range(2):
            await adapter.edit("7", "5", part("new"), metadata={}, final=False)
        await adapter.delete("7", "5")
        await adapter.typing("7", "3", True)
        await adapter.typing("7", "3", False)
        await adapter.react("7", "5", "✅")
        await adapter.draft("7", Draft("turn:0", "**bold**"))
        await adapter.draft("-7", Draft("turn:0", "groups have none"))
        await adapter.draft("7", Draft("turn:0", "word " * 2000))

    assert len(api.asked("editMessageText")) == 2
    assert api.asked("deleteMessage") == [{"chat_id": 7, "message_id": 5}]
    assert api.asked("sendChatAction") == [{"chat_id": 7, "message_thread_id": 3, "action": "typing"}]
    assert api.asked("setMessageReaction")[0]["reaction"] == [{"type": "emoji", "emoji": "👍"}]
    first, second = api.asked("sendMessageDraft")
    assert (first["text"], first["entities"]) == ("bold", [{"type": "bold", "offset": 0, "length": 4}])
    assert first["draft_id"] == second["draft_id"] != 0
    assert len(second["text"]) <= 4096


async def test_AC51_a_call_is_one_attempt(api, inbox, make, autojump_clock):
    adapter = make()
    async with living(adapter, inbox):
        for fault in (NetError(DNS, "fake: gone"), refusal(429, "x", retry_after=3), refusal(500, "x")):
            api.plan["sendMessage"].append(fault)
            with pytest.raises(SendError) as caught:
                await send(adapter)
            assert caught.value.failure.code in (UNREACHABLE, RATE_LIMITED, "server_error")
    assert len(api.asked("sendMessage")) == 3


class Sink:
    async def write(self, data: bytes) -> None:
        raise AssertionError


@pytest.mark.parametrize("path", [None, 5, "/etc/passwd", "a/../../b"])
async def test_S38_a_file_path_leads_nowhere_else(api, inbox, make, path, autojump_clock):
    adapter = make()
    async with living(adapter, inbox):
        api.plan["getFile"].append(_file(path))
        with pytest.raises(GatewayError):
            await adapter.fetch(Attachment("document", "F"), Sink())


def _file(path):
    from botapi import ok

    return ok({"file_id": "F", "file_path": path})


# --- settings ----------------------------------------------------------------------------------------------------------------

SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"token": "has spaces"}, "token"),
        ({"token": "a/b:cdef"}, "token"),
        ({"base_url": "ftp://x/bot"}, "base_url"),
        ({"base_url": "nowhere"}, "base_url"),
        ({"poll_timeout": "0"}, "poll_timeout"),
        ({"reply_to_mode": "sometimes"}, "reply_to_mode"),
        ({"webhook_url": "http://a.example", "webhook_secret": SECRET}, "webhook_url"),
        ({"webhook_url": "https://a.example"}, "webhook_secret"),
        ({"webhook_url": "https://a.example", "webhook_secret": "short"}, "webhook_secret"),
        ({"webhook_url": "https://a.example", "webhook_secret": SECRET + "!"}, "webhook_secret"),
        ({"webhook_url": "https://a.example", "webhook_secret": TOKEN}, "webhook_secret"),
    ],
)
def test_S25_settings_that_cannot_be_make_it_unavailable(tmp_path, settings, named):
    made = PlatformRegistry([ENTRY]).create_adapter("telegram", setup(tmp_path, **settings))

    assert isinstance(made, Unavailable)
    assert made.code == "bad_config"
    assert named in made.reason
    assert TOKEN not in str(made)


def test_settings_that_can_be_make_an_adapter(tmp_path):
    made = PlatformRegistry([ENTRY]).create_adapter("telegram", setup(tmp_path, fallback_ips="1.2.3.4"))

    assert isinstance(made, Telegram)
    assert made.routes() == ()
    assert TOKEN not in repr(made._settings)


def test_each_account_has_a_webhook_of_its_own(tmp_path):
    settings = {"webhook_url": "https://a.example", "webhook_secret": SECRET}

    def path(account: str) -> str:
        (route,) = Telegram(setup(tmp_path, account, **settings)).routes()
        assert isinstance(route, Route)
        assert (route.auth, route.methods) == ("own", frozenset({"POST"}))
        return route.path

    assert path("default") == "/platforms/telegram/webhook"
    assert path("work") == "/platforms/telegram@work/webhook"
