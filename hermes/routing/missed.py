"""What a chat is told about the messages that were too old to answer when we came back. Pure."""

import re
from collections.abc import Sequence

from hermes.types import texts
from hermes.types.events import InboundEvent

NAMED = 5
EXCERPT_CHARACTERS = 60

_NOT_QUOTED = re.compile(r"[`\s\x00-\x1f\x7f-\x9f]+")


def notice(events: Sequence[InboundEvent]) -> str:
    """How many they are, and how the first of them begin, so that people know what to send again. Markdown."""
    count = "1 message" if len(events) == 1 else f"{len(events):,} messages"
    named = [f"- {_beginning(event)}" for event in events[:NAMED]]
    if len(events) > NAMED:
        named.append(f"- … and {len(events) - NAMED:,} more")
    return texts.MISSED.format(count=count, named="\n".join(named))


def _beginning(event: InboundEvent) -> str:
    """Quoted as code: what somebody wrote must not become markup of ours."""
    text = _NOT_QUOTED.sub(" ", event.text).strip()
    if not text:
        return "(without words)"
    short = text if len(text) <= EXCERPT_CHARACTERS else text[:EXCERPT_CHARACTERS].rstrip() + "…"
    return f"`{short}`"
