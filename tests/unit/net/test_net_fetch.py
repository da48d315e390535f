"""Files from URLs that other people write: every hostile URL and server, and what becomes of it (S36, S37)."""

import gzip
from functools import partial

import pytest
import trio
from net_kit import OK, head, mute, once, saying, serving, tls_pair

from hermes.net import fetch as fetching
from hermes.net.dial import open_dial
from hermes.net.failures import CONNECT_REFUSED, DNS, HTTP_STATUS, PROTOCOL, RESET, TIMEOUT, TLS, NetError
from hermes.net.fetch import Fetched, fetch
from hermes.net.guard import guarded_dial
from hermes.types.errors import TOO_LARGE, URL_REFUSED, Failure, GatewayError

MOST = 100_000
PATIENT_S = 5.0
SOON_S = 0.2


class Sink:
    def __init__(self):
        self.data = bytearray()

    async def write(self, data):
        await trio.lowlevel.checkpoint()
        self.data += data


async def get(url, *, deadline_s=PATIENT_S, max_bytes=MOST, dial=open_dial, **options):
    sink = Sink()
    fetched = await fetch(url, sink, deadline_s=deadline_s, max_bytes=max_bytes, dial=dial, **options)
    return fetched, bytes(sink.data)


async def failure(url, **options):
    with pytest.raises(NetError) as caught:
        await get(url, **options)
    print(" →", ascii(str(caught.value)), end=" ")  # with -s: the table that docs/contributing.md speaks of
    return caught.value


async def unreachable(host, port):
    raise AssertionError(f"{host}:{port} was dialled")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://example.com/", "ftp://example.com/x", "data:text/plain,hello", "javascript:alert(1)",
        "", "example.com/x", "//example.com/x", "http:///x", "http://", "https://:443/", "http://user@example.com/",
        "https://user:secret@example.com/", "http://@example.com/", "http://good.com\\@evil.com/", "http://example.com/a b",
        "http://example.com/\r\nHost: evil", "http://exa\tmple.com/", "http://example.com:22/", "http://example.com:0/",
        "http://example.com:6x/", "http://example.com:99999/", "http://[::1", "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/", "http://a..b/", "http://" + "a" * 64 + ".com/", "http://example.com/" + "a" * 9000,
        "http://\ud800.com/", "http://example.com/\ud800", "http://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
async def test_S36_a_url_that_must_not_be_fetched_is_refused_before_anything_is_dialled(url):
    wrong = await failure(url, dial=unreachable)

    assert (wrong.code, wrong.phase) == (URL_REFUSED, "not_sent")
    assert wrong.failure.severity == "needs_operator", "it is never tried again"
    assert "secret" not in str(wrong)


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "0177.0.0.1", "127.1",
     "localhost", "localhost.", "LOCALHOST", "１２７.0.0.1", "[fe80::1]", "10.0.0.1", "[64:ff9b::7f00:1]", "0"],
)  # fmt: skip
async def test_S36_a_host_of_our_own_network_is_refused_by_default(host):
    async with serving(saying(OK)) as server:
        with pytest.raises(NetError) as caught:
            await fetch(f"http://{host}:{server.port}/", Sink(), deadline_s=PATIENT_S, max_bytes=MOST)

    print(" →", caught.value, end=" ")
    assert caught.value.code == URL_REFUSED
    assert server.connections == 0


reachable = partial(guarded_dial, allow={"127.0.0.1"})


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest/meta-data/", "http://localhost:{port}/", "http://[::1]:{port}/", "//0x7f000001:{port}/",
     "file:///etc/passwd", "gopher://127.0.0.1/", "http://user:secret@127.0.0.1:{port}/", "http://127.0.0.1:25/"],
)  # fmt: skip
async def test_S36_a_redirect_is_checked_like_the_url(location):
    async def redirect(stream):
        await head(stream)
        to = location.format(port=stream.socket.getsockname()[1])
        await stream.send_all(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())

    async with serving(redirect) as server:
        wrong = await failure(server.url(), dial=reachable)

    assert wrong.code == URL_REFUSED
    assert server.connections == 1


