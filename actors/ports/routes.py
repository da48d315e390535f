"""The live route table: what adapters have mounted on the one web server, and on the control socket.

It belongs to the gateway, not to an adapter: an entry is served by whichever incarnation is up, and by none in between
(503). Handlers run in the caller's task under a deadline, fenced by the incarnation; what they raise is a 500 for the
caller and a failure for the adapter, never for the web server.
"""

import json
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, assert_never

from actors.ports.adapters import AdapterPort
from hermes.types.errors import GatewayError, SocketClosed
from hermes.types.http import error_body
from hermes.types.ports import (
    Auth,
    ControlVerb,
    Mount,
    MountedRoute,
    MountedVerb,
    Request,
    Response,
    ResponseStream,
    Route,
    Socket,
    SocketRoute,
    StreamRoute,
)

log = logging.getLogger(__name__)

HANDLER_DEADLINE_S = 30.0
GOING_AWAY = 1001
INTERNAL_ERROR = 1011


A = TypeVar("A")


def _words(status: int, code: str, message: str, retry_after: int | None = None) -> Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Response(status, json.dumps(error_body(status, code, message)).encode(), headers=headers)


class Mounted:
    """One entry; implements ``ports.MountedRoute``."""

    def __init__(self, route: Route | StreamRoute | SocketRoute) -> None:
        self.route = route
        self.port: AdapterPort | None = None

    @property
    def auth(self) -> Auth:
        """What the caller has to prove."""
        return self.route.auth

    @property
    def key(self) -> str:
        """See ``ports.MountedRoute``."""
        return self.route.key

    @property
    def streams(self) -> bool:
        """See ``ports.MountedRoute``."""
        return isinstance(self.route, StreamRoute)

    async def call(self, request: Request) -> Response:
        """See ``ports.MountedRoute``."""
        route = self.route
        handler = partial(route.handler, request) if isinstance(route, Route) else None
        late = _words(504, "handler_timeout", "The platform's handler took too long.", 5)
        return await self._answer(handler, HANDLER_DEADLINE_S, late)

    async def stream(self, request: Request, out: ResponseStream) -> Response | None:
        """See ``ports.MountedRoute``."""
        route = self.route
        handler = partial(route.handler, request, out) if isinstance(route, StreamRoute) else None
        cut = _words(503, "platform_away", "The platform went away meanwhile.", 5)
        return await self._answer(handler, math.inf, cut)

    async def _answer(
        self, handler: Callable[[], Awaitable[A]] | None, deadline_s: float, cut_short: Response
    ) -> A | Response:
        port = self.port
        if port is None or not port.up or handler is None:
            return _words(503, "platform_away", "This platform is not up at the moment.", 5)
        try:
            with port.borrowed(deadline_s):
                return await handler()
        except GatewayError as error:
            failure = error.failure
            return _words(503, failure.code, str(failure), math.ceil(failure.retry_after or 5))
        except Exception as error:
            log.exception("the handler of %s failed", self.route.path)
            port.report(error)
            return _words(500, "handler_failed", "The platform's handler failed.")
        return cut_short

    async def open(self, request: Request, socket: Socket) -> None:
        """See ``ports.MountedRoute``."""
        route = self.route
        handler = partial(route.handler, request) if isinstance(route, SocketRoute) else None
        await _own(self.port, route.path, handler, socket)


class Verb:
    """One control verb; implements ``ports.MountedVerb``."""

    def __init__(self, entry: ControlVerb) -> None:
        self.entry = entry
        self.port: AdapterPort | None = None

    @property
    def up(self) -> bool:
        """See ``ports.MountedVerb``."""
        return self.port is not None and self.port.up

    async def open(self, args: Mapping[str, Any], socket: Socket) -> None:
        """See ``ports.MountedVerb``."""
        await _own(self.port, self.entry.verb, partial(self.entry.handler, args), socket)


async def _own(
    port: AdapterPort | None, name: str, handler: Callable[[Socket], Awaitable[None]] | None, socket: Socket
) -> None:
    """Let a handler own ``socket`` for as long as it likes and its adapter's incarnation lives; then close it."""
    code, reason = GOING_AWAY, "not up"
    if port is not None and port.up and handler is not None:
        try:
            with port.borrowed(math.inf):
                await handler(socket)
            reason = "bye"
        except SocketClosed:
            reason = "gone"
        except Exception as error:
            log.exception("the socket handler of %s failed", name)
            port.report(error)
            code, reason = INTERNAL_ERROR, "failed"
    await socket.close(code, reason)


class RouteTable:
    """Implements ``ports.Routes``; two adapters may not claim one path or one verb."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str | None, str], Mounted] = {}
        self._verbs: dict[str, Verb] = {}

    def mount(self, mounts: Sequence[Mount], port: AdapterPort) -> None:
        """Serve ``mounts`` by ``port``. What another live adapter has claimed raises ``ValueError``."""
        for mount in mounts:
            match mount:
                case Route() | StreamRoute():
                    for method in sorted(mount.methods):
                        self._mount_route((method, mount.path), mount, port)
                case SocketRoute():
                    self._mount_route((None, mount.path), mount, port)
                case ControlVerb():
                    self._mount_verb(mount, port)
                case _:
                    assert_never(mount)

    def unmount(self, port: AdapterPort) -> None:
        """``port`` serves no more; its paths and verbs stay known."""
        entries: list[Mounted | Verb] = [*self._entries.values(), *self._verbs.values()]
        for entry in entries:
            if entry.port is port:
                entry.port = None

    def find(self, method: str | None, path: str) -> MountedRoute | None:
        """See ``ports.Routes``: an exact path, else the longest ``/*`` above it."""
        candidates = [path]
        head = path
        while head := head.rpartition("/")[0]:
            candidates.append(f"{head}/*")
        return next((entry for one in candidates if (entry := self._entries.get((method, one)))), None)

    def verb(self, name: str) -> MountedVerb | None:
        """The control verb ``name``, once its adapter has been up."""
        return self._verbs.get(name)

    def _mount_route(
        self, key: tuple[str | None, str], route: Route | StreamRoute | SocketRoute, port: AdapterPort
    ) -> None:
        entry = self._entries.setdefault(key, Mounted(route))
        _claim(entry.port, port, route.path)
        entry.route, entry.port = route, port

    def _mount_verb(self, verb: ControlVerb, port: AdapterPort) -> None:
        if verb.verb.partition(".")[0] != port.platform:
            raise ValueError(f"{verb.verb} is no verb of {port.platform}")
        entry = self._verbs.setdefault(verb.verb, Verb(verb))
        _claim(entry.port, port, verb.verb)
        entry.entry, entry.port = verb, port


def _claim(holder: AdapterPort | None, port: AdapterPort, name: str) -> None:
    if holder is not None and holder.up and holder is not port:
        raise ValueError(f"{name} is taken by {holder.platform}:{holder.account}")
