"""How the gateway puts its own figures into words, in Markdown."""

from collections.abc import Mapping
from typing import Any


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
