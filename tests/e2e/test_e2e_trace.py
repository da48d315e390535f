"""A real message's way: what ``hermes trace`` says while the gateway runs, and the same from its file afterwards."""

import json

import trio
from client import WebChatClient
from harness import Gateway

LANE = "root/gateway/delivery/lanes/webchat:default:main"
TURN = "root/gateway/sessions/agent:main:webchat:dm:main/turn"
ANSWER_DEADLINE_S = 30.0
WAY = [
    "received",
    "decided",
    "routed",
    "turn",
    "turn",
    "exited",
    "answered",
    "prepared",
    "sending",
    "receipt",
    "sent",
]
PRIVATE = "what somebody wrote to us"


async def test_AC_54_a_way_is_the_same_from_the_gateway_and_from_its_file(gateway: Gateway) -> None:
    await gateway.start("after_take:raise:1")
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(ANSWER_DEADLINE_S):
            assert await client.ask(f"echo {PRIVATE}") == PRIVATE

        async def journalled() -> bool:
            (found,) = (await gateway.json("trace", "1"))["traces"]
            return len(found["steps"]) == len(WAY)

        await gateway.until(journalled)
        document = await gateway.json("trace", "1")
        nursery.cancel_scope.cancel()
    boot_id = (await gateway.status())["boot_id"]
    assert await gateway.stop() == 0

    (found,) = document["traces"]
    steps = found["steps"]
    assert sorted(step["step"] for step in steps) == sorted(WAY)
    assert (found["state"], found["row"]) == ("answered", 1)
    assert {step["actor"] for step in steps if step["step"] in ("turn", "answered", "exited")} == {TURN}
    assert {step["actor"] for step in steps if step["step"] in ("sending", "receipt", "sent")} == {LANE}
    assert {step["boot_id"] for step in steps} - {None} == {boot_id}
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    assert PRIVATE not in json.dumps(document)

    assert (await gateway.json("trace", found["trace"]))["traces"] == document["traces"]
    assert "answered" in await gateway.cli("trace", found["event_id"])
