"""The fake Telegram, over real sockets: it does and refuses what the real one does and refuses."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio

from hermes.net.failures import CONNECT_REFUSED, RESET, TIMEOUT, NetError
from hermes.net.http.client import Client, open_client
from hermes.net.http.content import Upload
from hermes.testing.conformance.subject import PNG
from hermes.testing.telegram import (
    CONFLICT,
    TOKEN,
    Delay,
    Drop,
    FakeTelegram,
    Fault,
    HalfClose,
    Hang,
    Html,
    Reset,
    Status,
)
from hermes.testing.telegram.refusal import Refused
from hermes.testing.telegram.server import Reachable
from hermes.testing.telegram.updates import SECRET_HEADER


class BotClient:
    """Calls methods as a bot does."""

    def __init__(self, fake: FakeTelegram, http: Client, token: str = TOKEN) -> None:
        self.fake = fake
        self.http = http
        self.token = token

    async def __call__(self, method: str, **params: Any) -> Any:
        """The result; raises ``AssertionError`` with the whole answer."""
        answer = await self.answer(method, **params)
        assert answer["ok"], answer
        return answer["result"]

    async def answer(self, method: str, **params: Any) -> dict[str, Any]:
        url = f"{self.fake.url}/bot{self.token}/{method}"
        reply = await self.http.request("POST", url, json=params, timeout_s=5.0)
        answer = reply.json()
        assert reply.status == (200 if answer["ok"] else answer["error_code"])
        return answer

    async def refusal(self, method: str, **params: Any) -> str:
        answer = await self.answer(method, **params)
        assert not answer["ok"]
        return answer["description"]

    async def upload(self, method: str, files: dict[str, Upload], **params: Any) -> Any:
        data = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()
        }
        url = f"{self.fake.url}/bot{self.token}/{method}"
        return (await self.http.request("POST", url, data=data, files=files)).json()


@asynccontextmanager
async def telegram(**options: Any) -> AsyncIterator[tuple[FakeTelegram, BotClient]]:
    async with FakeTelegram(**options).listening() as fake, open_client(proxy="") as http:
        yield fake, BotClient(fake, http)


@pytest.fixture
async def fake() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(poll_s=5.0).listening() as fake:
        yield fake


@pytest.fixture
async def bot(fake: FakeTelegram) -> AsyncIterator[BotClient]:
    async with open_client(proxy="") as http:
        yield BotClient(fake, http)


# --- receiving --------------------------------------------------------------------------------------------------------


async def test_updates_stay_until_an_offset_confirms_them(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann", "ann")
    for text in ("one", "two", "three"):
        fake.say(ann, text)
    first = await bot("getUpdates", limit=2)
    again = await bot("getUpdates")
    assert [update["message"]["text"] for update in again] == ["one", "two", "three"]
    assert first == again[:2]
    rest = await bot("getUpdates", offset=first[-1]["update_id"] + 1)
    assert rest == again[2:]
    assert [update["message"]["text"] for update in fake.bot.updates.waiting] == ["three"]
    sender = rest[0]["message"]["from"]
    assert (sender["id"], sender["username"], rest[0]["message"]["chat"]["type"]) == (
        ann.id,
        "ann",
        "private",
    )


async def test_a_negative_offset_forgets_all_but_the_newest(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    for n in range(3):
        fake.say(ann, str(n))
    assert [update["message"]["text"] for update in await bot("getUpdates", offset=-1)] == ["2"]
    assert len(fake.bot.updates.waiting) == 1


async def test_a_long_poll_waits_for_news(fake: FakeTelegram, bot: BotClient) -> None:
    ann, got = fake.person("Ann"), []

    async def poll() -> None:
        got.extend(await bot("getUpdates", timeout=5))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            while not fake.bot.updates.polls:
                await trio.sleep(0.005)
            fake.say(ann, "hello")
    assert [update["message"]["text"] for update in got] == ["hello"]


async def test_a_poll_without_news_is_empty_in_the_end() -> None:
    async with telegram(poll_s=0.02) as (_, bot):
        assert await bot("getUpdates", timeout=50) == []


async def test_AC30_a_newer_poll_ends_the_older_with_a_conflict(fake: FakeTelegram, bot: BotClient) -> None:
    ann, answers = fake.person("Ann"), []

    async def poll(place: int) -> None:
        answers.append((place, await bot.answer("getUpdates", timeout=5)))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll, 1)
            while not fake.bot.updates.polls:
                await trio.sleep(0.005)
            nursery.start_soon(poll, 2)
            while not answers:
                await trio.sleep(0.005)
            fake.say(ann, "hello")
    (older, conflict), (newer, updates) = answers
    assert (older, conflict["error_code"], conflict["description"]) == (1, 409, CONFLICT.description)
    assert (newer, len(updates["result"])) == (2, 1)
    assert fake.bot.updates.most_polls == 2


async def test_who_has_gone_polls_no_more(fake: FakeTelegram, bot: BotClient) -> None:
    with trio.move_on_after(0.1):
        await bot("getUpdates", timeout=5)
    fake.say(fake.person("Ann"), "hello")
    assert len(await bot("getUpdates", timeout=5)) == 1
    assert fake.bot.updates.most_polls == 1


@pytest.mark.parametrize(("still_there", "most"), [(False, 1), (True, 2)])
async def test_a_poll_whose_caller_has_just_gone_is_no_second_one(
    still_there: bool, most: int, fake: FakeTelegram
) -> None:
    updates = fake.bot.updates

    async def poll(is_open: bool) -> None:
        with suppress(Refused):
            await updates.poll(0, 100, 0.05, lambda: is_open)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(poll, still_there)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(poll, True)
    assert updates.most_polls == most


async def test_only_what_was_asked_for_is_told(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    name = fake.say(ann, "hello")
    fake.react(ann, name, "👍")
    await bot("getUpdates", allowed_updates=["message_reaction"])
    fake.react(ann, name, "👎")
    fake.say(ann, "not asked for")
    await bot("getUpdates", allowed_updates=[])
    fake.edit(ann, name, "hello again")
    updates = await bot("getUpdates")
    assert [next(kind for kind in update if kind != "update_id") for update in updates] == [
        "message",
        "message_reaction",
        "edited_message",
    ]
    assert updates[1]["message_reaction"]["new_reaction"] == [{"type": "emoji", "emoji": "👎"}]
    assert updates[2]["edited_message"]["message_id"] == name


async def test_what_is_in_a_message(fake: FakeTelegram, bot: BotClient) -> None:
    ann, bob = fake.person("Ann"), fake.person("Bob")
    forum = fake.group("Friends", ann, bob, topics=["News"])
    said = fake.say(
        ann, "/start@hermes_bot 🦉 @ann https://example.org", chat=forum, thread=forum.topics["News"]
    )
    fake.say(bob, "yes", chat=forum, reply_to=said)
    fake.forward(ann, "words", of=bob)
    fake.album(ann, [PNG, PNG], "two")
    fake.say(ann, files={"voice": b"OggS"}, mime="audio/ogg")
    topic, reply, forwarded, first, second, voice = [update["message"] for update in await bot("getUpdates")]
    assert (topic["chat"]["is_forum"], topic["is_topic_message"]) == (True, True)
    assert topic["message_thread_id"] == forum.topics["News"] > 1  # which is the general one
    assert [(one["type"], one["offset"], one["length"]) for one in topic["entities"]] == [
        ("bot_command", 0, 17),
        ("mention", 21, 4),
        ("url", 26, 19),
    ]
    assert (reply["reply_to_message"]["message_id"], "reply_to_message" in topic) == (said, False)
    assert forwarded["forward_origin"]["sender_user"]["id"] == bob.id
    assert first["media_group_id"] == second["media_group_id"]
    assert (first["caption"], "caption" in second) == ("two", False)
    assert voice["voice"]["mime_type"] == "audio/ogg"


async def test_a_file_is_downloaded_by_its_path(fake: FakeTelegram, bot: BotClient) -> None:
    fake.say(fake.person("Ann"), "see", files={"document": b"\0\r\n\xff"}, name="a b.bin")
    (update,) = await bot("getUpdates")
    told = update["message"]["document"]
    file = await bot("getFile", file_id=told["file_id"])
    assert (told["file_name"], file["file_size"]) == ("a b.bin", 4)
    path = file["file_path"]
    assert (await bot.http.request("GET", f"{fake.url}/file/bot{TOKEN}/{path}")).body == b"\0\r\n\xff"
    assert (await bot.http.request("GET", f"{fake.url}/file/bot1:x/{path}")).status == 401
    assert (await bot.http.request("GET", f"{fake.url}/file/bot{TOKEN}/files/../x")).status == 404
    assert "invalid file_id" in await bot.refusal("getFile", file_id="nothing")


async def test_several_bots_share_a_group_and_no_direct_chat() -> None:
    async with telegram() as (fake, one):
        fake.add_bot("999:other", "other_bot")
        other = BotClient(fake, one.http, "999:other")
        ann = fake.person("Ann")
        group = fake.group("Friends", ann)
        fake.say(ann, "to one")
        fake.say(ann, "to both", chat=group)
        assert [update["message"]["text"] for update in await one("getUpdates")] == ["to one", "to both"]
        assert [update["message"]["text"] for update in await other("getUpdates")] == ["to both"]
        assert (await other("getMe"))["username"] == "other_bot"


async def test_a_bot_with_privacy_hears_in_groups_what_is_meant_for_it(
    fake: FakeTelegram, bot: BotClient
) -> None:
    ann = fake.person("Ann")
    group = fake.group("Friends", ann)
    fake.bot.privacy = True
    ours = (await bot("sendMessage", chat_id=group.id, text="hello"))["message_id"]
    for text, reply_to in (("quiet", None), ("@hermes_bot hi", None), ("/help", None), ("yes", ours)):
        fake.say(ann, text, chat=group, reply_to=reply_to)
    heard = [update["message"]["text"] for update in await bot("getUpdates")]
    assert heard == ["@hermes_bot hi", "/help", "yes"]


# --- sending ----------------------------------------------------------------------------------------------------------


async def test_a_message_is_seen_as_it_was_sent(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    question = fake.say(ann, "a question")
    button = {"text": "Yes", "callback_data": "yes"}
    message = await bot(
        "sendMessage",
        chat_id=str(ann.id),
        text="  an 🦉 answer \n",
        entities=[{"type": "bold", "offset": 5, "length": 2}],
        reply_parameters={"message_id": question},
        reply_markup={"inline_keyboard": [[button]]},
        link_preview_options={"is_disabled": True},
    )
    (seen,) = fake.seen(ann)
    assert message["message_id"] == seen.message_id
    assert (seen.text, seen.reply_to, seen.buttons) == ("an 🦉 answer", question, (("Yes", "yes"),))
    assert seen.entities == ({"type": "bold", "offset": 3, "length": 2},)
    assert not fake.wrongs


@pytest.mark.parametrize(
    ("text", "entity", "why"),
    [
        ("", None, "message text is empty"),
        (" \n\t", None, "message text is empty"),
        ("x" * 4097, None, "message is too long"),
        ("🦉" * 2049, None, "message is too long"),
        ("abc", ("bold", 1, 3), "ends after the end of the text at UTF-16 offset 4"),
        ("🦉x", ("bold", 1, 2), "begins in a middle of a UTF-16 symbol"),
        ("x🦉", ("bold", 0, 2), "ends in a middle of a UTF-16 symbol"),
        ("abc", ("glow", 0, 1), "can't parse MessageEntity"),
        ("abc", ("bold", -1, 1), "incorrect offset"),
        ("abc", ("text_link", 0, 1), "Wrong HTTP URL"),
    ],
)
async def test_a_text_that_it_does_not_take(
    text: str, entity: tuple[str, int, int] | None, why: str, fake: FakeTelegram, bot: BotClient
) -> None:
    entities = [dict(zip(("type", "offset", "length"), entity, strict=True))] if entity else []
    ann = fake.person("Ann")
    said = await bot.refusal("sendMessage", chat_id=ann.id, text=text, entities=entities)
    assert said.startswith("Bad Request: ")
    assert why in said
    assert not fake.seen(ann)


async def test_the_longest_text_and_caption(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    await bot("sendMessage", chat_id=ann.id, text="🦉" * 2048)
    photo = {"photo": Upload("a.png", PNG, "image/png")}
    assert (await bot.upload("sendPhoto", photo, chat_id=ann.id, caption="🦉" * 512))["ok"]
    refused = await bot.upload("sendPhoto", photo, chat_id=ann.id, caption="🦉" * 513)
    assert refused["description"] == "Bad Request: message caption is too long"


@pytest.mark.parametrize(
    ("params", "code", "why"),
    [
        ({"chat_id": 4711}, 400, "chat not found"),
        ({"chat_id": "@nobody"}, 400, "chat not found"),
        ({}, 400, "chat_id is empty"),
        ({"message_thread_id": 99}, 400, "message thread not found"),
        ({"reply_parameters": {"message_id": 99}}, 400, "message to be replied not found"),
        ({"parse_mode": "HTML"}, 400, "can't parse entities"),
        (
            {"reply_markup": {"inline_keyboard": [[{"text": "x", "callback_data": "x" * 65}]]}},
            400,
            "BUTTON_DATA_INVALID",
        ),
        ({"reply_markup": {"inline_keyboard": [[{"text": ""}]]}}, 400, "text buttons"),
    ],
)
async def test_a_message_that_it_does_not_take(
    params: dict[str, Any], code: int, why: str, fake: FakeTelegram, bot: BotClient
) -> None:
    ann = fake.person("Ann")
    chat = {} if why == "chat_id is empty" else {"chat_id": ann.id}
    answer = await bot.answer("sendMessage", **{"text": "hello", **chat, **params})
    assert (answer["ok"], answer["error_code"]) == (False, code)
    assert why in answer["description"]


async def test_a_missing_reply_may_be_left_out(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    reply = {"message_id": 99, "allow_sending_without_reply": True}
    await bot("sendMessage", chat_id=ann.id, text="hello", reply_parameters=reply)
    assert [seen.reply_to for seen in fake.seen(ann)] == [None]


async def test_whom_it_may_not_write_to(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    group = fake.group("Friends", ann)
    fake.block(ann)
    assert (
        await bot.refusal("sendMessage", chat_id=ann.id, text="x") == "Forbidden: bot was blocked by the user"
    )
    fake.unblock(ann)
    await bot("sendMessage", chat_id=ann.id, text="x")
    fake.kick(group, ann)
    assert "bot was kicked" in await bot.refusal("sendMessage", chat_id=group.id, text="x")
    fake.join(group, ann)
    moved = fake.migrate(group)
    answer = await bot.answer("sendMessage", chat_id=group.id, text="x")
    assert answer["parameters"] == {"migrate_to_chat_id": moved.id}
    await bot("sendMessage", chat_id=moved.id, text="x")
    updates = await bot("getUpdates")
    states = [
        update["my_chat_member"]["new_chat_member"]["status"]
        for update in updates
        if "my_chat_member" in update
    ]
    assert states == ["kicked", "member", "kicked", "member"]
    assert [update["message"].get("migrate_to_chat_id") for update in updates if "message" in update] == [
        moved.id,
        None,
    ]


async def test_edits_deletions_and_reactions(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    theirs = fake.say(ann, "hers")
    ours = (await bot("sendMessage", chat_id=ann.id, text="one"))["message_id"]
    here: dict[str, Any] = {"chat_id": ann.id, "message_id": ours}
    assert (await bot("editMessageText", **here, text="two"))["text"] == "two"
    assert "message is not modified" in await bot.refusal("editMessageText", **here, text="two ")
    assert "message can't be edited" in await bot.refusal(
        "editMessageText", chat_id=ann.id, message_id=theirs, text="x"
    )
    assert "message to edit not found" in await bot.refusal(
        "editMessageText", chat_id=ann.id, message_id=99, text="x"
    )
    for emoji in ("👀", "👍"):
        await bot("setMessageReaction", **here, reaction=[{"type": "emoji", "emoji": emoji}])
    assert "REACTION_INVALID" in await bot.refusal(
        "setMessageReaction", **here, reaction=[{"type": "emoji", "emoji": "✅"}]
    )
    assert [(seen.text, seen.edited, seen.reactions) for seen in fake.seen(ann)] == [("two", True, ("👍",))]
    assert await bot("deleteMessage", **here)
    assert "message to delete not found" in await bot.refusal("deleteMessage", **here)
    assert await bot("deleteMessages", chat_id=ann.id, message_ids=[ours, theirs])
    assert fake.seen(ann) == []


async def test_files_and_albums_are_what_was_uploaded(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    body = b"--x\r\n\r\n\0\xff\r\n"
    sent = await bot.upload(
        "sendDocument", {"document": Upload("ä b.txt", body, "text/plain")}, chat_id=ann.id
    )
    told = sent["result"]["document"]
    assert (told["file_name"], told["mime_type"], told["file_size"]) == ("ä b.txt", "text/plain", len(body))
    await bot("sendDocument", chat_id=ann.id, document=told["file_id"], caption="again")
    album = [
        {"type": "photo", "media": "attach://a", "caption": "two"},
        {"type": "photo", "media": "attach://b"},
    ]
    files = {"a": Upload("a.png", PNG), "b": Upload("b.png", PNG)}
    first, second = (await bot.upload("sendMediaGroup", files, chat_id=ann.id, media=album))["result"]
    assert first["media_group_id"] == second["media_group_id"]
    assert [(seen.text, seen.files) for seen in fake.seen(ann)] == [
        ("", (body,)),
        ("again", (body,)),
        ("two", (PNG,)),
        ("", (PNG,)),
    ]
    assert not fake.wrongs


@pytest.mark.parametrize(
    ("method", "files", "params", "code"),
    [
        ("sendPhoto", {"photo": b"no picture"}, {}, 400),
        ("sendPhoto", {"photo": PNG + bytes(10 * 1024 * 1024)}, {}, 413),
        ("sendVoice", {"voice": b""}, {}, 400),
        ("sendVoice", {}, {"voice": "unknown"}, 400),
        ("sendVoice", {}, {}, 400),
        ("sendMediaGroup", {"a": PNG}, {"media": [{"type": "photo", "media": "attach://a"}]}, 400),
        (
            "sendMediaGroup",
            {"a": PNG},
            {
                "media": [
                    {"type": "photo", "media": "attach://a"},
                    {"type": "document", "media": "attach://a"},
                ]
            },
            400,
        ),
    ],
)
async def test_a_file_that_it_does_not_take(
    method: str,
    files: dict[str, bytes],
    params: dict[str, Any],
    code: int,
    fake: FakeTelegram,
    bot: BotClient,
) -> None:
    ann = fake.person("Ann")
    uploads = {name: Upload(name, body) for name, body in files.items()}
    assert (await bot.upload(method, uploads, chat_id=ann.id, **params))["error_code"] == code
    assert not fake.seen(ann)


async def test_buttons(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    markup = {"inline_keyboard": [[{"text": "✅", "callback_data": "yes"}]]}
    name = (await bot("sendMessage", chat_id=ann.id, text="sure?", reply_markup=markup))["message_id"]
    with pytest.raises(KeyError):
        fake.press(ann, name, "no")
    query = fake.press(ann, name, "yes")
    (update,) = await bot("getUpdates")
    assert (update["callback_query"]["data"], update["callback_query"]["from"]["id"]) == ("yes", ann.id)
    await bot("answerCallbackQuery", callback_query_id=query, text="done")
    assert fake.bot.answers == [(query, "done")]
    assert "query is too old" in await bot.refusal("answerCallbackQuery", callback_query_id=query)
    await bot("editMessageReplyMarkup", chat_id=ann.id, message_id=name)
    assert fake.seen(ann)[0].buttons == ()


async def test_what_is_shown_and_is_no_message(fake: FakeTelegram, bot: BotClient) -> None:
    ann = fake.person("Ann")
    group = fake.group("Friends", ann)
    await bot("sendChatAction", chat_id=ann.id, action="typing")
    await bot("sendMessageDraft", chat_id=ann.id, draft_id=7, text="Hel")
    assert "wrong parameter action" in await bot.refusal("sendChatAction", chat_id=ann.id, action="dance")
    assert await bot.refusal("sendMessageDraft", chat_id=group.id, draft_id=7, text="x")
    assert await bot.refusal("sendMessageDraft", chat_id=ann.id, draft_id=0, text="x")
    assert fake.bot.actions == [(ann.id, "typing", None)]
    assert [draft.text for draft in fake.bot.drafts] == ["Hel"]
    assert fake.seen(ann) == []


async def test_commands_and_chats(fake: FakeTelegram, bot: BotClient) -> None:
    group = fake.group("Friends", fake.person("Ann"))
    commands = [{"command": "help", "description": "What I can do"}]
    await bot("setMyCommands", commands=commands)
    assert await bot("getMyCommands") == commands
    assert await bot("getMyCommands", language_code="de") == []
    for wrong in ({"command": "Help!", "description": "x"}, {"command": "help", "description": ""}):
        assert "BOT_COMMAND" in await bot.refusal("setMyCommands", commands=[wrong])
    await bot("deleteMyCommands")
    assert await bot("getMyCommands") == []
    assert (await bot("getChat", chat_id=group.id))["title"] == "Friends"


async def test_parameters_that_there_are_not_are_held_against_the_client(
    fake: FakeTelegram, bot: BotClient
) -> None:
    await bot("getMe", quick=True)
    await bot("getUpdates", timeout=0, lazy=1)
    assert list(fake.wrongs) == ["getMe has no parameter quick", "getUpdates has no parameter lazy"]


async def test_a_token_that_is_none(fake: FakeTelegram, bot: BotClient) -> None:
    assert await BotClient(fake, bot.http, "77:other").refusal("getMe") == "Unauthorized"
    assert await BotClient(fake, bot.http, "nonsense").refusal("getMe") == "Not Found"
    assert await bot.refusal("getNothing") == "Not Found"
    fake.bot.revoked = True
    assert await bot.refusal("getMe") == "Unauthorized"
    await fake.heal()
    await bot("GETME")


async def test_a_form_and_a_query_are_as_good_as_json(fake: FakeTelegram, bot: BotClient) -> None:
    ann, url = fake.person("Ann"), f"{fake.url}/bot{TOKEN}"
    await bot.http.request("POST", f"{url}/sendMessage", data={"chat_id": str(ann.id), "text": "ä&="})
    await bot.http.request("GET", f"{url}/sendMessage?chat_id={ann.id}&text=b")
    assert [seen.text for seen in fake.seen(ann)] == ["ä&=", "b"]
    nonsense = await bot.http.request(
        "POST", f"{url}/getMe", content=b"{", headers={"content-type": "application/json"}
    )
    assert nonsense.status == 400


# --- webhooks ---------------------------------------------------------------------------------------------------------


async def test_a_webhook_is_told_with_its_secret_until_it_takes_it() -> None:
    async with telegram(webhook_retry_s=0.01) as (fake, bot), trio.open_nursery() as nursery:
        heads: list[bytes] = []
        answers = [
            b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ]

        async def hook(stream: trio.SocketStream) -> None:
            heads.append(await stream.receive_some())
            await stream.send_all(answers.pop(0) if len(answers) > 1 else answers[0])

        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, hook, [listener])
        url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/hook?x=1"
        assert "bad webhook" in await bot.refusal("setWebhook", url="http://example.org/")
        assert "secret token" in await bot.refusal("setWebhook", url=url, secret_token="not allowed!")
        await bot("setWebhook", url=url, secret_token="s3cret")
        assert "can't use getUpdates" in await bot.refusal("getUpdates")
        ann = fake.person("Ann")
        fake.say(ann, "one")
        fake.say(ann, "two")
        with trio.fail_after(5):
            while fake.bot.updates.waiting:
                await trio.sleep(0.005)
        assert fake.bot.updates.tries == [503, 200, 200]
        assert all(head.startswith(b"POST /hook?x=1 ") for head in heads)
        assert all(SECRET_HEADER.lower() + b": s3cret" in head.lower() for head in heads)
        info = await bot("getWebhookInfo")
        assert (info["url"], info["pending_update_count"], info["last_error_message"][-3:]) == (url, 0, "503")
        await bot("deleteWebhook")
        assert await bot("getUpdates") == []
        nursery.cancel_scope.cancel()


async def test_a_webhook_ends_a_poll(fake: FakeTelegram, bot: BotClient) -> None:
    answers = []

    async def poll() -> None:
        answers.append(await bot.refusal("getUpdates", timeout=5))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poll)
            while not fake.bot.updates.polls:
                await trio.sleep(0.005)
            await bot("setWebhook", url="https://example.org/")
    assert answers == ["Conflict: terminated by setWebhook request"]


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (Status(429, retry_after=3), 429, "Too Many Requests: retry after 3"),
        (Status(400, "Bad Request: no", migrate_to_chat_id=-5), 400, "Bad Request: no"),
        (Html(502), 502, "<html>"),
        (Delay(0.01), 200, "hello"),
    ],
)
async def test_an_answer_that_was_planned(
    fault: Fault, status: int, said: str, fake: FakeTelegram, bot: BotClient
) -> None:
    ann = fake.person("Ann")
    fake.plan("sendMessage", fault)
    url = f"{fake.url}/bot{TOKEN}/sendMessage"
    reply = await bot.http.request("POST", url, json={"chat_id": ann.id, "text": "hello"})
    assert reply.status == status
    assert said in reply.body.decode()
    assert len(fake.seen(ann)) == (status == 200)
    assert fake.plan_of.left == 0
    await bot("sendMessage", chat_id=ann.id, text="hello")


@pytest.mark.parametrize(
    ("fault", "arrives"),
    [
        (Reset(acted=False), False),
        (Reset(acted=True), True),
        (HalfClose(), True),
        (Drop(), False),
        (Hang(), False),
    ],
)
async def test_an_answer_that_never_comes(
    fault: Fault, arrives: bool, fake: FakeTelegram, bot: BotClient
) -> None:
    ann = fake.person("Ann")
    fake.plan("sendMessage", None, fault)
    await bot("sendMessage", chat_id=ann.id, text="first")
    url = f"{fake.url}/bot{TOKEN}/sendMessage"
    with pytest.raises(NetError) as caught:
        await bot.http.request("POST", url, json={"chat_id": ann.id, "text": "hello"}, timeout_s=0.2)
    assert caught.value.phase == "unknown"
    assert len(fake.seen(ann)) == 1 + arrives
    await bot("sendMessage", chat_id=ann.id, text="last")


async def test_a_fault_may_last(fake: FakeTelegram, bot: BotClient) -> None:
    fake.plan_for(0.05, "getUpdates", CONFLICT)
    assert await bot.refusal("getUpdates") == CONFLICT.description
    await bot("getMe")
    await trio.sleep(0.06)
    assert await bot("getUpdates") == []
    fake.always("*", Status(500))
    assert await bot.refusal("getMe") == "Internal Server Error"
    await fake.heal()
    await bot("getMe")


@pytest.mark.parametrize(
    ("how", "code", "phase"),
    [("reset", RESET, "unknown"), ("mute", TIMEOUT, "unknown"), ("refused", CONNECT_REFUSED, "not_sent")],
)
async def test_the_plug_can_be_pulled(
    how: Reachable, code: str, phase: str, fake: FakeTelegram, bot: BotClient
) -> None:
    await bot("getMe")
    await fake.server.plug(how)
    url = f"{fake.url}/bot{TOKEN}/getMe"
    async with open_client(proxy="") as fresh:
        with pytest.raises(NetError) as caught:
            await fresh.request("GET", url, timeout_s=0.2)
    assert (caught.value.code, caught.value.phase) == (code, phase)
    await fake.heal()
    with trio.fail_after(5):
        while True:
            try:
                await bot("getMe")
                break
            except NetError:
                await trio.sleep(0.01)


async def test_pulling_the_plug_ends_what_is_under_way(fake: FakeTelegram, bot: BotClient) -> None:
    async def pull() -> None:
        while not fake.bot.updates.polls:
            await trio.sleep(0.005)
        await fake.server.plug("reset")

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pull)
            with pytest.raises(NetError):
                await bot("getUpdates", timeout=5)


async def test_connections_are_kept_and_counted(fake: FakeTelegram) -> None:
    async with open_client(proxy="") as http:
        bot = BotClient(fake, http)
        for _ in range(3):
            await bot("getMe")
        assert (fake.server.connections, fake.server.connections_ever) == (1, 1)
    assert fake.server.connections == 0
