"""WhatsApp. https://faq.whatsapp.com/539178204879377 (how to format your messages)

Lists and quotes are lines that begin with their sign; a link is its text with the address behind it, a title is bold, a table
stands in a block of code. Nothing is known of marks within a word, so there are none.
"""

import re

from hermes.render import lookalikes, writer
from hermes.render.ir import Body, Document
from hermes.render.writer import NOTHING, Style

_START = re.compile(r"\s*(?:[-*>]\s|>)")


def render(document: Document) -> Body:
    """The document as WhatsApp reads it."""
    return writer.render(document, _STYLE)


def _start(line: str) -> str:
    return NOTHING + line if _START.match(line) else line


def _fence(text: str, _language: str) -> str:
    return writer.fenced(text)


_STYLE = Style(
    dialect="whatsapp",
    marks={"bold": "*", "italic": "_", "strike": "~"},
    escape=lookalikes.escape,
    link=writer.beside,
    code=lookalikes.code,
    fence=_fence,
    start=_start,
    inside="never",
    quotes_code=False,
)
