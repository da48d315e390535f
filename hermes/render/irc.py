r"""IRC: lines, with mIRC's control codes for bold, italic and underline. https://modern.ircdocs.horse/formatting

A line is a message, so there are no empty ones between blocks, and marks end with their line; the adapter sends line by line.
The codes for struck and monospaced text are younger and many clients show them as garbage: code stands as it is, between
backticks where it is part of a sentence. No control character of the author's gets through, CR and NUL least of all.
"""

import re

from hermes.render import writer
from hermes.render.ir import Body, Document
from hermes.render.layout import BULLET
from hermes.render.writer import Style

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def render(document: Document) -> Body:
    """The document in lines."""
    return writer.render(document, _STYLE)


def _clean(text: str) -> str:
    return _CONTROL.sub("", text)


def _code(text: str) -> str:
    return f"`{_clean(text)}`"


def _fence(text: str, _language: str) -> str:
    return _clean(text).removesuffix("\n")


_STYLE = Style(
    dialect="irc",
    marks={"bold": "\x02", "italic": "\x1d", "underline": "\x1f"},
    escape=lambda text, _line, _signs: _clean(text),
    link=writer.beside,
    code=_code,
    fence=_fence,
    inside="always",
    joint="",
    bullet=f"{BULLET} ",
    gap="\n",
)