def moved(to, status=302):
    return f"HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_redirects_are_followed_five_times():
    left = 5

    async def redirect(stream):
        nonlocal left
        await head(stream)
        await stream.send_all(OK if left == 0 else moved(f"/next-{left}"))
        left -= 1

    async with serving(redirect) as server:
        assert (await get(server.url()))[1] == b"ok"
        left = 6
        assert (await failure(server.url())).code == URL_REFUSED


async def test_S36_never_from_https_to_http():
    server_tls, client_tls = tls_pair("127.0.0.1")
    async with serving(saying(OK)) as plain, serving(saying(moved(plain.url())), server_tls) as secure:
        wrong = await failure(secure.url(scheme="https"), tls=client_tls)

    assert wrong.code == URL_REFUSED
    assert plain.connections == 0


async def banner(stream):
    await stream.send_all(b"220 mail.example.com ESMTP\r\n")
    await stream.receive_some()


async def test_https_is_verified():
    server_tls, client_tls = tls_pair("127.0.0.1")
    wrong_name, trusting = tls_pair("example.com")
    async with serving(saying(OK), server_tls) as good, serving(saying(OK), wrong_name) as bad:
        assert (await get(good.url(scheme="https"), tls=client_tls))[1] == b"ok"
        assert (await failure(good.url(scheme="https"))).code == TLS
        assert (await failure(bad.url(scheme="https"), tls=trusting)).code == TLS
    async with serving(banner) as plain:
        assert (await failure(plain.url(scheme="https"))).code == TLS


