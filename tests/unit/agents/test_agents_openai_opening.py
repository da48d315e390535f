"""Who the operator wants it to be, and the agent's client."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from openai_kit import Shown, turn

from hermes.agents import phrases
from hermes.agents.openai.opening import open_agent
from hermes.agents.openai.soul import MAX_BYTES, NAME, read_soul
from hermes.config.model import Config, Model
from hermes.testing.model import FakeModel


def test_a_soul_is_read_anew_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_soul(tmp_path) == ""
    (tmp_path / NAME).write_text("\ufeffYou are Ann.\n")
    assert read_soul(tmp_path) == "You are Ann."
    (tmp_path / NAME).write_bytes(b"You are \xff Bob.")
    assert read_soul(tmp_path) == "You are  Bob."
    assert caplog.text == ""


def test_one_that_is_too_long_is_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / NAME).write_text("x" * (MAX_BYTES + 1))

    assert len(read_soul(tmp_path)) == MAX_BYTES
    assert "only its first 65536 bytes" in caplog.text


@pytest.mark.parametrize("kind", ["pipe", "directory", "circle"])
def test_what_is_no_file_holds_up_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    path = tmp_path / NAME
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to(path)

    assert read_soul(tmp_path) == ""
    assert "SOUL.md is not used" in caplog.text


async def test_the_agent_lives_as_long_as_its_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / NAME).write_text("You are Ann.")
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
