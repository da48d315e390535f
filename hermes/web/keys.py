"""Who may use the routes that want a key: ``Authorization: Bearer KEY``.

Whoever guesses is refused everything for a while, and longer each time: a good key too, or guessing would cost nothing. That is
counted by the peer's network, so that a stranger keeps nobody out but those who share it: an IPv4 address, or the 64 bits of an
IPv6 one that a customer is given whole.
"""

import hashlib
import hmac
import logging
import math
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address

import trio
from starlette.requests import HTTPConnection
from starlette.responses import Response

from hermes.config.exposure import SHORTEST_KEY, is_weak
from hermes.web.door import refusal

IPV6_PREFIX_BITS = 64
FREE_TRIES = 5
MAX_LOCK_S = 60.0
KNOWN_PEERS = 1024
TOLD_EVERY_S = 60.0
"""Of one peer that guesses the log hears no oftener."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Guesses:
    failures: int = 0
    locked_until: float = -math.inf
    told_at: float = -math.inf


class KeyDoor:
    """One per life of the server. ``exposed``: it listens on more than this machine's own addresses."""

    def __init__(self, *, exposed: bool) -> None:
        self.exposed = exposed
        self._peers: OrderedDict[str, _Guesses] = OrderedDict()

    def refused(self, connection: HTTPConnection, key: str) -> Response | None:
        """Why this request may not use a route with that ``key``; None if it may."""
        if self.exposed and is_weak(key):
            return refusal(
                401,
                "no_key",
                f"This needs an API key of at least {SHORTEST_KEY} characters, and none is set.",
            )
        if not key:
            return None
        peer = _network(connection.client.host) if connection.client else ""
        guesses = self._peers.get(peer, _Guesses())
        wait_s = guesses.locked_until - trio.current_time()
        if wait_s > 0:
            wait = str(math.ceil(wait_s))
            return refusal(
                429, "key_locked", f"Too many wrong API keys; try again in {wait} seconds.", retry_after=wait
            )
        if _same(_offered(connection), key):
            guesses.failures = 0
            return None
        self._failed(peer, guesses)
        return refusal(401, "invalid_api_key", "The API key is missing or wrong.", www_authenticate="Bearer")

    def _failed(self, peer: str, guesses: _Guesses) -> None:
        guesses.failures += 1
        if guesses.failures >= FREE_TRIES:
            exponent = min(guesses.failures - FREE_TRIES, 10)
            guesses.locked_until = trio.current_time() + min(MAX_LOCK_S, 2.0**exponent)
        if trio.current_time() - guesses.told_at >= TOLD_EVERY_S:
            guesses.told_at = trio.current_time()
            log.warning("a request of %s came with a wrong API key, or with none", ascii(peer))
        self._peers[peer] = guesses
        self._peers.move_to_end(peer)
        if len(self._peers) > KNOWN_PEERS:
            self._peers.popitem(last=False)


def _network(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, IPV6_PREFIX_BITS), strict=False))


def _offered(connection: HTTPConnection) -> str:
    """Said twice, it is said by somebody else too."""
    said = connection.headers.getlist("authorization")
    scheme, _, token = (said[0] if len(said) == 1 else "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _same(offered: str, key: str) -> bool:
    digests = (hashlib.sha256(one.encode("utf-8", "replace")).digest() for one in (offered, key))
    return hmac.compare_digest(*digests)
