"""Our own routes, and one catch-all that looks every other path up in the live route table.

Door ─▶ Starlette ─┬─ /health /ready /startup      open to all, and say nothing but their state
                   ├─ /metrics                     open to this machine; else the API server's key
                   ├─ / /static/* /login           the page, and the way in
                   ├─ /logout /api/*               a browser session
                   └─ everything else              Routes.find, per request; its own kind of auth
"""

import json
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, assert_never

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from hermes.ops.metrics import CONTENT_TYPE
from hermes.types import ports
from hermes.types.errors import GatewayError
from hermes.web.auth import LOGIN_LOCKED, LOGIN_REFUSED, SESSION_TTL_S, BrowserSessions
from hermes.web.door import REQUEST_DEADLINE_S, SAFE_METHODS, Door, JSONAnswer, refusal, same_origin
from hermes.web.keys import KeyDoor
from hermes.web.page import Page
from hermes.web.socket import AcceptedSocket
from hermes.web.streams import StreamedAnswer, plain

RESTART_WAIT_S = 0.5
"""Shorter than the server's grace: the actor may be the web server itself, which ends only once it has answered this
request; and a browser that gets no answer on a kept connection posts a second time."""

POLICY_VIOLATION = 1008

API_ROUTE = "/v1/models"
"""Whoever may ask for this may ask for the metrics."""

NO_SESSION = "This browser is not logged in; run hermes web link and open what it prints."


def build_app(
    *,
    routes: ports.Routes,
    overview: ports.Overview,
    metrics: Callable[[], Awaitable[str]],
    auth: BrowserSessions,
    port: int,
    hosts: frozenset[str] = frozenset(),
    exposed: bool = False,
) -> ASGIApp:
    """The whole web edge as one ASGI application.

    ``port`` is the one it is served on: browsers keep cookies per host, not per port, so two gateways on one machine
    would log each other out under one cookie name. ``hosts`` are names that a Host header may carry
    besides those of this machine. ``exposed``: it is served to more than this machine. Starting and stopping it costs nothing; it
    holds no task.
    """
    edge = _Edge(
        routes=routes,
        overview=overview,
        metrics=metrics,
        auth=auth,
        keys=KeyDoor(exposed=exposed),
        cookie=f"hermes_session_{port}",
    )
    page = Page()
    app = Starlette(
        routes=[
            Route("/health", edge.health),
            Route("/ready", edge.ready),
            Route("/startup", edge.startup),
            Route("/metrics", edge.metrics),
            Route("/", page.index),
            Route("/static/{name}", page.static),
            Route("/login", edge.login, methods=["POST"]),
            Route("/logout", edge.logout, methods=["POST"]),
            Route("/api/tree", edge.tree),
            Route("/api/status", edge.status),
            Route("/api/restart", edge.restart, methods=["POST"]),
            Route("/{path:path}", _Raw(edge.call)),
            WebSocketRoute("/{path:path}", edge.open),
        ],
        exception_handlers={HTTPException: edge.http_error, GatewayError: edge.gateway_error},
    )
    return Door(app, hosts)


class _Raw:
    """An endpoint that takes every method: Starlette gives a function only those it names."""

    def __init__(self, endpoint: Any) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._endpoint(Request(scope, receive))
        await response(scope, receive, send)


