"""Markdown as it was written: where its code is, and how something is taken out of it.

For what has to be found before there is a document: thoughts and media tags, which mean nothing inside code. One pass, and
every text has a reading.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

Range = tuple[int, int]

_STOP = re.compile(r"^[ \t>]*(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})|(?P<ticks>`+)", re.MULTILINE)
_TICKS = re.compile("`+")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_BULLET = re.compile(r"[ \t]*(?:[-*+>]|\d{1,9}[.)])[ \t]+")
_LONGEST_BULLET = 16


def code(text: str, start: int = 0) -> Iterator[Range]:
    """The blocks and spans of code in ``text`` from ``start`` on, in order; a block that is not closed reaches to the end.

    As it goes: whoever needs the first one pays for no more.
    """
    at, paragraph_end = start, -1
    runs: dict[int, list[int]] = {}  # of ticks in this paragraph: where those of each length begin
    while stop := _STOP.search(text, at):
        at = stop.end()
        if fence := stop["fence"]:
            closing = re.compile(rf"^[ \t>]*{fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE).search(
                text, at
            )
            at = len(text) if closing is None else closing.end()
            yield stop.start(), at
            continue
        if at > paragraph_end:
            gap = _PARAGRAPH_END.search(text, at)
            paragraph_end = len(text) if gap is None else gap.start()
            runs = {}
            for run in _TICKS.finditer(text, at, paragraph_end):
                runs.setdefault(len(run[0]), []).append(run.start())
        length = len(stop["ticks"])
        same = runs.get(length, [])
        if (n := bisect_left(same, at)) < len(same):
            at = same[n] + length
            yield stop.start("ticks"), at


def outside_code(text: str, pattern: re.Pattern[str], start: int = 0) -> Iterator[re.Match[str]]:
    """Where ``pattern`` is found from ``start`` on and does not begin inside code."""
    blocks: Iterator[Range] | None = None
    block: Range | None = None
    for found in pattern.finditer(text, start):
        if blocks is None:  # most texts have nothing to be found, wherever their code is
            blocks = code(text, start)
            block = next(blocks, None)
        while block is not None and block[1] <= found.start():
            block = next(blocks, None)
        if block is None or found.start() < block[0]:
            yield found


def without(text: str, ranges: Sequence[Range]) -> str:
    """``text`` without ``ranges``, which are in order and apart; a bullet that would be left alone goes with what it had, and
    of the gaps on both sides one is left.
    """
    wider = [(_with_bullet(text, *one), one[1]) for one in ranges]
    pieces, at, n = [], 0, 0
    while n < len(wider):
        begin = left = wider[n][0]
        while left > at and text[left - 1].isspace():
            left -= 1
        gap, right = text[left:begin], begin
        while n < len(wider) and wider[n][0] <= right:
            end = right = max(right, wider[n][1])
            while right < len(text) and text[right].isspace():
                right += 1
            gap += text[end:right]
            n += 1
        pieces.append(text[at:left])
        if left > 0 and right < len(text):
            pieces.append(_one_gap(gap))
        at = right
    return "".join((*pieces, text[at:]))


def _with_bullet(text: str, begin: int, end: int) -> int:
    """Where the range begins if it is all that its item holds."""
    line = text.rfind("\n", max(0, begin - _LONGEST_BULLET), begin) + 1
    line_end = text.find("\n", end, end + _LONGEST_BULLET)
    rest = text[end : line_end if line_end >= 0 else end + _LONGEST_BULLET]
    at_start = line > 0 or begin <= _LONGEST_BULLET
    return line if at_start and not rest.strip() and _BULLET.fullmatch(text, line, begin) else begin


def _one_gap(gap: str) -> str:
    lines = gap.count("\n")
    return "\n" * min(lines, 2) + gap[gap.rfind("\n") + 1 :] if lines else gap[:1]
