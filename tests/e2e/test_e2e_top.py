"""``hermes top`` and ``hermes adapter`` with a real gateway."""

from client import WebChatClient
from harness import Gateway
from harness_pty import CTRL_C, in_terminal

WEBCHAT = "root/gateway/adapters/webchat:default"


async def test_top_for_scripts_and_for_people(gateway: Gateway) -> None:
    await gateway.start()

    document = await gateway.json("top", "--by", "mailbox", "-n", "5")
    once = await gateway.cli("top", "--once", "-n", "3")

    assert (document["by"], len(document["actors"])) == ("mailbox", 5)
    assert document["of"] > 10
    assert all(0 <= node["busy"] <= 1 for node in document["actors"])
    assert len(once.splitlines()) == 4
    assert once.splitlines()[0].split()[0] == "busy"

    async with in_terminal("top", "--home", str(gateway.home)) as terminal:
        await terminal.until("actors, by busy")
        await terminal.until("root/control#1")
        assert await gateway.stop() == 0
        await terminal.until("nothing runs on")
        terminal.press(CTRL_C)
        assert await terminal.ended() == 0


async def test_a_paused_adapter_is_off_until_it_is_resumed(gateway: Gateway) -> None:
    await gateway.start()
    cookie = await gateway.log_in()
    before = await gateway.lives()

    paused = await gateway.json("adapter", "pause", "webchat")

    assert paused["state"] == "paused"
    assert "webchat:default  paused" in await gateway.cli("adapter", "list")
    shown = await gateway.json("adapter", "status", "webchat:default")
    assert (shown["state"], shown["path"]) == ("paused", WEBCHAT)
    assert (await gateway.lives())[WEBCHAT][1] == "paused"
    assert (await gateway.status())["state"] == "running"

    assert (await gateway.json("adapter", "resume", "webchat"))["state"] == "listening"
    after = await gateway.lives()
    assert {path for path in before if before[path] != after.get(path)} == {WEBCHAT}
    assert WebChatClient(gateway.url, cookie) is not None
    refused = await gateway.ask("adapter", "pause", "telegram", "--json")
    assert refused.code == 1
    assert "webchat:default" in refused.err
