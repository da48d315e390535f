"""The live route table: what adapters have mounted on the one web server.

It belongs to the gateway, not to an adapter: an entry is served by whichever incarnation is up, and by none in between
(503). Handlers run in the caller's task under a deadline, fenced by the incarnation; what they raise is a 500 for the
caller and a failure for the adapter, never for the web server.
"""

import json
import logging
import math
from collections.abc import Sequence
from typing import assert_never

from actors.ports.adapters import AdapterPort
from hermes.types.errors import GatewayError, SocketClosed
from hermes.types.ports import Auth, MountedRoute, Request, Response, Route, Socket, SocketRoute

log = logging.getLogger(__name__)

HANDLER_DEADLINE_S = 30.0
GOING_AWAY = 1001
INTERNAL_ERROR = 1011


def _words(status: int, message: str, retry_after: int | None = None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Response(
        status, json.dumps({"ok": False, "error": {"message": message}}).encode(), headers=headers
    )


class Mounted:
    """One entry; implements ``ports.MountedRoute``."""

    def __init__(self, route: Route | SocketRoute) -> None:
        self.route = route
        self.port: AdapterPort | None = None

    @property
    def auth(self) -> Auth:
        """What the caller has to prove."""
        return self.route.auth

    async def call(self, request: Request) -> Response:
        """See ``ports.MountedRoute``."""
        port, route = self.port, self.route
        if port is None or not port.up or not isinstance(route, Route):
            return _words(503, "This platform is not up at the moment.", 5)
        answer = _words(504, "The platform's handler took too long.", 5)
        try:
            with port.borrowed(HANDLER_DEADLINE_S):
                answer = await route.handler(request)
        except GatewayError as error:
            return _words(503, str(error.failure), math.ceil(error.failure.retry_after or 5))
        except Exception as error:
            log.exception("the handler of %s failed", route.path)
            port.report(error)
            return _words(500, "The platform's handler failed.")
        return answer

    async def open(self, request: Request, socket: Socket) -> None:
        """See ``ports.MountedRoute``."""
        port, route = self.port, self.route
        code, reason = GOING_AWAY, "not up"
        if port is not None and port.up and isinstance(route, SocketRoute):
            try:
                with port.borrowed(math.inf):
                    await route.handler(request, socket)
                reason = "bye"
            except SocketClosed:
                reason = "gone"
            except Exception as error:
                log.exception("the socket handler of %s failed", route.path)
                port.report(error)
                code, reason = INTERNAL_ERROR, "failed"
        await socket.close(code, reason)


class RouteTable:
    """Implements ``ports.Routes``; two adapters may not claim one path."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str | None, str], Mounted] = {}

    def mount(self, routes: Sequence[Route | SocketRoute], port: AdapterPort) -> None:
        """Serve ``routes`` by ``port``. A path of another live adapter raises ``ValueError``."""
        for key, route in [(key, one) for one in routes for key in _keys(one)]:
            entry = self._entries.setdefault(key, Mounted(route))
            if entry.port is not None and entry.port.up and entry.port is not port:
                raise ValueError(f"{route.path} is taken by {entry.port.platform}:{entry.port.account}")
            entry.route, entry.port = route, port

    def unmount(self, port: AdapterPort) -> None:
        """``port`` serves no more; its paths stay known."""
        for entry in self._entries.values():
            if entry.port is port:
                entry.port = None

    def find(self, method: str | None, path: str) -> MountedRoute | None:
        """See ``ports.Routes``: an exact path, else the longest ``/*`` above it."""
        candidates = [path]
        head = path
        while head := head.rpartition("/")[0]:
            candidates.append(f"{head}/*")
        return next((entry for one in candidates if (entry := self._entries.get((method, one)))), None)


def _keys(route: Route | SocketRoute) -> list[tuple[str | None, str]]:
    match route:
        case Route():
            return [(method, route.path) for method in sorted(route.methods)]
        case SocketRoute():
            return [(None, route.path)]
        case _:
            assert_never(route)
