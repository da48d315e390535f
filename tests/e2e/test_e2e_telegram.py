"""An original home with Telegram, in a real process, against a Telegram that is one in all but name."""

from pathlib import Path

import httpx
import pytest
import trio
from harness import Gateway

from hermes.testing.telegram import TOKEN, FakeTelegram, Seen
from hermes.testing.telegram.people import Place

WITHIN_S = 20.0
SECRET = "0123456789abcdef"


@pytest.fixture(autouse=True)
def _own_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))


def furnish(gateway: Gateway, fake: FakeTelegram, *allowed: int) -> None:
    gateway.home.mkdir(mode=0o700)
    (gateway.home / "config.yaml").write_text(
        f"_config_version: 33\nplatforms:\n  telegram:\n    reply_to_mode: all\n    extra:\n"
        f"      base_url: {fake.url}/bot\n      fallback_ips: [149.154.167.220]\n"
    )
    env = gateway.home / ".env"
    env.write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_ALLOWED_USERS={','.join(map(str, allowed))}\n")
    env.chmod(0o600)


async def answers(fake: FakeTelegram, place: Place, count: int) -> list[Seen]:
    """Once there are so many."""
    with trio.move_on_after(WITHIN_S):
        while len(fake.seen(place)) < count:
            await trio.sleep(0.01)
    seen = fake.seen(place)
    assert len(seen) >= count, seen
    return seen


NOT_YET = (httpx.codes.NOT_FOUND, httpx.codes.SERVICE_UNAVAILABLE)
"""The adapter has not begun, or is not connected."""


async def state(gateway: Gateway) -> str:
    """How the adapter is said to be."""
    adapters = (await gateway.json("adapter", "list"))["adapters"]
    return next(one["state"] for one in adapters if one["platform"] == "telegram")


async def test_S18_S46_an_original_home_answers_on_telegram(gateway: Gateway) -> None:
    async with FakeTelegram(poll_s=1.0).listening() as fake:
        ann, bob = fake.person("Ann", "ann"), fake.person("Bob")
        team = fake.group("Team", ann, bob, topics=("General itself", "Ideas"))  # the first has the id 1
        furnish(gateway, fake, ann.id)

        said = [fake.say(ann, f"note number {n}") for n in range(3)]  # nobody is there yet
        await gateway.start()
        seen = await answers(fake, ann, 3)
        assert [one.reply_to for one in seen] == said
        assert await state(gateway) == "connected"

        # In a group: what names us, in its topic; and what does not name us, and whom nobody knows, have no answer.
        topic = team.topics["Ideas"]
        fake.say(ann, "hello everybody", chat=team, thread=topic)
        fake.say(bob, "@hermes_bot help", chat=team, thread=topic)
        asked = fake.say(ann, "@hermes_bot what can you do?", chat=team, thread=topic)
        (answer,) = await answers(fake, team, 1)
        assert (answer.reply_to, answer.thread_id) == (asked, topic)

        # An approval by its buttons, also after a kill.
        fake.say(ann, "forget all notes")
        (*_, prompt) = await answers(fake, ann, 4)
        (approve, _deny) = (data for _, data in prompt.buttons)
        await gateway.kill9()
        fake.press(ann, prompt.message_id, approve)
        await gateway.start()
        with trio.fail_after(WITHIN_S):
            while not any("3 notes are forgotten" in one.text for one in fake.seen(ann)):
                await trio.sleep(0.01)
        assert fake.bot.answers
        assert list(fake.wrongs) == []
        assert (await gateway.stop()) == 0

        # The same bot by a webhook: what its door lets in, and what it does not.
        with (gateway.home / ".env").open("a") as env:
            env.write(f"TELEGRAM_WEBHOOK_URL=https://127.0.0.1:1/\nTELEGRAM_WEBHOOK_SECRET={SECRET}\n")
        await gateway.start()
        message = {
            "message_id": 900,
            "date": 1_900_000_000,
            "chat": fake.chat(ann).described,
            "from": ann.user,
        }
        update = {"update_id": 900_000_000, "message": {**message, "text": "help"}}
        before = len(fake.seen(ann))
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:

            async def bring(secret: str) -> int:
                headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
                return (
                    await http.post("/platforms/telegram/webhook", json=update, headers=headers)
                ).status_code

            with trio.fail_after(WITHIN_S):
                while (status := await bring("wrong")) in NOT_YET:
                    await trio.sleep(0.01)
            assert (status, await bring(SECRET), await bring(SECRET)) == (401, 200, 200)
        await answers(fake, ann, before + 1)
        assert await state(gateway) == "listening"
        assert fake.bot.updates.webhook["url"] == "https://127.0.0.1:1/platforms/telegram/webhook"

    secret = TOKEN.partition(":")[2]
    written = [gateway.log, *(path for path in (gateway.home / "logs").rglob("*") if path.is_file())]
    assert not [path for path in written if secret in path.read_text(errors="replace")]
