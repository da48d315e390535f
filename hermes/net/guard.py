"""The way out for addresses that other people name: the public internet and nothing else.

    name ─resolve once─▶ addresses ─all public?─▶ connect to one of these, never to the name

Checking a URL before it is fetched would prove nothing: a name may lead elsewhere a moment later. So the check is where the
connection is made, on what is connected to.
"""

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import trio

from hermes.net.failures import NetError
from hermes.types.errors import URL_REFUSED

ATTEMPT_S = 3.0
"""How long one address may keep us from trying the next."""

_NOT_PUBLIC_4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers; some clouds have their metadata here
            "127.0.0.0/8",
            "168.63.129.16/32",  # public in form, the host's own wire server in fact (Azure)
            "169.254.0.0/16",  # link-local; most clouds' metadata
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_UNICAST_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # protocols of the IETF, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",
        ),
    )
)
_Place = tuple[int, tuple[Any, ...]]
_IPV6_PARTS = 4

_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """True for a unicast address that means the same to everybody; false for what is none, or names an interface (``%``)."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    if isinstance(known, IPv4Address):
        return not any(known in network for network in _NOT_PUBLIC_4)
    if known.scope_id is not None:
        return False
    if inner := _embedded(known):
        return is_public(str(inner))
    return known in _UNICAST_6 and not any(known in network for network in _NOT_PUBLIC_6)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """What is really connected to where the system or the network translates; tunnels of old are refused as they are."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


async def guarded_dial(host: str, port: int, *, allow: Collection[str] = ()) -> trio.abc.Stream:
    """Connect to ``host`` if all of its addresses are public. ``allow`` names hosts of the operator's that may be anywhere.

    Raises ``NetError`` (``url_refused``), and ``OSError`` if nobody answers.
    """
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    places: list[_Place] = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    if host not in allow and not all(_may_be_reached(address) for _, address in places):
        # Neither which address nor how many: whoever asks would be told about our network.
        raise NetError(URL_REFUSED, f"{host}: not on the public internet")
    return await _first(places)


def _may_be_reached(address: tuple[Any, ...]) -> bool:
    scope = address[3] if len(address) == _IPV6_PARTS else 0
    return not scope and is_public(str(address[0]))


async def _first(places: list[_Place]) -> trio.SocketStream:
    wrong: OSError = TimeoutError("no answer")
    for family, address in places:
        to = trio.socket.socket(family, socket.SOCK_STREAM)
        try:
            # The last one has all the time the caller gives.
            limit = ATTEMPT_S if (family, address) != places[-1] else float("inf")
            with trio.move_on_after(limit):
                await to.connect(address)
                return trio.SocketStream(to)
            to.close()
        except OSError as failed:
            to.close()
            wrong = failed
        except BaseException:
            to.close()
            raise
    raise wrong
