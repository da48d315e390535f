"""A real crash, and what ``hermes crashes`` knows of it, then and after the gateway is gone."""

import json
import sqlite3
import stat
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import trio
from client import WebChatClient
from harness import Gateway

ADAPTER = "root/gateway/adapters/webchat:default"
TURN = "root/gateway/sessions/agent:main:webchat:dm:main/turn"
PRIVATE = "what somebody wrote to us"
CONFIGURATION = 78
ANSWER_DEADLINE_S = 30.0


async def crashes(gateway: Gateway) -> list[Mapping[str, Any]]:
    return list((await gateway.json("crashes"))["crashes"])


async def test_S48_each_crash_is_one_private_file_that_holds_no_message(gateway: Gateway) -> None:
    await gateway.start("after_inbox_commit:raise:1,after_take:raise:1")
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(ANSWER_DEADLINE_S):
            assert await client.ask(f"echo {PRIVATE}") == PRIVATE
        nursery.cancel_scope.cancel()

    async def both_kept() -> bool:
        return len(await crashes(gateway)) == 2

    await gateway.until(both_kept)
    listed = await crashes(gateway)
    boot_id = (await gateway.status())["boot_id"]
    assert {crash["path"] for crash in listed} == {ADAPTER, TURN}
    assert await gateway.stop() == 0

    directory = gateway.home / "logs" / "crashes"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert (await gateway.cli("crashes", "list")).count("\n") == 2
    for crash in listed:
        why = f"InjectedFault: injected at {'after_take' if crash['path'] == TURN else 'after_inbox_commit'}"
        whole = await gateway.json("crashes", "show", crash["id"][:6])
        shown = await gateway.cli("crashes", "show", crash["id"])
        (file,) = directory.glob(f"*{crash['id']}*")

        assert (crash["incarnation"], crash["count"], crash["reason"]) == (1, 1, why)
        assert crash.items() <= whole.items()
        assert whole["boot_id"] == boot_id
        assert whole["traceback"].startswith("Traceback (most recent call last):")
        assert whole["traceback"].endswith(why)
        last = whole["events"][-1]
        assert (last["kind"], last["path"]) == ("exited", crash["path"])
        assert f"\n{why}\n" in shown
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == whole
        assert PRIVATE not in file.read_text()


async def test_what_ended_the_process_is_kept_although_nobody_is_left_to_write_it(gateway: Gateway) -> None:
    gateway.home.mkdir()
    with closing(sqlite3.connect(gateway.home / "gateway.db")) as connection:
        connection.execute("PRAGMA user_version = 4711")

    gateway.launch()

    assert await gateway.ended() == CONFIGURATION
    root, store = await crashes(gateway)
    assert (store["path"], store["decision"]) == ("root/store", "escalate")
    assert store["reason"].startswith("store_newer: ")
    assert "4711" in store["reason"]
    assert (root["path"], root["reason"]) == ("root", f"store did not start: {store['reason']}")
