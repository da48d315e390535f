"""The logs of a real gateway: read by the command, without secrets, and nobody has to read its stderr."""

import json
import os
import subprocess
import sys
from pathlib import Path

import trio
from client import WebChatClient
from harness import Gateway

ANSWER_DEADLINE_S = 30.0
SECRET = "0123456789abcdef0123456789abcdef"


async def talk(gateway: Gateway, *texts: str) -> None:
    """Say something and wait for the answers."""
    client = WebChatClient(gateway.url, await gateway.log_in())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(ANSWER_DEADLINE_S):
            for text in texts:
                assert await client.ask(text) != ""
        nursery.cancel_scope.cancel()


async def messages(gateway: Gateway, *options: str) -> list[str]:
    """What ``hermes logs`` shows."""
    return [entry["message"] for entry in (await gateway.json("logs", *options))["entries"]]


async def test_S46_S47_S48_the_logs_tell_what_happened_and_neither_secrets_nor_messages(
    tmp_path: Path,
) -> None:
    """A home whose path holds a secret makes the gateway log it."""
    gateway = Gateway(tmp_path / SECRET)
    gateway.home.mkdir(mode=0o700)
    (gateway.home / "config.yaml").write_text(
        f"logging: {{format: json, level: debug}}\nplatforms: {{discord: {{token: {SECRET}}}}}\n"
    )
    (gateway.home / "config.yaml").chmod(0o600)
    try:
        await gateway.start()
        await talk(gateway, "note the PRIVATE-WORDS")
        running = await messages(gateway)
        session = await messages(gateway, "--session", "agent:main:webchat:dm:main")
        actors = await messages(gateway, "--actor", "root/gateway/sessions/*", "--level", "info")
        assert await gateway.stop() == 0
        stopped = await messages(gateway)
    finally:
        gateway.close()

    assert running[0].endswith(f" on {tmp_path}/[redacted]")
    assert stopped[-1] == "stopped, exit code 0"
    assert set(actors) <= set(session)
    assert any("answered after" in message for message in session)
    for path in (gateway.home / "logs").iterdir():
        written = path.read_text()
        assert SECRET not in written
        assert "PRIVATE-WORDS" not in written
        assert all(isinstance(json.loads(line), dict) for line in written.splitlines())
    assert SECRET not in gateway.printed.replace(f"--home {gateway.home}", "")
    agent_log = (gateway.home / "logs" / "agent.log").read_text()
    assert "answered after" in agent_log
    (told,) = (gateway.home / "logs" / "errors.log").read_text().splitlines()
    assert "platforms.discord: this version has no adapter for discord" in json.loads(told)["message"]


async def test_AC12_a_gateway_whose_stderr_nobody_reads_answers_and_logs(gateway: Gateway) -> None:
    """The pipe is full before it starts, so its writer sticks in the first line for the console."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"." * 65_536)
    except BlockingIOError:
        os.set_blocking(writing, True)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hermes.cli",
            "run",
            "--home",
            str(gateway.home),
            "--port",
            str(gateway.port),
            "-v",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=writing,
        start_new_session=True,
    )
    gateway._process = process
    try:
        await gateway.ready()
        await talk(gateway, "one", "two", "three")
        lag_ms = (await gateway.status())["loop_lag_ms"]
        assert await gateway.stop() == 0
    finally:
        os.close(writing)
        os.close(reading)

    assert lag_ms < 1_000


async def test_logs_deleted_under_a_running_gateway_begin_anew(gateway: Gateway) -> None:
    await gateway.start()
    logs = gateway.home / "logs"
    for path in logs.iterdir():
        path.unlink()
    logs.rmdir()
    await talk(gateway, "hello")

    assert any("answered after" in message for message in await messages(gateway))
    assert await gateway.stop() == 0
    assert gateway.printed.count(f"{logs}/gateway.log was taken away") == 1
