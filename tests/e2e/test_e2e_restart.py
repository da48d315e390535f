"""One failure stays one failure, seen from outside: ``hermes tree --json`` before and after."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from client import WebChatClient
from harness import Gateway

SESSION = "root/gateway/sessions/agent:main:webchat:dm:main"
LANE = "root/gateway/delivery/lanes/webchat:default:main"
ADAPTER = "root/gateway/adapters/webchat:default"
WATCH = "root/gateway/hooks/watch"
"""A child of its actor's own, which begins and ends with it."""

FRESH = {
    "root",
    "root/control",
    "root/store",
    "root/gateway",
    "root/gateway/delivery",
    "root/gateway/delivery/lanes",
    "root/gateway/delivery/outbox",
    "root/gateway/cron",
    "root/gateway/hooks",
    "root/gateway/pairing",
    "root/gateway/sessions",
    "root/gateway/inbound",
    "root/gateway/maintenance",
    "root/gateway/maintenance/health",
    "root/gateway/maintenance/journal",
    "root/gateway/maintenance/dossiers",
    "root/gateway/maintenance/dumper",
    "root/gateway/maintenance/expiry",
    "root/gateway/maintenance/retention",
    "root/gateway/maintenance/cleaning",
    "root/gateway/maintenance/database",
    "root/gateway/maintenance/clock",
    "root/gateway/maintenance/channels",
    "root/gateway/maintenance/notices",
    "root/gateway/maintenance/reloader",
    "root/gateway/web",
    "root/gateway/adapters",
    ADAPTER,
    "root/gateway/adapters/console:default",
}
ANSWER_DEADLINE_S = 30.0

Lives = Mapping[str, tuple[int, str]]


@asynccontextmanager
async def talking(gateway: Gateway) -> AsyncIterator[WebChatClient]:
    """A client in the chat ``main``."""
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        yield client
        nursery.cancel_scope.cancel()


async def answered(client: WebChatClient, text: str) -> None:
    """``text`` is echoed."""
    with trio.fail_after(ANSWER_DEADLINE_S):
        assert await client.ask(f"echo {text}") == text


async def at_rest(gateway: Gateway) -> Lives:
    """The tree when every actor runs and no turn does."""
    seen: Lives = {}

    async def everything_running() -> bool:
        nonlocal seen
        seen = await gateway.lives()
        return all(state == "running" for _, state in seen.values()) and f"{SESSION}/turn" not in seen

    await gateway.until(everything_running)
    return seen


def reborn(before: Lives, after: Lives) -> dict[str, int]:
    """By how many incarnations each actor has moved on, where it has; 0 for one that is not there any more."""
    return {
        path: after[path][0] - life if path in after else 0
        for path, (life, _) in before.items()
        if path not in after or after[path][0] != life
    }


async def test_AC_04_every_actor_can_be_restarted_and_the_tree_is_whole_again(gateway: Gateway) -> None:
    await gateway.start()
    assert (await at_rest(gateway)).keys() == FRESH | {WATCH}
    async with talking(gateway) as client:
        await answered(client, "before")
        before = await at_rest(gateway)
        everybody = before.keys()
        assert everybody == FRESH | {WATCH, SESSION, LANE}

        for path in sorted(everybody - {"root", "root/gateway", "root/control", WATCH}):
            answer = await gateway.json("restart", path)

            assert answer == {
                "path": path,
                "old_incarnation": before[path][0],
                "incarnation": before[path][0] + 1,
            }
            await answered(client, f"after {path}")
            after = await at_rest(gateway)
            moved = reborn(before, after)
            assert moved.pop(path) == 1
            assert all(other.startswith(f"{path}/") for other in moved), (path, moved)
            assert after.keys() == everybody
            before = after


async def test_AC_04_the_control_socket_itself_can_be_restarted(gateway: Gateway) -> None:
    await gateway.start()
    before = await at_rest(gateway)

    words = await gateway.cli("restart", "root/control")
    document = await gateway.json("restart", "root/control")

    assert words == "root/control: incarnation 1 → 2\n"
    assert document == {"path": "root/control", "old_incarnation": 2, "incarnation": 3}
    assert reborn(before, await at_rest(gateway)) == {"root/control": 2}


async def test_a_restarted_session_is_the_only_one_that_changed(gateway: Gateway) -> None:
    await gateway.start()
    async with talking(gateway) as client:
        await answered(client, "before")
        before = await at_rest(gateway)

        await gateway.cli("restart", SESSION)

        assert reborn(before, await at_rest(gateway)) == {SESSION: 1}
        await answered(client, "after")


@pytest.mark.parametrize(
    ("point", "crashed", "kind"),
    [
        ("after_inbox_commit", ADAPTER, "adapter"),
        ("after_take", None, "turn"),
        ("before_send", LANE, "delivery.lane"),
    ],
)
async def test_an_injected_crash_restarts_the_actor_that_crashed(
    gateway: Gateway, point: str, crashed: str | None, kind: str
) -> None:
    """Where nobody is named it was the turn, whose session begins it again. Either way the metrics know of it."""
    await gateway.start(f"{point}:raise:2")
    async with talking(gateway) as client:
        await answered(client, "one")
        before = await at_rest(gateway)

        await answered(client, "two")

        assert reborn(before, await at_rest(gateway)) == ({crashed: 1} if crashed else {})
        assert "InjectedFault" in gateway.printed
        await answered(client, "three")
        assert [answer.text for answer in client.answers] == ["one", "two", "three"]

    async with httpx.AsyncClient() as http:
        figures = (await http.get(f"{gateway.url}/metrics")).text.splitlines()
    assert f'hermes_actor_failures_total{{kind="{kind}"}} 1' in figures
    assert "hermes_messages_received_total 3" in figures
    assert "hermes_messages_unaccounted 0" in figures
    assert "hermes_store_commit_seconds_count 0" not in figures


async def test_the_whole_gateway_restarts_below_its_root(gateway: Gateway) -> None:
    await gateway.start()
    before, pid = await at_rest(gateway), gateway.pid

    answer = await gateway.json("restart", "root/gateway")

    after = await at_rest(gateway)
    assert answer["path"] == "root/gateway"
    assert (await gateway.status())["pid"] == pid
    assert reborn(before, after).keys() == {path for path in FRESH if path.startswith("root/gateway")}


async def test_what_cannot_be_restarted_is_refused_in_words(gateway: Gateway) -> None:
    await gateway.start()

    nobody = await gateway.ask("restart", "root/gateway/nobody")
    root = await gateway.ask("restart", "root")

    assert (nobody.code, root.code) == (1, 1)
    assert "root/gateway/nobody" in nobody.err
    assert "restart the process" in root.err
