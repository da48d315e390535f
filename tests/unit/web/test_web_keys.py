"""Routes that want a key: who gets through, and what guessing costs."""

import logging

import httpx
import pytest
import trio
from web_kit import HOST, ORIGIN, Edge, Mounted

from hermes.types import ports
from hermes.web.keys import FREE_TRIES, KNOWN_PEERS, MAX_LOCK_S

KEY = "k" + "3f9a7c1e5b2d8064" * 2


async def ok(_request: ports.Request) -> ports.Response:
    return ports.Response(body=b"{}")


def edge_with(key: str, *, exposed: bool = False) -> Edge:
    edge = Edge(exposed=exposed)
    edge.routes.table["GET", "/v1/x"] = Mounted("key", ok, key)
    return edge


async def get(edge: Edge, *keys: str, peer: str = "127.0.0.1", scheme: str = "Bearer ") -> httpx.Response:
    headers = [("host", HOST), *(("authorization", f"{scheme}{key}") for key in keys)]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge.app, client=(peer, 1))) as client:
        return await client.get(f"{ORIGIN}/v1/x", headers=headers)


@pytest.mark.parametrize(
    ("keys", "scheme", "status"),
    [
        ((KEY,), "Bearer ", 200),
        ((KEY,), "bearer  ", 200),
        ((), "", 401),
        ((KEY,), "Basic ", 401),
        ((KEY,), "", 401),
        ((KEY[:-1],), "Bearer ", 401),
        ((KEY + "x",), "Bearer ", 401),
        ((KEY.upper(),), "Bearer ", 401),
        (("",), "Bearer ", 401),
        ((KEY, KEY), "Bearer ", 401),  # S24: said twice
    ],
)
async def test_S24_exactly_the_key_opens(keys: tuple[str, ...], scheme: str, status: int) -> None:
    answer = await get(edge_with(KEY), *keys, scheme=scheme)

    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert answer.json()["error"]["type"] == "authentication_error"
        assert KEY not in answer.text


async def test_S31_a_browser_s_session_is_no_key() -> None:
    edge = edge_with(KEY)
    async with await edge.browser() as operator:
        assert (await operator.get("/v1/x")).status_code == 401


@pytest.mark.parametrize(
    ("key", "exposed", "status"),
    [
        ("", False, 200),
        ("", True, 401),
        ("short", False, 401),
        ("***", True, 401),
        ("your-api-key-goes-here", True, 401),
    ],
)
async def test_S25_S30_without_a_good_key_nobody_else_s_machine_gets_in(
    key: str, exposed: bool, status: int
) -> None:
    edge = edge_with(key, exposed=exposed)

    assert (await get(edge)).status_code == status
    assert (await get(edge, key or "x")).status_code == (401 if exposed else 200)


async def test_S33_who_guesses_is_shut_out_longer_each_time_and_nobody_else_is(autojump_clock) -> None:
    edge = edge_with(KEY)
    for n in range(FREE_TRIES):
        assert (await get(edge, f"guess{n}", peer="10.0.0.9")).status_code == 401

    waits = []
    while not waits or waits[-1] < MAX_LOCK_S:
        locked = await get(edge, KEY, peer="10.0.0.9")
        assert locked.status_code == 429  # a good key too, or guessing would cost nothing
        waits.append(int(locked.headers["retry-after"]))
        assert (await get(edge, KEY)).status_code == 200
        await trio.sleep(waits[-1])
        assert (await get(edge, "guess", peer="10.0.0.9")).status_code == 401

    assert waits == [1, 2, 4, 8, 16, 32, 60]
    await trio.sleep(MAX_LOCK_S)
    assert (await get(edge, KEY, peer="10.0.0.9")).status_code == 200
    assert (await get(edge, "guess", peer="10.0.0.9")).status_code == 401
    assert (await get(edge, KEY, peer="10.0.0.9")).status_code == 200


@pytest.mark.parametrize(
    ("guesses_from", "peer", "status"),
    [
        ("2001:db8:1:2::{}", "2001:db8:1:2:ffff::9", 429),
        ("2001:db8:1:2::{}", "2001:db8:1:3::1", 200),
        ("::ffff:10.0.0.9", "10.0.0.9", 429),
        ("::ffff:10.0.0.{}", "10.0.0.9", 200),
        ("fe80::{}%eth0", "fe80::9", 429),
        ("10.0.0.{}", "10.0.0.1", 401),
    ],
)
async def test_S33_who_has_a_network_of_addresses_guesses_no_oftener(
    autojump_clock, guesses_from: str, peer: str, status: int
) -> None:
    edge = edge_with(KEY)
    for n in range(1, 1 + FREE_TRIES):
        assert (await get(edge, "guess", peer=guesses_from.format(n))).status_code == 401
    assert (await get(edge, KEY if status == 200 else "guess", peer=peer)).status_code == status


async def test_S33_a_wrong_key_is_one_line_a_minute_for_each_peer_without_the_key(
    autojump_clock, caplog
) -> None:
    edge, said = edge_with(KEY), "a request of '10.0.0.9' came with a wrong API key, or with none"
    for _ in range(3):
        await get(edge, "guess-of-somebody", peer="10.0.0.9")
        assert (await get(edge, KEY, peer="10.0.0.9")).status_code == 200  # that wipes no minute off
    await get(edge, peer="10.0.0.10")
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        said,
        said.replace("0.9", "0.10"),
    ]
    await trio.sleep(61)
    await get(edge, "guess-of-somebody", peer="10.0.0.9")
    assert caplog.text.count(said) == 2
    assert "guess-of-somebody" not in caplog.text


async def test_the_peers_that_are_remembered_are_not_endless(autojump_clock) -> None:
    edge = edge_with(KEY)
    for _ in range(FREE_TRIES):
        await get(edge, "guess", peer="first")
    assert (await get(edge, KEY, peer="first")).status_code == 429

    for n in range(KNOWN_PEERS):
        await get(edge, "guess", peer=f"peer{n}")

    assert (await get(edge, KEY, peer="first")).status_code == 200
