"""Who the operator wants it to be, and the agent's client."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from openai_kit import Shown, turn

from hermes.agents import phrases
from hermes.agents.openai.home import FRESH_S, MAX_BYTES, MEMORY, SOUL, USER, FreshWords, HomeFiles, HomeWords
from hermes.agents.openai.opening import open_agent
from hermes.config.model import Config, Model
from hermes.testing.model import FakeModel


def test_a_soul_is_read_anew_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = HomeFiles(tmp_path)
    assert files.read().soul == ""
    (tmp_path / SOUL).write_text("\ufeffYou are Ann.\n")
    assert files.read().soul == "You are Ann."
    (tmp_path / SOUL).write_bytes(b"You are \xff Bob.")
    assert files.read().soul == "You are  Bob."
    assert caplog.text == ""


def test_one_that_is_too_long_is_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / SOUL).write_text("x" * (MAX_BYTES[SOUL] + 1))

    assert len(HomeFiles(tmp_path).read().soul) == MAX_BYTES[SOUL]
    assert "only its first 65,536 bytes" in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "directory", "circle"])
def test_what_is_no_file_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    path = tmp_path / SOUL
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to(path)

    files = HomeFiles(tmp_path)
    assert files.read().soul == files.read().soul == ""
    assert caplog.text.count("SOUL.md is not used") == 1


def test_what_it_keeps_in_mind_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "memories").mkdir()
    (tmp_path / MEMORY).write_text("The server is called ada.\n")
    (tmp_path / USER).write_text("y" * (MAX_BYTES[USER] + 1))

    words = HomeFiles(tmp_path).read()

    assert words.memory == "The server is called ada."
    assert len(words.user) == MAX_BYTES[USER]


async def test_turns_that_begin_together_read_once(autojump_clock: trio.testing.MockClock) -> None:
    read: list[float] = []

    async def reading() -> HomeWords:
        await trio.sleep(0.1)
        read.append(trio.current_time())
        return HomeWords(soul=f"{len(read)}")

    words, heard = FreshWords(reading), list[str]()

    async def begin() -> None:
        heard.append((await words()).soul)

    async with trio.open_nursery() as nursery:
        with trio.move_on_after(0.05):
            await words()  # is cancelled, and the others go on
        for _ in range(10):
            nursery.start_soon(begin)
    await trio.sleep(FRESH_S - 0.01)
    await begin()
    await trio.sleep(0.02)
    await begin()

    assert heard == ["1"] * 11 + ["2"]


async def test_the_agent_lives_as_long_as_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / SOUL).write_text("You are Ann.")
    async with FakeModel().listening() as model:
        config = replace(Config(), model=Model(base_url=model.base_url))
        async with open_agent(config, tmp_path, str) as agent:
            assert agent is not None
            await agent.run(turn("hi"), Shown())

        assert model.asked[0].body["messages"][0]["content"].startswith("You are Ann.")


async def test_a_way_out_that_cannot_be_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://me:password@proxy")
    async with open_agent(replace(Config(), model=Model(base_url="http://x/v1")), tmp_path, str) as agent:
        assert agent is None
    assert "the language model is not asked" in caplog.text
    assert "password" not in caplog.text


def test_the_built_in_agent_says_why_the_model_is_not_asked() -> None:
    for text in (phrases.greeting("base_url is missing"), phrases.help_text("base_url is missing")):
        assert "cannot be asked, so I cannot hold a free conversation: base_url is missing." in text
        assert "config.yaml" in text
