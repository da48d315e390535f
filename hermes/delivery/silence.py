"""Words by which an agent says that it says nothing: sent on, two bots would answer them for ever.

Only a text that is nothing else counts; ``Silence is golden`` is a message.
"""

import re

WORDS = ("silent", "silence", "no response", "no reply")
SIGNS = "🔇.…"
MOST_CHARACTERS = 64

_MARKUP = r"[\s*_~`]*"
_WORD = "|".join(word.replace(" ", r"\s+") for word in WORDS)
_NARRATION = re.compile(
    rf"{_MARKUP}(?:\(?\s*(?:{_WORD})\s*\.?\s*\)?|[{re.escape(SIGNS)}]+){_MARKUP}", re.IGNORECASE
)


def is_silence(text: str) -> bool:
    """True if ``text`` only tells that there is nothing to say."""
    text = text.strip()
    return 0 < len(text) <= MOST_CHARACTERS and _NARRATION.fullmatch(text) is not None
