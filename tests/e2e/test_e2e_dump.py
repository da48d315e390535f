"""Looking into a real gateway: while it runs, by a signal, and after it was killed."""

import json
import signal
import stat
from typing import Any

import trio
from client import WebChatClient
from harness import Gateway, hermes
from harness_pty import CTRL_C, in_terminal

PRIVATE = "what somebody wrote"
SESSION = "root/gateway/sessions/agent:main:webchat:dm:main"
DEADLINE_S = 30.0


async def talk(gateway: Gateway) -> None:
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(DEADLINE_S):
            assert await client.ask(f"echo {PRIVATE}") == PRIVATE
        nursery.cancel_scope.cancel()


async def test_S48_a_dump_shows_everything_but_what_was_said(gateway: Gateway) -> None:
    await gateway.start()
    await talk(gateway)

    document = await gateway.json("dump", "--stacks")
    session = await gateway.json("dump", SESSION)
    text = await gateway.cli("dump", SESSION, "--stacks")

    assert document["node"]["path"] == "root"
    assert document["stacks"][0]["task"] == "root#1"
    assert any(event["path"] == f"{SESSION}/turn" for event in document["events"])
    assert session["stacks"] is None
    assert session["node"]["path"] == SESSION
    assert f"{SESSION}#1" in text
    assert "Tasks:" in text
    assert "Last events:" in text
    for shown in (str(document), str(session), text):
        assert PRIVATE not in shown


async def test_S41_S48_sigusr2_leaves_a_private_file_with_the_tree(gateway: Gateway) -> None:
    await gateway.start()
    await talk(gateway)
    logs = gateway.home / "logs"

    gateway.signal(signal.SIGUSR2)

    async def dumped() -> bool:
        return bool([*logs.glob("dump-*.json")])

    await gateway.until(dumped)
    (file,) = logs.glob("dump-*.json")
    document: dict[str, Any] = json.loads(file.read_text())
    assert document["node"]["path"] == "root"
    assert PRIVATE not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "most recent call first" in (logs / "stacks.log").read_text()
    assert (await gateway.lives())["root"] == (1, "running")
    assert await gateway.stop() == 0


async def test_after_kill9_tree_says_that_nothing_runs_and_shows_the_last_known_one(gateway: Gateway) -> None:
    await gateway.start()
    await talk(gateway)

    async def kept() -> bool:
        tree = gateway.home / "run" / "tree.json"
        return tree.exists() and SESSION in tree.read_text()

    await gateway.until(kept)
    await gateway.kill9()

    done = await gateway.ask("tree", "--json")
    plain = await gateway.ask("tree", SESSION)

    assert done.code == 3
    assert json.loads(done.out)["live"] is False
    assert SESSION in done.out
    assert json.loads(done.err)["error"]["type"] == "not_running"
    assert plain.code == 3
    assert plain.out.startswith("agent:main:webchat:dm:main  ")
    assert "no gateway runs" in plain.err
    assert (await gateway.ask("dump")).code == 3


async def test_a_watched_tree_lives_through_a_kill_and_leaves_the_terminal_as_it_was(
    gateway: Gateway,
) -> None:
    await gateway.start()
    async with in_terminal("tree", "--watch", "--home", str(gateway.home)) as terminal:
        await terminal.until("control running #1")
        await gateway.kill9()
        await terminal.until("nothing runs on")
        await terminal.until("last known tree")
        await gateway.start()
        await terminal.until("Ctrl-C ends it")
        terminal.press(CTRL_C)
        assert await terminal.ended() == 0
        raw = terminal._raw

    assert raw.count(b"\x1b[?1049h") == raw.count(b"\x1b[?1049l") == 1
    assert raw.count(b"\x1b[?25l") == raw.count(b"\x1b[?25h")
    assert (
        b"\x1b[2J" not in raw.partition(b"control")[2]
    )  # redrawn in place, never cleared: that would flicker
    assert b"Traceback" not in raw


async def test_without_a_terminal_watch_and_top_are_refused_with_a_hint(gateway: Gateway) -> None:
    for command, hint in (("tree --watch", "--json"), ("top", "--once")):
        done = await hermes(*command.split(), "--home", str(gateway.home))
        assert (done.code, done.out) == (2, "")
        assert hint in done.err
