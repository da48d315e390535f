import errno
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from web_kit import Edge, Mounted

from hermes.types import ports
from hermes.types.errors import PORT_TAKEN, GatewayError, SocketClosed
from hermes.web import server
from hermes.web.app import build_app

DEADLINE_S = 10.0
HOST = "127.0.0.1"


@dataclass
class Running:
    port: int
    stop: trio.Event
    flood_stalled: trio.Event
    flood_ended: trio.Event

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(HOST, self.port)

    async def status(self, path: str = "/health") -> bytes:
        """The status line of a plain request on a connection of its own."""
        async with await self.connect() as stream:
            await stream.send_all(self.request(path, "Connection: close"))
            return (await everything(stream)).split(b"\r\n")[0].strip()

    def request(self, path: str, *headers: str, method: str = "GET") -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{self.port}", *headers, "", ""]
        return "\r\n".join(lines).encode()

    def upgrade(self, path: str = "/echo") -> bytes:
        return self.request(
            path,
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    """A real server on a free port; it has to end by itself once it is told to stop."""
    edge = Edge()

    async def echo(_request: ports.Request, link: ports.Socket) -> None:
        while True:
            await link.send(await link.receive())

    async def flood(_request: ports.Request, link: ports.Socket) -> None:
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def _until_gone() -> None:
                with pytest.raises(SocketClosed):
                    await link.receive()
                flood_ended.set()
                nursery.cancel_scope.cancel()

            @nursery.start_soon
            async def _until_stalled() -> None:
                seen = -1
                while seen < sent:
                    seen = sent
                    await trio.sleep(0.05)
                flood_stalled.set()

            sent = 0
            while True:
                await link.send("x" * 65_536)
                sent += 1

    flood_stalled, flood_ended = trio.Event(), trio.Event()

    edge.routes.table[None, "/echo"] = Mounted("own", echo)
    edge.routes.table[None, "/flood"] = Mounted("own", flood)
    sock = server.bind(HOST, 0)
    port = sock.getsockname()[1]
    stop = trio.Event()
    app = build_app(
        routes=edge.routes, overview=edge.overview, metrics=edge.metrics, auth=edge.auth, port=port
    )

    async def serve(task_status: trio.TaskStatus[None]) -> None:
        await server.serve(app, sock, stop=stop, task_status=task_status)

    with trio.fail_after(DEADLINE_S * 3):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve)
            yield Running(port, stop, flood_stalled, flood_ended)
            stop.set()


async def everything(stream: trio.SocketStream) -> bytes:
    """What the peer says until it hangs up."""
    said = b""
    try:
        with trio.move_on_after(DEADLINE_S):
            async for some in stream:
                said += some
    except trio.BrokenResourceError:
        pass
    return said


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame with a mask of zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


# --- bind -------------------------------------------------------------------------------------------------------------


def test_a_port_that_was_asked_for_and_is_taken_is_named() -> None:
    with server.bind(HOST, 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GatewayError) as caught:
            server.bind(HOST, port)

    failure = caught.value.failure
    assert (failure.code, failure.severity) == (PORT_TAKEN, "needs_operator")
    assert f"{HOST}:{port}" in failure.detail


def test_an_unset_port_takes_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def listen(_host: str, port: int) -> str:
        asked.append(port)
        if len(asked) < 3:
            raise OSError(errno.EADDRINUSE, "in use")
        return "a socket"

    monkeypatch.setattr(server, "_listen", listen)

    assert server.bind(HOST, None) == "a socket"
    assert asked == [8642, 8643, 8644]


def test_with_all_of_them_taken_the_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(_host: str, _port: int) -> None:
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(server, "_listen", listen)
    with pytest.raises(GatewayError) as caught:
        server.bind(HOST, None)

    assert "8642 to 8662" in caught.value.failure.detail


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(GatewayError) as caught:
        server.bind("192.0.2.1", 8642)

    assert caught.value.failure.severity == "needs_operator"
    assert "192.0.2.1:8642" in caught.value.failure.detail


def test_no_child_inherits_the_port() -> None:
    with server.bind(HOST, 0) as sock:
        assert not sock.get_inheritable()


def test_naming_the_server_costs_no_server() -> None:
    look = "import sys, hermes.web.server; print('anycorn' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


# --- serve ------------------------------------------------------------------------------------------------------------

H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


