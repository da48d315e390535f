"""Answers that a handler sends piece by piece: through the application, and over a real connection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from web_kit import Edge, Mounted

from hermes.types import ports
from hermes.web import server
from hermes.web.app import build_app
from hermes.web.door import MAX_BODY_BYTES, REQUEST_DEADLINE_S

HOST = "127.0.0.1"
Handler = Callable[[ports.Request, ports.ResponseStream], Awaitable[ports.Response | None]]
EVENTS = ports.Response(media_type="text/event-stream", headers={"Cache-Control": "no-store"}, body=b"1")


def edge_with(handler: Handler) -> Edge:
    edge = Edge()
    edge.routes.table["POST", "/s"] = Mounted("own", handler, streams=True)
    return edge


async def test_a_stream_has_its_head_its_pieces_and_its_end() -> None:
    async def handler(request: ports.Request, out: ports.ResponseStream) -> None:
        await out.begin(EVENTS)
        await out.send(request.body)

    async with edge_with(handler).client() as client:
        answer = await client.post("/s", content=b"23")

    assert (answer.status_code, answer.content) == (200, b"123")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_handler_may_answer_at_once() -> None:
    async def handler(_request: ports.Request, _out: ports.ResponseStream) -> ports.Response:
        return ports.Response(429, b"{}", headers={"Retry-After": "5"})

    async with edge_with(handler).client() as client:
        answer = await client.post("/s")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


@pytest.mark.parametrize("begins", [False, True])
async def test_an_answer_may_take_longer_than_a_request(begins: bool, autojump_clock) -> None:
    async def handler(_request: ports.Request, out: ports.ResponseStream) -> ports.Response | None:
        await trio.sleep(10 * REQUEST_DEADLINE_S)
        if not begins:
            return EVENTS
        await out.begin(EVENTS)
        await trio.sleep(10 * REQUEST_DEADLINE_S)
        return None

    async with edge_with(handler).client() as client:
        assert (await client.post("/s", timeout=None)).content == b"1"


async def test_S29_a_body_that_is_too_large_never_reaches_the_handler() -> None:
    async def handler(_request: ports.Request, _out: ports.ResponseStream) -> None:
        raise AssertionError

    async with edge_with(handler).client() as client:
        answer = await client.post("/s", content=b"x" * (MAX_BODY_BYTES + 1))

    assert answer.status_code == 413
    assert set(answer.json()["error"]) == {"code", "message", "type", "param"}


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Callable[[], Awaitable[trio.SocketStream]]]:
    """A real server; yields what sends a request to it."""
    edge, sock, stop = edge_with(handler), server.bind(HOST, 0), trio.Event()
    port = sock.getsockname()[1]
    app = build_app(
        routes=edge.routes, overview=edge.overview, metrics=edge.metrics, auth=edge.auth, port=port
    )

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await server.serve(app, sock, stop=stop, task_status=task_status)

    async def ask() -> trio.SocketStream:
        stream = await trio.open_tcp_stream(HOST, port)
        await stream.send_all(
            f"POST /s HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        )
        return stream

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve)
            yield ask
            stop.set()


async def read_until(stream: trio.SocketStream, wanted: bytes) -> bytes:
    data = b""
    while not data.endswith(wanted) and (more := await stream.receive_some()):
        data += more
    return data


@pytest.mark.parametrize("begins", [False, True])
async def test_a_handler_learns_that_its_client_has_left(begins: bool) -> None:
    began, learnt = trio.Event(), trio.Event()

    async def handler(_request: ports.Request, out: ports.ResponseStream) -> None:
        if begins:
            await out.begin(EVENTS)
        began.set()
        await out.gone()
        learnt.set()
        await out.send(b"into the void")

    async with served(handler) as ask:
        stream = await ask()
        await began.wait()
        await stream.aclose()
        with trio.fail_after(1):
            await learnt.wait()


async def test_pieces_arrive_as_they_are_sent_and_an_end_that_is_missing_can_be_told() -> None:
    onward = trio.Event()

    async def handler(_request: ports.Request, out: ports.ResponseStream) -> ports.Response:
        await out.begin(EVENTS)
        await onward.wait()
        return ports.Response(500, b"the handler has failed")

    async with served(handler) as ask, await ask() as stream:
        begun = await read_until(stream, b"1\r\n1\r\n")
        onward.set()
        rest = await read_until(stream, b"for ever")

    assert b"Transfer-Encoding: chunked" in begun
    assert rest == b""  # not even the last chunk: the connection is cut
