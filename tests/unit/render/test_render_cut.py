"""A document in parts: each fits after rendering, nothing is lost, nothing is torn."""

from collections.abc import Callable, Iterator
from typing import get_args

import pytest
import render_words as words
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.render import dialects
from hermes.render.cut import split
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
from hermes.render.markdown import parse
from hermes.render.measure import boundary, first_cluster, length
from hermes.types.content import Dialect, LengthUnit

DIALECTS: tuple[Dialect, ...] = get_args(Dialect)
UNITS: tuple[LengthUnit, ...] = get_args(LengthUnit)
ROOMY = 120
"""Room enough for any one character with the markup around it."""

documents = words.markdown.map(parse)


def measure(dialect: Dialect, unit: LengthUnit) -> Callable[[Document], int]:
    return lambda document: length(dialects.body(document, dialect).text, unit)


def said(*parts: Document) -> str:
    return "".join(leaf for part in parts for leaf in leaves(part.blocks))


def torn(document: Document, parts: tuple[Document, ...]) -> Iterator[tuple[str, int]]:
    """The leaves that were cut, and where."""
    ends, end = [], 0
    for part in parts:
        end += len(said(part))
        ends.append(end)
    begin = 0
    for leaf in leaves(document.blocks):
        yield from ((leaf, end - begin) for end in ends if begin < end < begin + len(leaf))
        begin += len(leaf)


def blocks_of(blocks: tuple[Block, ...]) -> Iterator[Block]:
    for block in blocks:
        yield block
        match block:
            case Quote(inner):
                yield from blocks_of(inner)
            case ListBlock(items):
                for item in items:
                    yield from blocks_of(item.blocks)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=30)
@given(documents, st.sampled_from(UNITS), st.integers(ROOMY, 3 * ROOMY))
def test_AC23_each_part_fits_and_together_they_say_the_same(
    dialect: Dialect, document: Document, unit: LengthUnit, room: int
) -> None:
    size = measure(dialect, unit)
    parts = split(document, room, size)

    assert [size(part) for part in parts if size(part) > room] == []
    assert said(*parts) == said(document)
    assert [cut for cut in torn(document, parts) if boundary(*cut) != cut[1]] == []
    assert split(document, room, size) == parts


@settings(max_examples=30)
@given(documents, st.sampled_from(DIALECTS), st.sampled_from(UNITS), st.integers(1, 30))
def test_AC23_with_no_room_to_speak_of_one_character_at_a_time_goes_out(
    document: Document, dialect: Dialect, unit: LengthUnit, room: int
) -> None:
    size = measure(dialect, unit)
    parts = split(document, room, size)

    assert said(*parts) == said(document)
    for part in parts:
        text = said(part)
        assert size(part) <= room or first_cluster(text) == len(text) or Rule() in blocks_of(part.blocks)


@settings(max_examples=30)
@given(
    words.fence.map(parse).filter(lambda document: isinstance(document.blocks[0], Code)),
    st.integers(ROOMY, 2 * ROOMY),
)
def test_AC23_no_fence_is_open_at_the_end_of_a_part(document: Document, room: int) -> None:
    (code,) = document.blocks
    assert isinstance(code, Code)
    for part in split(document, room, measure("discord", "characters")):
        text = dialects.body(part, "discord").text
        assert text.startswith(f"```{code.language}\n")
        assert text.endswith("\n```")
        assert text.count("```") == 2


def characters(document: Document) -> int:
    return length(dialects.body(document, "plain").text, "characters")


def shown(text: str, room: int, size: Callable[[Document], int] = characters) -> list[str]:
    return [dialects.body(part, "plain").text for part in split(parse(text), room, size)]


@pytest.mark.parametrize(
    ("text", "room", "lengths"),
    [
        ("x" * 100, 100, [100]),
        # The original numbers each part and so keeps 10 characters free of each; here the caller does, by less room.
        ("x" * 101, 100, [100, 1]),
        (" ".join(["word"] * 60), 100, [100, 100, 99]),
        ("\n".join(f"line {n:02}" for n in range(40)), 100, [96, 96, 96, 31]),
        ("x" * 4097, 4096, [4096, 1]),
        ("x" * 200_000, 100, [100] * 2000),
        # The original's parts exceed the limit here, with a number each, and its spaces are lost.
        ("hello world", 1, [1] * 5 + [1] * 5),
    ],
)
def test_AC23_the_originals_table_of_chunks(text: str, room: int, lengths: list[int]) -> None:
    assert [len(part) for part in shown(text, room) if part.strip()] == lengths


def test_AC23_emoji_are_counted_in_the_platforms_unit() -> None:
    size = measure("plain", "utf16")
    parts = shown("😀" * 60, 100, size)
    assert [length(part, "utf16") for part in parts] == [100, 20]


def test_AC23_code_is_cut_at_lines_and_keeps_its_language_and_its_indentation() -> None:
    code = "".join(f"    print({n})\n" for n in range(30))
    parts = split(parse(f"intro\n\n```python\n{code}```\n\nend"), 120, measure("discord", "characters"))
    texts = [dialects.body(part, "discord").text for part in parts]

    assert all(len(text) <= 120 for text in texts)
    assert all(text.count("```python\n    print(") == 1 for text in texts)
    assert len(texts) == 5
    assert texts[0].startswith("intro\n\n```python")
    assert texts[-1].endswith("```\n\nend")


