"""Matrix: ``body``, a text, and ``formatted_body``, the same in HTML.

Client-server API, "m.room.message msgtypes": of ``org.matrix.custom.html`` only the tags and attributes listed there, at most
100 deep; ``del`` rather than ``s``, which came later; no attribute of a cell, so no alignment. Some clients show white space
between tags, so there is none. A text that has nothing to mark goes without HTML, and a single paragraph without its tag. There
is no reply fallback (``mx-reply``), which the specification has given up.
"""

from hermes.render import plain
from hermes.render.html import Tags, write
from hermes.render.ir import Body, Document, Paragraph

_TAGS = Tags(gap="", strike="del", spoiler=" data-mx-spoiler")


def render(document: Document) -> Body:
    """The document for ``body`` and, if there is one, ``formatted_body``."""
    html = None if plain.is_plain(document) else write(document, _TAGS)
    if html and len(document.blocks) == 1 and isinstance(document.blocks[0], Paragraph):
        html = html.removeprefix("<p>").removesuffix("</p>")
    return Body(plain.render(document).text, html=html, dialect="matrix")
