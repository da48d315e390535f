"""Garbage from outside ends the connection it came on, and nothing else: ``hermes tree`` is the same before and after."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import cbor2
import httpx
import pytest
import trio
from client import WebChatClient, chat_socket
from harness import Gateway
from trio_websocket import ConnectionClosed, WebSocketConnection

from hermes.ops.control.endpoint import socket_address

PEER_DEADLINE_S = 30.0
ANSWER_DEADLINE_S = 30.0
FRAMES = 200
NOISE_FRAMES = 1_000
SLOW_PEERS = 64
NOBODY = 65_534
MESSAGE_TOO_BIG, GONE = 1009, 1006


@asynccontextmanager
async def undisturbed(gateway: Gateway) -> AsyncIterator[WebChatClient]:
    """Somebody chats; inside the block anything may happen, and afterwards they do not know of it."""
    await gateway.start()
    client = WebChatClient(gateway.url, await gateway.log_in(), "bystander")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.run)
        with trio.fail_after(ANSWER_DEADLINE_S):
            assert await client.ask("echo before") == "before"
        before = await gateway.lives()
        yield client
        with trio.fail_after(ANSWER_DEADLINE_S):
            assert await client.ask("echo after") == "after"
        after = await gateway.lives()
        assert {path: after.get(path) for path in before} == before
        assert client.connects == 1
        nursery.cancel_scope.cancel()
    assert "Traceback" not in gateway.printed


def malformed(seed: int) -> Sequence[bytes]:
    """Byte strings that are no request: bombs, lies about lengths, halves, and CBOR of the wrong shape."""
    chance = random.Random(seed)

    def framed(body: bytes, length: int | None = None) -> bytes:
        return struct.pack(">I", len(body) if length is None else length) + body

    request = cbor2.dumps({"id": 1, "verb": "ping", "args": {}})
    kinds = (
        lambda: chance.randbytes(chance.randrange(1, 4096)),
        lambda: framed(chance.randbytes(chance.randrange(1, 4096))),
        lambda: framed(b"", 0xFFFF_FFFF),
        lambda: framed(b"\x00" * 1024, (1 << 20) + 1),
        lambda: framed(request)[: chance.randrange(1, len(request))],
        lambda: framed(b"\x81" * 100_000 + b"\x00"),
        lambda: framed(b"\xc2" * 1_000 + b"\x41\x00"),
        lambda: framed(b"\x9b" + b"\xff" * 8),
        lambda: framed(b"\xbf" + b"\x61a\x01" * 10),
        lambda: framed(b"\x5f\x41a\xff"),
        lambda: framed(cbor2.dumps([0] * 50_000)),
        lambda: framed(cbor2.dumps({"id": "one", "verb": 2, "args": []})),
        lambda: framed(cbor2.dumps({"id": 1, "verb": "ping"})),
        lambda: framed(request + request),
        lambda: b"\x00" * (1 << 20),
    )
    return [kinds[number % len(kinds)]() for number in range(FRAMES)]


async def test_S43_malformed_frames_on_the_control_socket_end_their_connection(gateway: Gateway) -> None:
    async with undisturbed(gateway):
        for data in malformed(seed=43):
            with socket_address(gateway.home / "run") as address:
                stream = trio.SocketStream(trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                await stream.socket.connect(address)
            async with stream:
                with trio.fail_after(PEER_DEADLINE_S):
                    assert await _said(stream, data) == b""


async def test_S43_a_thousand_frames_of_noise_restart_nobody(gateway: Gateway) -> None:
    chance = random.Random(1_000)
    async with undisturbed(gateway):
        for _ in range(NOISE_FRAMES):
            body = chance.randbytes(chance.randrange(1, 512))
            with socket_address(gateway.home / "run") as address:
                stream = trio.SocketStream(trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                await stream.socket.connect(address)
            async with stream:
                with trio.fail_after(PEER_DEADLINE_S):
                    assert await _said(stream, struct.pack(">I", len(body)) + body) == b""


async def _said(stream: trio.SocketStream, data: bytes) -> bytes:
    """The first that is said to ``data``; nothing where the other side hangs up."""
    try:
        await stream.send_all(data)
        await stream.send_eof()
        return bytes(await stream.receive_some())
    except trio.BrokenResourceError:
        return b""  # hung up on before all was said


ASK = """
import socket, struct, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(30)
try:
    connection.connect(f"/proc/self/fd/{sys.argv[1]}/control.sock")
