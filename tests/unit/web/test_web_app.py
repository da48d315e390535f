import http.cookies
import logging

import pytest
import trio
import trio.testing
from web_kit import COOKIE, ORIGIN, PORT, Edge, Mounted

from hermes.store.memory import MemoryStore
from hermes.types import ports
from hermes.types.errors import STORE_DEGRADED, Failure, GatewayError
from hermes.web.auth import FREE_TRIES, SESSION_TTL_S
from hermes.web.server import GRACE_S

KEY = "k" + "3f9a7c1e5b2d8064" * 2


@pytest.fixture
def edge() -> Edge:
    return Edge()


# --- probes -----------------------------------------------------------------------------------------------------------


async def test_health_is_always_alive(edge: Edge) -> None:
    edge.overview.waits = ["store"]
    async with edge.client() as client:
        answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


async def test_ready_names_the_kinds_it_waits_for(edge: Edge) -> None:
    async with edge.client() as client:
        ready = await client.get("/ready")
        edge.overview.waits = ["store", "inbound"]
        waiting = await client.get("/ready")

    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert (waiting.status_code, waiting.json()) == (503, {"ready": False, "waiting": ["store", "inbound"]})


async def test_startup_follows_the_first_ready(edge: Edge) -> None:
    async with edge.client() as client:
        assert (await client.get("/startup")).status_code == 200
        edge.overview.started = False
        assert (await client.get("/startup")).status_code == 503


async def test_S35_probes_say_nothing_but_their_state(edge: Edge) -> None:
    async with edge.client() as client:
        said = {path: (await client.get(path)).json() for path in ("/health", "/ready", "/startup")}
        server = (await client.get("/health")).headers.get("server", "")

    assert said == {"/health": {"status": "alive"}, "/ready": {"ready": True}, "/startup": {"started": True}}
    assert server == ""


@pytest.mark.parametrize(
    ("exposed", "key", "offered", "status"),
    [
        (False, "", "", 200),
        (False, KEY, "", 200),
        (True, "", "", 401),
        (True, "short", "short", 401),
        (True, KEY, "", 401),
        (True, KEY, KEY[:-1], 401),
        (True, KEY, KEY, 200),
    ],
)
async def test_S25_metrics_need_the_api_server_s_key_where_others_can_reach_them(
    exposed: bool, key: str, offered: str, status: int
) -> None:
    async def models(_request: ports.Request) -> ports.Response:
        raise AssertionError("asked for nothing but its key")

    edge = Edge(exposed=exposed)
    if key:
        edge.routes.table["GET", "/v1/models"] = Mounted("key", models, key)
    async with edge.client() as client:
        answer = await client.get(
            "/metrics", headers={"authorization": f"Bearer {offered}"} if offered else {}
        )

    assert answer.status_code == status
    if status == 200:
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text == "hermes_ready 1\n"
    else:
        assert "hermes_" not in answer.text


# --- login ------------------------------------------------------------------------------------------------------------


async def test_login_sets_a_cookie_no_script_and_no_other_site_can_use(edge: Edge) -> None:
    async with edge.client() as client:
        answer = await client.post("/login", json={"code": await edge.auth.new_link_code()})
        assert (await client.get("/api/status")).json() == {"state": "running"}

    (cookie,) = http.cookies.SimpleCookie(answer.headers["set-cookie"]).values()
    assert answer.status_code == 200
    assert cookie.key == COOKIE
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "strict"
    assert cookie["path"] == "/"
    assert int(cookie["max-age"]) == SESSION_TTL_S


async def test_a_login_link_works_once(edge: Edge) -> None:
    code = await edge.auth.new_link_code()
    async with edge.client() as client:
        assert (await client.post("/login", json={"code": code})).status_code == 200
        again = await client.post("/login", json={"code": code})

    assert again.status_code == 401
    assert again.json()["error"]["message"]
    assert "set-cookie" not in again.headers


async def test_S33_guessing_ends_in_429_with_a_time(edge: Edge) -> None:
    async with edge.client() as client:
        for _ in range(FREE_TRIES):
            assert (await client.post("/login", json={"code": "guess"})).status_code == 401
        answer = await client.post("/login", json={"code": "guess"})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"code": 1}', b"\xff", b"[" * 100_000])
async def test_a_login_that_is_none_is_a_400(edge: Edge, body: bytes) -> None:
    async with edge.client() as client:
        answer = await client.post("/login", content=body)

    assert answer.status_code == 400
    assert "'code'" in answer.json()["error"]["message"]


async def test_logout_takes_the_cookie_back(edge: Edge) -> None:
    async with await edge.browser() as client:
        answer = await client.post("/logout")

    (cookie,) = http.cookies.SimpleCookie(answer.headers["set-cookie"]).values()
    assert (answer.status_code, cookie.key, cookie.value, cookie["max-age"]) == (200, COOKIE, "", "0")


