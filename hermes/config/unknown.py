"""Keys that nobody reads, in sections that are ours: said when somebody asks, never at run. Pure.

At the top a section is somebody else's, unless it is spelt almost like one of ours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from hermes.config.model import Config
from hermes.config.roles import NAME as ROLES
from hermes.config.written import Written

SIMILAR = 0.75
"""How like a known key an unknown one must be to count as misspelt."""

THEIRS = frozenset({"sessions"})
"""At the top, what only reads like a misspelt key of ours."""

READ_OTHERWISE = frozenset({"supervision", "quick_commands"})
"""Their readers know their keys, and refuse others."""

KEPT: Mapping[str, frozenset[str]] = {
    "model": frozenset({"model", "api_mode", "fallback_providers"}),
    "agent": frozenset(
        {"max_turns", "gateway_timeout", "gateway_timeout_warning", "gateway_notify_interval"}
        | {"restart_drain_timeout", "clarify_timeout", "gateway_auto_continue_freshness"}
    ),
    "approvals": frozenset({"mode", "cron_mode", "deny"}),
    "cron": frozenset({"provider", "mirror_delivery", "max_parallel_jobs", "output_retention"}),
    "display": frozenset(
        {"busy_steer_ack_enabled", "interim_assistant_messages", "tool_progress_grouping", "tool_progress"}
        | {"ephemeral_system_ttl", "runtime_footer"}
    ),
    "display.platforms.": frozenset({"tool_progress", "interim_assistant_messages"}),
    "session_reset": frozenset({"bg_process_max_age_hours"}),
    "streaming": frozenset({"mode", "fresh_final_after_seconds"}),
}
"""Keys of the original in sections that we share with it."""


def unknown_keys(written: Written) -> Iterator[str]:
    """One line for each, with its place and the nearest key that there is."""
    known = {key.name for key in fields(Config)}
    for entry in written.entries:
        name = entry.key[-1]
        near = () if name in THEIRS else get_close_matches(name, sorted(known | {ROLES}), 1, SIMILAR)
        if near and near[0] != name:
            yield f"{_unknown(entry)}; did you mean {near[0]}?"
    for key in fields(Config):
        if key.name not in READ_OTHERWISE:
            yield from _below(key.type, written[key.name], key.name)


def _below(model: Any, part: Written, family: str) -> Iterator[str]:
    """``family``: the part's key, without the names that people give."""
    if get_origin(model) is Mapping:
        for entry in part.entries:
            yield from _below(get_args(model)[1], entry, f"{family}.")
    elif is_dataclass(model):
        known = {key.name: key.type for key in fields(model)}
        for entry in part.entries:
            name = entry.key[-1]
            if name in known:
                yield from _below(known[name], entry, f"{family}.{name}")
            elif name not in KEPT.get(family, ()):
                meant = [
                    ".".join((*entry.key[:-1], near)) for near in get_close_matches(name, sorted(known), 1)
                ]
                yield "; ".join([_unknown(entry), *(f"did you mean {near}?" for near in meant)])


def _unknown(entry: Written) -> str:
    place, _, key = entry.place.rpartition(": ")
    return f"{place}: nobody reads {key}"
