"""The console as a platform."""

from typing import get_args

from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.types.content import Capabilities, MediaKind
from hermes.types.ports import Adapter


def _adapter(setup: AdapterSetup) -> Adapter:
    from hermes.platforms.console.adapter import Console

    return Console(setup.clock, setup.ids)


ENTRY = PlatformEntry(
    name="console",
    label="Console",
    factory=_adapter,
    capabilities=Capabilities(
        max_length=1_000_000,
        media=frozenset(get_args(MediaKind)),
        authenticated=True,
        idempotent_send=True,
        history=True,
    ),
    source="builtin",
    emoji="⌨️",
    always=True,
)
