"""Markdown again, in one way of writing it: for an answer that has to be cut and whose platform reads Markdown itself.

``markdown.parse`` of it gives the document back, but for what Markdown has no words for: white space at the ends of a marked
text, underlines, a table without a head, an item that goes on without its bullet (its blocks stand before the list).
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from hermes.render.ir import (
    Block,
    Body,
    Code,
    Document,
    Heading,
    ListBlock,
    Mark,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
)
from hermes.render.layout import indented
from hermes.render.marks import Piece, at_text, woven

_SIGNS: dict[Mark, str] = {"bold": "**", "italic": "*", "strike": "~~", "spoiler": "||"}
_ESCAPED = re.compile(
    r"[\\`*\[\]]"
    r"|(?<![^\W_])_|_(?![^\W_])"
    r"|<(?=\S)|&(?=[#0-9A-Za-z])"
    r"|[~|](?=[~|]|$)|(?<=[~|])[~|]|^[~|]"
)
_START = re.compile(
    r"^(?:\d{1,9}(?=[.)](?:\s|$))|[|:\s]*(?=-[|:\s-]*$)|(?=[-+](?:\s|$)|#{1,6}(?:\s|$)|>|=+\s*$))"
)
_ALIGN = {"left": ":--", "center": ":-:", "right": "--:", "": "---"}
_IN_URL = str.maketrans({"<": "%3C", ">": "%3E", "\\": "%5C", "|": "%7C", "&": "&amp;"})
_RULE = "___"  # the one that is never taken for a list, or for what underlines a title


def render(document: Document) -> Body:
    """The document in Markdown."""
    return Body(_blocks(document.blocks, "\n\n"), dialect="markdown")


def _blocks(blocks: Iterable[Block], gap: str) -> str:
    return gap.join(_written(blocks))


def _written(blocks: Iterable[Block]) -> Iterator[str]:
    before: Block | None = None
    other = False
    for block in blocks:
        if isinstance(block, ListBlock):
            # Two of one kind side by side would be one, were it not for their markers.
            same = isinstance(before, ListBlock) and (before.start is None) == (block.start is None)
            other = same and not other
        yield _block(block, other=other)
        before = block


def _block(block: Block, *, other: bool) -> str:
    match block:
        case Paragraph(spans):
            return _lines(spans)
        case Heading(level, spans):
            text = _lines(spans)
            if "\n" in text and level <= 2:
                return f"{text}\n{'=-'[level - 1] * 3}"
            text = re.sub(r"#$", r"\\#", text.replace("\n", " "))
            return f"{'#' * level} {text}"
        case Code(text, language):
            return _code_block(text, language)
        case ListBlock():
            return _list(block, other=other)
        case Quote(inner):
            return indented(_blocks(inner, "\n\n"), "> ", "> ")
        case Table():
            return _table(block)
        case Rule():
            return _RULE


def _code_block(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    info = re.sub(r"[\\&]", r"\\\g<0>", language)
    if "`" in language:
        longest = max((len(run) for run in re.findall(r"~{3,}", text)), default=2)
        fence = "~" * (longest + 1)
    return f"{fence}{info}\n{text.removesuffix(chr(10))}\n{fence}"


def _list(block: ListBlock, *, other: bool) -> str:
    # Only a paragraph tells whether a list is tight; blocks that may run into one another are apart where they can be.
    is_tight = block.tight and any(
        isinstance(inner, Paragraph) for item in block.items for inner in item.blocks
    )
    apart = "\n" if is_tight else "\n\n"
    text = ""
    for index, item in enumerate(block.items):
        marker = _marker(block.start, index, other=other)
        inner = _blocks(item.blocks, apart)
        text += inner if item.continued else indented(inner, marker, " " * len(marker))
        if index + 1 < len(block.items):
            text += "\n\n" if item.continued else apart
    return text


def _marker(start: int | None, index: int, *, other: bool) -> str:
    if start is None:
        return "* " if other else "- "
    return f"{start + index}{')' if other else '.'} "


def _table(table: Table) -> str:
    rows = [[_inline(cell, in_cell=True).replace("\n", " ").strip() for cell in row] for row in table.rows]
    if not table.head:
        rows.insert(0, [""] * len(table.aligns))
    rows.insert(1, [_ALIGN[align] for align in table.aligns])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _lines(spans: Iterable[Span]) -> str:
    lines = (line.strip(" \t") for line in _inline(spans, in_cell=False).split("\n"))
    return "\n".join(_START.sub(r"\g<0>\\", line) for line in lines if line)


def _inline(spans: Iterable[Span], *, in_cell: bool) -> str:
    pieces: list[Piece] = []
    for (link, image), group in groupby(at_text(spans), lambda span: (span.link, span.image)):
        same = [(_text(span, in_cell=in_cell), span.marks.intersection(_SIGNS)) for span in group]
        if link is not None:
            common = frozenset.intersection(*(marks for _, marks in same))
            text = woven([(text, marks - common) for text, marks in same], _SIGNS)
            if pieces and pieces[-1][0].endswith("!"):  # a picture it would be
                pieces[-1] = (f"{pieces[-1][0][:-1]}\\!", pieces[-1][1])
            same = [(f"{'!' * image}[{text}](<{link.translate(_IN_URL)}>)", common)]
        pieces += same
    return woven(pieces, _SIGNS)


def _text(span: Span, *, in_cell: bool) -> str:
    if "code" in span.marks:
        return _code(span.text.replace("|", "\\|") if in_cell else span.text)
    if in_cell:
        return "\\|".join(_ESCAPED.sub(r"\\\g<0>", text) for text in span.text.split("|"))
    return _ESCAPED.sub(r"\\\g<0>", span.text)


def _code(text: str) -> str:
    fence = "`" * (max(map(len, re.findall(r"`+", text)), default=0) + 1)
    if "`" in (text[0], text[-1]) or (text[0] == text[-1] == " " and text.strip()):
        text = f" {text} "
    return f"{fence}{text}{fence}"
