"""What a chat is told, and what the log is told: no exception, path or secret goes to the one, no message to the other."""

import logging
from typing import Any

import pytest
import trio
from world import World

from hermes.config import model
from hermes.testing.fakes import Crash, FakeAgent, GiveUp, Reply
from hermes.types import texts
from hermes.types.agent import Final
from hermes.types.errors import TURN_DEADLINE, Failure, GatewayError
from supervisors.current import current_actor

INNER = "OSError at /srv/hermes/secret-place.py: token 0123456789abcdef"
APOLOGIES = (texts.AGENT_CRASHED, texts.POISONED)


class Odd:
    """Returns what nobody has promised; its name says too much."""

    name = INNER

    async def run(self, turn: Any, io: Any) -> Any:
        """Nothing of use."""
        return Exception(INNER)


class Chained:
    """Raises a group of errors, each with a cause."""

    name = "chained"

    async def run(self, turn: Any, io: Any) -> Final:
        """Never answer."""
        try:
            raise OSError(INNER)
        except OSError as error:
            raise ExceptionGroup(INNER, [GatewayError(Failure("x", detail=INNER)), error]) from error


FAILING = {
    "raises": FakeAgent(otherwise=Crash(ValueError(INNER))),
    "raises a typed failure": FakeAgent(otherwise=Crash(GatewayError(Failure("x", detail=INNER)))),
    "raises one that only a person can mend": FakeAgent(
        otherwise=Crash(GatewayError(Failure("x", "needs_operator", detail=INNER)))
    ),
    "raises a fatal one": FakeAgent(otherwise=Crash(GatewayError(Failure("x", "fatal", detail=INNER)))),
    "raises a group": Chained(),
    "gives up": FakeAgent(otherwise=GiveUp(Failure(INNER, detail=INNER))),
    "gives up with a code of ours": FakeAgent(otherwise=GiveUp(Failure(TURN_DEADLINE, detail=INNER))),
    "returns something else": Odd(),
}


@pytest.mark.parametrize("how", FAILING)
async def test_S50_however_an_agent_fails_the_chat_reads_our_own_words(how, open_world, autojump_clock):
    world: World = await open_world(FAILING[how])
    for text in ("one", "/status", "two", "/version", "/nonsense"):
        await world.say(text)
    await world.settle()
    heard = world.heard()

    assert len(heard) == 5
    assert [text for text in heard if INNER in text or "/srv" in text or "0123456789abcdef" in text] == []
    assert len([text for text in heard if text in APOLOGIES]) == 2


async def test_S50_a_turn_past_its_deadline_is_told_in_our_own_words(open_world, autojump_clock):
    config = model.Config(agent=model.Agent(turn_timeout_s=20.0, no_progress_s=5.0))
    world = await open_world(FakeAgent(Reply(delay_s=60.0)), config=config)
    await world.say("hello")
    await world.settle()

    assert world.heard() == [texts.AGENT_DEADLINE.format(seconds=5)]


async def test_S48_nothing_that_people_or_agents_write_is_in_the_log(open_world, autojump_clock, caplog):
    caplog.set_level(logging.INFO)
    agent = FakeAgent(
        Reply(lambda _: "AGENT-BODY"), Crash(ValueError("a bug")), Reply(lambda _: "AGENT-BODY")
    )
    world = await open_world(agent)
    for text in (
        "USER-BODY",
        "USER-BODY two",
        "/note USER-BODY",
        "/stop USER-BODY",
        "USER-BODY " + "x" * 100_000,
    ):
        await world.say(text)
        await trio.sleep(1)
    world.crash(world.session())
    await world.settle()
    await world.stop()

    assert "AGENT-BODY" in world.heard()
    assert len(caplog.records) >= 4
    assert "BODY" not in caplog.text


async def test_entries_belong_to_the_actor_whose_code_logs(open_world, autojump_clock, monkeypatch):
    written = []

    class Inlet(logging.Handler):
        def emit(self, record):
            written.append((current_actor.get(), record.name))

    inlet = Inlet()
    monkeypatch.setattr(logging.getLogger("actors"), "level", logging.DEBUG)
    logging.getLogger().addHandler(inlet)
    try:
        world = await open_world(FakeAgent())
        await world.say("hello")
        await world.settle()
        await world.stop()
    finally:
        logging.getLogger().removeHandler(inlet)

    assert ((f"{world.session()}/turn", 1), "actors.answers") in written
    assert any(
        name == "actors.inbound" and who[0].startswith("root/gateway/inbound/")
        for who, name in written
        if who
    )


async def test_what_a_supervisor_logs_of_a_child_belongs_to_the_child(open_world, autojump_clock, caplog):
    world = await open_world(FakeAgent())
    await world.say("hello")
    await world.settle()
    world.crash(world.session())
    await world.until(lambda: world.tree()[world.session()].incarnation == 2)

    (crash,) = [record for record in caplog.records if record.name.startswith("supervisors")]
    assert (crash.actor, crash.incarnation) == (world.session(), 1)
