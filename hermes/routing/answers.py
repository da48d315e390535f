"""How the gateway puts its own figures into words, in Markdown."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hermes.types import texts
from hermes.types.agent import Usage
from hermes.types.quoting import code_block, quoted
from hermes.types.records import Stretch


def status_text(figures: Mapping[str, Any]) -> str:
    """The gateway's status in a few lines; what is not known is said to be unknown."""
    counts, outbox, sessions = (figures.get(name) or {} for name in ("counts", "outbox", "sessions"))
    adapters = [
        f"{adapter.get('platform')}:{adapter.get('account')} {adapter.get('state')}"
        for adapter in figures.get("adapters") or ()
    ]
    lines = (
        f"The gateway is **{_known(figures.get('state'))}**, up for {_duration(figures.get('uptime_s'))}.\n",
        f"- Messages: {_list(counts, 'received', 'answered', 'pending', 'failed')}",
        f"- Conversations: {_list(sessions, 'known', 'active', 'busy')}",
        f"- On the way out: {_list(outbox, 'prepared', 'sending', 'retry', 'unknown', 'dead')}",
        f"- Platforms: {', '.join(adapters) or 'none'}",
    )
    return "\n".join(lines)


def agent_words(name: str, model: str, at: str, problem: str = "") -> str:
    """Who answers, and which model it asks, where; and why it is not who was meant to."""
    asked = f"{f', model {model}' if model else ''}{f' at {at}' if at else ''}"
    return f"{name}{asked}{f', because {problem}' if problem else ''}"


def platforms_text(adapters: Sequence[Mapping[str, Any]]) -> str:
    """Every adapter and how it is, in a line each."""
    return "\n".join([texts.PLATFORMS, *(f"- {_adapter(one)}" for one in adapters)])


def debug_text(figures: Mapping[str, Any], failures: Sequence[str], session_key: str) -> str:
    """What a report of a fault needs, in one block; no message's words, and of errors nothing but their codes."""
    counts, outbox, sessions = (figures.get(name) or {} for name in ("counts", "outbox", "sessions"))
    lines = (
        f"hermes {_known(figures.get('version'))}, boot {_known(figures.get('boot_id'))}",
        f"{_known(figures.get('state'))}, up for {_duration(figures.get('uptime_s'))},"
        f" loop lag {_known(figures.get('loop_lag_ms'))} ms, worst {_known(figures.get('worst_loop_lag_ms'))} ms",
        f"conversation {session_key}",
        f"messages: {_list(counts, *counts)}",
        f"conversations: {_list(sessions, *sessions)}",
        f"on the way out: {_list(outbox, *outbox)}",
        *(f"platform {_adapter(one)}" for one in figures.get("adapters") or ()),
        *(f"down {path}" for path in figures.get("down") or ()),
        *(f"failed {failure}" for failure in failures),
    )
    return code_block("\n".join(lines))


def last_failures(events: Sequence[Mapping[str, Any]], most: int) -> list[str]:
    """Of the newest ends that were none in order: when, which actor, by which code; the newest last."""
    found = [
        f"{_at(event['at'])} {event['path']}: {code}"
        for event in events
        if event.get("kind") == "exited" and (code := _code(str(event.get("reason") or ""))) is not None
    ]
    return found[-most:]


def stretches_text(known: Sequence[Stretch], prefix: str, most: int) -> str:
    """The newest ``most`` stretches, newest first, each by the number that goes back to it."""
    lines = [
        texts.STRETCH.format(
            number=f"{prefix}{one.number}",
            title=quoted(one.title) if one.title else texts.UNTITLED,
            began=_at(one.started_at),
            lines=one.lines,
            present=texts.STRETCH_PRESENT if one.present else "",
        )
        for one in reversed(known[-most:])
    ]
    return "\n".join([*lines, *([texts.OLDER.format(count=len(known) - most)] if len(known) > most else [])])


def called(stretch: Stretch) -> str:
    """A stretch as its people know it."""
    return quoted(stretch.title) if stretch.title else f"number {stretch.number}, {_at(stretch.started_at)}"


def usage_text(present: Usage, whole: Usage) -> str:
    """What a conversation has cost: since it began anew, and in all."""
    return texts.USAGE.format(present=_used(present), whole=_used(whole))


def _used(usage: Usage) -> str:
    if usage == Usage():
        return texts.USAGE_NOTHING
    return texts.USAGE_FIGURES.format(
        given=usage.input_tokens,
        said=usage.output_tokens,
        cached=usage.cache_read_tokens + usage.cache_write_tokens,
        cost=usage.cost_usd,
    )


def _adapter(one: Mapping[str, Any]) -> str:
    failure = one.get("failure")
    why = f" ({failure['code']})" if failure else ""
    return f"{one.get('platform')}:{one.get('account')} {one.get('state')}{why}"


def _code(reason: str) -> str | None:
    """What stands before the first detail of it; None for an end in order. The detail may hold anything."""
    head = re.split(r":| \(", reason, maxsplit=1)[0]
    return None if not head or head.startswith(("returned", "stopped", "cancelled")) else head


def _at(epoch_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch_s))


def _known(figure: object) -> str:
    return "unknown" if figure is None else str(figure)


def _list(figures: Mapping[str, Any], *names: str) -> str:
    return ", ".join(f"{_known(figures.get(name))} {name}" for name in names)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    shown = [f"{value} {unit}" for value, unit in units if value]
    return " ".join(shown[:2]) or "0 s"
