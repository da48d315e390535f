"""What an operator should hear at the start of settings that are in order: what nobody reads yet, and what opens a door.

Sections that we do not know are kept and passed over without a word: they belong to somebody else.
"""

import ipaddress
from collections.abc import Iterator, Mapping

from hermes.config.blocks import platform_blocks
from hermes.config.dotenv import place_of
from hermes.config.load import Settings
from hermes.config.provider import unusable

PLATFORMS: Mapping[str, tuple[str, ...]] = {
    "telegram": ("TELEGRAM_BOT_TOKEN",),
    "discord": ("DISCORD_BOT_TOKEN",),
    "slack": ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"),
    "whatsapp": ("WHATSAPP_ENABLED",),
    "whatsapp_cloud": ("WHATSAPP_CLOUD_ACCESS_TOKEN",),
    "signal": ("SIGNAL_HTTP_URL",),
    "matrix": ("MATRIX_ACCESS_TOKEN", "MATRIX_PASSWORD"),
    "api_server": ("API_SERVER_KEY",),
}
"""Platforms that are to come, and the variables whose presence turns them on."""

_NO = ("false", "no", "off", "0")


def remarks(settings: Settings, registered: Mapping[str, bool]) -> Iterator[str]:
    """A line each, with its place; ``registered`` are the platforms that there are, and whether they are always on."""
    root, environ = settings.written, settings.environ
    yield from environ.faults
    if settings.exposed:
        yield settings.exposed
    if why := unusable(settings.config.model):
        yield f"{root['model'].place}: {why}; the built-in agent answers, without a language model"
    configured = {
        name: place_of(environ, variable)
        for name, variables in PLATFORMS.items()
        for variable in variables
        if environ.get(variable, "").strip().casefold() not in ("", *_NO)
    }
    for name, block in platform_blocks(root):
        if name not in PLATFORMS and name not in registered and len(block.key) == 1:
            continue  # a section at the top that is somebody else's
        enabled = block["enabled"]
        off = enabled.node is not None and str(enabled.node.value).casefold() in _NO
        if off and registered.get(name):
            yield f"{enabled.place}: {name} cannot be turned off; it is there"
        elif off:
            configured.pop(name, None)
        else:
            configured[name] = block.place
    for name, place in configured.items():
        if name not in registered:
            yield f"{place}: this version has no adapter for {name}; nobody is reached there"
    if not _is_loopback(host := settings.config.web.host):
        yield (
            f"web.host: {host} is no loopback address: whoever reaches this machine sees the login page, and what is said "
            "there travels in the clear; put a server with TLS in front of it"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
