"""The first `hermes run` on a home of the original: what people talked about goes on, with the message that waited for it."""

import json
from pathlib import Path

import pytest
import trio
from harness import Gateway
from old_kit import FIRST, SECOND, entry, message, mirror, prints, session, state, transcript

from hermes.testing.model import FakeModel
from hermes.testing.telegram import TOKEN, FakeTelegram, Person

WITHIN_S = 20.0


@pytest.fixture(autouse=True)
def _own_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))


def furnish(home: Path, telegram: FakeTelegram, model: FakeModel, ann: Person) -> None:
    key = f"agent:main:telegram:dm:{ann.id}"
    origin = {
        "platform": "telegram",
        "chat_id": str(ann.id),
        "chat_type": "dm",
        "user_id": str(ann.id),
        "user_name": "Ann",
    }
    state(
        home,
        [
            session(FIRST, session_key=key, title="Holiday", ended_at=1_500.0),
            session(SECOND, 2_000.0, session_key=key),
        ],
        [message(SECOND, "user", "my cat is called Minka"), message(SECOND, "assistant", "a fine name")],
        routes=[("/home/ann/.hermes/sessions", key, entry(SECOND, origin=origin))],
    )
    transcript(
        home,
        FIRST,
        {"role": "user", "content": "we go to Sylt"},
        {"role": "assistant", "content": "take a coat"},
    )
    mirror(home, {"_README": "a note", key: entry(SECOND, origin=origin)})
    (home / "config.yaml").write_text(
        f"platforms: {{telegram: {{base_url: {telegram.url}/bot}}}}\n"
        f"model: {{provider: custom, base_url: {model.base_url}, default: small}}\n"
    )
    (home / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\nTELEGRAM_ALLOWED_USERS={ann.id}\n")
    (home / ".env").chmod(0o600)


async def answer(telegram: FakeTelegram, person: Person, count: int) -> str:
    with trio.fail_after(WITHIN_S):
        while len(telegram.seen(person)) < count:
            await trio.sleep(0.01)
    return telegram.seen(person)[count - 1].text


async def test_conversations_of_the_original_go_on_at_the_first_run(gateway: Gateway) -> None:
    async with FakeTelegram(poll_s=1.0).listening() as telegram, FakeModel().listening() as model:
        ann = telegram.person("Ann", "ann")
        furnish(gateway.home, telegram, model, ann)
        before = prints(gateway.home)
        telegram.say(ann, "what is she called?")  # nobody is there yet

        await gateway.start()
        assert "what is she called?" in await answer(telegram, ann, 1)
        assert "Minka" in json.dumps(model.asked[-1].body)

        telegram.say(ann, "/resume 1")
        assert "Holiday" in await answer(telegram, ann, 2)
        telegram.say(ann, "and then?")
        await answer(telegram, ann, 3)
        assert "take a coat" in json.dumps(model.asked[-1].body)
        assert "Minka" not in json.dumps(model.asked[-1].body)

        hits = (await gateway.json("sessions", "search", "Minka"))["hits"]
        assert [hit["excerpt"] for hit in hits] == ["my cat is called [Minka]"]
        await gateway.stop()
        assert len([*(gateway.home / "backups").glob("*.zip")]) == 1
        after = prints(gateway.home)
        assert {name: after.get(name) for name in before} == before
