"""What a model is told of a turn: who it is, where it speaks, what was said before, what is said now. Pure.

    SOUL.md or our own words · manner · the place ─▶ system
    history ─▶ exchanges, the newest that fit     ─▶ user, assistant, user, …
    what is said now, pictures                    ─▶ user

Roles take turns and begin with the user: the templates of many models take nothing else. What was noted in a conversation, or
said to its people in place of an answer, so stands in brackets before what they said next. No date and nothing else that
changes from turn to turn comes before the history, so that a server may keep what it has read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hermes.types.agent import Turn
from hermes.types.records import TranscriptLine

IDENTITY = "You are Hermes, an assistant that people talk to in their chats."
MANNER = (
    "Answer in the language you are written to, and as briefly as the matter allows. You may use Markdown. You have no tools:"
    " you cannot look anything up, remind anybody, or do anything but answer. When you do not know something, say so."
)
NOTE = "[Note: {text}]"
NOTICE = "[In place of an answer they were told: {text}]"

BYTES_PER_TOKEN = 4
"""A rough mean. Bytes, not characters: it takes about one token for a Chinese one, which has three."""

MESSAGE_TOKENS = 8
"""What surrounds a message."""

IMAGE_TOKENS = 1_000
LONGEST_RESERVE = 4_096

Message = dict[str, Any]


def messages(
    turn: Turn, *, soul: str, context_length: int, max_tokens: int | None, images: Sequence[str] = ()
) -> list[Message]:
    """The messages of a request. ``soul`` says who answers, in place of our own words; ``images`` are data URLs.

    Of the history go the newest exchanges that leave room for the answer in ``context_length`` tokens, estimated; what is said
    now goes in any case.
    """
    system = "\n\n".join(filter(None, (soul.strip() or IDENTITY, MANNER, turn.context)))
    now = "\n\n".join(turn.said or (event.text for event in turn.events))
    reserve = min(max_tokens or LONGEST_RESERVE, context_length // 2 if max_tokens else context_length // 4)
    room = context_length - reserve - _tokens(system) - _tokens(now) - IMAGE_TOKENS * len(images)
    said: list[Message] = [{"role": "system", "content": system}]
    kept = _newest(_exchanges(turn.history), room)
    unanswered = kept.pop().asked if kept and not kept[-1].answered else []
    for exchange in kept:
        said.append({"role": "user", "content": "\n\n".join(exchange.asked)})
        said.append({"role": "assistant", "content": "\n\n".join(exchange.answered)})
    text = "\n\n".join((*unanswered, now))
    said.append({"role": "user", "content": _with_images(text, images) if images else text})
    return said


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What was said to us, and what we answered. Never torn apart: an answer to nothing misleads."""

    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(map(_tokens, (*self.asked, *self.answered)))


def _exchanges(history: Iterable[TranscriptLine]) -> list[_Exchange]:
    found: list[_Exchange] = []
    for line in history:
        if line.role == "assistant":
            if found:  # else what it answers is too long ago
                found[-1].answered.append(line.text)
            continue
        if not found or found[-1].answered:
            found.append(_Exchange())
        found[-1].asked.append(_BRACKETS.get(line.role, "{text}").replace("{text}", line.text))
    return found


_BRACKETS = {"system": NOTE, "notice": NOTICE}


def _newest(exchanges: list[_Exchange], room: int) -> list[_Exchange]:
    first = len(exchanges)
    while first and (room := room - exchanges[first - 1].tokens) >= 0:
        first -= 1
    return exchanges[first:]


def _with_images(text: str, images: Sequence[str]) -> list[Message]:
    return [
        {"type": "text", "text": text},
        *({"type": "image_url", "image_url": {"url": url}} for url in images),
    ]


def _tokens(text: str) -> int:
    return -(-len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN) + MESSAGE_TOKENS
