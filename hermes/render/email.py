"""Mail: a text, and the same in HTML.

RFC 2046, 5.1.4 (multipart/alternative): the parts say the same, the plainest first; a text that has nothing to mark goes alone.
The HTML is what goes into a body; each block takes its direction from its first letters; looks are in attributes, since
programs for mail drop style sheets; nothing in it is fetched from anywhere. A spoiler is shown: mail has no such thing.
"""

from hermes.render import plain
from hermes.render.html import Tags, write
from hermes.render.ir import Body, Document

_TAGS = Tags(
    text=' dir="auto"',
    quote=' style="margin-left:0;padding-left:1em;border-left:3px solid #ccc"',
    code=' style="padding:0.5em;background:#f4f4f4;white-space:pre-wrap"',
    table=' border="1" cellpadding="4" style="border-collapse:collapse"',
    cell=lambda align: f' style="text-align:{align}"' if align else "",
)


def render(document: Document) -> Body:
    """The document for ``text/plain`` and, if there is one, ``text/html``."""
    html = None if plain.is_plain(document) else write(document, _TAGS)
    return Body(plain.render(document).text, html=html, dialect="email")
