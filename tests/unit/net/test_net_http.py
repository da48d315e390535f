"""Requests against real servers on loopback: what is reused, what a failure says, what never leaks."""

import io
import logging
import os
import socket
import struct
import subprocess
import sys
import traceback
from base64 import b64encode
from contextlib import suppress
from functools import partial

import pytest
import trio
from net_kit import OK, head, mute, once, saying, serving, soon, tls_pair

from hermes.net import pool
from hermes.net.connection import Connection, Request
from hermes.net.dial import open_dial, tls_context
from hermes.net.failures import (
    CONNECT_REFUSED,
    CONNECT_TIMEOUT,
    DNS,
    POOL_FULL,
    PROTOCOL,
    PROXY_UNUSABLE,
    RESET,
    TIMEOUT,
    TLS,
    NetError,
)
from hermes.net.http import client as http_client
from hermes.net.http.client import Purpose, open_client
from hermes.net.http.content import Upload
from hermes.types.errors import TOO_LARGE, URL_REFUSED

SOON_S = 0.2
PATIENT_S = 5.0

direct = partial(open_client, proxy="", tls=tls_context())


def answering(body=b"ok", status=b"200 OK", *headers):
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


async def whole(stream):
    """A request with its body, by its length."""
    got = await head(stream)
    begin, _, body = got.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in begin.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    body = bytearray(body)
    while lengths and len(body) < lengths[0] and (piece := await stream.receive_some()):
        body += piece
    return begin, bytes(body)


def noting(seen, answer=OK):
    async def script(stream):
        while (request := await whole(stream))[0]:
            seen.append(request)
            await stream.send_all(answer)

    return script


async def failure(client, url, method="POST", **options):
    with pytest.raises(NetError) as caught:
        await client.request(method, url, **options)
    return caught.value


# --- what travels ------------------------------------------------------------------------------------------------------


async def test_json_goes_out_and_comes_in():
    seen = []
    async with (
        serving(noting(seen, answering(b'{"a":[1]}'))) as server,
        direct(headers={"x-bot": "b"}) as client,
    ):
        reply = await client.request("POST", server.url("/x?n=1"), json={"text": "é"}, headers={"x": "y"})

    assert (reply.status, reply.json(), reply.headers["content-length"]) == (200, {"a": [1]}, "9")
    begin, body = seen[0]
    assert begin.startswith(b"POST /x?n=1 HTTP/1.1\r\n")
    lines = begin.lower().split(b"\r\n")
    assert {b"x-bot: b", b"x: y", b"accept-encoding: identity", b"user-agent: hermes-gateway"} <= set(lines)
    assert body == '{"text":"é"}'.encode()


async def test_forms_and_files():
    seen = []
    big = os.urandom(300_000)
    async with serving(noting(seen)) as server, direct() as client:
        await client.request("POST", server.url(), data={"a": "b c"})
        file = Upload("cat.png", io.BytesIO(big), "image/png")
        await client.request("POST", server.url(), purpose="files", data={"chat": "1"}, files={"photo": file})
        await client.request("POST", server.url(), files={"empty": Upload("e.txt", b"")})

    assert seen[0][1] == b"a=b+c"
    assert b"\r\ncontent-type: application/x-www-form-urlencoded\r\n" in seen[0][0]
    assert big in seen[1][1]
    assert b'name="photo"; filename="cat.png"\r\nContent-Type: image/png' in seen[1][1]
    assert b'filename="e.txt"' in seen[2][1]


