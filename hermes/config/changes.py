"""What a new reading of the settings means for a gateway that runs. Pure.

running, wanted ─┬─ in_force: wanted, but for what is built in at the start
                 └─ waiting:  the keys that only a restart of the gateway brings
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from hermes.config.model import Config

AT_START = frozenset(
    {"web", "logging", "media", "identity", "plugins", "tools", "timezone", "drain_timeout_s"}
    | {"group_sessions_per_user", "thread_sessions_per_user"}
    | {"limits.sessions", "limits.processes", "delivery.ttl_s"}
)
"""Sections and keys that are read once, when the parts that follow them are made."""


def differing(old: Any, new: Any, above: str = "") -> Iterator[str]:
    """The keys whose values differ, in the model's order."""
    for key in fields(old):
        before, after = getattr(old, key.name), getattr(new, key.name)
        if is_dataclass(before):
            yield from differing(before, after, f"{above}{key.name}.")
        elif before != after:
            yield f"{above}{key.name}"


def in_force(running: Config, wanted: Config) -> Config:
    """``wanted`` as far as a gateway that works by ``running`` can follow it."""
    kept: dict[str, Any] = {}
    for name in AT_START:
        section, _, key = name.partition(".")
        if key:
            value = {key: getattr(getattr(running, section), key)}
            kept[section] = replace(kept.get(section, getattr(wanted, section)), **value)
        else:
            kept[section] = getattr(running, section)
    return replace(wanted, **kept)


def waiting(running: Config, wanted: Config) -> list[str]:
    """The keys of ``wanted`` that need a restart."""
    return list(differing(in_force(running, wanted), wanted))