class _Edge:
    """The endpoints; every dependency is handed in."""

    def __init__(
        self,
        *,
        routes: ports.Routes,
        overview: ports.Overview,
        metrics: Callable[[], Awaitable[str]],
        auth: BrowserSessions,
        keys: KeyDoor,
        cookie: str,
    ) -> None:
        self._routes = routes
        self._overview = overview
        self._metrics = metrics
        self._auth = auth
        self._keys = keys
        self._cookie = cookie
        self._sockets: defaultdict[str | None, set[trio.CancelScope]] = defaultdict(set)
        """Open web sockets by the token they came with: a log-out ends them too."""

    # --- open to all ---

    async def health(self, _request: Request) -> Response:
        """The process answers."""
        return JSONAnswer({"status": "alive"})

    async def ready(self, _request: Request) -> Response:
        """Messages are taken."""
        waiting = list(self._overview.waiting())
        return (
            JSONAnswer({"ready": False, "waiting": waiting}, 503) if waiting else JSONAnswer({"ready": True})
        )

    async def startup(self, _request: Request) -> Response:
        """The gateway has been ready once in this boot."""
        started = self._overview.was_ready()
        return JSONAnswer({"started": started}, 200 if started else 503)

    async def metrics(self, request: Request) -> Response:
        """The gateway in figures, for Prometheus: to this machine, and to whoever has the API server's key."""
        if self._keys.exposed:
            route = self._routes.find("GET", API_ROUTE)
            if refused := self._keys.refused(request, route.key if route else ""):
                return refused
        return Response(await self._metrics(), headers={"cache-control": "no-store"}, media_type=CONTENT_TYPE)

    async def login(self, request: Request) -> Response:
        """A one-time code for a cookie."""
        if not same_origin(request.headers):
            return _not_from_here()
        code = await _string_field(request, "code")
        try:
            token = await self._auth.redeem(code)
        except GatewayError as error:
            if error.failure.code == LOGIN_REFUSED:
                return refusal(401, LOGIN_REFUSED, "That link is used up or too old; a new one is needed.")
            if error.failure.code == LOGIN_LOCKED:
                wait = str(math.ceil(error.failure.retry_after or 1))
                words = f"Too many wrong codes; try again in {wait} seconds."
                return refusal(429, LOGIN_LOCKED, words, retry_after=wait)
            raise
        response = JSONAnswer({"ok": True})
        response.set_cookie(
            self._cookie, token, max_age=int(SESSION_TTL_S), path="/", httponly=True, samesite="strict"
        )
        return response

    async def logout(self, request: Request) -> Response:
        """End this browser's session, and every socket that any of its pages has open."""
        if refused := await self._no_session(request):
            return refused
        token = request.cookies[self._cookie]
        await self._auth.close(token)
        for socket in self._sockets.get(token, ()):
            socket.cancel()
        response = JSONAnswer({"ok": True})
        response.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
        return response

    # --- a browser session ---

    async def tree(self, request: Request) -> Response:
        """The live actor tree."""
        if refused := await self._no_session(request):
            return refused
        document = self._overview.seen()
        return await trio.to_thread.run_sync(lambda: JSONAnswer(document()))

    async def status(self, request: Request) -> Response:
        """The gateway in numbers."""
        return await self._no_session(request) or JSONAnswer(await self._overview.status())

    async def restart(self, request: Request) -> Response:
        """Restart one actor, named by its path in the body."""
        if refused := await self._no_session(request):
            return refused
        path = await _string_field(request, "path")
        with trio.move_on_after(RESTART_WAIT_S):
            try:
                return JSONAnswer(await self._overview.restart(path))
            except GatewayError as error:
                return refusal(404, error.failure.code, error.failure.detail or "There is no such actor.")
        return JSONAnswer({"path": path, "pending": True}, 202)

    # --- everything else ---

    async def call(self, request: Request) -> ASGIApp:
        """Whatever an adapter has mounted here."""
        route = self._routes.find(request.method, request.scope["path"])
        if route is None:
            raise HTTPException(404)
        if refused := await self._denied(request, route):
            return refused
        translated = _translated(request, request.method, await request.body())
        return StreamedAnswer(route, translated) if route.streams else plain(await route.call(translated))

    async def open(self, socket: WebSocket) -> None:
        """Whatever an adapter has mounted here, for a web socket. Refused before the upgrade, or not at all."""
        route = self._routes.find(None, socket.scope["path"])
        with trio.move_on_after(REQUEST_DEADLINE_S) as deadline:
            refused = (
                refusal(404, "not_found", "There is nothing here.")
                if route is None
                else await self._denied(socket, route)
            )
        if deadline.cancelled_caught:
            refused = refusal(503, "too_slow", "This took too long; please try again.", retry_after="5")
        if refused or route is None:
            await socket.send_denial_response(refused or Response(status_code=404))
            return
        accepted = AcceptedSocket(socket)
        # Nothing is awaited between the check above and here, so no log-out can slip in between.
        with self._until_logout(socket.cookies.get(self._cookie)) as scope:
            await socket.accept()
            await route.open(_translated(socket, "GET", b""), accepted)
        if scope.cancelled_caught:
            await accepted.close(POLICY_VIOLATION, "logged out")

    # --- what went wrong, in our one shape ---

    async def http_error(self, _request: Request, error: Exception) -> Response:
        """A refusal that was raised."""
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "_")
        sentence = error.detail if error.detail != status.phrase else f"{status.phrase}."
        named = {name.replace("-", "_"): value for name, value in (error.headers or {}).items()}
        return refusal(status, code, sentence, **named)

    async def gateway_error(self, _request: Request, error: Exception) -> Response:
        """A part of the gateway that cannot serve right now."""
        if not isinstance(error, GatewayError):
            raise error
        return refusal(
            503, error.failure.code, error.failure.detail or "Not now; please try again.", retry_after="5"
        )

    @contextmanager
    def _until_logout(self, token: str | None) -> Iterator[trio.CancelScope]:
        with trio.CancelScope() as scope:
            self._sockets[token].add(scope)
            try:
                yield scope
            finally:
                self._sockets[token].discard(scope)
                if not self._sockets[token]:
                    del self._sockets[token]

    async def _denied(self, connection: HTTPConnection, route: ports.MountedRoute) -> Response | None:
        match route.auth:
            case "token":
                return await self._no_session(connection)
            case "key":
                return self._keys.refused(connection, route.key)
            case "own":
                return None
            case auth:
                assert_never(auth)

    async def _no_session(self, connection: HTTPConnection) -> Response | None:
        """Why this request does not come from a page of ours in a browser that is logged in; None if it does."""
        reads_only = connection.scope["type"] == "http" and connection.scope["method"] in SAFE_METHODS
        if not reads_only and not same_origin(connection.headers):
            return _not_from_here()
        if not await self._auth.check(connection.cookies.get(self._cookie)):
            return refusal(401, "no_session", NO_SESSION)
        return None


def _not_from_here() -> Response:
    return refusal(403, "wrong_origin", "Only this server's own page may do this.")


def _translated(connection: HTTPConnection, method: str, body: bytes) -> ports.Request:
    return ports.Request(
        method=method,
        path=connection.scope["path"],
        query=dict(connection.query_params),
        # One that came twice is no longer what it claims to be: a signature, say.
        headers={name: ", ".join(connection.headers.getlist(name)) for name in connection.headers},
        body=body,
        peer=connection.client.host if connection.client else "",
    )


async def _string_field(request: Request, name: str) -> str:
    """The one field a body of ours has. By hand: a model library would cost more start-up time than it saves lines."""
    try:
        fields = json.loads(await request.body())
    except (ValueError, RecursionError):
        fields = None
    value = fields.get(name) if isinstance(fields, dict) else None
    if not isinstance(value, str):
        raise HTTPException(400, f"The body has to be a JSON object with a string '{name}'.")
    return value
