import logging

import httpx
import pytest
import trio
from web_kit import HOST, ORIGIN, PORT, Edge, Mounted

from hermes.types import ports
from hermes.web.door import MAX_BODY_BYTES, REQUEST_DEADLINE_S


@pytest.fixture
def edge() -> Edge:
    return Edge(hosts=frozenset({"box.lan"}))


@pytest.mark.parametrize(
    "host",
    [
        HOST,
        "127.0.0.1",
        "127.8.9.1:8642",
        "localhost:8642",
        "LocalHost",
        "[::1]:8642",
        "[::1]",
        "box.lan:8642",
        "BOX.lan",
    ],
)
async def test_S34_a_name_of_this_machine_is_answered(edge: Edge, host: str) -> None:
    async with edge.client() as client:
        assert (await client.get("/health", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("listens", ["0.0.0.0", "::"])
async def test_S34_a_server_on_all_addresses_answers_to_them_and_to_no_name(listens: str) -> None:
    edge = Edge(frozenset({listens}))
    async with edge.client() as client:
        for host, status in (
            ("192.168.1.9:8642", 200),
            ("[::2]:8642", 200),
            ("evil.example", 421),
            ("", 421),
        ):
            assert (await client.get("/health", headers={"host": host})).status_code == status


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"evil.example:{PORT}",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8642",
        "evil.example:127.0.0.1",
        "192.168.1.9:8642",
        "0.0.0.0:8642",
        "[::2]:8642",
        "127.0.0.1:8642:1",
        "127.0.0.1:x",
        "@localhost",
        "",
    ],
)
async def test_S34_a_name_that_was_rebound_to_us_is_not(edge: Edge, host: str) -> None:
    async with await edge.browser() as client:
        for path in ("/", "/health", "/api/tree"):
            answer = await client.get(path, headers={"host": host})
            assert answer.status_code == 421
            assert answer.json()["error"]["message"]
    async with edge.socket("/chat/socket", host=host) as (_, from_app):
        assert (await from_app.receive())["status"] == 421


async def test_S34_two_host_headers_are_none(edge: Edge) -> None:
    async with edge.client() as client:
        answer = await client.get("/health", headers=[("host", HOST), ("host", "evil.example")])
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8642", "file://", ""]
)
async def test_S31_another_pages_posts_and_sockets_are_refused(edge: Edge, origin: str) -> None:
    token = await edge.token()
    cookie = f"hermes_session_{PORT}={token}"
    edge.routes.table[None, "/chat/socket"] = Mounted("token", None)
    async with edge.client() as client:
        for path in ("/login", "/logout", "/api/restart"):
            answer = await client.post(
                path, json={"path": "root/gateway"}, headers={"origin": origin, "cookie": cookie}
            )
            assert answer.status_code == 403
    async with edge.socket("/chat/socket", origin=origin, cookie=cookie) as (_, from_app):
        assert (await from_app.receive())["status"] == 403
    assert edge.overview.restarted == []


async def test_S31_a_browser_session_needs_an_origin_where_it_changes_something(edge: Edge) -> None:
    cookie = f"hermes_session_{PORT}={await edge.token()}"
    edge.routes.table[None, "/chat/socket"] = Mounted("token", None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge.app), base_url=ORIGIN) as client:
        answer = await client.post("/api/restart", json={"path": "root/gateway"}, headers={"cookie": cookie})
        assert answer.status_code == 403
        assert (await client.post("/login", json={"code": "x"})).status_code == 403
    async with edge.socket("/chat/socket", cookie=cookie) as (_, from_app):
        assert (await from_app.receive())["status"] == 403


async def test_a_server_that_calls_us_needs_no_origin(edge: Edge) -> None:
    async def webhook(request: ports.Request) -> ports.Response:
        return ports.Response(body=request.body)

    edge.routes.table["POST", "/webhooks/x"] = Mounted("own", webhook)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge.app), base_url=ORIGIN) as client:
        answer = await client.post("/webhooks/x", content=b"raw")

    assert (answer.status_code, answer.content) == (200, b"raw")


async def test_S34_no_answer_lets_another_origin_read_it(edge: Edge) -> None:
    async with edge.client() as client:
        for answer in (
            await client.get("/health", headers={"origin": "http://evil.example"}),
            await client.options(
                "/login",
                headers={"origin": "http://evil.example", "access-control-request-method": "POST"},
            ),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_every_answer_carries_the_security_headers(edge: Edge) -> None:
    async with edge.client() as client:
        for answer in (
            await client.get("/"),
            await client.get("/health"),
            await client.get("/nothing"),
            await client.get("/health", headers={"host": "evil.example"}),
        ):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_body_over_the_cap_is_refused_unread(edge: Edge) -> None:
    async with edge.client() as client:
        answer = await client.post("/login", content=b"x" * (MAX_BODY_BYTES + 1))

    assert answer.status_code == 413
    assert answer.json()["error"]["code"]


async def test_a_body_that_does_not_say_its_size_is_read_no_further_than_the_cap(edge: Edge) -> None:
    read = 0
    said: list[dict] = []

    async def receive():
        nonlocal read
        read += 65_536
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    async def send(message):
        said.append(message)

    headers = [(b"host", HOST.encode()), (b"origin", ORIGIN.encode())]
    scope = {"type": "http", "method": "POST", "path": "/login", "query_string": b"", "headers": headers}
    await edge.app(scope, receive, send)

    assert said[0]["status"] == 413
    assert read <= MAX_BODY_BYTES + 65_536


@pytest.mark.parametrize("length", ["-1", "1e3", "x", "9" * 5000])
async def test_a_senseless_length_is_refused(edge: Edge, length: str) -> None:
    async with edge.client() as client:
        answer = await client.post("/login", content=b"", headers={"content-length": length})

    assert answer.status_code == 413


async def test_a_request_has_a_deadline(edge: Edge, autojump_clock: trio.testing.MockClock) -> None:
    async def stuck(_request: ports.Request) -> ports.Response:
        await trio.sleep_forever()
        raise AssertionError

    edge.routes.table["GET", "/stuck"] = Mounted("own", stuck)
    async with edge.client() as client:
        answer = await client.get("/stuck", timeout=None)

    assert answer.status_code == 503
    assert trio.current_time() == pytest.approx(REQUEST_DEADLINE_S)


async def test_what_a_handler_raises_is_a_plain_500_and_a_log_line(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_request: ports.Request) -> ports.Response:
        raise RuntimeError("secret detail")

    edge.routes.table["GET", "/broken"] = Mounted("own", broken)
    with caplog.at_level(logging.ERROR):
        async with edge.client() as client:
            answer = await client.get("/broken")

    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text
