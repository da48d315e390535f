"""Text with entities: what the platforms that take such a thing have in common.

    Document ── laid out ──▶ runs of text, each in one look ── placed ──▶ text + entities

What a platform cannot mark is said in the text: a link by its address, a quote by ``> ``. Offsets count UTF-16 code units.
Two entities either have no character in common, or one is within the other; none begins or ends with a blank, except that
lines of code keep the indentation of the first. Code stands at the left edge, for whoever copies it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hermes.render import layout
from hermes.render.ir import (
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
from hermes.render.measure import length
from hermes.types.content import Entity, EntityKind

_Style = tuple[EntityKind, str]
"""How a run looks, with the address of a link or the language of code."""

_ORDER: tuple[EntityKind, ...] = (
    *("blockquote", "text_link", "bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre"),
)
"""Of two that are as long as each other, the first is around the second."""

_ITEM_INDENT = "  "
_QUOTE = "> "


@dataclass(frozen=True, slots=True)
class Looks:
    """What a platform marks. ``link``: whether this address may be behind a text. ``block``: what code in lines is.
    ``quotes``: whether it has them. ``code_alone``: code takes no other mark, and a link none of code.
    """

    marks: Mapping[Mark, EntityKind]
    link: Callable[[str], bool]
    block: EntityKind
    quotes: bool
    code_alone: bool


@dataclass(frozen=True, slots=True)
class _Run:
    text: str
    styles: frozenset[_Style] = frozenset()
    fixed: bool = False
    """Lines of code: not indented with what is around them."""


_Runs = tuple[_Run, ...]


def place(document: Document, looks: Looks) -> tuple[str, tuple[Entity, ...]]:
    """The document as text and entities, these in the order of the text, the outer before the inner."""
    runs = _stripped(_Layout(looks).joined(document.blocks, "\n\n", top=True))
    return "".join(run.text for run in runs), tuple(_entities(runs, 0, frozenset()))


class _Layout:
    def __init__(self, looks: Looks) -> None:
        self._looks = looks

    def joined(self, blocks: Iterable[Block], apart: str, top: bool = False) -> _Runs:
        return _joined((self._block(block, top) for block in blocks), apart)

    def _block(self, block: Block, top: bool) -> _Runs:
        match block:
            case Paragraph(spans):
                return self._inline(spans)
            case Heading(_, spans):
                return self._inline(
                    Span(span.text, span.marks | {"bold"}, span.link, span.image) for span in spans
                )
            case Code(text, language):
                return self._code(text, language)
            case ListBlock():
                return self._list(block)
            case Quote(blocks) if top and self._looks.quotes:
                quote: frozenset[_Style] = frozenset({("blockquote", "")})
                inner = _stripped(self.joined(blocks, "\n\n"))
                return tuple(_Run(run.text, run.styles | quote, run.fixed) for run in inner)
            case Quote(blocks):
                return _indented(self.joined(blocks, "\n\n"), _QUOTE, _QUOTE)
            case Table():
                columns = layout.columns(block)
                return self._list(layout.as_list(block)) if columns is None else self._code(columns, "")
            case Rule():
                return (_Run(layout.RULE),)

    def _code(self, text: str, language: str) -> _Runs:
        text = re.sub(r"\A(?:[^\S\n]*\n)+", "", text).rstrip()
        return (_Run(text, frozenset({(self._looks.block, language)}), fixed=True),) if text else ()

    def _list(self, block: ListBlock) -> _Runs:
        apart = "\n" if block.tight else "\n\n"
        return _joined(
            (
                _indented(self.joined(item.blocks, apart), marker, _ITEM_INDENT)
                for marker, item in zip(layout.markers(block), block.items, strict=True)
            ),
            apart,
        )

    def _inline(self, spans: Iterable[Span]) -> _Runs:
        return tuple(run for group, link in layout.links(spans) for run in self._linked(group, link))

    def _linked(self, group: Sequence[Span], link: str | None) -> Iterator[_Run]:
        target: tuple[_Style, ...] = ()
        if link is not None and self._looks.link(link):
            target = (("text_link", link),)
        for span in group:
            yield _Run(span.text, frozenset((*self._marks(span.marks, bool(target)), *target)))
        if link is not None and not target and (address := layout.address(group, link)):
            yield _Run(address)

    def _marks(self, marks: frozenset[Mark], linked: bool) -> Iterator[_Style]:
        if self._looks.code_alone and "code" in marks:
            marks = marks - {"code"} if linked else frozenset({"code"})
        return ((self._looks.marks[mark], "") for mark in marks if mark in self._looks.marks)


def _joined(parts: Iterable[_Runs], apart: str) -> _Runs:
    runs: list[_Run] = []
    for part in filter(None, parts):
        if runs:
            runs.append(_Run(apart))
        runs += part
    return tuple(runs)


def _indented(runs: _Runs, first: str, rest: str) -> _Runs:
    """``first`` before the runs, ``rest`` at the start of every further line, but for lines of code."""
    if not runs:
        return (_Run(first.rstrip()),) if first else ()
    if first:
        runs = (_Run(first.rstrip() + "\n"), *runs) if runs[0].fixed else (_Run(first), *runs)
    before_code = (*(run.fixed for run in runs[1:]), False)
    return tuple(
        run if run.fixed else _Run(_after_breaks(run.text, rest, bare_end=bare), run.styles)
        for run, bare in zip(runs, before_code, strict=True)
    )


def _after_breaks(text: str, rest: str, bare_end: bool) -> str:
    line = r"\n(?!\n|\Z)" if bare_end else r"\n(?!\n)"
    return re.sub(r"\n(?=\n)", "\n" + rest.rstrip(), re.sub(line, "\n" + rest, text))


def _stripped(runs: _Runs) -> _Runs:
    """Without blanks at the ends: a platform drops them, and the offsets would be wrong."""
    kept = list(runs)
    while kept and not kept[0].fixed and (text := kept[0].text.lstrip()) != kept[0].text:
        kept[:1] = [_Run(text, kept[0].styles)] if text else []
    while kept and (text := kept[-1].text.rstrip()) != kept[-1].text:
        kept[-1:] = [_Run(text, kept[-1].styles, kept[-1].fixed)] if text else []
    return tuple(kept)


def _entities(runs: Sequence[_Run], offset: int, within: frozenset[_Style]) -> Iterator[Entity]:
    for style, stretch in layout.nested(runs, _styles, within):
        text = "".join(run.text for run in stretch)
        if style is not None:
            yield from _entity(text, offset, style, indented=stretch[0].fixed)
            yield from _entities(stretch, offset, within | {style})
        offset += length(text, "utf16")


def _styles(run: _Run) -> Sequence[_Style]:
    return sorted(run.styles, key=lambda style: _ORDER.index(style[0]))


def _entity(text: str, offset: int, style: _Style, indented: bool) -> Iterator[Entity]:
    kind, more = style
    shown = text.rstrip() if indented else text.strip()
    if shown:
        before = length(text[: text.index(shown)], "utf16")
        yield Entity(
            kind,
            offset + before,
            length(shown, "utf16"),
            url=more if kind == "text_link" else None,
            language=more or None if kind == "pre" else None,
        )
