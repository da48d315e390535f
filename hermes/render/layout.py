"""What the dialects share: how wide a text is, what stands before an item, how a table or a link is set in mere text.

A table is set in columns only where every column lines up and nothing is hidden: narrow enough for a phone, and without links.
Any other becomes a list, one item a row, each cell after the name of its column.
"""

import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar
from urllib.parse import unquote

from hermes.render.ir import Item, ListBlock, Paragraph, Span, Table

BULLET = "•"
RULE = "—" * 8
COLUMNS_WIDTH = 40
"""Cells of a monospaced line that a phone shows without breaking it, about."""

Run = TypeVar("Run")
Look = TypeVar("Look", bound=Hashable)

_GAP = "  "
_ZWJ, _EMOJI_STYLE = "\u200d", "\ufe0f"


def markers(block: ListBlock) -> Iterator[str]:
    """What stands before each item: ``• ``, or ``3. ``; nothing before the rest of an item that was cut."""
    for index, item in enumerate(block.items):
        if item.continued:
            yield ""
        else:
            yield f"{BULLET} " if block.start is None else f"{block.start + index}. "


def indented(text: str, first: str, rest: str) -> str:
    """``first`` before the first line of ``text``, ``rest`` before the others; no blanks at the end of an empty line."""
    lines = [(rest if index else first, line) for index, line in enumerate(text.split("\n"))]
    return "\n".join(before + line if line else before.rstrip() for before, line in lines)


def links(spans: Iterable[Span]) -> Iterator[tuple[tuple[Span, ...], str | None]]:
    """The spans, those together that one link goes through, with where it leads."""
    for (link, _), group in groupby(spans, lambda span: (span.link, span.image)):
        yield tuple(group), link


def nested(
    runs: Sequence[Run], looks: Callable[[Run], Sequence[Look]], within: frozenset[Look]
) -> Iterator[tuple[Look | None, Sequence[Run]]]:
    """The runs in stretches, each with the look around it that is not yet ``within``: of those that begin with a run, the one
    that reaches farthest, and the first of these. So what is marked for the looks within looks is well nested.
    """
    start = 0
    while start < len(runs):
        ends = {look: _reach(runs, start, look, looks) for look in looks(runs[start]) if look not in within}
        look = max(ends, key=ends.__getitem__, default=None)
        end = start + 1 if look is None else ends[look]
        yield look, runs[start:end]
        start = end


def _reach(runs: Sequence[Run], start: int, look: Look, looks: Callable[[Run], Sequence[Look]]) -> int:
    return next((index for index in range(start, len(runs)) if look not in looks(runs[index])), len(runs))


def address(spans: Iterable[Span], link: str) -> str:
    """What is written behind a link that cannot be clicked: `` (https://…)``, or nothing where its text says as much."""
    seen = link.removeprefix("mailto:")
    return "" if unquote("".join(span.text for span in spans)) in map(unquote, (link, seen)) else f" ({seen})"


def width(text: str) -> int:
    """Cells of a terminal that ``text`` takes: East Asian wide ones two, what joins or combines none, an emoji two."""
    if text.isascii():
        return len(text)
    cells, last, joined = 0, 0, False
    for char in text:
        category = unicodedata.category(char)
        if char == _EMOJI_STYLE:
            cells, last = cells + max(0, 2 - last), 2
        elif category in ("Mn", "Me", "Cf"):
            joined = char == _ZWJ
        elif (joined and category == "So") or (last and "\U0001f3fb" <= char <= "\U0001f3ff"):
            joined = False
        else:
            last, joined = 2 if unicodedata.east_asian_width(char) in "WF" else 1, False
            cells += last
    return cells


def columns(table: Table) -> str | None:
    """The table in aligned columns of monospaced text, a line a row; None where it would be too wide or would lose a link."""
    if any(
        link and address(spans, link) for row in table.rows for cell in row for spans, link in links(cell)
    ):
        return None
    rows = [["".join(span.text for span in cell).replace("\n", " ") for cell in row] for row in table.rows]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) > COLUMNS_WIDTH:
        return None
    lines = [_GAP.join(map(_padded, row, widths, table.aligns)).rstrip() for row in rows]
    if table.head:
        lines.insert(1, _GAP.join("-" * cells for cells in widths))
    return "\n".join(lines)


def _padded(text: str, cells: int, align: str) -> str:
    room = cells - width(text)
    before = {"right": room, "center": room // 2}.get(align, 0)
    return " " * before + text + " " * (room - before)


def as_list(table: Table) -> ListBlock:
    """The table as a list: an item a row, in it a line a cell, with the column's name in bold before it."""
    head, rows = (
        ((), table.rows) if not table.head or len(table.rows) == 1 else (table.rows[0], table.rows[1:])
    )
    return ListBlock(tuple(Item((Paragraph(tuple(_record(head, row))),)) for row in rows))


def _record(head: tuple[tuple[Span, ...], ...], row: tuple[tuple[Span, ...], ...]) -> Iterator[Span]:
    for index, cell in enumerate(row):
        if index:
            yield Span("\n")
        if head:
            yield from (Span(span.text, span.marks | {"bold"}, span.link, span.image) for span in head[index])
            yield Span(": " if cell else ":")
        yield from cell
