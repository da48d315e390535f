"""Slack: mrkdwn. https://docs.slack.dev/messaging/formatting-message-text

Three characters are escaped, and with them every mention, channel and special command (``<@U1>``, ``<!channel>``) that an
author may have written: what is in angle brackets is only ever our own link. There are neither titles nor lists nor tables:
they are bold lines, lines with bullets, and blocks of code.
"""

from hermes.render import lookalikes, writer
from hermes.render.ir import Body, Document
from hermes.render.layout import BULLET
from hermes.render.writer import NOTHING, Style

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_URL = str.maketrans({"&": "&amp;", "<": "%3C", ">": "%3E", "|": "%7C"})


def render(document: Document) -> Body:
    """The document in mrkdwn."""
    return writer.render(document, _STYLE)


def _escape(text: str, line: str, signs: str) -> str:
    return lookalikes.escape(text, line, signs).translate(_ENTITIES)


def _start(line: str) -> str:
    return NOTHING + line if line.lstrip().startswith("&gt;") else line


def _code(text: str) -> str:
    return lookalikes.code(text).translate(_ENTITIES)


def _fence(text: str, _language: str) -> str:
    return writer.fenced(text.translate(_ENTITIES))


def _link(text: str, url: str) -> str:
    return f"<{url.translate(_IN_URL)}|{text}>"


_STYLE = Style(
    dialect="slack",
    marks={"bold": "*", "italic": "_", "strike": "~"},
    escape=_escape,
    link=_link,
    code=_code,
    fence=_fence,
    start=_start,
    bullet=f"{BULLET} ",
    quotes_code=False,
)
