"""Pairing by a real process: a stranger, the operator's command line, kills, and nothing of a code anywhere."""

import json
import re
import signal
from pathlib import Path

import harness
import pytest
import trio
from harness import Gateway

from hermes.pairing.codes import ALPHABET
from hermes.testing.platform import FakePlatform
from hermes.types import texts

CODE = re.compile(rf"hermes pairing approve wire ([{ALPHABET}]{{8}})`")
RUNNER = str(Path(__file__).parent / "run_strangers.py")


@pytest.fixture
async def platform(nursery):
    async with FakePlatform().listening() as platform:
        yield platform


@pytest.fixture
def gateway(tmp_path, platform, monkeypatch):
    monkeypatch.setattr(harness, "_FAULTY", (RUNNER,))
    gateway = Gateway(tmp_path / "home", platform=str(platform.port))
    yield gateway
    gateway.close()


async def told(platform, chat, count):
    """The first ``count`` messages that a person has seen."""
    with trio.fail_after(20):
        while len(platform.read(chat)) < count:
            await trio.sleep(0.02)
    return platform.read(chat)


def rows(gateway, file):
    return json.loads((gateway.home / "platforms/pairing" / file).read_text())


async def test_a_stranger_is_let_in_at_once_and_over_a_kill(gateway, platform):
    await gateway.start()
    platform.write("77", "hello", user="u2")
    (words,) = await told(platform, "77", 1)
    code = CODE.search(words)[1]

    wrong = await gateway.ask("pairing", "approve", "wire", "AAAAAAAA", "--json")
    assert wrong.code == 1
    assert json.loads(wrong.err)["error"]["type"] == "pairing_wrong_code"
    done = await gateway.json("pairing", "approve", "Wire", code.lower())
    assert (done["user_id"], done["chat_id"], done["told"]) == ("u2", "77", True)
    assert (await told(platform, "77", 2))[1] == texts.PAIRED
    platform.write("77", "note one", user="u2")
    assert (await told(platform, "77", 3))[2] == "Noted as number 1."

    await gateway.kill9()
    await gateway.start()
    platform.write("77", "note two", user="u2")
    assert (await told(platform, "77", 4))[3] == "Noted as number 2."

    (listed,) = (await gateway.json("pairing", "list"))["pairing"]
    assert [(user["user_id"], user["listed"]) for user in listed["approved"]] == [("u2", False)]
    await gateway.stop()
    assert (await gateway.json("pairing", "list"))["pairing"] == [listed]
    assert (await gateway.json("pairing", "revoke", "wire", "u2"))["revoked"] is True
    for path in gateway.home.rglob("*"):
        if path.is_file():
            assert code.encode() not in path.read_bytes(), path
    for path in (gateway.home / "platforms/pairing").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_kill_between_the_file_and_the_commit_costs_the_stranger_nothing(
    gateway, platform, monkeypatch
):
    await gateway.start()
    await gateway.stop()
    monkeypatch.setenv("HERMES_DIE_AFTER_PAIRING", "1")
    gateway.launch()
    platform.write("77", "hello", user="u2")
    assert await gateway.ended() == -signal.SIGKILL
    (lost,) = rows(gateway, "wire-pending.json")
    assert platform.read("77") == []

    monkeypatch.delenv("HERMES_DIE_AFTER_PAIRING")
    await gateway.start()
    (words,) = await told(platform, "77", 1)
    (kept,) = rows(gateway, "wire-pending.json")
    assert kept != lost
    await gateway.cli("pairing", "approve", "wire", CODE.search(words)[1])
    assert (await told(platform, "77", 2))[1] == texts.PAIRED


async def test_S01_a_lockout_outlives_the_process_and_counts_both_ways_in(gateway, platform):
    await gateway.start()
    platform.write("77", "hello", user="u2")
    code = CODE.search((await told(platform, "77", 1))[0])[1]
    for _ in range(3):
        await gateway.ask("pairing", "approve", "wire", "AAAAAAAA")
    await gateway.kill9()
    for _ in range(2):  # without a gateway, by the same files
        last = await gateway.ask("pairing", "approve", "wire", "AAAAAAAA", "--json")
    assert json.loads(last.err)["error"]["type"] == "pairing_locked"
    await gateway.start()
    right = await gateway.ask("pairing", "approve", "wire", code, "--json")
    assert json.loads(right.err)["error"]["type"] == "pairing_locked"

    assert (await gateway.json("pairing", "grant", "wire", "u2", "--name", "Kim"))["told"] is True
    platform.write("77", "note three", user="u2")
    assert (await told(platform, "77", 3))[2] == "Noted as number 1."
