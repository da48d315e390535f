"""Web sockets against real servers on loopback that keep to the protocol, or to nothing."""

import base64
import hashlib
import os
import socket
import struct
from functools import partial

import pytest
import trio
from net_kit import head, mute, once, saying, serving, soon, tls_pair

from hermes.net import ws
from hermes.net.failures import (
    CONNECT_REFUSED,
    HTTP_STATUS,
    PROTOCOL,
    PROXY_UNUSABLE,
    RECEIVER_SLOW,
    RESET,
    SOCKET_ENDED,
    TIMEOUT,
    TLS,
    NetError,
)
from hermes.types.errors import TOO_LARGE, URL_REFUSED

SOON_S = 0.2
PATIENT_S = 5.0

connect = partial(ws.connect, proxy="", deadline_s=PATIENT_S)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Most servers here take no leave."""
    monkeypatch.setattr(ws, "CLOSE_S", 0.02)


async def upgraded(stream):
    """Upgrade as a server; returns the request."""
    request = await head(stream)
    if not request.endswith(b"\r\n\r\n"):
        raise EOFError
    lines = request.decode().split("\r\n")
    key = next(line.split(": ")[1] for line in lines if line.lower().startswith("sec-websocket-key:"))
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    accept = base64.b64encode(digest).decode()
    await stream.send_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    return request


TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(kind, data):
    """A whole message from a server."""
    if len(data) < 126:
        size = struct.pack("!B", len(data))
    elif len(data) < 65536:
        size = struct.pack("!BH", 126, len(data))
    else:
        size = struct.pack("!BQ", 127, len(data))
    return bytes([0x80 | kind]) + size + data


class Frames:
    """What a client sends, frame by frame."""

    def __init__(self, stream):
        self._stream = stream
        self._got = b""

    async def _take(self, count):
        while len(self._got) < count:
            piece = await self._stream.receive_some()
            if not piece:
                raise EOFError
            self._got += piece
        taken, self._got = self._got[:count], self._got[count:]
        return taken

    async def next(self):
        kind, size = await self._take(2)
        size &= 127
        if size == 126:
            (size,) = struct.unpack("!H", await self._take(2))
        mask, data = await self._take(4), await self._take(size)
        return kind & 15, bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))


def after_upgrade(*pieces, hold=True):
    async def script(stream):
        await upgraded(stream)
        for piece in pieces:
            await stream.send_all(piece)
        if hold:
            await mute(stream)

    return script


async def echo(stream):
    """Echo messages and answer pings and the goodbye."""
    await upgraded(stream)
    frames = Frames(stream)
    kind = TEXT
    while kind != CLOSE:
        kind, data = await frames.next()
        await stream.send_all(frame(PONG if kind == PING else kind, data))


def url(server, path="/", scheme="ws"):
    return server.url(path, scheme=scheme)


async def failure(*args, **options):
    with pytest.raises(NetError) as caught:
        async with connect(*args, **options):
            pass
    return caught.value


async def ending(socket):
    """Receive until the end."""
    messages = []
    with trio.fail_after(PATIENT_S):
        while True:
            try:
                messages.append(await socket.receive())
            except ws.SocketEnded as over:
                return messages, over


async def test_messages_travel_both_ways():
    requests = []

    async def script(stream):
        requests.append(await upgraded(stream))
        frames = Frames(stream)
        for _ in range(2):
            await stream.send_all(frame(*(await frames.next())))
        await mute(stream)

    async with serving(script) as server:
        opening = connect(url(server, "/gateway?v=10&x=a"), headers={"Authorization": "Bot x"})
        async with opening as socket:
            await socket.send("höre")
            await socket.send(b"\x00\xff")
            assert [await socket.receive(), await socket.receive()] == ["höre", b"\x00\xff"]

    assert requests[0].startswith(b"GET /gateway?v=10&x=a HTTP/1.1\r\n")
    assert b"Authorization: Bot x\r\n" in requests[0]
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in requests[0]


async def test_over_tls():
    server_tls, client_tls = tls_pair("127.0.0.1")
    async with serving(echo, server_tls) as server:
        async with connect(url(server, scheme="wss"), tls=client_tls) as socket:
            await socket.send("x")
            assert await socket.receive() == "x"
        assert (await failure(url(server, scheme="wss"))).code == TLS


async def test_through_a_proxy():
    asked = []

    async def proxy(stream):
        request = await head(stream)
        asked.append(request)
        to = request.split(b" ")[1].decode()
        if to.startswith("far.test:"):
            await stream.send_all(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return
        far = await trio.open_tcp_stream("127.0.0.1", int(to.partition(":")[2]))
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        async with far, trio.open_nursery() as nursery:
            nursery.start_soon(relay, stream, far)
            await relay(far, stream)
            nursery.cancel_scope.cancel()

    async def relay(a, b):
        while data := await a.receive_some():
            await b.send_all(data)

    async with serving(echo) as server, serving(proxy) as middle:
        through = f"http://me:p%40ss@127.0.0.1:{middle.port}"
        async with connect(url(server), proxy=through) as socket:
            await socket.send("x")
            assert await socket.receive() == "x"
        assert (await failure("ws://far.test/", proxy=through)).code == PROXY_UNUSABLE
        assert (await failure(url(server), proxy="socks5://127.0.0.1:1")).code == PROXY_UNUSABLE

    assert asked[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in asked[0]


# --- set-up ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (mute, TIMEOUT),
        (once(), RESET),
        (saying(b"HTTP/1.1 101 Switching\r\n", hold=True), TIMEOUT),
        (once(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), PROTOCOL),
        (once(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n"), PROTOCOL),
    ],
)  # fmt: skip
async def test_an_upgrade_that_does_not_come_ends_at_the_deadline(script, code):
    async with serving(script) as server:
        with trio.fail_after(PATIENT_S):
            wrong = await failure(url(server, "/secret"), deadline_s=SOON_S if code == TIMEOUT else PATIENT_S)

    assert wrong.code == code
    assert "secret" not in str(wrong)


async def test_nobody_there():
    async with serving(mute) as server:
        pass
    assert (await failure(url(server))).code == CONNECT_REFUSED
    for wrong in ("http://127.0.0.1/", "ws://", "ws://127.0.0.1:x/"):
        assert (await failure(wrong)).code == URL_REFUSED


async def test_a_rejection_can_be_read():
    answer = b"HTTP/1.1 503 Away\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy"
    async with serving(once(answer)) as server:
        wrong = await failure(url(server))

    assert isinstance(wrong, ws.SocketRejected)
    assert (wrong.code, wrong.status, wrong.body, wrong.failure.retry_after) == (
        HTTP_STATUS,
        503,
        b"busy",
        7.0,
    )


# --- the end -----------------------------------------------------------------------------------------------------------


async def reset(stream):
    await upgraded(stream)
    await stream.send_all(frame(TEXT, b"last"))
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.testing.wait_all_tasks_blocked(0.01)


@pytest.mark.parametrize(
    ("script", "code", "close_code", "reason"),
    [
        (after_upgrade(frame(TEXT, b"last"), hold=False), RESET, 1006, ""),
        (reset, RESET, 1006, ""),
        (after_upgrade(frame(TEXT, b"last"), frame(CLOSE, b"\x0f\xa4bad token")), SOCKET_ENDED, 4004, "bad token"),
        (after_upgrade(frame(TEXT, b"last"), frame(CLOSE, b"")), SOCKET_ENDED, 1005, ""),
        (after_upgrade(frame(TEXT, b"last"), b"\xff\xff\xff\xff" * 100), PROTOCOL, 1002, None),
        (after_upgrade(frame(TEXT, b"last"), frame(TEXT, b"\xff\xfe")), PROTOCOL, 1007, None),
    ],
)  # fmt: skip
async def test_the_end_says_what_it_was(script, code, close_code, reason):
    async with serving(script) as server, connect(url(server)) as socket:
        messages, over = await ending(socket)
        with pytest.raises(ws.SocketEnded) as again:
            await socket.send("too late")

    assert messages == ["last"], "what came before the end is received"
    assert (over.code, over.close_code) == (code, close_code)
    assert reason is None or over.reason == reason, "where nobody said it, it is the library's"
    assert again.value is over


async def test_a_message_over_the_cap():
    async with serving(after_upgrade(frame(TEXT, b"x" * 70_000))) as server:
        async with connect(url(server), max_bytes=65_536) as socket:
            assert (await ending(socket))[1].code == TOO_LARGE
        async with connect(url(server), max_bytes=70_000) as socket:
            assert await socket.receive() == "x" * 70_000


async def test_a_message_that_comes_slowly_is_whole():
    data = frame(BINARY, bytes(range(200)))
    async with serving(after_upgrade(*[data[n : n + 1] for n in range(len(data))])) as server:
        opening = connect(url(server))
        async with opening as socket:
            assert await socket.receive() == bytes(range(200))


async def test_no_pong_ends_the_connection():
    async with serving(after_upgrade()) as server:
        opening = connect(url(server), ping_s=0.01, pong_deadline_s=SOON_S)
        async with opening as socket:
            assert (await ending(socket))[1].code == TIMEOUT


async def test_no_pong_ends_a_send_that_is_stuck():
    async def script(stream):
        await upgraded(stream)
        await trio.sleep_forever()

    async with serving(script) as server:
        opening = connect(url(server), ping_s=0.01, pong_deadline_s=SOON_S)
        async with opening as socket:
            with trio.fail_after(PATIENT_S), pytest.raises(ws.SocketEnded) as caught:
                await socket.send(bytes(10_000_000))

    assert caught.value.code == TIMEOUT


async def test_AC01_pongs_are_told_while_nothing_else_comes_and_the_receiver_is_elsewhere():
    pongs = trio.Event()
    count = 0

    def on_pong():
        nonlocal count
        count += 1
        if count == 3:
            pongs.set()

    async def script(stream):
        await upgraded(stream)
        for n in range(50):
            await stream.send_all(frame(TEXT, b"%d" % n))
        frames = Frames(stream)
        while True:
            kind, data = await frames.next()
            await stream.send_all(frame(PONG if kind == PING else kind, data))

    async with serving(script) as server:
        opening = connect(url(server), ping_s=0.01, pong_deadline_s=PATIENT_S, on_pong=on_pong)
        async with opening as socket:
            with trio.fail_after(PATIENT_S):
                await pongs.wait()
            assert [await socket.receive() for _ in range(50)] == [str(n) for n in range(50)]


@pytest.mark.parametrize(("count", "size"), [(ws.BACKLOG + 1, 1), (70, 1_000_000)])
async def test_a_receiver_that_is_too_slow_ends_the_connection_by_name(count, size):
    flood = [frame(TEXT, b"x" * size)] * count
    async with serving(after_upgrade(*flood)) as server, connect(url(server)) as socket:
        with trio.fail_after(PATIENT_S):
            while socket._ended is None:
                await trio.sleep(0.01)
        messages, over = await ending(socket)

    assert over.code == RECEIVER_SLOW
    assert len(messages) * size <= ws.BACKLOG_BYTES


async def test_pings_of_the_server_are_answered():
    answered = []

    async def script(stream):
        await upgraded(stream)
        await stream.send_all(frame(PING, b"are you there"))
        answered.append(await Frames(stream).next())
        await stream.send_all(frame(TEXT, b"good"))
        await mute(stream)

    async with serving(script) as server, connect(url(server)) as socket:
        assert await socket.receive() == "good"

    assert answered == [(PONG, b"are you there")]


async def test_a_close_is_polite(monkeypatch):
    monkeypatch.setattr(ws, "CLOSE_S", PATIENT_S)
    heard = []

    async def script(stream):
        await upgraded(stream)
        heard.append(await Frames(stream).next())
        await stream.send_all(frame(*heard[0]))

    async with serving(script) as server, connect(url(server)) as socket:
        await socket.close(4000, "moving on")
        await socket.close()
        messages, over = await ending(socket)

    assert heard == [(CLOSE, b"\x0f\xa0moving on")]
    assert (messages, over.code, over.close_code) == ([], SOCKET_ENDED, 4000)


async def test_a_close_does_not_wait_for_one_who_takes_no_leave():
    async with serving(after_upgrade()) as server, connect(url(server)) as socket:
        with trio.fail_after(PATIENT_S):
            await socket.close()


async def test_what_the_block_raises_is_passed_on_as_it_is():
    async with serving(echo) as server:
        with pytest.raises(ZeroDivisionError):
            async with connect(url(server)):
                raise ZeroDivisionError


async def test_a_send_that_is_cut_off_ends_the_connection():
    cut_off, over = trio.Event(), trio.Event()

    async def script(stream):
        await upgraded(stream)
        await cut_off.wait()
        while await stream.receive_some():
            pass
        over.set()

    async with serving(script) as server, connect(url(server), ping_s=None) as socket:
        with trio.move_on_after(SOON_S) as cut:
            await socket.send(bytes(10_000_000))
        assert cut.cancelled_caught
        cut_off.set()
        with trio.fail_after(PATIENT_S):
            await over.wait()
        assert (await ending(socket))[1].code == RESET


async def test_a_receiver_that_keeps_up_may_receive_any_amount(monkeypatch):
    monkeypatch.setattr(ws, "BACKLOG_BYTES", 1000)
    async with serving(echo) as server, connect(url(server)) as socket:
        for _ in range(10):
            await socket.send("x" * 300)
            assert await socket.receive() == "x" * 300


def open_files():
    return len(os.listdir("/proc/self/fd"))


async def test_cancelled_connections_leave_nothing_open():
    async with serving(mute) as silent, serving(echo) as server:
        before = open_files()

        async def cut_off(number):
            with trio.move_on_after(0.002 * (number % 10)):
                async with connect(url((silent, server)[number % 2])):
                    await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(cut_off, number)
        await soon(lambda: open_files() <= before)
