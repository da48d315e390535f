"""One person in web chat and console, on a real gateway: joined by ``/link``, apart again, and forgotten."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from client import WebChatClient
from harness import Gateway

CONSOLE, WEB = "agent:main:console:dm:ann", "agent:main:webchat:dm:main"
DEADLINE_S = 60.0


@asynccontextmanager
async def web_chat(gateway: Gateway) -> AsyncIterator[WebChatClient]:
    """A tab of the web chat."""
    client = WebChatClient(gateway.url, await gateway.log_in())
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            yield client
            nursery.cancel_scope.cancel()


async def console(gateway: Gateway, text: str) -> str:
    return json.loads(await gateway.cli("chat", "--user", "ann", "-m", text, "--json"))["reply"]


async def said(gateway: Gateway, key: str) -> list[str]:
    """What people said in a conversation, in its order."""
    whole = json.loads(await gateway.cli("sessions", "export", key, "--format", "json"))
    return [line["text"] for line in whole["lines"] if line["role"] == "user"]


async def join(gateway: Gateway, client: WebChatClient) -> None:
    """The console goes on in the web chat's conversation."""
    code = re.search(r"\*\*(\w{8})\*\*", await client.ask("/link console"))
    assert code is not None
    assert "Done" in await console(gateway, f"/link {code[1]}")
    await client.until(lambda: any("console:ann is linked with you" in one.text for one in client.answers))


async def test_web_chat_and_console_are_one_conversation_after_a_code_and_two_again_after_unlink(gateway):
    await gateway.start()
    async with web_chat(gateway) as client:
        await console(gateway, "echo old")
        await client.ask("echo web 1")
        await join(gateway, client)
        assert await console(gateway, "echo console 1") == "console 1"
        assert await client.ask("echo web 2") == "web 2"
        assert await console(gateway, "echo console 2") == "console 2"
        assert await said(gateway, WEB) == ["echo web 1", "echo console 1", "echo web 2", "echo console 2"]
        assert await said(gateway, CONSOLE) == ["echo old"]
        shown = await gateway.json("sessions", "show", CONSOLE)
        assert shown["history"][-1]["end_reason"] == "linked"

        assert "webchat:operator" in await console(gateway, "/unlink")
        await console(gateway, "echo new")
        assert await said(gateway, CONSOLE) == ["echo old", "echo new"]
        assert len(await said(gateway, WEB)) == 4
        again = await gateway.json("sessions", "show", CONSOLE)
        assert (again["session_id"], again["history"][-1]["end_reason"]) == (shown["session_id"], "")
    assert (await gateway.status())["counts"]["unaccounted"] == 0


@pytest.mark.parametrize(
    "faults", ["after_inbox_commit:kill9:3", "after_decision:kill9:3", "before_ack:kill9:3"]
)
async def test_a_kill_in_the_middle_of_a_link_leaves_all_of_it_or_nothing(gateway, faults):
    await gateway.start(faults)
    async with web_chat(gateway) as client:
        await client.ask("echo web")
        code = re.search(r"\*\*(\w{8})\*\*", await client.ask("/link"))
        # The third message kills it: perhaps before its commit, and then the terminal has to say it again.
        done = await gateway.ask("chat", "--user", "ann", "--timeout", "5", "-m", f"/link {code[1]}")
        assert await gateway.ended() == -9
        persons = (await gateway.json("identity", "list"))["persons"]
        told = [one for one in client.answers if "is linked with you" in one.text]
        assert told == [] or persons
        await gateway.start()
        if not persons and done.code:
            await gateway.until(lambda: linked(gateway, code[1]))
        (person,) = (await gateway.json("identity", "list"))["persons"]
        assert [one["user"] for one in person["identities"]] == ["webchat:operator", "console:ann"]
        await console(gateway, "echo after")
        assert await said(gateway, WEB) == ["echo web", "echo after"]


async def linked(gateway: Gateway, code: str) -> bool:
    """Whether somebody is; if not, the code is sent again, as a person would."""
    if (await gateway.json("identity", "list"))["persons"]:
        return True
    await gateway.ask("chat", "--user", "ann", "--timeout", "5", "-m", f"/link {code}")
    return False


async def test_the_operator_links_exports_and_forgets_with_and_without_a_gateway(gateway, tmp_path):
    await gateway.start()
    for words in ("zqxabc one", "note zqxabc two"):
        await console(gateway, f"echo {words}" if "one" in words else words)
    await gateway.cli("chat", "--user", "bob", "-m", "echo bobsword")
    person = await gateway.json("identity", "link", "console:ann", "webchat:operator", "--name", "Ann")
    assert person["session_key"] == CONSOLE
    twice = await gateway.ask("identity", "link", "console:ann", "webchat:operator")
    assert (twice.code, "same person already" in twice.err) == (1, True)
    await gateway.stop()

    assert (await gateway.json("identity", "list"))["persons"] == [person]
    assert (await gateway.json("identity", "unlink", "webchat:operator"))["user"] == "webchat:operator"
    again = await gateway.json("identity", "link", "console:ann", "webchat:operator", "--name", "Ann")
    assert again["identities"][1]["user"] == "webchat:operator"
    file = tmp_path / "ann.json"
    await gateway.cli("identity", "export", "Ann", "-o", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    offline = json.loads(file.read_text())
    assert [one["event"]["text"] for one in offline["messages"]] == ["echo zqxabc one", "note zqxabc two"]
    assert [one["text"] for one in offline["notes"]] == ["zqxabc two"]
    assert await gateway.json("identity", "export", "Ann") == offline

    await gateway.start()
    assert (await gateway.json("identity", "export", "Ann"))["messages"] == offline["messages"]
    asked = await gateway.ask("forget", "Ann")
    assert (asked.code, "--yes" in asked.err) == (2, True)
    gone = await gateway.json("forget", "Ann", "--yes")
    assert (gone["users"], gone["messages"], gone["notes"]) == (["console:ann", "webchat:operator"], 2, 1)
    log = (await gateway.json("audit"))["audit"]
    assert [one["action"] for one in log] == ["forget", "link", "unlink", "link"]
    assert "ann" not in repr(log)
    assert (await gateway.json("sessions", "search", "zqxabc"))["hits"] == []
    assert (await gateway.status())["counts"]["unaccounted"] == 0
    raw = b"".join(part.read_bytes() for part in gateway.home.glob("gateway.db*"))
    assert (b"zqxabc" in raw, b"bobsword" in raw) == (False, True)
    nobody = await gateway.ask("forget", "Ann", "--yes", "--json")
    assert (nobody.code, json.loads(nobody.err)["error"]["type"]) == (1, "no_such_person")
    await gateway.stop()
    assert (await gateway.json("forget", "console:bob", "--yes"))["messages"] == 1
    raw = b"".join(part.read_bytes() for part in gateway.home.glob("gateway.db*"))
    assert b"bobsword" not in raw
