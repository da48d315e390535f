"""Words by which an agent says that it says nothing: sent on, two bots would answer them for ever.

Only a text that is nothing else counts; ``Silence is golden`` is a message. Markers are agreed upon with agents, and end a turn
without an answer; what only tells of silence is left out where nobody has asked for anything (``hermes.delivery.router``).
"""

import re

WORDS = ("silent", "silence", "no response", "no reply")
MARKERS = ("[silent]", "silent", "no_reply", "no reply")
SIGNS = "🔇.…"
MOST_CHARACTERS = 64

_MARKUP = r"[\s*_~`]*"
_WORD = "|".join(word.replace(" ", r"\s+") for word in WORDS)
_NARRATION = re.compile(
    rf"{_MARKUP}(?:\(?\s*(?:{_WORD})\s*\.?\s*\)?|[{re.escape(SIGNS)}]+){_MARKUP}", re.IGNORECASE
)
_EDGE = " \t\r\n*_~`.,;:!?()\"'…-"


def is_marker(text: str) -> bool:
    """True if ``text`` is a marker and nothing else; of what may stand around it, brackets are none."""
    text = text.strip()
    return len(text) <= MOST_CHARACTERS and " ".join(text.strip(_EDGE).casefold().split()) in MARKERS


def is_silence(text: str) -> bool:
    """True if ``text`` only tells that there is nothing to say."""
    text = text.strip()
    return 0 < len(text) <= MOST_CHARACTERS and _NARRATION.fullmatch(text) is not None


def may_become_silence(text: str) -> bool:
    """True if ``text``, which is still being written, may turn out to be nothing else; so of one that has not begun."""
    begun = " ".join(text.lstrip(_EDGE).casefold().split())
    return is_silence(text) or is_marker(text) or any(word.startswith(begun) for word in (*WORDS, *MARKERS))
