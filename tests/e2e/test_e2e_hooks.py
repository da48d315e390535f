"""Hooks in a real gateway: the one in the documentation, and one of each kind while people write, beside those that hang and
crash; and the commands about them.
"""

import json
import re
from pathlib import Path

import trio
from client import WebChatClient
from harness import Gateway

PAGE = Path(__file__).resolve().parents[2] / "docs" / "hooks.md"
MOST_LINES = 10


def documented(language: str) -> str:
    """The first block of that language on the page."""
    return re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]


def install(home: Path, name: str, source: str, manifest: str) -> None:
    path = home / "hooks" / name
    path.mkdir(parents=True, mode=0o700)
    (path / "HOOK.yaml").write_text(manifest)
    (path / "handler.py").write_text(source)


def test_the_hook_of_the_page_is_short():
    lines = [line for line in documented("python").splitlines() if line.strip()]

    assert len(lines) <= MOST_LINES


async def test_the_hook_of_the_page_works_beside_one_that_hangs_and_one_that_crashes(gateway: Gateway):
    notes = gateway.home / "notes.txt"
    gateway.home.mkdir(mode=0o700)
    source = documented("python").replace('"notes.txt"', repr(str(notes)))
    install(gateway.home, "shout", source, documented("yaml"))
    install(
        gateway.home, "hangs", "import time\ndef handle(e, c):\n    time.sleep(60)\n", "events: [agent:*]\n"
    )
    install(gateway.home, "crashes", "async def handle(e, c):\n    raise SystemExit\n", "events: [agent:*]\n")
    await gateway.start()
    listed = await gateway.json("hooks", "list")
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        client.send("buy now!")
        await client.ask("help")
        with trio.fail_after(20):
            while not notes.exists():
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    tried = await gateway.json("hooks", "test", "pre_gateway_dispatch")

    assert [one["name"] for one in listed["hooks"]] == ["crashes", "hangs", "shout"]
    assert len(client.answers) == 1
    assert notes.read_text().splitlines()[0].partition(": ")[2]
    assert [one["ok"] for one in tried["called"]] == [True]
    assert await gateway.stop() == 0


PEOPLE, MESSAGES = 2, 5
WROTE = {f"room{person}": [f"{person}.{n}" for n in range(MESSAGES)] for person in range(PEOPLE)}
KINDS = {
    "asyncio": (
        "import asyncio, pathlib\n"
        "async def handle(e, c):\n    await asyncio.sleep(0)\n"
        "    with open({notes!r}, 'a') as file:\n        file.write(c['message'] + chr(10))\n",
        "events: [agent:start]",
    ),
    "hangs": ("import time\ndef handle(e, c):\n    time.sleep(60)\n", "events: [agent:*]\ntimeout: 0.2"),
    "raises": ("def handle(e, c):\n    raise OSError\n", "events: [agent:start, pre_gateway_dispatch]"),
    "rewrites": (
        "import trio\n"
        "async def handle(e, c):\n    await trio.sleep(0)\n"
        "    return {{'action': 'rewrite', 'text': 'echo <' + c['event'].text + '>'}}\n",
        "events: [pre_gateway_dispatch]\nruntime: trio",
    ),
    "sync": (
        "def handle(e, c):\n    with open({notes!r}, 'a') as file:\n        file.write(c['response'] + chr(10))\n",
        "events: [agent:end]",
    ),
}


async def test_hooks_of_every_kind_while_people_write_lose_nothing_and_are_counted(gateway: Gateway):
    home = gateway.home
    home.mkdir(mode=0o700)
    for name, (source, manifest) in KINDS.items():
        install(home, name, source.format(notes=str(home / name)), manifest)
    (home / "note.sh").write_text(f"cat >>{home}/shell; echo >>{home}/shell\n")
    command = f"/bin/sh {home}/note.sh"
    (home / "config.yaml").write_text(f"hooks:\n  agent:end:\n    - {{command: {command}}}\n")
    await gateway.cli("hooks", "allow", "agent:end", command)
    await gateway.start()
    cookie = await gateway.log_in()
    clients = [WebChatClient(gateway.url, cookie, chat) for chat in WROTE]
    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(client.run)
            for text in WROTE[client.chat]:
                client.send(text)
        with trio.fail_after(20):
            for client in clients:
                await client.until(lambda client=client: len(client.answers) == MESSAGES)
            while _lines(home / "shell") < PEOPLE * MESSAGES or _lines(home / "sync") < PEOPLE * MESSAGES:
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    counts = {one["name"].partition(" ")[0]: one for one in (await gateway.json("hooks", "list"))["hooks"]}

    for client in clients:
        assert [answer.text for answer in client.answers] == [f"<{text}>" for text in WROTE[client.chat]]
    every = PEOPLE * MESSAGES
    assert sorted((home / "sync").read_text().split()) == sorted(
        f"<{t}>" for said in WROTE.values() for t in said
    )
    assert _lines(home / "asyncio") == every
    told = [json.loads(line) for line in (home / "shell").read_text().splitlines()]
    assert {one["hook_event_name"] for one in told} == {"agent:end"}
    for name in ("asyncio", "sync", "rewrites", "agent:end"):
        one = counts[name]
        assert (name, one["calls"], one["errors"], one["timeouts"], one["dropped"]) == (name, every, 0, 0, 0)
    assert (counts["raises"]["calls"], counts["raises"]["errors"]) == (2 * every, 2 * every)
    assert counts["hangs"]["timeouts"] >= 1
    assert await gateway.stop() == 0


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0
