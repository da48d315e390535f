"""What a foreign page, another user or a planted link gets: nothing. And no secret where it does not belong."""

import os
import re
import stat
from pathlib import Path

import httpx
import pytest
import trio
from client import WebChatClient, chat_socket
from harness import Gateway
from trio_websocket import HandshakeError

CONFIGURATION = 78
ANSWER_DEADLINE_S = 30.0
EVIL = "https://evil.example"


async def talk(gateway: Gateway, cookie: str) -> None:
    """One message and its answer, so that everything a gateway writes is there."""
    client = WebChatClient(gateway.url, cookie)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(ANSWER_DEADLINE_S):
            assert await client.ask("note the milk") != ""
        nursery.cancel_scope.cancel()


async def test_S31_a_foreign_page_gets_no_web_socket_and_no_login(gateway: Gateway) -> None:
    await gateway.start()
    cookie = await gateway.log_in()

    for origin in (EVIL, "null", f"{gateway.url}.evil.example", f"http://127.0.0.1:{gateway.port + 1}"):
        with pytest.RaisesGroup(HandshakeError):
            async with chat_socket(gateway.url, cookie, origin=origin):
                pass
        async with httpx.AsyncClient(trust_env=False, headers={"origin": origin, "cookie": cookie}) as http:
            login = await http.post(f"{gateway.url}/login", json={"code": "0" * 32})
            restart = await http.post(f"{gateway.url}/api/restart", json={"path": "root/gateway"})
        assert (login.status_code, restart.status_code) == (403, 403)
    assert (await gateway.lives())["root/gateway"] == (1, "running")


async def test_S34_a_foreign_host_is_refused_and_no_cors_header_is_ever_sent(gateway: Gateway) -> None:
    await gateway.start()
    cookie = await gateway.log_in()
    async with httpx.AsyncClient(trust_env=False, headers={"cookie": cookie}) as http:
        for path in ("/", "/ready", "/api/tree", "/static/chat.js"):
            rebound = await http.get(gateway.url + path, headers={"host": f"evil.example:{gateway.port}"})
            asked = await http.get(gateway.url + path, headers={"origin": EVIL})
            preflight = await http.options(
                gateway.url + path, headers={"origin": EVIL, "access-control-request-method": "POST"}
            )

            assert rebound.status_code == 421, path
            for answer in (rebound, asked, preflight):
                assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_S32_no_code_and_no_cookie_stands_in_a_log_a_url_or_the_database(gateway: Gateway) -> None:
    gateway.home.mkdir(mode=0o700)
    (gateway.home / "config.yaml").write_text("logging: {level: debug}\n")
    gateway.launch(options=["-vv"])
    await gateway.ready()
    code = (await gateway.json("web", "link"))["url"].partition("#")[2]
    async with httpx.AsyncClient(trust_env=False, headers={"origin": gateway.url}) as http:
        used = await http.post(f"{gateway.url}/login", json={"code": code})
        again = await http.post(f"{gateway.url}/login", json={"code": code})
        in_the_query = await http.get(f"{gateway.url}/?code={code}")
    assert (used.status_code, again.status_code) == (200, 401)
    assert "set-cookie" not in in_the_query.headers
    cookie = used.headers["set-cookie"].partition(";")[0]
    assert {"HttpOnly", "SameSite=strict"} <= set(used.headers["set-cookie"].split("; "))
    token = cookie.partition("=")[2]
    await talk(gateway, cookie)
    async with httpx.AsyncClient(trust_env=False, headers={"cookie": cookie}) as http:
        tree = (await http.get(f"{gateway.url}/api/tree")).text
    assert await gateway.stop() == 0

    printed_links = re.findall(r"Open +\S+#(\w+)", gateway.printed)
    log = (gateway.home / "logs" / "gateway.log").read_text()
    database = (gateway.home / "gateway.db").read_bytes()
    assert len(printed_links) == 1
    assert len(log.splitlines()) > 20
    for secret in (code, token, *printed_links):
        assert secret not in log
        assert secret.encode() not in database
        assert secret not in tree
    assert code not in gateway.printed
    assert token not in gateway.printed


async def test_S41_everything_in_the_home_is_private_whatever_the_umask(gateway: Gateway) -> None:
    gateway.launch(umask=0)
    await gateway.ready()
    await talk(gateway, await gateway.log_in())

    async def the_tree_is_on_disk() -> bool:
        return (gateway.home / "run" / "tree.json").exists()

    await gateway.until(the_tree_is_on_disk)
    running = _modes(gateway.home)
    assert await gateway.stop() == 0
    stopped = _modes(gateway.home)

    assert {"gateway.db", "gateway.db-wal", "gateway.db-shm", "gateway.lock"} <= running.keys()
    assert {"run/control.sock", "run/tree.json", "logs/gateway.log"} <= running.keys()
    for name, mode in (running | stopped).items():
        assert stat.S_IMODE(mode) == (0o700 if stat.S_ISDIR(mode) else 0o600), (name, oct(mode))


def _modes(home: Path) -> dict[str, int]:
    return {str(path.relative_to(home)): path.lstat().st_mode for path in (home, *home.rglob("*"))}


@pytest.mark.parametrize(
    "name", ["gateway.lock", "gateway.db", "logs/gateway.log", "run/control.sock", "run"]
)
async def test_S44_a_planted_link_is_named_and_not_followed(
    gateway: Gateway, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir() if name == "run" else victim.write_text("mine")
    link = gateway.home / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)

    gateway.launch()

    assert await gateway.ended() == CONFIGURATION
    assert str(link) in gateway.printed
    assert link.is_symlink()
    assert os.listdir(victim) == [] if name == "run" else victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["gateway.db-wal", "run/tree.json"])
async def test_S44_a_link_planted_for_what_is_made_anew_is_replaced(
    gateway: Gateway, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    link = gateway.home / name
    link.parent.mkdir(parents=True)
    link.symlink_to(victim)
    await gateway.start()

    async def the_link_is_replaced() -> bool:
        return not link.is_symlink()

    await gateway.until(the_link_is_replaced)
    assert victim.read_text() == "mine"
