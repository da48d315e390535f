"""``hermes send`` against a real gateway: seen in the web chat, kept for it while nothing runs, and safe over a kill."""

import json

import pytest
import trio
from client import WebChatClient
from harness import Gateway


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path / "home")
    yield gateway
    gateway.close()


def texts(client: WebChatClient) -> list[str]:
    return [answer.text for answer in client.answers]


async def test_AC24_what_is_sent_is_seen_and_waited_for(gateway):
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(20):
            await client.ask("hello")
            document = await gateway.json("send", "--to", "webchat:main", "--wait", "15", "from the shell")
            await client.until(lambda: any("from the shell" in text for text in texts(client)))
        nursery.cancel_scope.cancel()
    assert (document["ok"], document["offline"]) == (True, False)
    (one,) = document["results"]
    assert (one["delivery"]["state"], one["delivery"]["delivered"]) == ("sent", True)
    lines = json.loads(await gateway.cli("sessions", "export", "webchat", "--format", "json"))["lines"]
    assert (lines[-1]["role"], lines[-1]["text"]) == ("assistant", "from the shell")


async def test_what_is_sent_while_nothing_runs_is_delivered_by_the_next_run(gateway):
    await gateway.start()
    await gateway.stop()
    done = await gateway.ask("send", "--to", "webchat:main,nosuch", "good morning")
    assert done.code == 1
    assert "the next `hermes run` delivers it" in done.err
    assert "there is no platform nosuch" in done.err
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(20):
            await client.until(lambda: len(client.answers) > 0)
        nursery.cancel_scope.cancel()
    assert len(client.answers) == 1
    assert "good morning" in texts(client)[0]


async def test_AC25_what_was_taken_with_nobody_there_waits_also_over_a_kill(gateway):
    await gateway.start()
    late = await gateway.ask("send", "--to", "webchat:main", "--wait", "0.5", "are you there?")
    assert (late.code, "no receipt within 0.5 s" in late.out) == (1, True)
    await gateway.kill9()
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(20):
            await client.until(lambda: len(client.answers) > 0)
        nursery.cancel_scope.cancel()
    assert ["are you there?" in text for text in texts(client)] == [True]
