"""Text → HTML that is safe to put into a page as it is.

Safe means: no tag that is not written here, no link but http, https and mailto, and nothing that a reader's program fetches on
its own: an image becomes a link, because loading one from a foreign host tells that host who reads when.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from hermes.render import layout
from hermes.render.ir import (
    Align,
    Block,
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
from hermes.render.markdown import parse

_ORDER: tuple[Mark, ...] = ("bold", "italic", "underline", "strike", "spoiler", "code")


@dataclass(frozen=True, slots=True)
class Tags:
    """What the readers of a dialect's HTML understand: attributes, with a blank before them, and tags.

    ``gap`` is between blocks and after a line break: for whoever reads the source, and empty where it would be seen. ``text``
    is for whatever holds running text.
    """

    gap: str = "\n"
    text: str = ""
    link: str = ""
    quote: str = ""
    code: str = ""
    table: str = ""
    cell: Callable[[Align], str] = lambda align: ""
    strike: str = "s"
    spoiler: str | None = None


def to_html(markdown: str) -> str:
    """The web page's HTML; total: any text gives well-formed, safe HTML, and classes where a page's policy forbids styles."""
    return write(parse(markdown), _PAGE)


def write(document: Document, tags: Tags) -> str:
    """``document`` in HTML."""
    return _Writer(tags).blocks(document.blocks)


class _Writer:
    def __init__(self, tags: Tags) -> None:
        self._tags = tags

    def blocks(self, blocks: Iterable[Block]) -> str:
        return "".join(self._block(block) + self._tags.gap for block in blocks)

    def _block(self, block: Block) -> str:
        gap = self._tags.gap
        match block:
            case Paragraph(spans):
                return f"<p{self._tags.text}>{self.inline(spans)}</p>"
            case Heading(level, spans):
                return f"<h{level}{self._tags.text}>{self.inline(spans)}</h{level}>"
            case Code(text, language):
                name = f' class="language-{escape(language)}"' if language else ""
                return f"<pre{self._tags.code}><code{name}>{escape(text)}</code></pre>"
            case ListBlock():
                return self._list(block)
            case Quote(blocks):
                return f"<blockquote{self._tags.quote}>{gap}{self.blocks(blocks)}</blockquote>"
            case Table():
                return self._table(block)
            case Rule():
                return "<hr />"

    def _list(self, block: ListBlock) -> str:
        """The rest of an item that was cut stands before its list, since there it would get a bullet."""
        cut = [item for item in block.items if item.continued]
        before = "".join(self._item(item.blocks, block.tight) + self._tags.gap for item in cut)
        items = [
            f"<li{self._tags.text}>{self._item(item.blocks, block.tight)}</li>"
            for item in block.items[len(cut) :]
        ]
        if not items:
            return before
        start = None if block.start is None else block.start + len(cut)
        tag = "ul" if start is None else "ol"
        number = "" if start in (None, 1) else f' start="{start}"'
        gap = self._tags.gap
        return f"{before}<{tag}{number}>{gap}{gap.join(items)}{gap}</{tag}>"

    def _item(self, blocks: Sequence[Block], tight: bool) -> str:
        return self._tags.gap.join(
            self.inline(block.spans) if tight and isinstance(block, Paragraph) else self._block(block)
            for block in blocks
        )

    def _table(self, table: Table) -> str:
        gap = self._tags.gap
        head = table.rows[:1] if table.head else ()
        rows = "".join(
            f"<{part}>{gap}{''.join(self._row(row, table.aligns, cell) for row in rows)}</{part}>{gap}"
            for part, cell, rows in (("thead", "th", head), ("tbody", "td", table.rows[len(head) :]))
            if rows
        )
        return f"<table{self._tags.table}>{gap}{rows}</table>"

    def _row(self, row: Sequence[Sequence[Span]], aligns: Sequence[Align], tag: str) -> str:
        cells = (
            f"<{tag}{self._tags.text}{self._tags.cell(align)}>{self.inline(cell)}</{tag}>"
            for cell, align in zip(row, aligns, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>{self._tags.gap}"

    def inline(self, spans: Iterable[Span]) -> str:
        """Running text."""
        return "".join(self._linked(group, link) for group, link in layout.links(spans))

    def _linked(self, group: Sequence[Span], link: str | None) -> str:
        text = self._marked(group, frozenset())
        if link is None:
            return text
        seen = f"[{text}]" if group[0].image else text
        return f'<a href="{escape(link)}"{self._tags.link}>{seen}</a>'

    def _marked(self, spans: Sequence[Span], within: frozenset[Mark]) -> str:
        return "".join(
            self._text(stretch) if mark is None else self._mark(mark, self._marked(stretch, within | {mark}))
            for mark, stretch in layout.nested(spans, _marks, within)
        )

    def _text(self, spans: Iterable[Span]) -> str:
        return escape("".join(span.text for span in spans)).replace("\n", f"<br />{self._tags.gap}")

    def _mark(self, mark: Mark, text: str) -> str:
        match mark:
            case "bold":
                return f"<strong>{text}</strong>"
            case "italic":
                return f"<em>{text}</em>"
            case "underline":
                return f"<u>{text}</u>"
            case "strike":
                return f"<{self._tags.strike}>{text}</{self._tags.strike}>"
            case "spoiler":
                return text if self._tags.spoiler is None else f"<span{self._tags.spoiler}>{text}</span>"
            case "code":
                return f"<code>{text}</code>"


def _marks(span: Span) -> Sequence[Mark]:
    return [mark for mark in _ORDER if mark in span.marks]


_PAGE = Tags(
    link=' target="_blank" rel="noopener noreferrer nofollow"',
    cell=lambda align: f' class="align-{align}"' if align else "",
    spoiler=' class="spoiler" tabindex="0"',
)
