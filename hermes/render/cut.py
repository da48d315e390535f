"""A document that is longer than one message, cut into several.

    blocks ── as many as fit ──▶ a part
           └─ the next one, where the part is not yet half full: its items, rows, lines, sentences, words … ─▶

Lengths are those of what is sent: ``measure`` renders. So each place to cut is found by trying: by a guess from the length of
the text, then by the proportion of what was measured, which takes some four renderings of one part, however long the document.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

from hermes.render.ir import (
    Block,
    Code,
    Document,
    Heading,
    Item,
    ListBlock,
    Paragraph,
    Quote,
    Rule,
    Span,
    Table,
    leaves,
)
from hermes.render.measure import boundary, first_cluster

T = TypeVar("T")
Size = Callable[[tuple[T, ...]], int]
"""The length of the part that is being filled, with these in it."""

Pieces = tuple[tuple[T, ...], tuple[T, ...]]
"""What goes into this part, and what is left for the next."""

Breaks = Callable[[str, int], Iterator[int]]
"""Where a text may be cut, up to some place: the best first."""

_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"""[.!?…]["'”’»)\]]*\s|[。！？]""")
_WORD = re.compile(r"[^\S\u00a0\u2007\u202f]")  # white space, but for what keeps words together


def split(document: Document, room: int, measure: Callable[[Document], int]) -> tuple[Document, ...]:
    """``document`` in parts, each of which measures at most ``room``; the leaves of all parts join to those of the document.

    At least one part, and none empty but that of an empty document; one may be blank (white space, a rule). The same document
    is always cut alike. What is longer than ``room`` by itself is cut where it hurts least: code at a line, each piece a block
    of its own; a table between rows, a row between cells; a link or a code span only if it alone does not fit, a grapheme
    cluster likewise. Only where a single code point with its markup does not fit is a part longer than ``room``.
    """
    parts = []
    rest = document.blocks
    while rest:
        blocks, rest = _fill(rest, room, lambda blocks: measure(Document(blocks)), _cut, must=True)
        parts.append(Document(blocks))
    return tuple(parts) or (document,)


def seen(document: Document) -> int:
    """How many characters ``document`` has, white space not counted: that may go where it is cut."""
    return sum(len("".join(leaf.split())) for leaf in leaves(document.blocks))


def after(document: Document, count: int) -> Document:
    """What follows the first ``count`` characters that are ``seen``."""
    return Document(_after(document.blocks, _Skip(count)))


