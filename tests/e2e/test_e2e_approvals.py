"""AC-47 with a real process: it is killed while a person thinks it over, and the answer counts once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from client import WebChatClient
from harness import Gateway

DEADLINE_S = 40.0
ALL_GONE = "All 2 notes are forgotten."


@asynccontextmanager
async def person(gateway: Gateway, chat: str = "main") -> AsyncIterator[WebChatClient]:
    """Somebody with two notes at an open page, who has said that all notes are to be forgotten and been asked."""
    client = WebChatClient(gateway.url, await gateway.log_in(), chat)
    with trio.fail_after(DEADLINE_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            await client.ask("note buy bread")
            await client.ask("note call Ann")
            assert (await client.ask("forget all notes")).startswith("May I forget all 2 notes?")
            yield client
            nursery.cancel_scope.cancel()


def heard(client: WebChatClient, text: str) -> int:
    """How many messages of ours begin so."""
    return sum(answer.text.startswith(text) for answer in client.answers)


async def test_AC47_killed_while_it_waits_it_asks_again_and_yes_counts_once(gateway: Gateway) -> None:
    await gateway.start()
    async with person(gateway) as client:
        (before,) = (await gateway.json("approvals", "list"))["approvals"]
        assert (before["state"], before["number"]) == ("pending", 1)
        assert "detail" not in before
        await gateway.kill9()
        await gateway.start()
        await client.until(lambda: heard(client, "May I forget") == 2)
        (again,) = (await gateway.json("approvals", "list", "--bodies"))["approvals"]
        assert (again["approval_id"], again["state"]) == (before["approval_id"], "pending")
        assert again["detail"] == "1  buy bread\n2  call Ann"
        assert "waits for approval since" in await gateway.cli("trace", "3")

        client.send("Yes!")
        await client.until(lambda: heard(client, ALL_GONE) == 1)
        assert (await client.ask("/approve 1")).startswith("Nothing that is called `1`")
        assert (await client.ask("notes")).startswith("I have no notes.")
        assert (heard(client, "Approved."), heard(client, ALL_GONE)) == (1, 1)
    (after,) = (await gateway.json("approvals", "list"))["approvals"]
    assert (after["state"], after["decided_by"]) == ("approved", "webchat:operator")
    assert "approved" in await gateway.cli("trace", "3")
    assert await gateway.stop() == 0


async def test_AC47_yes_said_to_a_gateway_that_is_away_counts_when_it_is_back(gateway: Gateway) -> None:
    await gateway.start()
    async with person(gateway) as client:
        await gateway.kill9()
        client.send("yes")
        await gateway.start()
        await client.until(lambda: heard(client, ALL_GONE) == 1)
        assert heard(client, "Approved.") == 1


async def test_AC47_killed_between_the_approved_step_and_its_effect_the_effect_comes_once(
    gateway: Gateway,
) -> None:
    """The third step: each note was one."""
    await gateway.start(faults="after_step:kill9:3")
    async with person(gateway) as client:
        client.send("yes")
        assert await gateway.ended() == -9
        await gateway.start()
        await client.until(lambda: heard(client, ALL_GONE) == 1)
        assert heard(client, "May I forget") == 1, "it is not asked again"
        assert (await client.ask("notes")).startswith("I have no notes.")


async def test_the_operator_decides_at_the_command_line(gateway: Gateway) -> None:
    await gateway.start()
    async with person(gateway) as client:
        (one,) = (await gateway.json("approvals", "list"))["approvals"]
        denied = await gateway.json("approvals", "deny", one["approval_id"], "they are dear to me")
        assert (denied["state"], denied["decided_by"], denied["reason"]) == (
            "denied",
            "operator",
            "they are dear to me",
        )
        await client.until(lambda: heard(client, "I have kept all notes.") == 1)
        late = await gateway.ask("approvals", "approve", one["approval_id"])
        assert (late.code, "denied already" in late.err) == (1, True)
        unknown = await gateway.ask("approvals", "approve", "ffffffff")
        assert (unknown.code, "there is no approval" in unknown.err) == (1, True)
    await gateway.stop()
    assert (await gateway.ask("approvals", "approve", one["approval_id"])).code == 3
    listed = await gateway.cli("approvals")
    assert "denied by operator" in listed
    assert "forget all 2 notes" in listed
