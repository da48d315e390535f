"""Bad input from the operator and from the disk: clear words that name the place, the right exit code, nothing lost."""

import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import trio
from client import WebChatClient
from harness import Finished, Gateway, hermes
from harness_browser import CHROMIUM, browser

CONFIGURATION, GAVE_UP = 78, 70
DISK_BYTES = 32 << 20
DISK_DEADLINE_S = 40.0


async def run(home: Path) -> Finished:
    """A start that is expected to fail."""
    return await hermes("run", "--home", str(home), "--port", "0")


async def test_a_file_in_place_of_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("mine")

    done = await run(home)

    assert done.code == CONFIGURATION
    assert str(home) in done.err
    assert "ot a directory" in done.err
    assert home.read_text() == "mine"


@pytest.mark.parametrize("part", ["logs", "run"])
async def test_a_file_in_place_of_a_directory_in_the_home(tmp_path: Path, part: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / part).write_text("mine")

    done = await run(home)

    assert done.code == CONFIGURATION
    assert str(home / part) in done.err


@pytest.mark.parametrize("home", [Path("/proc/hermes"), Path("/dev/null/home")])
async def test_a_home_that_cannot_be_made(home: Path) -> None:
    done = await run(home)

    assert done.code == CONFIGURATION
    assert str(home) in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("web:\n  port: eighty\n", ("line 2", "web.port", "eighty")),
        ("agent: [1\n", ("line 2",)),
        ("drain_timeout_s: -1\n", ("line 1", "drain_timeout_s", "-1")),
        ("web: {port: 1}\nweb: {port: 2}\n", ("web", "line 1", "line 2")),
        ("- web\n", ("keys and values",)),
    ],
)
async def test_an_invalid_configuration_names_file_line_and_key(
    tmp_path: Path, text: str, words: tuple[str, ...]
) -> None:
    config = tmp_path / "home" / "config.yaml"
    config.parent.mkdir()
    config.write_text(text)

    done = await run(config.parent)

    assert done.code == CONFIGURATION
    assert all(word in done.err for word in (str(config), *words)), done.err
    assert "Traceback" not in done.err
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.yaml"]


async def test_a_taken_port_disables_web_and_nothing_else(gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", gateway.port)):
        gateway.launch()

        async def web_is_disabled() -> bool:
            done = await gateway.ask("status", "--json")
            return done.code == 0 and (await gateway.lives())["root/gateway/web"][1] == "disabled"

        await gateway.until(web_is_disabled)
        lives, status = await gateway.lives(), await gateway.status()
        node = await gateway.json("tree", "root/gateway/web")
        link = await gateway.ask("web", "link")

    assert {path for path, (_, state) in lives.items() if state != "running"} == {"root/gateway/web"}
    assert (status["state"], status["port"], status["down"]) == ("degraded", None, ["root/gateway/web"])
    assert f"127.0.0.1:{gateway.port}" in node["root"]["last_error"]
    assert f"127.0.0.1:{gateway.port}" in gateway.printed
    assert link.code == 1
    assert "web server is not up" in link.err

    await gateway.cli("restart", "root/gateway/web")

    await gateway.ready()
    assert (await gateway.status())["port"] == gateway.port


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(gateway: Gateway) -> None:
    gateway.home.mkdir()
    database = gateway.home / "gateway.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 4711")
    before = database.read_bytes()

    gateway.launch()

    assert await gateway.ended() == CONFIGURATION
    assert str(database) in gateway.printed
    assert "4711" in gateway.printed
    assert database.read_bytes() == before


