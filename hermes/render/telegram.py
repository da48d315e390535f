"""Telegram: text with entities, which need no escaping and cannot be malformed.

Bot API, "MessageEntity" and "Formatting options": offsets in UTF-16 code units; of two entities with a character in common one
is within the other; ``pre`` and ``code`` neither hold others nor are within them, except within a quote; quotes are not nested,
so a quote in a quote or in a list is marked by ``> ``; links do not hold code. A link whose host has no dot is dropped by the
server without a word, and one to an address of mail is not taken: both are written out. A heading is bold. A table is a ``pre``
where it fits (``layout.columns``), else a list. ``pre`` has no alignment of its own, so the columns are padded.
"""

from urllib.parse import urlsplit

from hermes.render.entities import Looks, place
from hermes.render.ir import Body, Document


def render(document: Document) -> Body:
    """The document for ``text`` and ``entities`` of sendMessage; never with ``parse_mode``."""
    text, entities = place(document, _LOOKS)
    return Body(text, entities, dialect="telegram")


def _takes(link: str) -> bool:
    try:
        parts = urlsplit(link)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and ("." in host or ":" in host)


_LOOKS = Looks(
    marks={
        "bold": "bold",
        "italic": "italic",
        "underline": "underline",
        "strike": "strikethrough",
        "spoiler": "spoiler",
        "code": "code",
    },
    link=_takes,
    block="pre",
    quotes=True,
    code_alone=True,
)
