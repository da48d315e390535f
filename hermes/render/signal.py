"""Signal: text with styles.

signal-cli's manual, ``send --text-style``: ``START:LENGTH:STYLE``, in UTF-16 code units, where STYLE is BOLD, ITALIC, SPOILER,
STRIKETHROUGH or MONOSPACE (``code`` here). Styles may overlap. There is no link behind a text, so it is written out; no quote
within a text, so it is marked by ``> ``; no underline. Code in lines, and with it a table, is monospaced text.
"""

from hermes.render.entities import Looks, place
from hermes.render.ir import Body, Document


def render(document: Document) -> Body:
    """The document for ``message`` and ``textStyle`` of a send."""
    text, entities = place(document, _LOOKS)
    return Body(text, entities, dialect="signal")


_LOOKS = Looks(
    marks={
        "bold": "bold",
        "italic": "italic",
        "strike": "strikethrough",
        "spoiler": "spoiler",
        "code": "code",
    },
    link=lambda _: False,
    block="code",
    quotes=False,
    code_alone=False,
)
