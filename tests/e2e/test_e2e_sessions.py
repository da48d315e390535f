"""Conversations of a real gateway: across ``kill -9`` and a stop, through the socket and on the file."""

import json

import pytest
from harness import Gateway

ANN = "agent:main:console:dm:ann"


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path / "home")
    yield gateway
    gateway.close()


async def _show(gateway: Gateway) -> dict:
    return await gateway.json("sessions", "show", "console:dm:ann")


async def test_AC46_a_conversation_is_the_same_after_a_kill_and_without_a_gateway(gateway):
    await gateway.start()
    await gateway.cli("chat", "--user", "ann", "-m", "the fox")
    before = await _show(gateway)
    assert (before["session_key"], before["state"], before["history"][0]["lines"]) == (ANN, "awake", 2)

    await gateway.kill9()
    away = await _show(gateway)
    assert away == {**before, "state": "asleep"}
    await gateway.start()
    assert await _show(gateway) == away

    (listed,) = (await gateway.json("sessions", "list", "--platform", "console"))["sessions"]
    assert listed["session_id"] == before["session_id"]
    assert await gateway.json("sessions", "list", "--active") == {"sessions": []}
    assert len((await gateway.json("sessions", "search", "fox"))["hits"]) == 2


async def test_reset_and_resume_while_it_runs_and_while_it_does_not(gateway):
    await gateway.start()
    await gateway.cli("chat", "--user", "ann", "-m", "one")
    first = (await _show(gateway))["session_id"]
    second = (await gateway.json("sessions", "reset", "console"))["session_id"]
    assert second != first
    assert (await gateway.json("sessions", "resume", "console", first))["session_id"] == first
    typo = await gateway.ask("sessions", "show", "agent:main:consle:dm:ann")
    assert (typo.code, f"did you mean {ANN}?" in typo.err) == (1, True)
    await gateway.stop()

    third = (await gateway.json("sessions", "reset", "console"))["session_id"]
    assert (await gateway.json("sessions", "resume", "console"))["session_id"] == first
    assert third not in (first, second)
    await gateway.start()
    assert (await _show(gateway))["session_id"] == first
    whole = json.loads(await gateway.cli("sessions", "export", "console", "--format", "json"))
    assert [line["role"] for line in whole["lines"]] == ["user", "assistant"]
