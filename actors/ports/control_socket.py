"""A connection of the control socket as ``hermes.types.ports.Socket``, after the requests it began with."""

from collections import deque
from contextlib import suppress
from typing import Any

import trio

from hermes.ops.control import frames
from hermes.types.errors import SocketClosed

CHUNK_BYTES = 1 << 16
CLOSE_DEADLINE_S = 1.0
UNSUPPORTED_DATA = 1003


class ControlSocket:
    """Frames in the order they came: first as requests, then, for a verb of an adapter, as texts.

    ``request`` and ``reply`` raise what the stream raises, and ``FrameError``; ``receive`` and ``send`` only ``SocketClosed``.
    """

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._decoder = frames.FrameDecoder(frames.REQUEST)
        self._waiting: deque[dict[str, Any]] = deque()
        self._whole = True

    async def request(self) -> frames.Request | None:
        """The next request; None once the peer has left."""
        frame = await self._frame()
        return None if frame is None else frames.request(frame)

    async def reply(self, frame: bytes) -> None:
        """Write an encoded frame. One that is cut off ends the connection: its rest would be taken for the next one."""
        self._whole = False
        await self._stream.send_all(frame)
        self._whole = True

    async def receive(self) -> str:
        """See ``ports.Socket``."""
        try:
            frame = await self._frame()
            if frame is None:
                raise SocketClosed("the client has left")
            return frames.text(frame)
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise SocketClosed(str(error)) from None
        except frames.FrameError as error:
            why = error.failure.detail
        await self.close(UNSUPPORTED_DATA, why)
        raise SocketClosed(why)

    async def send(self, text: str) -> None:
        """See ``ports.Socket``."""
        try:
            await self.reply(frames.encode({"text": text}))
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, frames.FrameError) as error:
            raise SocketClosed(str(error)) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """See ``ports.Socket``."""
        with trio.move_on_after(CLOSE_DEADLINE_S):
            if self._whole:
                # Gone, or reading no more: that is its own business.
                with suppress(
                    OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError
                ):
                    await self.reply(frames.encode({"close": code, "reason": reason}))
        await trio.aclose_forcefully(self._stream)

    async def _frame(self) -> dict[str, Any] | None:
        while not self._waiting:
            data = await self._stream.receive_some(CHUNK_BYTES)
            if not data:
                return None
            self._waiting.extend(self._decoder.feed(data))
        return self._waiting.popleft()
