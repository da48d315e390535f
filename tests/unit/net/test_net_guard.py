"""Which addresses count as public, and that what is connected to is what was checked (S36)."""

import socket

import pytest
import trio
from net_kit import OK, saying, serving

from hermes.net.failures import NetError
from hermes.net.guard import guarded_dial, is_public
from hermes.types.errors import URL_REFUSED


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
        "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1",
        "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.251",
        "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::",
        "2001:db8::1", "2002:7f00:1::1", "2002:a9fe:a9fe::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
        "fe80::1", "fe80::1%1", "2606:4700::1111%1", "fec0::1", "ff02::1", "", "localhost", "0x7f.1",
    ],
)  # fmt: skip
def test_S36_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.1", "::ffff:8.8.8.8",
     "64:ff9b::808:808", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"],
)  # fmt: skip
def test_public(address):
    assert is_public(address)


class Resolver(trio.abc.HostnameResolver):
    """Gives one answer after another, whatever is asked."""

    def __init__(self, *answers):
        self.asked = 0
        self._answers = answers

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [
            (socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "",
             (ip, port, 0, 0) if ":" in ip else (ip, port))
            for ip in answer
        ]  # fmt: skip

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


class Sockets(trio.abc.SocketFactory):
    """Notes what is connected to, and connects to nothing."""

    def __init__(self):
        self.reached = []

    def socket(self, family, type, proto):
        return _Socket(self, family, type, proto)


class _Socket(trio.socket.SocketType):
    def __init__(self, factory, family, type, proto):
        self._factory, self._family = factory, family

    async def connect(self, address):
        await trio.lowlevel.checkpoint()
        self._factory.reached.append(address[0])
        raise ConnectionRefusedError("nobody")

    def close(self):
        pass


@pytest.fixture
async def nowhere():
    """No socket of the test reaches anything."""
    sockets = Sockets()
    before = trio.socket.set_custom_socket_factory(sockets)
    yield sockets
    trio.socket.set_custom_socket_factory(before)


@pytest.fixture
async def resolving():
    before = None

    def install(*answers):
        nonlocal before
        resolver = Resolver(*answers)
        before = trio.socket.set_custom_hostname_resolver(resolver)
        return resolver

    yield install
    trio.socket.set_custom_hostname_resolver(before)


async def refusal(host, **options):
    with pytest.raises(NetError) as caught:
        await guarded_dial(host, 80, **options)
    print(" →", caught.value, end=" ")
    return caught.value


async def test_S36_one_private_address_among_public_ones_is_enough(nowhere, resolving):
    resolving(["8.8.8.8", "10.0.0.1"])

    assert (await refusal("mixed.test")).code == URL_REFUSED
    assert nowhere.reached == []


async def test_S36_a_name_that_leads_elsewhere_on_second_look_is_looked_at_once(nowhere, resolving):
    resolver = resolving(["8.8.8.8"], ["127.0.0.1"])

    with pytest.raises(ConnectionRefusedError):
        await guarded_dial("rebinding.test", 80)
    assert nowhere.reached == ["8.8.8.8"]
    assert resolver.asked == 1


async def test_every_address_is_tried_in_order(nowhere, resolving):
    resolving(["8.8.8.8", "2606:4700::1111", "1.1.1.1"])

    with pytest.raises(ConnectionRefusedError):
        await guarded_dial("three.test", 80)
    assert nowhere.reached == ["8.8.8.8", "2606:4700::1111", "1.1.1.1"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "::1", "localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0", "::",
     "::ffff:127.0.0.1", "::ffff:7f00:1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "fe80::1"],
)  # fmt: skip
async def test_S36_however_it_is_written(host):
    assert (await refusal(host)).code == URL_REFUSED


async def test_a_host_of_the_operators_may_be_anywhere():
    async with serving(saying(OK)) as server:
        stream = await guarded_dial("127.0.0.1", server.port, allow={"127.0.0.1"})
        await stream.aclose()


async def test_S36_a_refusal_tells_nothing_of_our_network(resolving):
    resolving(["10.1.2.3"])

    assert "10.1" not in str(await refusal("inside.test"))
