"""Hooks in a real gateway: the one in the documentation, one that hangs and one that crashes, and the commands about them."""

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
