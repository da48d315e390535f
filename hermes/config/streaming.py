"""``streaming:`` as people write it, in the keys of the model. Pure; ``load`` validates the result.

streaming: false            the same as {mode: false}
streaming: {mode: auto}     on; also edit, draft and true
streaming: {mode: off}      off
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from hermes.config.model import Transport
from hermes.config.words import did_you_mean, shown

TRANSPORTS = get_args(Transport)
_SWITCH = {"true": "auto", "yes": "auto", "on": "auto", "false": "off", "no": "off"}


def read_streaming(section: object, place: Callable[[Sequence[str]], str]) -> tuple[object, list[str]]:
    """``section`` with its ``mode`` spelled out as ``enabled`` and ``transport``, which win where they stand too, and what is
    wrong with it. ``place`` names where a key below it stands.
    """
    bare = isinstance(section, bool | str)
    if bare:
        section = {"mode": section}
    if not isinstance(section, Mapping):
        return section, []
    keys: dict[str, Any] = dict(section)
    if keys.get("transport") is False:
        keys["transport"] = "off"  # what YAML makes of that word
    if "mode" not in keys:
        return keys, []
    mode = keys.pop("mode")
    transport = _transport(mode)
    if transport is None:
        near = did_you_mean(str(mode), TRANSPORTS) if isinstance(mode, str) else ""
        expected = f"expected one of {', '.join(TRANSPORTS)}, true or false, not {shown(mode)}{near}"
        where = f"{place(())}: streaming" if bare else f"{place(('mode',))}: streaming.mode"
        return keys, [f"{where}: {expected}"]
    off = transport == "off"
    return {"enabled": not off, "transport": "auto" if off and keys.get("enabled") else transport} | keys, []


def _transport(word: object) -> str | None:
    if not isinstance(word, bool | str):
        return None
    text = str(word).strip().lower()
    return text if text in TRANSPORTS else _SWITCH.get(text)
