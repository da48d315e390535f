"""Marks in running text: where they begin and end, and what stands there; of no platform in particular."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hermes.render.ir import Mark, Span

Piece = tuple[str, frozenset[Mark]]
"""A stretch of a line as it is sent, and what it is marked as."""


def at_text(spans: Iterable[Span]) -> Iterator[Span]:
    """White space at the ends of a marked text is outside of it, but for marks that go on behind it."""
    spans = [span for span in spans if span.text]
    for index, span in enumerate(spans):
        text = span.text.strip()
        if not span.marks or "code" in span.marks or text == span.text:
            yield span
            continue
        before = spans[index - 1].marks if index else frozenset()
        after = spans[index + 1].marks if index + 1 < len(spans) else frozenset()
        begin = span.text.index(text)
        end = begin + len(text)
        if not text:
            yield Span(span.text, span.marks & before & after)
            continue
        if begin:
            yield Span(span.text[:begin], span.marks & before)
        yield replace(span, text=text)
        if end < len(span.text):
            yield Span(span.text[end:], span.marks & after)


def woven(pieces: Sequence[Piece], signs: Mapping[Mark, str], joint: str = "", in_word: str = "") -> str:
    """The text of ``pieces`` with ``signs`` around what is marked, the longest outside.

    ``joint`` stands between two marks, ``in_word`` between a mark and a letter.
    """
    out = [""]
    open_: list[Mark] = []
    for index, (text, marks) in enumerate(pieces):
        kept = next((n for n, mark in enumerate(open_) if mark not in marks), len(open_))
        closing = [signs[mark] for mark in reversed(open_[kept:])]
        begun = sorted(marks.difference(open_[:kept]), key=lambda mark: (-_run(pieces, index, mark), mark))
        splits = (begun and _is_letter(out[-1][-1:])) or (closing and _is_letter(text[:1]))
        out += closing
        out.append(joint if closing and begun else in_word if splits else "")
        out += (signs[mark] for mark in begun)
        out.append(text)
        open_[kept:] = begun
    out += (signs[mark] for mark in reversed(open_))
    return "".join(out)


def outside_words(pieces: list[Piece], mark: Mark) -> Iterator[Piece]:
    """``pieces`` without ``mark`` where it would begin or end within a word, and so would not be read."""
    before = ""
    begin = 0
    while begin < len(pieces):
        end = begin + max(_run(pieces, begin, mark), 1)
        after = pieces[end][0][:1] if end < len(pieces) else ""
        in_word = _is_letter(before) or _is_letter(after)
        for text, marks in pieces[begin:end]:
            yield text, marks - {mark} if in_word else marks
            before = text[-1:]
        begin = end


def _run(pieces: Sequence[Piece], begin: int, mark: Mark) -> int:
    """How many pieces from ``begin`` on have ``mark``."""
    end = begin
    while end < len(pieces) and mark in pieces[end][1]:
        end += 1
    return end - begin


def _is_letter(char: str) -> bool:
    return char.isalnum() or char == "_"
