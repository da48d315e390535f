"""Slack and WhatsApp mark with one ``*``, ``_``, ``~`` or backtick, and know no way to write one that marks nothing.

So where it would be read as a mark, and only there, it is sent as the character that looks the same. (A space of no width
beside it is another way; which clients then still see a mark, nobody says.)
"""

import re
from collections.abc import Mapping

from hermes.render.writer import URL

SAME: Mapping[str, str] = {"*": "\u2217", "_": "\u02cd", "~": "\u223c", "`": "\u02cb"}

_SIGNS = re.compile(
    rf"{URL}"
    r"|(?<=[^\W_])[*_~](?=[^\W_])"
    r"|(?<!\S)[*_~](?!\S)"
    r"|(?P<sign>[*_~`])"
)
_PAIRS = {sign: re.compile(rf"{re.escape(sign)}.+{re.escape(sign)}") for sign in SAME}


def escape(text: str, line: str, signs: str) -> str:
    """``text`` so that nothing in it is a mark within ``line``; addresses, and what stands within a word, stay as they are."""
    read = [sign for sign in SAME if sign in text and (sign in signs or _PAIRS[sign].search(line))]
    if not read:
        return text
    return _SIGNS.sub(lambda found: SAME[found[0]] if found["sign"] in read else found[0], text)


def code(text: str) -> str:
    """A code span: only a backtick would end it."""
    return f"`{text.replace('`', SAME['`'])}`"
