"""What has to hold where others than this machine's own programs can reach the server (S25, S30). Pure."""

import ipaddress

from hermes.config.platforms import is_placeholder

SHORTEST_KEY = 16


def is_local(name: str) -> bool:
    """Does ``name``, of a host or an address, lead nowhere but to this machine?"""
    found = address(name)
    return name.lower() == "localhost" or (found is not None and found.is_loopback)


def address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that ``name`` is, if it is one."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def is_weak(key: str) -> bool:
    """Would somebody guess it, or has nobody set one?"""
    return len(key) < SHORTEST_KEY or is_placeholder(key)
