"""Which agent answers: that of a plug-in, made and looked at, or none and why."""

import threading
from functools import partial
from types import SimpleNamespace

import pytest

from hermes.agents import choice as module
from hermes.agents.builtin import BuiltinAgent
from hermes.agents.choice import answering, chosen_agent, described
from hermes.agents.current import CurrentAgent
from hermes.config.model import Agent, Config
from hermes.ops.redaction import Redaction
from hermes.registry.agents import AgentSetup
from hermes.testing.fakes import FakeAgent, FakeClock, FakeIds


def setup(home, name="parrot"):
    return AgentSetup(Config(agent=Agent(name=name)), home, FakeClock(), FakeIds())


def fail(_setup):
    raise SystemExit(3)


async def test_the_agent_of_a_plug_in_answers_where_it_is_named(tmp_path):
    handed, parrot = [], FakeAgent()
    wanted = setup(tmp_path)
    async with chosen_agent(wanted, {"parrot": lambda given: handed.append(given) or parrot}, str) as found:
        assert found == (parrot, "")
    assert handed == [wanted]


@pytest.mark.parametrize(
    ("agents", "words"),
    [
        ({}, "no plug-in brings it"),
        ({"parrot": fail}, "SystemExit: 3"),
        ({"parrot": lambda _: None}, "NoneType is no agent"),
        (
            {"parrot": lambda _: SimpleNamespace(name="x", model="")},
            "is no agent: it has no name, model and run",
        ),
        ({"parrot": lambda _: SimpleNamespace(name="x", model=None, run=print)}, "is no agent"),
        ({"parrot": lambda _: threading.Event().wait(2)}, "it was not made within 0.05 s"),
    ],
)
async def test_one_that_cannot_be_had_is_said_and_the_gateway_runs(
    tmp_path, monkeypatch, caplog, agents, words
):
    monkeypatch.setattr(module, "MAKE_DEADLINE_S", 0.05 if "made within" in words else 5.0)
    async with chosen_agent(setup(tmp_path), agents, str) as (agent, why):
        assert agent is None
        assert why.startswith("agent parrot: ")
        assert words in why
    assert words in caplog.text


async def test_whoever_answers_in_its_place_is_described_with_the_reason(tmp_path):
    def made(_setup):
        raise ValueError("the key is opensesame")

    current, otherwise = CurrentAgent(), partial(BuiltinAgent, None, None, FakeClock())
    redact = Redaction(["opensesame"]).redact
    agent = await current.adopt(answering(setup(tmp_path), {"parrot": made}, redact, otherwise))
    assert described(agent, Config().model) == {
        "name": "builtin",
        "model": "",
        "at": "",
        "problem": "agent parrot: ValueError: the key is [redacted]",
    }
    agent = await current.adopt(answering(setup(tmp_path, name=""), {}, redact, otherwise))
    assert described(agent, Config().model)["problem"] == ""
    await current.aclose()


async def test_without_a_name_the_model_is_asked_if_there_is_one(tmp_path):
    async with chosen_agent(setup(tmp_path, name=""), {"parrot": fail}, str) as found:
        assert found == (None, "")
