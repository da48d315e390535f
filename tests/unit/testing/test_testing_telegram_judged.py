"""Two judges of the fake Telegram: a library that knows only the real one, and a schema made of its documentation."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from schema_telegram import telegram_schema

from hermes.net.http.client import open_client
from hermes.testing.conformance.subject import PNG
from hermes.testing.telegram import TOKEN, FakeTelegram

LIBRARY = "python-telegram-bot==22.8"
INSTALL_S = 60


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library in a directory of its own, without its dependency, httpx, which we have."""
    place = tmp_path_factory.mktemp("ptb")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), LIBRARY]
    try:
        subprocess.run(pip, check=True, capture_output=True, timeout=INSTALL_S)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"{LIBRARY} cannot be installed: {error}")
    return place


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await trio.sleep(0.01)


@pytest.mark.timeout(90)
async def test_python_telegram_bot_takes_it_for_telegram(library: Path) -> None:
    script = Path(__file__).with_name("ptb_echo.py")
    async with FakeTelegram().listening() as fake, trio.open_nursery() as nursery:
        ann = fake.person("Ann")
        command = [sys.executable, str(script), fake.url, TOKEN]
        environment = os.environ | {"PYTHONPATH": str(library)}
        run = partial(trio.run_process, command, env=environment, check=False, capture_stderr=True)
        process = await nursery.start(run)
        try:
            with trio.fail_after(30):
                said = fake.say(ann, "hello 🦉")
                await until(lambda: [one.text for one in fake.seen(ann)] == ["hello 🦉"])
                assert [(one.edited, one.reply_to) for one in fake.seen(ann)] == [(True, said)]
                fake.say(ann, "a dot", files={"photo": PNG}, name="dot.png", mime="image/png")
                await until(lambda: fake.seen(ann)[-1].files == (PNG,))
                assert fake.seen(ann)[-1].text == "a dot"
                fake.say(ann, "/ask")
                await until(lambda: bool(fake.seen(ann)[-1].buttons))
                fake.press(ann, fake.seen(ann)[-1].message_id, "yes")
                await until(lambda: fake.seen(ann)[-1].text == "You said yes.")
                assert fake.bot.answers[0][1] == "noted"
                await until(lambda: not fake.bot.updates.waiting)
        finally:
            process.terminate()
    assert not fake.wrongs
    assert {call.method for call in fake.calls} >= {
        "getMe",
        "deleteWebhook",
        "getUpdates",
        "sendPhoto",
        "getFile",
    }
    assert fake.bot.updates.most_polls == 1


async def test_what_it_answers_is_what_the_schema_says() -> None:
    schema = telegram_schema()
    async with FakeTelegram(poll_s=0.01).listening() as fake, open_client(proxy="") as http:
        ann, bob = fake.person("Ann", "ann"), fake.person("Bob")
        forum = fake.group("Friends", ann, bob, topics=["News"])
        group = fake.group("Others", ann)
        channel = fake.group("Reports", kind="channel")

        async def call(method: str, **params: Any) -> Any:
            schema.check_request(method, params)
            reply = await http.request("POST", f"{fake.url}/bot{TOKEN}/{method}", json=params)
            schema.check_answer(method, reply.json())
            return reply.json().get("result")

        await call("getMe")
        await call("getUpdates", allowed_updates=["message", "edited_message", "channel_post", "callback_query",
                                                  "message_reaction", "my_chat_member"])  # fmt: skip
        said = fake.say(ann, "/help @ann https://example.org")
        fake.say(bob, "news", chat=forum, thread=forum.topics["News"], reply_to=None)
        fake.say(ann, "in a channel", chat=channel)
        for kind in ("photo", "voice", "audio", "video", "document", "animation"):
            fake.say(ann, "a file", files={kind: PNG})
        fake.album(ann, [PNG, PNG])
        fake.forward(ann, "words", of=bob)
        fake.edit(ann, said, "/help me")
        fake.react(ann, said, "👍")
        fake.block(ann)
        fake.unblock(ann)
        fake.migrate(group)
        keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes"}]]}
        bold = {"type": "bold", "offset": 0, "length": 2}
        more = {"reply_parameters": {"message_id": said}, "entities": [bold]}
        sent = await call("sendMessage", chat_id=ann.id, text="hello", reply_markup=keyboard, **more)
        query = fake.press(ann, sent["message_id"], "yes")
        updates = await call("getUpdates", timeout=1)
        assert len(updates) == 19
        await call("answerCallbackQuery", callback_query_id=query)
        await call("editMessageText", chat_id=ann.id, message_id=sent["message_id"], text="changed")
        await call(
            "setMessageReaction", chat_id=ann.id, message_id=said, reaction=[{"type": "emoji", "emoji": "👀"}]
        )
        await call("sendChatAction", chat_id=ann.id, action="typing")
        await call("sendMessageDraft", chat_id=ann.id, draft_id=1, text="Hel")
        await call("deleteMessage", chat_id=ann.id, message_id=sent["message_id"])
        photo = updates[3]["message"]["photo"][-1]["file_id"]
        await call("sendPhoto", chat_id=ann.id, photo=photo, caption="again")
        album = [{"type": "photo", "media": photo}, {"type": "photo", "media": photo}]
        await call("sendMediaGroup", chat_id=ann.id, media=album)
        await call("getFile", file_id=photo)
        await call("getChat", chat_id=forum.id)
        await call("setMyCommands", commands=[{"command": "help", "description": "Help"}])
        await call("getMyCommands")
        await call("getWebhookInfo")
        await call("sendMessage", chat_id=group.id, text="moved")
        await call("setWebhook", url="https://example.org/", secret_token="s")
        await call("getWebhookInfo")
        await call("deleteWebhook")
    assert not fake.wrongs