async def test_a_body_of_unknown_length_goes_in_chunks():
    async def body():
        for piece in (b"a" * 10, b"", b"b" * 10):
            yield piece

    got = []

    async def script(stream):
        request = await head(stream)
        while not request.endswith(b"0\r\n\r\n"):
            request += await stream.receive_some()
        got.append(request)
        await stream.send_all(OK)

    async with serving(script) as server, direct() as client:
        assert (await client.request("PUT", server.url(), content=body())).body == b"ok"

    assert got[0].endswith(b"\r\n\r\na\r\naaaaaaaaaa\r\na\r\nbbbbbbbbbb\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("method", "answer", "status", "body"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200, b""),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", 304, b""),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" + OK, 200, b"ok"),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n",
            200,
            b"ok",
        ),
        (
            "GET",
            b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            301,
            b"",
        ),
        ("GET", answering(b"no", b"503 Away", b"Retry-After: 5"), 503, b"no"),
        ("GET", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    ],
)
async def test_the_connection_is_used_again_after(method, answer, status, body):
    async with serving(saying(answer)) as server, direct() as client:
        for _ in range(2):
            reply = await client.request(method, server.url())
            assert (reply.status, reply.body) == (status, body)

    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",  # an answer to what was not asked yet
        OK + b"x",
        answering(b"ok", b"200 OK", b"Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_the_connection_is_not_used_again_after(answer):
    async with serving(saying(answer)) as server, direct() as client:
        for _ in range(3):
            assert (await client.request("GET", server.url())).body == b"ok"

    assert server.connections == 3


@pytest.mark.parametrize("secure", [False, True])
async def test_a_connection_that_its_server_has_closed_is_not_used_again(secure):
    server_tls, client_tls = tls_pair("127.0.0.1")
    closed = []

    async def script(stream):
        await head(stream)
        await stream.send_all(OK)
        if not closed:
            await stream.aclose()
            closed.append(True)
        else:
            await stream.receive_some()

    scheme = "https" if secure else "http"
    async with serving(script, server_tls if secure else None) as server, direct(tls=client_tls) as client:
        for _ in range(2):
            assert (await client.request("POST", server.url(scheme=scheme))).body == b"ok"
            await trio.testing.wait_all_tasks_blocked(0.01)

    assert server.connections == 2


async def test_an_idle_connection_grows_too_old(monkeypatch):
    async with serving(saying(OK)) as server, direct() as client:
        for idle_s, connections in ((PATIENT_S, 1), (0.0, 1), (PATIENT_S, 2), (PATIENT_S, 2)):
            monkeypatch.setattr(pool, "IDLE_S", idle_s)
            await client.request("GET", server.url())
            assert server.connections == connections


async def test_a_connection_leads_to_one_origin():
    async with serving(saying(OK)) as server, serving(saying(OK)) as other, direct() as client:
        for url in (server.url(), other.url(), server.url(host="localhost"), server.url()):
            await client.request("GET", url)

    assert (server.connections, other.connections) == (2, 1)


async def test_https_with_a_name():
    server_tls, client_tls = tls_pair("api.test")

    async def dial(host, port):
        assert host == "api.test"
        return await open_dial("127.0.0.1", server.port)

    async with serving(saying(OK), server_tls) as server, direct(tls=client_tls, dial=dial) as client:
        for _ in range(2):
            assert (await client.request("GET", "https://api.test/")).body == b"ok"

    assert server.connections == 1


async def test_a_stream_is_read_as_it_comes():
    go_on = trio.Event()

    async def script(stream):
        await head(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        await stream.send_all(b"3\r\ntwo\r\n0\r\n\r\n")
        await stream.receive_some()

    async with serving(script) as server, direct() as client, client.stream("GET", server.url()) as answer:
        assert (answer.status, await answer.read()) == (200, b"one")
        go_on.set()
        assert [await answer.read() for _ in range(3)] == [b"two", b"", b""]


@pytest.mark.parametrize(
    ("behind", "wrong"),
    [(b"0\r\n\r\n", None), (b"neither a length nor an end\r\n", PROTOCOL), (b"9\r\nhalf", RESET)],
    ids=["its end", "nonsense", "the end of the connection"],
)
async def test_what_has_come_together_is_read_together_and_a_fault_behind_it_is_the_next_ones(behind, wrong):
    pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n"
    async with (
        serving(once(pieces + behind)) as server,
        direct() as client,
        client.stream("GET", server.url()) as answer,
    ):
        read = await answer.read()
        assert read == (b"onetwohalf" if wrong == RESET else b"onetwo")
        if wrong is None:
            assert await answer.read() == b""
        else:
            with pytest.raises(NetError) as caught:
                await answer.read()
            assert (caught.value.code, caught.value.phase) == (wrong, "unknown")


@pytest.mark.parametrize(("rest", "ended"), [(b"", False), (b"0\r\n\r\n", True)])
async def test_the_end_of_a_stream_is_known_where_it_came_with_the_last_piece(rest, ended):
    begin = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"
    async with (
        serving(saying(begin + rest, hold=True)) as server,
        direct() as client,
        client.stream("GET", server.url(), silence_s=PATIENT_S) as answer,
    ):
        assert not answer.ended
        assert await answer.read() == b"one"
        assert answer.ended is ended


async def test_certificates_are_read_for_the_first_connection_that_is_encrypted(monkeypatch):
    read = []
    monkeypatch.setattr(http_client, "tls_context", lambda: read.append("") or tls_context())
    async with serving(saying(OK)) as server, open_client(proxy="") as client:
        assert (await client.request("GET", server.url())).body == b"ok"
        assert read == []
        for _ in range(2):
            with pytest.raises(NetError):
                await client.request("GET", server.url(scheme="https"))

    assert len(read) == 1


def test_nothing_of_httpx_that_is_for_the_command_line_is_loaded():
    """It would bring rich and pygments along, five megabytes of them."""
    code = "import sys, hermes.net.http.client; sys.exit(bool({'rich', 'pygments'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_stream_that_falls_silent():
    script = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none", hold=True)
    async with serving(script) as server, direct() as client:
        stream = client.stream("GET", server.url(), silence_s=SOON_S)
        async with stream as answer:
            assert await answer.read() == b"one"
            with pytest.raises(NetError) as caught:
                await answer.read()

    assert (caught.value.code, caught.value.phase) == (TIMEOUT, "unknown")


async def test_who_says_now_and_then_that_an_answer_is_coming_is_not_silent():
    async def script(stream):
        await head(stream)
        for _ in range(4):
            await stream.send_all(b"HTTP/1.1 102 Processing\r\n\r\n")
            await trio.sleep(SOON_S / 2)
        await stream.send_all(OK)

    async with (
        serving(script) as server,
        direct() as client,
        client.stream("POST", server.url(), silence_s=SOON_S, content=b"{}") as answer,
    ):
        assert answer.status == 200


async def test_an_answer_that_comes_before_the_request_is_all_sent():
    """And its server reads no further, so that waiting to have sent it all would be waiting for ever."""

    async def script(stream):
        await head(stream)
        await stream.send_all(answering(b"too big", b"413 Too Large"))
        await trio.sleep_forever()

    async with serving(script) as server, direct() as client:
        for content in (bytes(50_000_000), endless()):
            reply = await client.request("POST", server.url(), content=content)
            assert (reply.status, reply.body) == (413, b"too big")

    assert server.connections == 2


async def endless():
    while True:
        yield bytes(65536)


async def test_an_answer_before_the_server_hangs_up_on_a_long_request_is_heard():
    async def script(stream):
        await head(stream)
        await stream.send_all(answering(b"too big", b"413 Too Large"))
        await stream.send_eof()
        await trio.sleep(SOON_S)

    async with serving(script) as server, direct() as client:
        assert (await client.request("POST", server.url(), content=endless())).status == 413


class Deaf(trio.abc.Stream):
    """Takes no more of a request at some point, and says why a moment later."""

    def __init__(self):
        self._broken = trio.Event()

    async def send_all(self, data):
        await trio.lowlevel.checkpoint()
        self._broken.set()
        raise trio.BrokenResourceError

    async def receive_some(self, max_bytes=None):
        await self._broken.wait()
        await trio.sleep(SOON_S)
        return answering(b"too big", b"413 Too Large")

    async def wait_send_all_might_not_block(self):
        pass

    async def aclose(self):
        pass


async def test_the_last_words_of_a_peer_that_takes_no_more_are_waited_for(autojump_clock):
    request = Request(b"POST", b"/", [(b"Host", b"x")], endless())

    assert (await Connection(Deaf(), "host").ask(request)).status == 413


async def test_what_the_body_raises_is_passed_on():
    async def broken():
        yield b"x"
        raise OSError("the disk is gone")

    async with serving(whole) as server, direct() as client:
        with pytest.raises(OSError, match="disk"):
            await client.request("POST", server.url(), content=broken())


async def test_a_name_in_the_url_is_said_to_the_server_and_to_nobody_else():
    seen = []
    async with serving(noting(seen)) as server, direct() as client:
        for own in ({}, {"authorization": "Bearer x", "Host": "evil.test"}):
            await client.request("GET", server.url(host="us%20er:p%3Aw@127.0.0.1"), headers=own)

    for begin, _ in seen:
        assert begin.startswith(b"GET / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n" % server.port)
        assert begin.count(b"\r\nauthorization: Basic " + b64encode(b"us er:p:w")) == 1
        assert begin.count(b"authorization") == begin.lower().count(b"host:") == 1


# --- what failures say -------------------------------------------------------------------------------------------------


async def resetting(stream):
    await head(stream)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


SERVERS = {
    "hangs up": (once(), RESET),
    "resets": (resetting, RESET),
    "resets in the middle": (once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none"), RESET),
    "is silent": (mute, TIMEOUT),
    "is silent in the middle": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none", hold=True),
        TIMEOUT,
    ),
    "speaks something else": (once(b"220 mail.example.com ESMTP\r\n\r\n"), PROTOCOL),
    "has a head without end": (once(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000), PROTOCOL),
    "packs": (once(answering(b"x", b"200 OK", b"Content-Encoding: gzip")), PROTOCOL),
    "says too much": (once(answering(bytes(2000))), TOO_LARGE),
}


@pytest.mark.parametrize("case", SERVERS)
async def test_once_written_nobody_knows_whether_it_has_arrived(case):
    script, code = SERVERS[case]
    async with serving(script) as server, direct() as client:
        timeout_s = 2 * SOON_S if code == TIMEOUT else PATIENT_S
        wrong = await failure(client, server.url(), timeout_s=timeout_s, max_bytes=1000)

    assert (wrong.code, wrong.phase) == (code, "unknown")


async def hanging(host, port):
    await trio.sleep_forever()


async def banner(stream):
    await stream.send_all(b"220 mail.example.com ESMTP\r\n")
    await stream.receive_some()


async def test_without_a_connection_nothing_is_sent():
    async with serving(mute) as gone:
        pass
    async with serving(banner) as server, serving(mute) as silent, direct() as client:
        for url, code in (
            (gone.url(), CONNECT_REFUSED),
            ("http://no-such-host.invalid/", DNS),
            ("http://" + "a" * 70 + ".test/", DNS),
            (server.url(scheme="https"), TLS),
            ("ftp://127.0.0.1/", URL_REFUSED),
            ("http://127.0.0.1:x/", URL_REFUSED),
            ("http://127.0.0.1:65536/", URL_REFUSED),
            ("http:///x", URL_REFUSED),
        ):
            wrong = await failure(client, url)
            assert (wrong.code, wrong.phase) == (code, "not_sent"), url
            if code is CONNECT_REFUSED:
                assert f"port {gone.port}: Connection refused" in str(wrong)
        wrong = await failure(client, silent.url(scheme="https"), timeout_s=SOON_S)
        assert (wrong.code, wrong.phase) == (CONNECT_TIMEOUT, "not_sent")
    async with direct(dial=hanging, connect_s=SOON_S) as client:
        wrong = await failure(client, server.url())
        assert (wrong.code, wrong.phase) == (CONNECT_TIMEOUT, "not_sent")


@pytest.mark.parametrize("word", ["a\nb", "a\0b", "schlüssel"])
async def test_a_header_that_cannot_be_said(word):
    async with serving(saying(OK)) as server, direct() as client:
        wrong = await failure(client, server.url(), headers={"authorization": f"Bearer {word}"})

    assert (wrong.code, wrong.phase) == (PROTOCOL, "not_sent")
    assert word not in str(wrong)


@pytest.mark.parametrize("length", [10, 200_000])
async def test_a_file_that_is_not_as_long_as_it_was(length):
    """It changes while it is sent: what follows on that connection would be taken for the rest of it."""

    async def body():
        yield bytes(100_000)

    async with serving(mute) as server:
        connection = Connection(await open_dial("127.0.0.1", server.port), "x")
        with pytest.raises(NetError) as caught:
            await connection.ask(Request(b"POST", b"/", [(b"host", b"x")], body(), length))
        assert (caught.value.code, caught.value.phase) == (PROTOCOL, "unknown")
        assert not connection.reusable
        connection.hang_up()


async def test_a_place_in_a_pool_is_not_waited_for_longer_than_for_an_answer():
    purposes = {"send": Purpose(1, PATIENT_S)}
    async with serving(saying(OK)) as server, direct(purposes=purposes) as client:
        async with client.stream("GET", server.url(), purpose="send"):
            with pytest.raises(NetError) as caught:
                async with client.stream("GET", server.url(), purpose="send", silence_s=SOON_S):
                    pass
        assert (await client.request("GET", server.url())).body == b"ok"

    assert (caught.value.code, caught.value.phase) == (POOL_FULL, "not_sent")


async def test_an_untrusted_certificate():
    server_tls, _ = tls_pair("127.0.0.1")
    async with serving(saying(OK), server_tls) as server, direct(tls=tls_context()) as client:
        wrong = await failure(client, server.url(scheme="https"))

    assert (wrong.code, wrong.phase) == (TLS, "not_sent")
    assert "certificate" in str(wrong)


async def test_AC30_a_long_poll_takes_no_place_of_a_send():
    purposes = {"poll": Purpose(1, PATIENT_S), "send": Purpose(1, PATIENT_S)}
    held = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none", hold=True)
    async with serving(held) as slow, serving(saying(OK)) as server, direct(purposes=purposes) as client:
        poll = client.stream("GET", slow.url(), purpose="poll")
        async with poll as polling:
            assert polling.status == 200
            wrong = await failure(client, slow.url(), purpose="poll", timeout_s=SOON_S)
            assert (wrong.code, wrong.phase) == (CONNECT_TIMEOUT, "not_sent")
            assert (await client.request("GET", server.url())).body == b"ok"


async def test_AC50_a_new_client_shares_nothing_with_an_old_one():
    seen = []
    answer = answering(b"ok", b"200 OK", b"Set-Cookie: session=old")
    async with serving(noting(seen, answer)) as server:
        for _ in range(2):
            async with direct() as client:
                for _ in range(2):
                    await client.request("GET", server.url())

    assert server.connections == 2
    assert not any(b"cookie" in begin.lower() for begin, _ in seen)


# --- what does not leak ------------------------------------------------------------------------------------------------


def open_files():
    return len(os.listdir("/proc/self/fd"))


async def test_cancelled_requests_leave_nothing_open():
    purposes = {"send": Purpose(8, PATIENT_S)}
    cases = [mute, saying(OK), saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\none", hold=True)]
    all_before = open_files()
    async with serving(cases[0]) as a, serving(cases[1]) as b, serving(cases[2]) as c:
        before = open_files()
        client_open = direct(purposes=purposes)
        async with client_open as client:

            async def cut_off(number):
                url = (a, b, c)[number % 3].url()
                with trio.move_on_after(0.002 * (number % 10)):
                    with suppress(NetError):
                        await client.request("POST", url, json={"n": number})

            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(cut_off, number)
            for _ in range(20):
                await client.request("GET", b.url())
            idle = 8  # connections that were returned in good order, at both ends
            await soon(lambda: open_files() <= before + 2 * idle)
        await soon(lambda: open_files() <= before)
    assert open_files() <= all_before


SECRET = "123456789:AAsecretsecretsecretsecretsecretsecret"


async def test_S46_no_token_in_errors_and_logs(caplog):
    caplog.set_level(logging.DEBUG)
    shown = []
    async with serving(saying(OK)) as server, serving(once()) as ended, direct() as client:
        path = f"/bot{SECRET}/sendMessage"
        await client.request("GET", server.url(path))
        for url in (
            ended.url(path),
            server.url(path, scheme="ftp"),
            f"http://127.0.0.1:x{path}",
            f"https://{SECRET}@",
        ):
            shown.append(await failure(client, url))
        shown.append(await failure(client, server.url(), headers={"authorization": f"Bot {SECRET}\n"}))
        assert (shown[-1].code, shown[-1].phase) == (PROTOCOL, "not_sent")
        async with open_client(proxy=server.url()) as proxied:
            bad = {"authorization": f"Bot {SECRET}\n"}
            shown.append(await failure(proxied, "http://far.test/", headers=bad))
        assert (shown[-1].code, shown[-1].phase) == (PROTOCOL, "not_sent")

    texts = [str(wrong) for wrong in shown] + ["".join(traceback.format_exception(wrong)) for wrong in shown]
    assert [text for text in [*texts, caplog.text] if "secret" in text.replace("SECRET", "")] == []


async def test_a_path_is_shown_as_far_as_its_owner_says():
    def last(path):
        return "/…/" + path.rpartition("/")[2]

    async with serving(once()) as server, direct(redact=last) as client:
        wrong = await failure(client, server.url(f"/bot{SECRET}/sendMessage"))

    assert str(wrong) == "reset: 127.0.0.1: it hung up without an answer (POST /…/sendMessage)"


# --- around -------------------------------------------------------------------------------------------------


async def test_a_request_may_go_through_a_proxy():
    seen = []
    big = os.urandom(300_000)
    async with serving(noting(seen)) as proxy, serving(once()) as broken:
        async with open_client(proxy=f"http://user:pass@127.0.0.1:{proxy.port}") as client:
            assert (await client.request("GET", "http://far.test/x")).body == b"ok"
            async with client.stream("POST", "http://far.test:8080/", json=[1]) as answer:
                assert (answer.status, answer.headers["content-length"]) == (200, "2")
                assert [await answer.read(), await answer.read()] == [b"ok", b""]
            async with client.stream("GET", "http://far.test/"):
                pass  # left unread
            await client.request("POST", "http://far.test/", files={"f": Upload("f", io.BytesIO(big))})
        async with open_client(proxy=broken.url()) as client:
            wrong = await failure(client, "http://far.test/x")

    assert seen[0][0].startswith(b"GET http://far.test/x HTTP/1.1\r\nhost: far.test\r\n")
    assert seen[1] == (seen[1][0], b"[1]")
    assert b"\r\nhost: far.test:8080\r\n" in seen[1][0]
    assert big in seen[3][1]
    assert (wrong.code, wrong.phase) == (PROTOCOL, "unknown")


async def test_through_a_proxy_what_is_cut_off_may_have_arrived():
    async with serving(mute) as proxy, open_client(proxy=proxy.url()) as client:
        wrong = await failure(client, "http://far.test/x", timeout_s=SOON_S)

    assert (wrong.code, wrong.phase) == (TIMEOUT, "unknown")


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "gopher://secret@x", "http://x:secret@y:z"])
async def test_a_proxy_that_cannot_be_used_is_named(proxy):
    with pytest.raises(NetError) as caught:
        async with open_client(proxy=proxy):
            pass

    assert (caught.value.code, caught.value.failure.severity) == (PROXY_UNUSABLE, "needs_operator")
    assert "secret" not in "".join(traceback.format_exception(caught.value))