except PermissionError:
    sys.exit("no way in")
body = bytes.fromhex(sys.argv[2])
try:
    connection.sendall(struct.pack(">I", len(body)) + body)
    print(len(connection.recv(1)))
except ConnectionError:
    print(0)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_S43_another_user_is_refused_twice(gateway: Gateway) -> None:
    async def said_so() -> bool:
        return "another user" in gateway.printed

    async with undisturbed(gateway):
        run = gateway.home / "run"
        assert "no way in" in await _ask_as_nobody(gateway)

        run.chmod(0o711)
        (run / "control.sock").chmod(0o666)

        assert await _ask_as_nobody(gateway) == "0"
        await gateway.until(said_so)


async def _ask_as_nobody(gateway: Gateway) -> str:
    directory = os.open(gateway.home / "run", os.O_PATH | os.O_DIRECTORY)
    request = cbor2.dumps({"id": 1, "verb": "status", "args": {}}).hex()
    try:
        # the interpreter by its file descriptor: nobody may not be able to walk to it
        done = await trio.run_process(
            [_interpreter(), "-I", "-S", "-c", ASK, str(directory), request],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            pass_fds=[directory],
            env={},
            cwd="/",
        )
    finally:
        os.close(directory)
    return (done.stdout + done.stderr).decode().strip()


def _interpreter() -> str:
    """One that every user may run."""
    for candidate in ("/usr/bin/python3", os.path.realpath(sys.executable)):
        if (
            os.path.exists(candidate)
            and not subprocess.run(
                [candidate, "-I", "-S", "-c", ""], user=NOBODY, group=NOBODY, check=False, capture_output=True
            ).returncode
        ):
            return candidate
    pytest.skip("no Python that another user may run")


GARBAGE = (
    b"\x00" * 4096,
    b"\xff" * 70_000,
    b"\r\n" * 1_000,
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET  HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: " + b"x" * 200_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /%00%ff%2e%2e%2f HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /static/..%2f..%2fpyproject.toml HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    b"GET /chat/socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    + b"\xff" * 500,
)


async def test_garbage_on_http_is_refused(gateway: Gateway) -> None:
    async with undisturbed(gateway):
        for data in GARBAGE:
            async with await trio.open_tcp_stream("127.0.0.1", gateway.port) as stream:
                with trio.fail_after(PEER_DEADLINE_S):
                    heard = await _said(stream, data)
            status = heard.partition(b"\r\n")[0]
            assert not status.startswith(b"HTTP/") or status.split()[1][:1] == b"4", (data[:80], status)


async def test_a_message_of_10_megabytes_is_refused_and_its_connection_closed(gateway: Gateway) -> None:
    async with undisturbed(gateway):
        async with chat_socket(gateway.url, await gateway.log_in(), "flood") as flood:
            await flood.send_message('{"t":"hello","client":"flood"}')
            await flood.get_message()

            with pytest.raises(ConnectionClosed) as closed:
                await _say(flood, "x" * 10_000_000)

            reason = closed.value.reason
            assert reason is None or reason.code in (MESSAGE_TOO_BIG, GONE)
        assert (await gateway.status())["counts"]["received"] == 1


async def _say(socket: WebSocketConnection, text: str) -> None:
    """Send a message and read what comes back, for as long as the connection lasts."""
    with trio.fail_after(PEER_DEADLINE_S):
        await socket.send_message(json.dumps({"t": "send", "id": "1", "text": text}))
        while True:
            assert "accepted" not in await socket.get_message()


async def test_64_peers_that_trickle_hold_up_nobody(gateway: Gateway) -> None:
    async with undisturbed(gateway) as client, trio.open_nursery() as nursery:
        for _ in range(SLOW_PEERS):
            nursery.start_soon(_trickle, gateway.port)
        async with httpx.AsyncClient(trust_env=False, timeout=PEER_DEADLINE_S) as http:
            for number in range(3):
                with trio.fail_after(ANSWER_DEADLINE_S):
                    assert await client.ask(f"echo {number}") == str(number)
                assert (await http.get(f"{gateway.url}/ready")).status_code == httpx.codes.OK
        nursery.cancel_scope.cancel()


async def _trickle(port: int) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000:
            await stream.send_all(bytes([byte]))
            await trio.sleep(0.05)
