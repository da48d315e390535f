import pytest
from starlette.websockets import WebSocket

from hermes.types.errors import SocketClosed
from hermes.web.socket import MAX_REASON_BYTES, UNSUPPORTED_DATA, AcceptedSocket


async def accepted(*messages: dict) -> tuple[AcceptedSocket, list[dict]]:
    """A socket whose client sends ``messages``, and what the server is made to send."""
    coming = iter([{"type": "websocket.connect"}, *messages])
    said: list[dict] = []

    async def receive() -> dict:
        return next(coming)

    async def send(message: dict) -> None:
        said.append(message)

    socket = WebSocket({"type": "websocket", "headers": []}, receive, send)
    await socket.accept()
    return AcceptedSocket(socket), said


async def test_text_goes_both_ways() -> None:
    socket, said = await accepted({"type": "websocket.receive", "text": "hello"})

    assert await socket.receive() == "hello"
    await socket.send("there")
    assert said[-1] == {"type": "websocket.send", "text": "there"}


async def test_a_client_that_has_left_is_told_on_every_receive() -> None:
    socket, _ = await accepted({"type": "websocket.disconnect", "code": 1001})

    for _ in range(2):
        with pytest.raises(SocketClosed):
            await socket.receive()


async def test_bytes_end_the_connection() -> None:
    socket, said = await accepted({"type": "websocket.receive", "bytes": b"x", "text": None})

    with pytest.raises(SocketClosed):
        await socket.receive()
    assert (said[-1]["type"], said[-1]["code"]) == ("websocket.close", UNSUPPORTED_DATA)


async def test_close_is_polite_and_never_raises() -> None:
    socket, said = await accepted()

    await socket.close(1008, "é" * 100)
    await socket.close()

    assert [message["type"] for message in said] == ["websocket.accept", "websocket.close"]
    assert len(said[-1]["reason"].encode()) <= MAX_REASON_BYTES
    with pytest.raises(SocketClosed):
        await socket.send("too late")


async def test_a_connection_that_breaks_under_a_send_is_closed() -> None:
    async def receive() -> dict:
        return {"type": "websocket.connect"}

    async def send(message: dict) -> None:
        if message["type"] == "websocket.send":
            raise OSError("broken pipe")

    raw = WebSocket({"type": "websocket", "headers": []}, receive, send)
    await raw.accept()

    with pytest.raises(SocketClosed):
        await AcceptedSocket(raw).send("x")
