"""Web chat as a platform."""

from typing import get_args

from hermes.registry.entry import AdapterSetup, PlatformEntry
from hermes.types.content import Capabilities, MediaKind
from hermes.types.ports import Adapter


def _adapter(setup: AdapterSetup) -> Adapter:
    from hermes.platforms.webchat.adapter import WebChat

    return WebChat(setup.clock, setup.ids)


ENTRY = PlatformEntry(
    name="webchat",
    label="Web chat",
    factory=_adapter,
    capabilities=Capabilities(
        max_length=1_000_000,
        streaming=("draft",),
        own_page=True,
        authenticated=True,
        idempotent_send=True,
        history=True,
        draft_interval_s=0.1,
        media=frozenset(get_args(MediaKind)),
        max_media_bytes=25_000_000,
    ),
    source="builtin",
    emoji="🌐",
    always=True,
)
