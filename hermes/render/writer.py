"""Text with marks in it (``*so*``), for the platforms whose markup is that of a line: Slack, Discord, WhatsApp, IRC.

They differ in which marks there are and in how a text is kept from being read as one: a ``Style``. What they share is here:
marks are well nested, stand next to what they mark and never at white space, and end with their line.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hermes.render import layout
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
from hermes.render.marks import Piece, at_text, outside_words, woven
from hermes.types.content import Dialect

NOTHING = "\u200b"
"""A space of no width, which reads as no letter: it keeps apart what would be read together."""

URL = r"https?://[^\s<>*`|\\]+"
"""An address as it stands in a text: signs in it are part of it."""

_FENCE = "```"
_BLANK = " \t\n"  # not all that Python strips: to it, the codes of IRC are white space
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Style:
    """What a platform reads as markup.

    ``marks``: what stands on both sides of a marked text; a mark that is not among them is not shown.
    ``escape(text, line, signs)``: ``text`` so that it reads as itself within ``line``, on which there are marks by ``signs``.
    ``start``: a whole line, so that it does not read as the beginning of a quote, a list, a heading.
    ``code``, ``fence(text, language)``, ``link(text, url)``: of a text not yet escaped, of one that was for ``link``.
    ``heading(level)``: what stands before a title, None: it is bold instead.
    ``inside``: whether marks are read that begin or end within a word: as they are, with ``joint`` between, or not at all.
    ``joint``: what keeps a mark that ends from the one that begins there.
    """

    dialect: Dialect
    marks: Mapping[Mark, str]
    escape: Callable[[str, str, str], str]
    link: Callable[[str, str], str]
    code: Callable[[str], str]
    fence: Callable[[str, str], str]
    start: Callable[[str], str] = lambda line: line
    heading: Callable[[int], str | None] = lambda level: None
    inside: Literal["always", "apart", "never"] = "apart"
    joint: str = NOTHING
    bullet: str = "- "
    quote: str = "> "
    quotes_code: bool = True
    gap: str = "\n\n"


def render(document: Document, style: Style) -> Body:
    """The document in one message."""
    return Body(_blocks(document.blocks, style.gap, style), dialect=style.dialect)


def fenced(text: str, language: str = "") -> str:
    """A block of code between fences; what would end it early is kept apart."""
    inner = text.removesuffix("\n").replace(_FENCE, f"``{NOTHING}`")
    return f"{_FENCE}{language}\n{inner}\n{_FENCE}"


def beside(text: str, url: str) -> str:
    """A link for a platform that has none: the address behind its text."""
    return text if url in (text, f"mailto:{text}") else f"{text} ({url})"


def _blocks(blocks: Iterable[Block], gap: str, style: Style) -> str:
    return gap.join(filter(None, (_block(block, style) for block in blocks)))


def _block(block: Block, style: Style) -> str:
    match block:
        case Paragraph(spans):
            return "\n".join(map(style.start, _lines(spans, style))).strip(_BLANK)
        case Heading(level, spans):
            before = style.heading(level)
            if before is None:
                bold = tuple(replace(span, marks=span.marks | {"bold"}) for span in spans)
                return _block(Paragraph(bold), style)
            return "\n".join(before + line for line in _lines(spans, style) if line)
        case Code(text, language):
            return style.fence(text, language)
        case ListBlock():
            return _list(block, style)
        case Quote(inner):
            return _prefixed(_blocks(_unquoted(inner), style.gap, style), style.quote, style.quotes_code)
        case Table():
            columns = layout.columns(block)
            return _list(layout.as_list(block), style) if columns is None else style.fence(columns, "")
        case Rule():
            return layout.RULE


def _list(block: ListBlock, style: Style) -> str:
    gap = "\n" if block.tight else style.gap
    items = []
    for marker, item in zip(layout.markers(block), block.items, strict=True):
        text = _prefixed(_blocks(item.blocks, gap, style), _INDENT, False)
        bullet = style.bullet if block.start is None and marker else marker
        if not bullet:
            items.append(text)
        elif text.startswith(_FENCE):
            # Behind a bullet it would be no fence to the lines around it.
            items.append(f"{bullet.rstrip()}\n{text}")
        else:
            items.append(bullet + text.removeprefix(_INDENT))
    return gap.join(items)


def _unquoted(blocks: Iterable[Block]) -> Iterator[Block]:
    """None of these platforms has a quote in a quote."""
    for block in blocks:
        if isinstance(block, Quote):
            yield from _unquoted(block.blocks)
        else:
            yield block


def _prefixed(text: str, prefix: str, with_code: bool) -> str:
    """``prefix`` before each line, but for the lines of code: there it would be part of the code."""
    lines, in_code = [], False
    for line in text.split("\n"):
        fence = line.startswith(_FENCE)
        in_code ^= fence
        lines.append(line if (in_code or fence) and not with_code else (prefix + line).rstrip(_BLANK))
    return "\n".join(lines)


def _lines(spans: Iterable[Span], style: Style) -> Iterator[str]:
    line: list[Span] = []
    for span in spans:
        first, *others = span.text.split("\n")
        line.append(replace(span, text=first))
        for text in others:
            yield _line(line, style)
            line = [replace(span, text=text)]
    yield _line(line, style)


def _line(spans: list[Span], style: Style) -> str:
    pieces = _pieces(list(at_text(_links_whole(spans))), style)
    if style.inside == "never":
        for mark in style.marks:
            pieces = list(outside_words(pieces, mark))
    in_word = style.joint if style.inside == "apart" else ""
    return woven(pieces, style.marks, style.joint, in_word).rstrip(_BLANK)


def _links_whole(spans: list[Span]) -> Iterator[Span]:
    """A link has one text; marks that are not all over it are not shown."""
    kept: Span | None = None
    for span in spans:
        if kept is not None and span.link is not None and span.link == kept.link:
            kept = replace(kept, text=kept.text + span.text, marks=kept.marks & span.marks)
            continue
        if kept is not None:
            yield kept
        kept = span
    if kept is not None:
        yield kept


def _pieces(spans: list[Span], style: Style) -> list[Piece]:
    line = "".join(span.text for span in spans if "code" not in span.marks)
    signs = "".join(
        "`" if mark == "code" else style.marks.get(mark, "") for span in spans for mark in span.marks
    )
    pieces = []
    for span in spans:
        is_code = "code" in span.marks and span.text.strip()
        text = style.code(span.text) if is_code else style.escape(span.text, line, signs)
        if span.link is not None:
            text = style.link(text, span.link)
        pieces.append((text, span.marks.intersection(style.marks)))
    return pieces
