"""A Starlette web socket as ``hermes.types.ports.Socket``."""

import trio
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from hermes.types.errors import SocketClosed

UNSUPPORTED_DATA = 1003
MAX_REASON_BYTES = 120


class AcceptedSocket:
    """An upgraded connection. Text frames only; a binary one ends it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str:
        """The next text frame. Raises ``SocketClosed``."""
        try:
            message = await self._socket.receive()
        except WebSocketDisconnected as error:
            raise SocketClosed(str(error)) from None
        if message["type"] == "websocket.disconnect":
            raise SocketClosed(f"the client closed with {message.get('code', 1006)}")
        text = message.get("text")
        if not isinstance(text, str):
            await self.close(UNSUPPORTED_DATA, "text frames only")
            raise SocketClosed("the client sent bytes")
        return text

    async def send(self, text: str) -> None:
        """Hand a text frame to the connection. Raises ``SocketClosed`` if we know it is gone: only ``receive`` learns of it.

        Always a checkpoint, which the server's own send is not once the peer has left: a handler that only writes must
        not be able to spin.
        """
        await trio.lowlevel.checkpoint()
        try:
            await self._socket.send_text(text)
        except (WebSocketDisconnect, WebSocketDisconnected) as error:
            raise SocketClosed(str(error)) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; a connection that is closed already stays so."""
        try:
            await self._socket.close(code, reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore"))
        except (WebSocketDisconnect, WebSocketDisconnected):
            return
