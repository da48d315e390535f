"""A web edge without a network: the real application over the in-memory store, asked through ASGI."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio

from hermes.store.memory import MemoryStore
from hermes.testing.fakes import FakeClock, FakeIds
from hermes.types import ports
from hermes.types.errors import Failure, GatewayError
from hermes.web.app import build_app
from hermes.web.auth import BrowserSessions

PORT = 8642
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
COOKIE = f"hermes_session_{PORT}"


class Mounted:
    """A route as the table would hand it out."""

    def __init__(
        self,
        auth: ports.Auth,
        handler: Callable[..., Awaitable[Any]],
        key: str = "",
        *,
        streams: bool = False,
    ) -> None:
        self.auth = auth
        self.key = key
        self.streams = streams
        self._handler = handler

    async def call(self, request: ports.Request) -> ports.Response:
        return await self._handler(request)

    async def stream(self, request: ports.Request, out: ports.ResponseStream) -> ports.Response | None:
        return await self._handler(request, out)

    async def open(self, request: ports.Request, socket: ports.Socket) -> None:
        await self._handler(request, socket)
        await socket.close()


class FakeRoutes:
    def __init__(self) -> None:
        self.table: dict[tuple[str | None, str], Mounted] = {}

    def find(self, method: str | None, path: str) -> Mounted | None:
        return self.table.get((method, path))


class FakeOverview:
    def __init__(self) -> None:
        self.waits: list[str] = []
        self.started = True
        self.restarted: list[str] = []

    def waiting(self) -> Sequence[str]:
        return self.waits

    def was_ready(self) -> bool:
        return self.started

    def seen(self) -> Callable[[], Mapping[str, Any]]:
        return lambda: {"root": {"path": "root"}}

    async def status(self) -> Mapping[str, Any]:
        return {"state": "running"}

    async def restart(self, path: str) -> Mapping[str, Any]:
        if path != "root/gateway":
            raise GatewayError(Failure("no_such_actor", detail=f"there is no actor {path}"))
        self.restarted.append(path)
        return {"path": path, "old": 1, "new": 2}


class Edge:
    """The application and everything it was handed."""

    def __init__(self, hosts: frozenset[str] = frozenset(), *, exposed: bool = False) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.routes = FakeRoutes()
        self.overview = FakeOverview()
        self.auth = BrowserSessions(self.store, self.clock, FakeIds())
        self.app = build_app(
            routes=self.routes,
            overview=self.overview,
            metrics=self.metrics,
            auth=self.auth,
            port=PORT,
            hosts=hosts,
            exposed=exposed,
        )

    async def metrics(self) -> str:
        """What is scraped."""
        return "hermes_ready 1\n"

    def client(self, base_url: str = ORIGIN) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=base_url, headers={"origin": ORIGIN})

    async def token(self) -> str:
        return await self.auth.redeem(await self.auth.new_link_code())

    async def browser(self) -> httpx.AsyncClient:
        """A client that is logged in."""
        client = self.client()
        client.cookies.set(COOKIE, await self.token())
        return client

    @asynccontextmanager
    async def socket(self, path: str, query: str = "", **headers: str):
        """Ask for a web socket; yields the two ends of it as the server's peer sees them."""
        to_app, app_receives = trio.open_memory_channel[dict](10)
        app_sends, from_app = trio.open_memory_channel[dict](10)
        names = {"host": HOST, **headers}
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "http_version": "1.1",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in names.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", PORT),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        to_app.send_nowait({"type": "websocket.connect"})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.app, scope, app_receives.receive, app_sends.send)
            yield to_app, from_app
            nursery.cancel_scope.cancel()
