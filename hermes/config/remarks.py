"""What an operator should hear at the start of settings that are in order: what nobody reads yet, and what opens a door.

Sections that we do not know are kept and passed over without a word: they belong to somebody else.
"""

import ipaddress
from collections.abc import Collection, Iterator, Mapping

from hermes.config.load import Settings
from hermes.config.written import Written

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


def remarks(settings: Settings, environ: Mapping[str, str], adapters: Collection[str]) -> Iterator[str]:
    """A line each, with its place; ``adapters`` are the platforms that this version has an adapter for."""
    root = settings.written
    if root["model"].node is not None:
        yield f"{root['model'].place}: nobody reads it yet; the built-in agent answers, without a language model"
    configured = {
        name: f"environment variable {variable}"
        for name, variables in PLATFORMS.items()
        for variable in variables
        if environ.get(variable, "").strip().casefold() not in ("", *_NO)
    }
    for name, block in _blocks(root, adapters):
        enabled = block["enabled"]
        off = enabled.node is not None and str(enabled.node.value).casefold() in _NO
        if off and name in adapters:
            yield f"{enabled.place}: nobody reads it yet; {name} is there"
        elif off:
            configured.pop(name, None)
        else:
            configured[name] = block.place
    for name, place in configured.items():
        if name not in adapters:
            yield f"{place}: this version has no adapter for {name}; nobody is reached there"
    if not _is_loopback(host := settings.config.web.host):
        yield (
            f"web.host: {host} is no loopback address: whoever reaches this machine sees the login page, and what is said "
            "there travels in the clear; put a server with TLS in front of it"
        )


def _blocks(root: Written, adapters: Collection[str]) -> Iterator[tuple[str, Written]]:
    """The platforms' sections. At the top only those that we know for one: others are somebody else's."""
    for parent in (root["gateway"]["platforms"], root["platforms"], root):
        for block in parent.entries:
            name = block.key[-1].lower().replace("-", "_")
            if parent is not root or name in PLATFORMS or name in adapters:
                yield name, block


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
