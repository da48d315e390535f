"""Keys that the original calls otherwise. Pure.

gateway.max_inbound_media_bytes     ─▶  media.max_inbound_bytes; its 0 is no limit, ours takes no file at all
gateway.media_delivery_allow_dirs   ─▶  media.allow_dirs
gateway.trust_recent_files[_seconds] ─▶ media.trust_recent_files[_seconds]; its default is true, ours false
"""

from collections.abc import Mapping
from typing import Any

Key = tuple[str, ...]

ITS, OURS = "gateway", "media"
LARGEST = "max_inbound_media_bytes"
NAMES: Mapping[str, str] = {
    LARGEST: "max_inbound_bytes",
    "media_delivery_allow_dirs": "allow_dirs",
    "trust_recent_files": "trust_recent_files",
    "trust_recent_files_seconds": "trust_recent_files_seconds",
}
NO_LIMIT = 1 << 40


def adopt(settings: dict[str, Any]) -> dict[Key, Key]:
    """Have the original's keys say what ours leave out; returns which of ours now say what which of its said."""
    gateway, media = settings.get(ITS), settings.get(OURS, {})
    if not isinstance(gateway, dict) or not isinstance(media, dict):
        return {}
    taken = {its: ours for its, ours in NAMES.items() if its in gateway and ours not in media}
    if taken:
        settings[OURS] = media | {ours: _value(its, gateway[its]) for its, ours in taken.items()}
    return {(OURS, ours): (ITS, its) for its, ours in taken.items()}


def _value(its: str, value: object) -> object:
    return NO_LIMIT if its == LARGEST and value == 0 and value is not False else value
