"""From nothing to a home that was restored: `hermes setup` in a terminal, a person let in, `hermes backup`, `hermes restore`."""

import re
from contextlib import closing
from pathlib import Path

import pytest
import trio
from harness import Gateway
from harness_pty import CTRL_C, Terminal, in_terminal

from hermes.pairing.codes import ALPHABET
from hermes.testing.model import FakeModel, Say
from hermes.testing.telegram import TOKEN, FakeTelegram, Person
from hermes.types import texts

WITHIN_S = 20.0
CODE = re.compile(rf"hermes pairing approve telegram ([{ALPHABET}]{{8}})")


@pytest.fixture(autouse=True)
def _own_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))


async def told(telegram: FakeTelegram, person: Person, count: int) -> str:
    """What the bot has written to them as number ``count``."""
    with trio.fail_after(WITHIN_S):
        while len(telegram.seen(person)) < count:
            await trio.sleep(0.01)
    return telegram.seen(person)[count - 1].text


async def answer(terminal: Terminal, question: str, keys: str) -> None:
    await terminal.until(question)
    terminal.press(f"{keys}\r")


async def interrupted(terminal: Terminal) -> int:
    """Ctrl-C, as a person presses it: again where nothing comes of it, for the prompt is seen before the program reads."""
    while True:
        terminal.press(CTRL_C)
        with trio.move_on_after(1.0):
            return await terminal.ended()


def furnished(home: Path, telegram: FakeTelegram) -> None:
    """Telegram is there."""
    home.mkdir(mode=0o700)
    (home / "config.yaml").write_text(f"platforms: {{telegram: {{base_url: {telegram.url}/bot}}}}  # ours\n")


async def test_set_up_paired_saved_and_restored(gateway: Gateway) -> None:
    async with FakeTelegram(poll_s=1.0).listening() as telegram, FakeModel().listening() as model:
        ann = telegram.person("Ann", "ann")
        furnished(gateway.home, telegram)
        model.plan(Say(""))
        async with in_terminal("setup", "--home", str(gateway.home)) as terminal:
            await answer(terminal, "Language model", "localhost:11434")
            await terminal.until("an address is such as http://")
            await answer(terminal, "Language model", model.base_url)
            await answer(terminal, "No: the model did not prove right: its answer is empty", "")  # as it was
            await answer(terminal, "Its key", "")
            await terminal.until("The model fake-model answers")
            await answer(terminal, "Chat platform", "telegram")
            await answer(terminal, "from @BotFather", "1:of-nobody")
            await terminal.until("401 Unauthorized. Once more")
            await answer(terminal, "from @BotFather", TOKEN)
            await answer(terminal, "Who may speak", "")
            await terminal.until("Next: hermes run")
            assert await terminal.ended() == 0
        assert TOKEN not in terminal.seen
        assert "# ours" in (gateway.home / "config.yaml").read_text()

        await gateway.start()
        telegram.say(ann, "let me in")
        words = await told(telegram, ann, 1)
        code = CODE.search(words)
        assert code is not None, words
        await gateway.cli("pairing", "approve", "telegram", code[1])
        assert await told(telegram, ann, 2) == texts.PAIRED
        telegram.say(ann, "my first words")
        assert "my first words" in await told(telegram, ann, 3)
        await gateway.cli("cron", "create", "every 8h", "look at the weather")
        assert "probe     telegram:default  knows us as @hermes_bot" in await gateway.cli("status", "--deep")
        saved = gateway.home.with_name("saved.zip")
        await gateway.cli("backup", str(saved))  # while it runs
        assert (await gateway.ask("restore", str(saved), "--force")).code == 1, "it runs"
        jobs = (await gateway.json("cron", "list"))["jobs"]
        await gateway.stop()

        with closing(Gateway(gateway.home.with_name("restored"))) as restored:
            await restored.cli("restore", str(saved))
            await restored.start()
            telegram.say(ann, "and my second")
            assert "and my second" in await told(telegram, ann, 4)
            assert [one["id"] for one in (await restored.json("cron", "list"))["jobs"]] == [
                one["id"] for one in jobs
            ]
            assert "user: my [first] words" in await restored.cli("sessions", "search", "first")
            await restored.stop()
        asked = [one.body for one in model.asked if one.path.endswith("completions")]
        assert "my first words" in str(asked[-1]), "the conversation goes on"


@pytest.mark.parametrize("questions", [1, 3, 4])
async def test_ctrl_c_at_any_question_writes_nothing(tmp_path: Path, questions: int) -> None:
    async with FakeTelegram().listening() as telegram:
        home = tmp_path / "home"
        furnished(home, telegram)
        before = (home / "config.yaml").read_text()
        answers = (
            ("Language model", "none"),
            ("Chat platform", "telegram"),
            ("from @BotFather", TOKEN),
            ("Who may speak", ""),
        )
        async with in_terminal("setup", "--home", str(home)) as terminal:
            for question, keys in answers[: questions - 1]:
                await answer(terminal, question, keys)
            await terminal.until(answers[questions - 1][0])
            assert await interrupted(terminal) == 1
            assert "Nothing is changed." in terminal.seen
        assert [path.name for path in home.iterdir()] == ["config.yaml"]
        assert (home / "config.yaml").read_text() == before
