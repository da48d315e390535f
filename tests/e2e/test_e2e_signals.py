"""How the process ends, and with which exit code."""

import json
import signal

import pytest
import trio
from client import chat_socket
from harness import Gateway

QUICK_S = 20.0
"""Less than a drain may take that waits for what does not come."""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 0), (signal.SIGTERM, 1), (signal.SIGUSR1, 75)],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else str(value),
)
async def test_AC_11_a_signal_stops_in_order(gateway: Gateway, number: signal.Signals, code: int) -> None:
    await gateway.start()

    gateway.signal(number)

    assert await gateway.ended(QUICK_S) == code
    assert number.name in gateway.printed
    assert ("came unplanned" in gateway.printed) == (number == signal.SIGTERM)
    state = json.loads((gateway.home / "gateway_state.json").read_text())
    assert (state["gateway_state"], state["exit_reason"]) == ("stopped", number.name)
    assert not (gateway.home / "gateway.pid").exists()


async def test_hermes_stop_returns_when_the_process_has_ended(gateway: Gateway) -> None:
    await gateway.start()
    began = trio.current_time()

    answer = await gateway.json("stop")

    assert answer == {"ok": True, "pid": gateway.pid}
    assert await gateway.ended(0.1) == 0
    assert trio.current_time() - began < QUICK_S


async def test_a_second_sigint_does_not_wait_for_the_drain(gateway: Gateway) -> None:
    await gateway.start()
    async with chat_socket(gateway.url, await gateway.log_in()) as deaf:
        for frame in ({"t": "hello", "client": "deaf"}, {"t": "send", "id": "1", "text": "echo hi"}):
            await deaf.send_message(json.dumps(frame))
        with trio.fail_after(QUICK_S):
            while json.loads(await deaf.get_message())["t"] != "message":
                pass

        # the answer is never acked, so its lane waits, and the drain for its lane
        gateway.signal(signal.SIGINT)

        async def draining() -> bool:
            return bool((await gateway.status())["state"] == "draining")

        await gateway.until(draining)
        gateway.signal(signal.SIGINT)

        assert await gateway.ended(QUICK_S) == 130