async def test_logout_ends_the_session_for_every_copy_of_its_cookie(edge: Edge) -> None:
    async with await edge.browser() as client:
        copied = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        await client.post("/logout")
    async with edge.client() as thief:
        answer = await thief.get("/api/tree", headers=copied)

    assert answer.status_code == 401


async def test_logout_ends_the_sockets_of_every_page_of_the_browser_and_no_others(edge: Edge) -> None:
    async def stay(_request: ports.Request, socket: ports.Socket) -> None:
        await socket.receive()

    edge.routes.table[None, "/chat/socket"] = Mounted("token", stay)
    async with await edge.browser() as client:
        cookie, other = f"{COOKIE}={client.cookies[COOKIE]}", f"{COOKIE}={await edge.token()}"
        async with (
            edge.socket("/chat/socket", origin=ORIGIN, cookie=cookie) as (_, from_app),
            edge.socket("/chat/socket", origin=ORIGIN, cookie=other) as (_, from_other),
        ):
            for end in (from_app, from_other):
                assert (await end.receive())["type"] == "websocket.accept"

            await client.post("/logout")

            with trio.fail_after(5):
                closed = await from_app.receive()
            assert closed == {"type": "websocket.close", "code": 1008, "reason": "logged out"}
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.WouldBlock):
                from_other.receive_nowait()


async def test_S32_a_token_counts_in_the_cookie_alone_and_reaches_no_log(
    edge: Edge, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        code = await edge.auth.new_link_code()
        token = await edge.auth.redeem(code)
        async with edge.client() as client:
            for query in (f"token={token}", f"{COOKIE}={token}", f"code={code}"):
                assert (await client.get(f"/api/tree?{query}")).status_code == 401
                assert (await client.get(f"/?{query}")).status_code == 200
            bearer = await client.get("/api/tree", headers={"authorization": f"Bearer {token}"})
            assert bearer.status_code == 401
            good = await client.get("/api/tree", headers={"cookie": f"{COOKIE}={token}"})
            assert good.status_code == 200
            assert token not in good.text + str(good.headers)

    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("hermes"))
    assert token not in ours
    assert code not in ours


# --- the operator's endpoints -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/tree"), ("GET", "/api/status"), ("POST", "/api/restart"), ("POST", "/logout")],
)
async def test_the_api_needs_a_session(edge: Edge, method: str, path: str) -> None:
    async with edge.client() as client:
        client.cookies.set(COOKIE, "0" * 64)
        answer = await client.request(method, path, json={"path": "root/gateway"})

    assert answer.status_code == 401
    assert "hermes web link" in answer.json()["error"]["message"]
    assert edge.overview.restarted == []


async def test_another_gateways_cookie_is_not_ours(edge: Edge) -> None:
    async with edge.client() as client:
        client.cookies.set(f"hermes_session_{PORT + 1}", await edge.token())
        assert (await client.get("/api/tree")).status_code == 401


async def test_the_tree_and_a_restart(edge: Edge) -> None:
    async with await edge.browser() as client:
        tree = await client.get("/api/tree")
        done = await client.post("/api/restart", json={"path": "root/gateway"})
        unknown = await client.post("/api/restart", json={"path": "root/nobody"})

    assert tree.json() == {"root": {"path": "root"}}
    assert tree.headers["cache-control"] == "no-store"
    assert done.json() == {"path": "root/gateway", "old": 1, "new": 2}
    assert (unknown.status_code, unknown.json()["error"]["message"]) == (404, "there is no actor root/nobody")


