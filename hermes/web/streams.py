"""An answer that a handler sends piece by piece, as an ASGI response."""

from typing import Any

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hermes.types import ports
from hermes.web.door import without_deadline


class StreamedAnswer:
    """What the handler of ``route`` answers; the request has been read to its end."""

    def __init__(self, route: ports.MountedRoute, request: ports.Request) -> None:
        self._route = route
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the handler for as long as it takes. A stream that it has not ended itself is left without its end, so that the
        client can tell: the server then cuts the connection.
        """
        without_deadline(scope)
        out = _Stream(receive, send)
        answer = await self._route.stream(self._request, out)
        if answer is None and out.begun:
            await out.end()
        elif answer is not None and not out.begun:
            await plain(answer)(scope, receive, send)


class _Stream:
    """Implements ``ports.ResponseStream``."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.begun = False

    async def begin(self, response: ports.Response) -> None:
        """See ``ports.ResponseStream``."""
        self.begun = True
        headers = {"content-type": response.media_type, **response.headers}
        encoded = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
        ]
        await self._send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await self.send(response.body)

    async def send(self, data: bytes) -> None:
        """See ``ports.ResponseStream``. Always a checkpoint, which the server's own is not once the client has left."""
        await trio.lowlevel.checkpoint()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def gone(self) -> None:
        """See ``ports.ResponseStream``."""
        message: Any = {}
        while message.get("type") != "http.disconnect":
            message = await self._receive()

    async def end(self) -> None:
        """Nothing more follows."""
        await self._send({"type": "http.response.body", "body": b""})


def plain(answer: ports.Response) -> Response:
    """A whole answer in Starlette's terms."""
    return Response(answer.body, answer.status, dict(answer.headers), answer.media_type)
