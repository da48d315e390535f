"""A webhook: what gets in, when it is acknowledged, and what Telegram is told."""

import json

import pytest
import trio
from botapi import ANN, DIRECT, BotApi, refusal, telegram

from hermes.platforms.telegram.webhook import SECRET_HEADER
from hermes.testing.conformance.io import FakeAdapterIO, Inbox
from hermes.types.errors import GatewayError
from hermes.types.ports import Request

SECRET = "0123456789abcdef"
PATH = "/platforms/telegram/webhook"


class Hook:
    """A connected bot with a webhook."""

    def __init__(self, api: BotApi, adapter, inbox: Inbox, io: FakeAdapterIO) -> None:
        self.api, self.adapter, self.inbox, self.io = api, adapter, inbox, io

    async def bring(self, body: bytes | dict, secret: str | None = SECRET) -> int:
        headers = {} if secret is None else {SECRET_HEADER: secret}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        (route,) = self.adapter.routes()
        return (await route.handler(Request("POST", PATH, headers=headers, body=raw))).status


def update(number: int = 1, text: object = "hello") -> dict:
    message = {"message_id": number, "date": 1, "chat": DIRECT, "from": ANN, "text": text}
    return {"update_id": number, "message": message}


@pytest.fixture
def made(monkeypatch, tmp_path):
    api = BotApi()
    settings = {"webhook_url": "https://bot.example", "webhook_secret": SECRET}
    return api, telegram(api, monkeypatch, tmp_path, **settings)


@pytest.fixture
async def hook(made, nursery):
    api, adapter = made
    inbox = Inbox()
    io = FakeAdapterIO(inbox, "default")
    await nursery.start(lambda task_status: adapter.connect(io, task_status=task_status))
    return Hook(api, adapter, inbox, io)


async def test_telegram_is_told_where_to_bring_updates(hook):
    (said,) = hook.api.asked("setWebhook")

    assert (said["url"], said["secret_token"], said["max_connections"]) == (
        f"https://bot.example{PATH}",
        SECRET,
        1,
    )
    assert "drop_pending_updates" not in said
    assert hook.api.asked("getUpdates") == []


async def test_AC14_200_means_durable(hook):
    assert await hook.bring(update()) == 200
    assert hook.inbox.texts == ["hello"]


async def test_AC14_an_inbox_that_is_paused_asks_for_another_time(hook, autojump_clock):
    hook.inbox.pause()
    began = trio.current_time()
    assert await hook.bring(update()) == 503
    assert trio.current_time() - began == pytest.approx(5.0)
    hook.inbox.resume()
    assert await hook.bring(update()) == 200
    assert hook.inbox.texts == ["hello"]


@pytest.mark.parametrize(
    "secret", [None, "", SECRET[:-1], SECRET + "x", SECRET.upper(), f"{SECRET},{SECRET}", "\udc80é"]
)
async def test_S24_without_the_secret_nothing_is_read(hook, secret):
    assert await hook.bring(b"{not even JSON", secret) == 401
    assert await hook.bring(update(), secret) == 401
    assert hook.inbox.texts == []


async def test_S26_the_same_update_again_is_one_message(hook):
    assert [await hook.bring(update()) for _ in range(3)] == [200, 200, 200]
    assert hook.inbox.texts == ["hello"]


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000])
async def test_S29_what_is_no_JSON_is_refused(hook, body):
    assert await hook.bring(body) == 400


@pytest.mark.parametrize("body", [b"1", b"null", b"{}", b'{"update_id": "x"}'])
async def test_what_is_no_update_is_kept_and_acknowledged(hook, body):
    assert await hook.bring(body) == 200
    assert await hook.bring(update(text=5)) == 200
    assert len(hook.inbox.undecodable) == 2


async def test_before_the_login_nothing_is_taken(made):
    api, adapter = made
    assert await Hook(api, adapter, Inbox(), FakeAdapterIO(Inbox(), "default")).bring(update()) == 503


async def test_an_address_that_telegram_refuses_is_for_an_operator(made, autojump_clock):
    api, adapter = made
    api.plan["setWebhook"].append(refusal(400, "Bad Request: bad webhook: HTTPS url must be provided"))
    with pytest.raises(GatewayError) as caught:
        await adapter.connect(FakeAdapterIO(Inbox(), "default"), task_status=trio.TASK_STATUS_IGNORED)
    assert (caught.value.failure.severity, caught.value.failure.scope) == ("needs_operator", "adapter")