async def test_a_restart_that_takes_its_time_is_answered_before_it_ends(
    edge: Edge, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def restart_of_the_web_server(_path: str) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(edge.overview, "restart", restart_of_the_web_server)
    began = trio.current_time()
    async with await edge.browser() as client:
        answer = await client.post("/api/restart", json={"path": "root/gateway/web"})

    assert (answer.status_code, answer.json()) == (202, {"path": "root/gateway/web", "pending": True})
    assert trio.current_time() - began < GRACE_S


async def test_a_store_that_is_away_is_a_503_in_words(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    async def degraded(self, op):
        raise GatewayError(Failure(STORE_DEGRADED, detail="the disk is full"))

    monkeypatch.setattr(MemoryStore, "write", degraded)
    async with edge.client() as client:
        answer = await client.post("/login", json={"code": "x"})

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == STORE_DEGRADED
    assert answer.json()["error"]["message"] == "the disk is full"


# --- the page ---------------------------------------------------------------------------------------------------------


async def test_the_page_is_static_and_asks_no_other_host(edge: Edge) -> None:
    async with edge.client() as client:
        page = await client.get("/")
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        texts = [page.text]
        for name in ("chat.js", "link.js", "outbox.js", "actors.js", "style.css"):
            answer = await client.get(f"/static/{name}")
            assert answer.status_code == 200
            texts.append(answer.text)

    for text in texts:
        assert "https://" not in text
        assert "http://" not in text
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert " onclick" not in page.text


@pytest.mark.parametrize(
    "path", ["/static/nothing", "/static/../app.py", "/static/%2e%2e%2fapp.py", "/static/", "/etc"]
)
async def test_nothing_else_is_served(edge: Edge, path: str) -> None:
    async with edge.client() as client:
        answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


# --- the catch-all ----------------------------------------------------------------------------------------------------


async def mirror(request: ports.Request) -> ports.Response:
    shown = f"{request.method} {request.path} {request.query['q']} {request.headers['x-a']} {request.body!r}"
    return ports.Response(201, shown.encode(), "text/plain", {"x-b": "2"})


async def test_a_mounted_route_gets_our_request_and_gives_our_response(edge: Edge) -> None:
    edge.routes.table["PUT", "/webhooks/a b"] = Mounted("own", mirror)
    async with edge.client() as client:
        answer = await client.put("/webhooks/a%20b?q=1", content=b"raw", headers={"X-A": "yes"})

    assert (answer.status_code, answer.text) == (201, "PUT /webhooks/a b 1 yes b'raw'")
    assert answer.headers["x-b"] == "2"


async def test_S24_a_header_that_came_twice_is_both(edge: Edge) -> None:
    edge.routes.table["PUT", "/x"] = Mounted("own", mirror)
    async with edge.client() as client:
        answer = await client.put("/x?q=1", headers=[("X-A", "good"), ("x-a", "evil")])

    assert answer.text == "PUT /x 1 good, evil b''"


async def test_routes_are_looked_up_for_each_request(edge: Edge) -> None:
    async with edge.client() as client:
        assert (await client.get("/late?q=1", headers={"x-a": ""})).status_code == 404
        edge.routes.table["GET", "/late"] = Mounted("own", mirror)
        assert (await client.get("/late?q=1", headers={"x-a": ""})).status_code == 201
        edge.routes.table.clear()
        assert (await client.get("/late?q=1", headers={"x-a": ""})).status_code == 404


@pytest.mark.parametrize(
    ("auth", "without", "with_session"), [("token", 401, 201), ("key", 401, 401), ("own", 201, 201)]
)
async def test_each_route_has_its_own_kind_of_auth(
    edge: Edge, auth: ports.Auth, without: int, with_session: int
) -> None:
    edge.routes.table["GET", "/x"] = Mounted(auth, mirror, "a-key")
    async with edge.client() as stranger, await edge.browser() as operator:
        assert (await stranger.get("/x?q=1", headers={"x-a": ""})).status_code == without
        assert (await operator.get("/x?q=1", headers={"x-a": ""})).status_code == with_session


async def echo_once(request: ports.Request, socket: ports.Socket) -> None:
    await socket.send(f"{request.query['chat']}:{await socket.receive()}")


async def test_a_socket_of_a_logged_in_page_is_opened(edge: Edge) -> None:
    edge.routes.table[None, "/chat/socket"] = Mounted("token", echo_once)
    cookie = f"{COOKIE}={await edge.token()}"
    async with edge.socket("/chat/socket", "chat=main", origin=ORIGIN, cookie=cookie) as (to_app, from_app):
        assert (await from_app.receive())["type"] == "websocket.accept"
        await to_app.send({"type": "websocket.receive", "text": "hello"})
        assert await from_app.receive() == {"type": "websocket.send", "text": "main:hello"}
        assert (await from_app.receive())["type"] == "websocket.close"


@pytest.mark.parametrize(
    ("path", "cookie", "status"),
    [
        ("/chat/socket", "", 401),
        ("/chat/socket", f"{COOKIE}=guess", 401),
        ("/elsewhere", "", 404),
        ("/", "", 404),
    ],
)
async def test_S31_a_socket_is_refused_before_the_upgrade(
    edge: Edge, path: str, cookie: str, status: int
) -> None:
    edge.routes.table[None, "/chat/socket"] = Mounted("token", echo_once)
    async with edge.socket(path, origin=ORIGIN, cookie=cookie) as (_, from_app):
        start = await from_app.receive()

    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)


async def test_a_socket_handler_that_raises_ends_alone(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_request: ports.Request, _socket: ports.Socket) -> None:
        raise RuntimeError("oops")

    edge.routes.table[None, "/x"] = Mounted("own", broken)
    async with edge.socket("/x") as (_, from_app):
        assert (await from_app.receive())["type"] == "websocket.accept"
    async with edge.client() as client:
        assert (await client.get("/health")).status_code == 200
    assert "oops" in caplog.text