class _Skip:
    """The characters that are still to be left out, block after block."""

    def __init__(self, left: int) -> None:
        self.left = left

    def end_in(self, text: str) -> int:
        """Where what follows them begins in ``text``."""
        at = 0
        while self.left and at < len(text):
            self.left -= not text[at].isspace()
            at += 1
        return at

    def rest_of(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        """What follows them in ``spans``."""
        return _divide(spans, self.end_in("".join(span.text for span in spans)))[1]


def _after(blocks: tuple[Block, ...], skip: _Skip) -> tuple[Block, ...]:
    for index, block in enumerate(blocks):
        if not skip.left:
            return blocks[index:]
        if begun := _rest(block, skip):
            return (*begun, *blocks[index + 1 :])
    return ()


def _rest(block: Block, skip: _Skip) -> tuple[Block, ...]:
    match block:
        case Paragraph(spans) | Heading(_, spans):
            left = skip.rest_of(spans)
            return (replace(block, spans=left),) if left else ()
        case Code(text, language):
            later = text[skip.end_in(text) :]
            return (Code(later, language),) if later else ()
        case Quote(inner):
            inside = _after(inner, skip)
            return (Quote(inside),) if inside else ()
        case ListBlock(items, start):
            while items and skip.left:
                inside = _after(items[0].blocks, skip)
                items = (*((Item(inside, continued=True),) if inside else ()), *items[1:])
            number = None if start is None else start + len(block.items) - len(items)
            return (replace(block, items=items, start=number),) if items else ()
        case Table(rows):
            cells: tuple[tuple[Span, ...], ...] = ()
            while rows and skip.left:
                cells, rows = tuple(filter(None, map(skip.rest_of, rows[0]))), rows[1:]
            others = (replace(block, rows=rows, head=False),) if rows else ()
            return (*map(Paragraph, cells), *others)
        case Rule():
            return ()


def _fill(
    children: tuple[T, ...],
    room: int,
    size: Size[T],
    cut: Callable[[T, int, Size[T], bool], Pieces[T]],
    *,
    must: bool,
) -> Pieces[T]:
    """As many of ``children`` as fit, and some of the next one where that leaves more than half of the room.

    ``must``: there is nothing in the part yet, so that something has to go in, whatever its size.
    """
    most = _bound(children, room)
    count, used = _most(most, most, room, lambda count: size(children[:count]))
    head = children[:count]
    if count == len(children):
        return head, ()
    if 2 * used < room or not head:
        begun, rest = cut(children[count], room, lambda more: size((*head, *more)), must and not head)
        if begun:
            return (*head, *begun), (*rest, *children[count + 1 :])
    if must and not head:
        return children[:1], children[1:]
    untitled = head
    while untitled and isinstance(untitled[-1], Heading):  # a title belongs to what follows
        untitled = untitled[:-1]
    head = untitled or head
    return head, children[len(head) :]


def _cut(block: Block, room: int, size: Size[Block], must: bool) -> Pieces[Block]:
    match block:
        case Paragraph(spans) | Heading(_, spans):
            text = "".join(span.text for span in spans)
            whole = _whole_spans(spans)
            at = _place(
                text,
                room,
                lambda at: size((replace(block, spans=_divide(spans, at)[0]),)),
                lambda text, reach: _prose_breaks(text, reach, whole, must),
                must,
            )
            begun, rest = _divide(spans, at)
            return _both(replace(block, spans=begun), replace(block, spans=rest), at, len(text))
        case Code(text, language):
            at = _place(
                text,
                room,
                lambda at: size((Code(text[:at], language),)),
                lambda text, reach: _code_breaks(text, reach, must),
                must,
            )
            return _both(Code(text[:at], language), Code(text[at:], language), at, len(text))
        case Quote(inner):
            blocks, left = _fill(inner, room, lambda some: size((Quote(some),)), _cut, must=must)
            return (Quote(blocks),) if blocks else (), (Quote(left),) if left else ()
        case ListBlock(items, start):
            taken, later = _fill(
                items, room, lambda some: size((replace(block, items=some),)), _cut_item, must=must
            )
            number = None if start is None else start + len(items) - len(later)
            return (
                (replace(block, items=taken),) if taken else (),
                (replace(block, items=later, start=number),) if later else (),
            )
        case Table():
            return _cut_table(block, room, size, must)
        case Rule():
            return (), (block,)


def _cut_item(item: Item, room: int, size: Size[Item], must: bool) -> Pieces[Item]:
    blocks, left = _fill(item.blocks, room, lambda some: size((replace(item, blocks=some),)), _cut, must=must)
    return (
        (replace(item, blocks=blocks),) if blocks else (),
        (Item(left, continued=bool(blocks) or item.continued),) if left else (),
    )


def _cut_table(table: Table, room: int, size: Size[Block], must: bool) -> Pieces[Block]:
    """Between rows, the head with the first at least; a row that does not fit by itself becomes paragraphs."""
    most = _bound(table.rows, room)
    count, _ = _most(most, most, room, lambda count: size((replace(table, rows=table.rows[:count]),)))
    if count > 1 or (count and (must or not table.head)):
        rest = replace(table, rows=table.rows[count:], head=False)
        return (replace(table, rows=table.rows[:count]),), (rest,) if rest.rows else ()
    if not must or not table.rows:
        return (), (table,)
    cells = tuple(Paragraph(cell) for cell in table.rows[0] if cell) or (Paragraph(()),)
    others = replace(table, rows=table.rows[1:], head=False)
    return _fill((*cells, others) if others.rows else cells, room, size, _cut, must=must)


def _both(begun: Block, rest: Block, at: int, length: int) -> Pieces[Block]:
    return (begun,) if at else (), (rest,) if at < length or not at else ()


def _most(count: int, guess: int, room: int, size: Callable[[int], int]) -> tuple[int, int]:
    """The largest number up to ``count`` whose ``size`` is at most ``room``, and that size; (0, 0) if there is none.

    Sizes grow with numbers, or nearly: what is returned has been measured.
    """
    fits, used, beyond, excess, step = 0, 0, count + 1, 0, 0
    while beyond - fits > 1:
        guess = min(max(guess, fits + 1), beyond - 1)
        measured = size(guess)
        if measured <= room:
            fits, used = guess, measured
        else:
            beyond, excess = guess, measured
        step += 1
        if step % 3 == 0:  # proportion alone can creep
            guess = (fits + beyond) // 2
        elif excess:
            guess = fits + (beyond - fits) * (room - used) // (excess - used)
        else:
            guess = 2 * fits
    return fits, used


def _bound(children: tuple[object, ...], room: int) -> int:
    """How many of ``children`` there can be at most: no dialect makes a text shorter, but for white space at its ends."""
    for count, child in enumerate(children):
        for text in _texts(child):
            room -= len(text.strip())
            if room < 0:
                return count
    return len(children)


def _texts(child: object) -> Iterator[str]:
    match child:
        case Item(blocks):
            yield from leaves(blocks)
        case tuple():
            yield from (span.text for cell in child for span in cell)
        case _:
            yield from leaves((child,))  # type: ignore[arg-type]


def _place(text: str, room: int, size: Callable[[int], int], breaks: Breaks, must: bool) -> int:
    """Where to cut ``text`` so that what is before fits; 0 if nowhere."""
    reach, _ = _most(len(text), room, room, size)
    while reach:
        at = next(breaks(text, reach), 0)
        if at == reach or not at or size(at) <= room:
            return at
        reach = at - 1  # a mark at the very end may have to be escaped where it had not within a word
    return first_cluster(text) if must else 0


def _prose_breaks(text: str, reach: int, whole: tuple[tuple[int, int], ...], must: bool) -> Iterator[int]:
    """At a line or a sentence if that leaves half of it at least, at a word, and if need be between any two characters."""
    if reach == len(text):
        yield reach
    half = reach // 2
    for pattern, least in ((_LINE, half), (_SENTENCE, half), (_WORD, 0)):
        ends = [found.end() for found in pattern.finditer(text, least, reach)]
        if pattern.match(text, reach):  # the white space goes with the rest
            ends.append(reach)
        for at in reversed(ends):
            if boundary(text, at) == at == _outside(at, whole) and not text[:at].isspace():
                yield at
    if must:
        yield from filter(None, (boundary(text, _outside(reach, whole)), boundary(text, reach), reach))


def _code_breaks(text: str, reach: int, must: bool) -> Iterator[int]:
    if at := text.rfind("\n", 0, reach) + 1:
        yield at
    if must:
        yield boundary(text, reach) or reach


def _whole_spans(spans: tuple[Span, ...]) -> tuple[tuple[int, int], ...]:
    """Where the links and the code spans begin and end."""
    found, at = [], 0
    for key, same in groupby(spans, lambda span: (span.link, "code" in span.marks)):
        begin, at = at, at + sum(len(span.text) for span in same)
        if any(key):
            found.append((begin, at))
    return tuple(found)


def _outside(at: int, whole: tuple[tuple[int, int], ...]) -> int:
    for begin, end in whole:
        if begin < at < end:
            return begin
    return at


def _divide(spans: tuple[Span, ...], at: int) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """``spans`` before and after ``at``, counted in their text; each half keeps its look."""
    for index, span in enumerate(spans):
        if at <= 0:
            return spans[:index], spans[index:]
        if at < len(span.text):
            begun, rest = replace(span, text=span.text[:at]), replace(span, text=span.text[at:])
            return (*spans[:index], begun), (rest, *spans[index + 1 :])
        at -= len(span.text)
    return spans, ()