def test_a_paragraph_is_kept_whole_where_half_of_the_part_is_full() -> None:
    assert shown("a" * 60 + "\n\n" + "b " * 30, 100) == ["a" * 60, ("b " * 30).strip()]
    assert shown("a" * 30 + "\n\n" + "b " * 50, 100) == ["a" * 30 + "\n\n" + ("b " * 34), ("b " * 16).strip()]


def test_a_text_is_cut_at_a_line_before_a_sentence_and_at_a_sentence_before_a_word() -> None:
    assert [part.strip() for part in shown("one two three\nfour. five six", 20)] == [
        "one two three",
        "four. five six",
    ]
    assert [part.strip() for part in shown("one two three. four five six", 20)] == [
        "one two three.",
        "four five six",
    ]
    assert [part.strip() for part in shown("one two three four five six", 20)] == [
        "one two three four",
        "five six",
    ]


def test_a_title_is_not_left_behind() -> None:
    parts = split(parse("text " * 12 + "\n\n# Title\n\n" + "more " * 12), 80, characters)
    assert [isinstance(part.blocks[-1], Heading) for part in parts] == [False, False]
    assert isinstance(parts[1].blocks[0], Heading)


def test_titles_that_nothing_follows_fill_their_parts() -> None:
    titles = parse("# a\n" * 300)
    assert [len(part.blocks) for part in split(titles, 358, characters)] == [120, 120, 60]


def test_a_list_goes_on_with_its_numbers_and_without_a_second_bullet() -> None:
    items = tuple(Item((Paragraph((Span(text),)),)) for text in ("one " * 4, "two " * 15, "six"))
    first, second = split(Document((ListBlock(items, start=8),)), 60, characters)

    assert dialects.body(first, "plain").text.startswith("8. one one")
    assert "9. two" in dialects.body(first, "plain").text
    (rest,) = second.blocks
    assert isinstance(rest, ListBlock)
    assert (rest.start, rest.items[0].continued) == (9, True)
    assert "10. six" in dialects.body(second, "plain").text
    assert "9. " not in dialects.body(second, "plain").text


def test_a_table_is_cut_between_rows_and_only_the_first_part_has_its_head() -> None:
    rows = tuple(((Span(f"row {n}"),), (Span("x" * 8),)) for n in range(10))
    parts = split(Document((Table(rows, ("", "right")),)), 60, characters)

    tables = [block for part in parts for block in part.blocks]
    assert all(isinstance(table, Table) for table in tables)
    assert [table.head for table in tables if isinstance(table, Table)] == [True] + [False] * (len(parts) - 1)
    assert tuple(row for table in tables if isinstance(table, Table) for row in table.rows) == rows


def test_a_row_that_does_not_fit_becomes_paragraphs() -> None:
    row = ((Span("a" * 70),), (Span("b" * 70),))
    parts = split(Document((Table((row,), ("", "")),)), 100, characters)
    assert [part.blocks for part in parts] == [(Paragraph(cell),) for cell in row]


@pytest.mark.parametrize(
    "look",
    [
        Span("code span that is long", frozenset({"code"})),
        Span("a link to somewhere", link="https://e.example"),
    ],
)
def test_a_link_and_a_code_span_are_cut_only_if_they_alone_do_not_fit(look: Span) -> None:
    document = Document((Paragraph((Span("before "), look, Span(" after"))),))
    whole = measure("discord", "characters")(Document((Paragraph((look,)),)))

    assert any(
        look in part.blocks[0].spans for part in split(document, whole + 2, measure("discord", "characters"))
    )  # type: ignore[union-attr]
    pieces = split(document, whole - 2, measure("discord", "characters"))
    cut = [span for part in pieces for span in part.blocks[0].spans if span.marks or span.link]  # type: ignore[union-attr]
    assert len(cut) > 1
    assert {(span.marks, span.link) for span in cut} == {(look.marks, look.link)}


def test_a_cluster_without_end_is_cut_rather_than_refused() -> None:
    parts = split(Document((Paragraph((Span("e" + "\u0301" * 500),)),)), 100, characters)
    assert [len(said(part)) for part in parts] == [100] * 5 + [1]


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("cluster", words.CLUSTERS)
def test_AC23_no_cluster_is_cut_in_a_text_without_a_space(cluster: str, unit: LengthUnit) -> None:
    room = 3 * length(cluster, unit) - 1
    document = Document((Paragraph((Span(cluster * 5),)), Code(cluster * 5 + "\n")))
    assert {said(part).strip() for part in split(document, room, measure("plain", unit))} == {
        cluster,
        cluster * 2,
    }


def test_as_much_goes_into_a_part_as_fits() -> None:
    parts = split(parse("\n\n".join(["x" * 20] * 12)), 100, characters)
    assert [characters(part) for part in parts] == [4 * 20 + 3 * 2] * 3


def test_nothing_in_a_document_is_one_empty_part() -> None:
    assert split(Document(), 10, characters) == (Document(),)


def test_a_long_document_is_rendered_a_few_times_and_not_once_for_each_part() -> None:
    text = "\n\n".join(f"# Title {n}\n\nSome **text** here, {n}.\n\n- one\n- two" for n in range(1000))
    rendered = 0

    def size(document: Document) -> int:
        nonlocal rendered
        rendered += 1
        text = dialects.body(document, "plain").text
        sizes.append(len(text))
        return len(text)

    sizes: list[int] = []
    document = parse(text)
    parts = split(document, 1000, size)
    assert rendered < 8 * len(parts)
    assert sum(sizes) < 8 * characters(document)