async def test_AC_45_a_damaged_database_is_set_aside_loudly_at_the_next_start(gateway: Gateway) -> None:
    gateway.home.mkdir()
    database = gateway.home / "gateway.db"
    garbage = b"this is no database" * 5000
    database.write_bytes(garbage)

    gateway.launch()

    assert await gateway.ended() == GAVE_UP
    assert str(database) in gateway.printed
    assert "not a database" in gateway.printed
    assert database.read_bytes() == garbage

    await gateway.start()

    (aside,) = gateway.home.glob("gateway.db.damaged-*")
    assert aside.read_bytes() == garbage
    assert str(aside) in gateway.printed
    assert (await gateway.status())["state"] == "running"
    async with trio.open_nursery() as nursery:
        client = WebChatClient(gateway.url, await gateway.log_in())
        nursery.start_soon(client.run)
        with trio.fail_after(DISK_DEADLINE_S):
            await client.until(lambda: bool(client.answers))
        nursery.cancel_scope.cancel()
    assert aside.name in client.answers[0].text


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a few messages."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs mount")
    if made.returncode:
        pytest.skip(f"may not mount a small disk: {made.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_AC_45_a_full_disk_pauses_intake_and_loses_nothing(small_disk: Path) -> None:
    gateway = Gateway(small_disk / "home")
    gateway.log = small_disk.with_name("full-disk.log")
    try:
        await gateway.start()
        before = await gateway.lives()
        client = WebChatClient(gateway.url, await gateway.log_in())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            with trio.fail_after(DISK_DEADLINE_S):
                assert await client.ask("echo one") == "one"
            ballast = small_disk / "ballast"
            _fill(ballast)

            words = [f"{n} " + "word " * 5_000 for n in range(3)]
            for text in words:
                client.send(f"echo {text}")

            with trio.fail_after(DISK_DEADLINE_S):
                assert await _waiting(gateway) == ["store"]
            kept = client.unaccepted
            assert kept, "what the disk has no room for is not acknowledged"
            status = await gateway.status()
            assert status["state"] == "degraded"
            assert "full" in status["store"]
            assert "takes no writes (store_degraded: " in await gateway.cli("status")
            script = await gateway.ask("chat", "-m", "echo script", "--timeout", "5")
            assert (script.code, script.out) == (1, "")
            assert "waiting: the gateway's disk takes no writes" in script.err
            assert "the gateway has not taken the message in time: the gateway's disk" in script.err
            assert client.unaccepted == kept

            ballast.unlink()
            await gateway.ready()
            with trio.fail_after(DISK_DEADLINE_S):
                await client.until(lambda: len(client.answers) == 1 + len(words))
            nursery.cancel_scope.cancel()
        assert [answer.text for answer in client.answers[1:]] == [text.strip() for text in words]
        assert {path: before[path] for path in before} == {
            path: life for path, life in (await gateway.lives()).items() if path in before
        }
        assert await gateway.stop() == 0
    finally:
        gateway.close()


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
@pytest.mark.long
async def test_AC_45_the_page_names_the_full_disk_while_a_message_waits_for_it(small_disk: Path) -> None:
    gateway = Gateway(small_disk / "home")
    gateway.log = small_disk.with_name("full-disk-page.log")
    try:
        await gateway.start()
        async with browser() as page:
            await page.open((await gateway.cli("web", "link")).strip())
            await page.until("document.getElementById('link').dataset.state === 'online'")
            ballast = small_disk / "ballast"
            _fill(ballast)

            await page.say("echo " + "word " * 5_000)
            await page.until("document.getElementById('banner').textContent.includes('store_degraded')")
            assert not await page.script("document.getElementById('banner').hidden")

            ballast.unlink()
            await page.until("document.querySelectorAll('#log > li.agent').length === 1")
            await page.until("document.getElementById('banner').hidden")
        assert await gateway.stop() == 0
    finally:
        gateway.close()


def _fill(ballast: Path) -> None:
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(os.urandom(size))
            except OSError:
                continue


async def _waiting(gateway: Gateway) -> list[str]:
    """What /ready names, once it is not 200 any more."""
    async with httpx.AsyncClient(trust_env=False, timeout=DISK_DEADLINE_S) as http:
        while (answer := await http.get(f"{gateway.url}/ready")).status_code == httpx.codes.OK:
            await trio.sleep(0.02)
    waiting: list[str] = answer.json()["waiting"]
    return waiting
