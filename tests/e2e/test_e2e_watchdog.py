"""A loop that freezes, and the service manager that is told of it, in a real process on a real datagram socket."""

import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from client import chat_socket
from harness import Gateway

from actors import pulse
from supervisors import watchdog

FREEZE_S = 60.0
DUMPED_WITHIN_S = 5.0
SYSTEMD_WITHIN_S = 1.0
PATIENCE_S = 20.0


class Manager:
    """A service manager's ear, and what it was told."""

    def __init__(self, name: str) -> None:
        self.told: list[str] = []
        self._ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._ear.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)

    def listen(self) -> list[str]:
        """All it was told so far."""
        while True:
            try:
                self.told.append(self._ear.recv(4096).decode())
            except BlockingIOError:
                return self.told

    async def until(self, state: str, count: int = 1) -> None:
        """Wait to be told."""
        with trio.fail_after(PATIENCE_S):
            while sum(told.startswith(state) for told in self.listen()) < count:
                await trio.sleep(0.02)

    def close(self) -> None:
        self._ear.close()


@pytest.fixture
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    """One on a path; with the parameter ``abstract``, on a name without a file."""
    abstract = getattr(request, "param", "path") == "abstract"
    name = f"@hermes-e2e-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", str(int(SYSTEMD_WITHIN_S * 1e6)))
    manager = Manager(name)
    yield manager
    manager.close()


@pytest.mark.parametrize("manager", ["path", "abstract"], indirect=True)
async def test_a_life_as_its_service_manager_hears_it(gateway: Gateway, manager: Manager) -> None:
    await gateway.start()
    await manager.until("READY=1")
    await manager.until("WATCHDOG=1", 3)
    gateway.signal(signal.SIGHUP)
    await manager.until("RELOADING=1")
    await manager.until("READY=1", 2)
    assert await gateway.stop() == 0
    await manager.until("STOPPING=1")

    told = manager.listen()
    assert [state.partition("\n")[0] for state in told if state != "WATCHDOG=1"] == [
        "READY=1",
        "RELOADING=1",
        "READY=1",
        "STOPPING=1",
    ]


async def test_a_frozen_loop_is_shown_in_5_s_and_gives_no_sign_of_life(
    gateway: Gateway, manager: Manager
) -> None:
    await gateway.start(f"after_decode:delay={FREEZE_S:.0f}")
    await manager.until("WATCHDOG=1", 2)
    stacks = gateway.home / "logs" / "stacks.log"
    async with chat_socket(gateway.url, await gateway.log_in()) as page:
        await page.send_message(json.dumps({"t": "hello", "client": "c"}))
        await page.send_message(json.dumps({"t": "send", "id": "1", "text": "what somebody wrote"}))
        frozen_at = time.monotonic()
        with trio.fail_after(PATIENCE_S):
            while "_carry_out" not in stacks.read_text():
                await trio.sleep(0.02)

    written = stacks.read_text()
    # Where the machine lets it run, that is in time; how long it took here says more about the machine.
    assert pulse.LIMIT_S + 2 * watchdog.PERIOD_S < DUMPED_WITHIN_S
    assert re.search(r"the loop has not answered for \d+\.\d s", written)
    assert "store-writer" in written or "backlog.py" in written  # all threads, not the loop's alone
    assert "what somebody wrote" not in written
    gateway.signal(signal.SIGUSR2)  # is answered while the loop stands still
    with trio.fail_after(PATIENCE_S):
        while stacks.read_text().count("_carry_out") < 2:
            await trio.sleep(0.02)
    assert "the event loop has not answered" in gateway.printed
    assert time.monotonic() - frozen_at < FREEZE_S / 2

    told = len(manager.listen())
    await trio.sleep(3 * SYSTEMD_WITHIN_S)
    assert manager.listen()[told:] == []
    gateway.signal(signal.SIGKILL)  # as the manager would
    assert await gateway.ended() == -9


async def test_the_lag_stands_in_the_status(gateway: Gateway) -> None:
    await gateway.start("after_decode:delay=1.5")
    async with chat_socket(gateway.url, await gateway.log_in()) as page:
        await page.send_message(json.dumps({"t": "hello", "client": "c"}))
        await page.send_message(json.dumps({"t": "send", "id": "1", "text": "hello"}))

        async def it_has_been_frozen() -> bool:
            return bool((await gateway.status())["worst_loop_lag_ms"] >= 1_000)

        await gateway.until(it_has_been_frozen)

    status = await gateway.status()
    assert 0 <= status["loop_lag_ms"] <= status["worst_loop_lag_ms"]
