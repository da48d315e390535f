"""What every request must pass before anybody looks at it, and what every response leaves with.

    Host      a name of this machine that a stranger's DNS cannot borrow (rebinding), else 421
    Origin    if there is one, on everything that changes state and on every web socket: our own, else 403
    body      at most MAX_BODY_BYTES, else 413
    time      REQUEST_DEADLINE_S for a whole request, else 503; the answer of a stream may take longer (``without_deadline``)

No CORS header is ever sent, so a foreign page can neither read an answer nor get a preflight through.
"""

import json
import logging
import math
from collections.abc import Mapping

import trio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hermes.config.exposure import address, is_local
from hermes.types.http import error_body

MAX_BODY_BYTES = 1024 * 1024
MAX_LENGTH_DIGITS = 12
REQUEST_DEADLINE_S = 30.0

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_DEADLINE = "hermes.deadline"

SECURITY_HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

_log = logging.getLogger("hermes.web")


class JSONAnswer(Response):
    """A JSON body that no cache keeps."""

    media_type = "application/json"

    def __init__(self, body: Mapping[str, object], status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(json.dumps(body).encode(), status, {"cache-control": "no-store", **named})


def refusal(status: int, code: str, message: str, **headers: str) -> JSONAnswer:
    """An error in the one shape there is."""
    return JSONAnswer(error_body(status, code, message), status, **headers)


def without_deadline(scope: Scope) -> None:
    """The request is all there; its answer takes as long as it takes."""
    scope[_DEADLINE].deadline = math.inf


class Door:
    """The outermost ASGI application. Nothing but Cancelled gets past it, so no request can end the server."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._any_address = any(found.is_unspecified for host in hosts if (found := address(host)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or run one web socket. There is no lifespan: the tree starts and stops us."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MAX_BODY_BYTES:
                raise HTTPException(413)
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        answer = self._refuse(scope, changes_state=scope["method"] not in SAFE_METHODS)
        if answer is None:
            try:
                with trio.fail_after(REQUEST_DEADLINE_S) as scope[_DEADLINE]:
                    await self._app(scope, counted, guarded)
            except ClientDisconnect:
                return
            except trio.TooSlowError:
                answer = refusal(503, "too_slow", "This took too long; please try again.", retry_after="5")
            except Exception:
                _log.exception("%s %s failed", scope["method"], ascii(scope["path"]))
                answer = refusal(500, "internal", "Something went wrong here; the log says what.")
        if answer is not None and not started:
            await answer(scope, receive, guarded)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "websocket.http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        answer = self._refuse(scope, changes_state=True)
        if answer is not None:
            await answer(scope, receive, guarded)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception:
            _log.exception("the socket %s failed", ascii(scope["path"]))

    def _refuse(self, scope: Scope, *, changes_state: bool) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return refusal(421, "wrong_host", "This server does not answer to that name.")
        if changes_state and "origin" in headers and not same_origin(headers):
            return refusal(403, "wrong_origin", "Another site's page may not do this.")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_BODY_BYTES:
            return refusal(413, "too_large", f"A request may have {MAX_BODY_BYTES:,} bytes.")
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        if is_local(name) or name in self._hosts:
            return True
        # Where we listen on all addresses any of them will do: what a stranger's DNS can borrow is a name.
        return self._any_address and address(name) is not None


def same_origin(headers: Headers) -> bool:
    """The request comes from a page of this very server: exactly one Origin, and its authority is the Host."""
    origins = headers.getlist("origin")
    host = headers.get("host", "").lower()
    return len(origins) == 1 and origins[0].lower() in (f"http://{host}", f"https://{host}")


def _name_of(host: str) -> str:
    """The Host header without its port; "" if it is not one."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name = host
    elif not port.isdecimal():
        return ""
    return name.removeprefix("[").removesuffix("]").lower()
