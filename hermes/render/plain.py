"""Text without markup, for a reader and for no parser: what every platform takes.

Nothing of the author's is lost: a link says where it leads, and a table that cannot stand in columns is a list.
"""

from collections.abc import Iterable

from hermes.render import layout
from hermes.render.ir import (
    Block,
    Body,
    Code,
    Document,
    Heading,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
)

_ITEM_INDENT = "  "
_QUOTE = "> "


def render(document: Document) -> Body:
    """The document as text, an empty line between its blocks."""
    return Body(_blocks(document.blocks, "\n\n"), dialect="plain")


def is_plain(document: Document) -> bool:
    """There is nothing in it that this text does not say as well as any other dialect."""
    return all(
        isinstance(block, Paragraph) and all(not span.marks and span.link is None for span in block.spans)
        for block in document.blocks
    )


def inline(spans: Iterable[Span]) -> str:
    """Running text, with a link's address in brackets after it, unless the text is the address."""
    return "".join(
        "".join(span.text for span in group) + (layout.address(group, link) if link else "")
        for group, link in layout.links(spans)
    )


def _blocks(blocks: Iterable[Block], apart: str) -> str:
    return apart.join(filter(None, map(_block, blocks)))


def _block(block: Block) -> str:
    match block:
        case Paragraph(spans) | Heading(_, spans):
            return inline(spans)
        case Code(text):
            return text.strip("\n")
        case ListBlock():
            return _list(block)
        case Quote(blocks):
            return layout.indented(_blocks(blocks, "\n\n"), _QUOTE, _QUOTE)
        case Table():
            return layout.columns(block) or _list(layout.as_list(block))
        case Rule():
            return layout.RULE


def _list(block: ListBlock) -> str:
    apart = "\n" if block.tight else "\n\n"
    return apart.join(
        layout.indented(_blocks(item.blocks, apart), marker, _ITEM_INDENT)
        for marker, item in zip(layout.markers(block), block.items, strict=True)
    )
