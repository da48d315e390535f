"""AC-55 with a real process: limits of the configuration, told in words to who meets them."""

import json

from harness import Gateway

from hermes.types import texts


async def test_AC55_a_conversation_too_many_is_refused_in_words(gateway: Gateway) -> None:
    gateway.home.mkdir(mode=0o700)
    (gateway.home / "config.yaml").write_text("limits: {sessions: 1}\n")
    await gateway.start()

    first = await gateway.json("chat", "--user", "ann", "-m", "echo one")
    second = await gateway.ask("chat", "--user", "bob", "-m", "echo two", "--json")
    third = await gateway.json("chat", "--user", "ann", "-m", "echo three")

    assert (first["reply"], third["reply"]) == ("one", "three")
    assert (second.code, second.out) == (1, "")
    refusal = json.loads(second.err)["error"]
    assert (refusal["type"], refusal["message"]) == ("refused:sessions", texts.TOO_MANY_SESSIONS)
    status = await gateway.status()
    assert (status["counts"]["received"], status["counts"]["refused"]) == (3, 1)
    assert status["counts"]["unaccounted"] == 0
    assert (status["sessions"]["active"], status["state"]) == (1, "running")
    assert await gateway.stop() == 0
