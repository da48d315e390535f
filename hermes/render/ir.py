"""What an answer says, apart from how any platform marks it up.

    Markdown ── markdown.parse ──▶ Document ── cut.split ──▶ Documents ── a dialect ──▶ Body

Frozen data with one reading: two documents that are equal look alike. What joins to the text of the author is the text of
the leaves (``leaves``): paragraphs, headings, cells and code, in order, without what a dialect puts between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hermes.types.content import Dialect, Entity

Mark = Literal["bold", "italic", "strike", "code", "underline", "spoiler"]
Align = Literal["left", "center", "right", ""]


@dataclass(frozen=True, slots=True)
class Span:
    r"""Text in one look. ``link`` is where it leads (http, https, mailto; nothing else gets here); ``code`` excludes no other
    mark. A line break is ``\n``, and only ever means one. ``image``: the text describes the picture at ``link``.
    """

    text: str
    marks: frozenset[Mark] = frozenset()
    link: str | None = None
    image: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A title; ``level`` is 1 to 6."""

    level: int
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code, line by line as it is; ``text`` ends with a line break unless it was cut within a line."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a list. ``continued``: it is the rest of an item that was cut, so no dialect puts a bullet before it."""

    blocks: "tuple[Block, ...]"
    continued: bool = False


@dataclass(frozen=True, slots=True)
class ListBlock:
    """Items in order; ``start`` is the first one's number, None: bullets. ``tight``: no empty line between them."""

    items: tuple[Item, ...]
    start: int | None = None
    tight: bool = True


@dataclass(frozen=True, slots=True)
class Quote:
    """What somebody else has said, or is set apart as if."""

    blocks: "tuple[Block, ...]"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the first of them the head if ``head``; all rows are as long as ``aligns``."""

    rows: tuple[tuple[tuple[Span, ...], ...], ...]
    aligns: tuple[Align, ...]
    head: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Block = Paragraph | Heading | Code | ListBlock | Quote | Table | Rule


@dataclass(frozen=True, slots=True)
class Document:
    """Blocks in order, with an empty line between them where a dialect has such a thing."""

    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """A document in one dialect: what ``content.Part`` carries of it."""

    text: str
    entities: tuple[Entity, ...] = field(default=())
    html: str | None = None
    dialect: Dialect = "plain"


def leaves(blocks: Sequence[Block]) -> Iterator[str]:
    """The author's text, leaf by leaf."""
    for block in blocks:
        match block:
            case Paragraph(spans) | Heading(_, spans):
                yield "".join(span.text for span in spans)
            case Code(text):
                yield text
            case ListBlock(items):
                for item in items:
                    yield from leaves(item.blocks)
            case Quote(inner):
                yield from leaves(inner)
            case Table(rows):
                for row in rows:
                    for cell in row:
                        yield "".join(span.text for span in cell)
            case Rule():
                pass