GARBAGE = {
    "random bytes": lambda _: bytes(range(256)) * 40,
    "tls hello": lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 200,
    "endless header": lambda _: b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000,
    "half a request": lambda _: b"GET /health HT",
    "two lengths": lambda run: run.request("/login", "Content-Length: 3", "Content-Length: 4", method="POST"),
    "length and chunks": lambda run: (
        run.request("/login", "Content-Length: 3", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n"
    ),
    "bad chunk": lambda run: (
        run.request("/login", "Transfer-Encoding: chunked", method="POST") + b"zz\r\nxx\r\n"
    ),
    "http 2 preface and noise": lambda _: H2_PREFACE + b"\xff" * 100,
    "h2c upgrade and noise": lambda run: (
        run.request(
            "/health",
            "Upgrade: h2c",
            "Connection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
        )
        + b"\x00" * 100
    ),
    "h2c upgrade with bad settings": lambda run: run.request(
        "/health", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: !!!"
    ),
    "upgrade, a stray byte, more bytes": lambda run: run.upgrade() + b"\x00" + b"GET / HTTP/1.1\r\n\r\n",
    "upgrade and random bytes": lambda run: run.upgrade() + b"\xff" * 300,
    "unmasked frame": lambda run: run.upgrade() + b"\x81\x02hi",
    "text that is no utf-8": lambda run: run.upgrade() + masked(1, b"\xff\xfe"),
    "bytes for text": lambda run: run.upgrade() + masked(2, b"hi"),
    "a frame of 2^62 bytes": lambda run: run.upgrade() + b"\x81\xff" + b"\x3f" + b"\xff" * 7 + b"\0\0\0\0",
    "reserved opcode": lambda run: run.upgrade() + masked(11, b"x"),
    "upgrade to nowhere": lambda run: run.upgrade("/nowhere") + b"\x00" * 10,
    "bad path": lambda _: b"GET /\xff\xfe%zz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": lambda _: b"GET / HTTP/1.1\r\n\r\n",
}


async def test_S31_no_garbage_on_the_port_ends_the_server() -> None:
    async with running() as run:
        for name, garbage in GARBAGE.items():
            stream = await run.connect()
            data = garbage(run)
            await stream.send_all(data[:-3])
            await trio.testing.wait_all_tasks_blocked(0.01)
            try:
                await stream.send_all(data[-3:])
                await stream.send_eof()
            except trio.BrokenResourceError:
                pass  # the server has hung up already, which is an answer too
            assert await run.status() == b"HTTP/1.1 200", name
            await stream.aclose()


async def test_a_socket_carries_frames_both_ways() -> None:
    async with running() as run, await run.connect() as stream:
        await stream.send_all(run.upgrade())
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
        await stream.send_all(masked(1, b"hello"))
        assert await stream.receive_some() == b"\x81\x05hello"


async def test_stop_ends_idle_connections_and_open_sockets_at_once() -> None:
    async with running() as run, await run.connect() as idle, await run.connect() as link:
        await idle.send_all(run.request("/health"))
        assert b"200" in await idle.receive_some()
        await link.send_all(run.upgrade())
        assert b"101" in await link.receive_some()
        began = trio.current_time()
        run.stop.set()
        await everything(idle)
        await everything(link)

        assert trio.current_time() - began < server.GRACE_S + 2
        with pytest.raises(OSError, match=r"."):
            await run.connect()


async def test_a_cancelled_server_leaves_nothing_behind() -> None:
    edge = Edge()
    with server.bind(HOST, 0) as sock:
        with trio.fail_after(DEADLINE_S):
            async with trio.open_nursery() as nursery:

                async def serve(task_status: trio.TaskStatus[None]) -> None:
                    await server.serve(edge.app, sock, stop=trio.Event(), task_status=task_status)

                await nursery.start(serve)
                nursery.cancel_scope.cancel()

        assert sock.fileno() == -1


async def flooded(run: Running, deaf: socket.socket) -> None:
    """Open a socket that is written to and never read, and wait until nothing more fits."""
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect((HOST, run.port))
    deaf.sendall(run.upgrade("/flood"))
    await run.flood_stalled.wait()
    assert await run.status() == b"HTTP/1.1 200"


async def test_a_peer_that_never_reads_cannot_hold_the_stop_up() -> None:
    with socket.socket() as deaf:
        async with running() as run:
            await flooded(run, deaf)
            began = trio.current_time()
        assert trio.current_time() - began < server.GRACE_S + 2


async def test_a_peer_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_DEADLINE_S", 0.3)
    with socket.socket() as deaf:
        async with running() as run:
            await flooded(run, deaf)
            with trio.fail_after(DEADLINE_S):
                await run.flood_ended.wait()


async def test_a_cancelled_server_is_gone_at_once_even_with_a_deaf_peer() -> None:
    with socket.socket() as deaf, trio.move_on_after(DEADLINE_S) as deadline:
        async with running() as run:
            await flooded(run, deaf)
            deadline.cancel()
            await trio.sleep_forever()
    assert deadline.cancelled_caught