def chunks(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def endless(stream):
    await head(stream)
    await stream.send_all(CHUNKED)
    while True:
        await stream.send_all(chunks(b"x" * 8192))


async def endless_until_close(stream):
    await head(stream)
    await stream.send_all(b"HTTP/1.0 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b"x" * 8192)


async def dripping(stream):
    await head(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        await stream.send_all(b"x")
        await trio.sleep(SOON_S / 10)


async def dripping_head(stream):
    await head(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"a: b\r\n")
        await trio.sleep(SOON_S / 10)


async def endless_head(stream):
    await head(stream)
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"a: " + b"b" * 1000 + b"\r\n")


async def continuing(stream):
    await head(stream)
    while True:
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")


HOSTILE = {
    "an endless body": (endless, TOO_LARGE),
    "an endless body, until the connection is closed": (endless_until_close, TOO_LARGE),
    "a length over the cap": (once(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"), TOO_LARGE),
    "a length of 20 digits": (
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        TOO_LARGE,
    ),
    "a length that is none": (once(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), PROTOCOL),
    "two lengths": (once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"), PROTOCOL),
    "less than the length": (once(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"), RESET),
    "chunks that end early": (once(CHUNKED + chunks(b"ok")), RESET),
    "a chunk's size that is none": (once(CHUNKED + b"xyz\r\n"), PROTOCOL),
    "a chunk's size without end": (once(CHUNKED + b"f" * 80_000), PROTOCOL),
    "a body a byte at a time": (dripping, TIMEOUT),
    "a head a line at a time": (dripping_head, TIMEOUT),
    "a head without end": (endless_head, PROTOCOL),
    "100 Continue for ever": (continuing, TIMEOUT),
    "no answer": (mute, TIMEOUT),
    "a hang-up": (once(), RESET),
    "a gzip bomb": (
        once(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(10_000_000))),
        PROTOCOL,
    ),
    "not HTTP": (once(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), PROTOCOL),
    "HTTP/0.9": (once(b"<html>hello</html>\r\n\r\n"), PROTOCOL),
    "an upgrade nobody asked for": (once(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n"), PROTOCOL),
    "a line feed in a header's name": (once(b"HTTP/1.1 200 OK\r\nbad header\n: x\r\n\r\n"), PROTOCOL),
    "404": (once(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), HTTP_STATUS),
    "206": (once(b"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nok"), HTTP_STATUS),
    "a redirect to nowhere": (once(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), HTTP_STATUS),
    "a redirect to itself": (saying(moved("/")), URL_REFUSED),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_S37_a_hostile_server(case):
    script, code = HOSTILE[case]
    async with serving(script) as server:
        wrong = await failure(server.url("/secret-path"), deadline_s=SOON_S if code == TIMEOUT else PATIENT_S)

    assert wrong.code == code
    assert "secret-path" not in str(wrong)


async def test_S37_no_more_than_the_cap_reaches_the_sink():
    sink = Sink()
    async with serving(endless) as server:
        with pytest.raises(NetError):
            await fetch(server.url(), sink, deadline_s=PATIENT_S, max_bytes=MOST, dial=open_dial)

    assert len(sink.data) <= MOST


async def test_S37_more_than_the_length_is_cut_off():
    async with serving(
        once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
    ) as server:
        assert (await get(server.url()))[1] == b"ok"


async def test_nobody_there():
    async with serving(mute) as server:
        pass
    assert (await failure(server.url())).code == CONNECT_REFUSED
    assert (await failure("http://no-such-host.invalid/")).code == DNS


async def test_what_the_sink_raises_is_passed_on():
    class Full(Sink):
        async def write(self, data):
            raise GatewayError(Failure(TOO_LARGE, detail="the turn has had enough"))

    async with serving(once(OK)) as server:
        with pytest.raises(GatewayError, match="had enough"):
            await fetch(server.url(), Full(), deadline_s=PATIENT_S, max_bytes=MOST, dial=open_dial)


async def test_what_is_asked_for():
    seen = []

    async def script(stream):
        seen.append(await head(stream))
        await stream.send_all(OK)

    async with serving(script) as server:
        await get(server.url("/é/ü%20?q=ä&x=1#part"))

    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /%C3%A9/%C3%BC%20?q=%C3%A4&x=1 HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert f"User-Agent: {fetching.USER_AGENT}" in lines
    assert "Accept-Encoding: identity" in lines
    assert not any(line.lower().startswith(("cookie", "authorization", "referer")) for line in lines)


async def test_S37_cookies_are_not_kept():
    answer = b"HTTP/1.1 302 Found\r\nSet-Cookie: a=b\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n"
    seen = []

    async def script(stream):
        seen.append(await head(stream))
        await stream.send_all(answer if len(seen) == 1 else OK)

    async with serving(script) as server:
        await get(server.url())

    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


@pytest.mark.parametrize(
    ("headers", "path", "mime", "name"),
    [
        ("Content-Type: image/PNG; charset=x", "/a/cat.png?x=/y.gif", "image/png", "cat.png"),
        ("Content-Type: <script>", "/", None, ""),
        ("Content-Type: " + "a/" * 500, "/", None, ""),
        ('Content-Disposition: attachment; filename="report 1.pdf"', "/x", None, "report 1.pdf"),
        ("Content-Disposition: attachment; filename*=UTF-8''%e2%82%ac.txt", "/x", None, "€.txt"),
        ("Content-Disposition: attachment; filename*=nonsense''%ff", "/x", None, "ÿ"),
        ('Content-Disposition: attachment; filename="../../etc/passwd"', "/x", None, "passwd"),
        (r'Content-Disposition: attachment; filename="..\\..\\boot.ini"', "/x", None, "boot.ini"),
        ("X: y", "/%2e%2e%2f%252e%252e%252fx", None, "%2e%2e%2fx"),
        ("X: y", "/a%00b%0ac%E2%80%AEd", None, "abcd"),
        ("X: y", "/" + "n" * 5000, None, "n" * 255),
        ("Content-Disposition: " + '";' * 20_000, "/x", None, "x"),
    ],
)
async def test_S38_name_and_type_are_claims(headers, path, mime, name):
    answer = f"HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 2\r\n\r\nok".encode()
    async with serving(once(answer)) as server:
        fetched, data = await get(server.url(path))

    assert (fetched, data) == (Fetched(mime, name, 2), b"ok")


async def test_chunked_and_large():
    pieces = [bytes([n]) * 9000 for n in range(10)]
    async with serving(once(CHUNKED, *[chunks(piece) for piece in pieces], b"0\r\n\r\n")) as server:
        assert (await get(server.url()))[1] == b"".join(pieces)


async def test_a_cancelled_fetch_leaves_no_connection():
    ended = trio.Event()

    async def script(stream):
        await head(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        assert await stream.receive_some() == b""
        ended.set()

    async with serving(script) as server:
        with trio.move_on_after(SOON_S):
            await get(server.url())
        with trio.fail_after(PATIENT_S):
            await ended.wait()
