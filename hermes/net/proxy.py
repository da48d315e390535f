"""The operator's proxies: which one leads to a host, and the way through one to a single host and port."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import trio

from hermes.net.connection import Connection, Request
from hermes.net.dial import Dial, connect, hang_up, open_dial, shared_tls_context
from hermes.net.failures import CONNECT_REFUSED, PROXY_UNUSABLE, NetError

AUTHENTICATE = 407


@dataclass(frozen=True, slots=True)
class Proxies:
    """URLs of proxies by the scheme of what they lead to, and the hosts that are reached without, as in ``NO_PROXY``."""

    by_scheme: Mapping[str, str] = field(default_factory=dict)
    without: str = ""

    def to(self, scheme: str, host: str) -> str | None:
        """The proxy for ``host``; None: reach it directly."""
        proxy = self.by_scheme.get(scheme)
        if proxy is None or self.without.strip() == "*":
            return None
        names = (name.strip().lstrip("*.").lower() for name in self.without.split(","))
        direct = any(name and f".{host.lower()}".endswith(f".{name}") for name in names)
        return None if direct else proxy


def proxies(chosen: str | None, environ: Mapping[str, str]) -> Proxies:
    """``chosen`` for everything, none at all where that is empty; or what ``environ`` says, where it is None."""
    if chosen is not None:
        return Proxies({"http": chosen, "https": chosen} if chosen else {})

    def said(name: str) -> str:
        return environ.get(name.lower()) or environ.get(name.upper(), "")

    found = {scheme: said(f"{scheme}_proxy") or said("all_proxy") for scheme in ("http", "https")}
    return Proxies({scheme: url for scheme, url in found.items() if url}, said("no_proxy"))


def tunnel(proxy: str, dial: Dial = open_dial) -> Dial:
    """A way out by ``CONNECT`` through the HTTP proxy at ``proxy``. Raises ``NetError`` (``not_sent``) in all cases."""

    async def through(host: str, port: int) -> trio.abc.Stream:
        try:
            place = urlsplit(proxy)
            own_port = place.port
        except ValueError:
            place, own_port = urlsplit(""), None
        if place.scheme not in ("http", "https") or not place.hostname:
            raise NetError(PROXY_UNUSABLE, "only http and https proxies lead to a web socket")
        secure = place.scheme == "https"
        tls = shared_tls_context() if secure else None
        stream = await connect(dial, place.hostname, own_port or (443 if secure else 80), tls=tls)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        headers = [(b"Host", target.encode())]
        if place.username:
            words = f"{unquote(place.username)}:{unquote(place.password or '')}".encode()
            headers.append((b"Proxy-Authorization", b"Basic " + b64encode(words)))
        try:
            answer = await Connection(stream, place.hostname).ask(
                Request(b"CONNECT", target.encode(), headers)
            )
        except NetError as wrong:
            hang_up(stream)
            raise NetError(wrong.code, wrong.failure.detail) from wrong
        except BaseException:
            hang_up(stream)
            raise
        if not 200 <= answer.status < 300:
            hang_up(stream)
            code = PROXY_UNUSABLE if answer.status == AUTHENTICATE else CONNECT_REFUSED
            raise NetError(code, f"{place.hostname}: the proxy answered {answer.status}")
        return stream

    return through
