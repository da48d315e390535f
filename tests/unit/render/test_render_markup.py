"""Markdown that is written says what was read."""

from dataclasses import replace

import render_words as words
from hypothesis import given, settings

from hermes.render.cut import split
from hermes.render.ir import Block, Code, Document, ListBlock, Paragraph, Quote, Span, Table
from hermes.render.markdown import parse
from hermes.render.markup import render


def sayable(document: Document) -> Document:
    """But for what Markdown has no words for: one block cannot stand apart from others."""
    return Document(tuple(map(_sayable, document.blocks)))


def _sayable(block: Block) -> Block:
    match block:
        case ListBlock(items, start, tight):
            lone = len(items) == 1 and len(items[0].blocks) < 2
            items = tuple(replace(item, blocks=tuple(map(_sayable, item.blocks))) for item in items)
            return ListBlock(items, start, tight or lone)
        case Quote(blocks):
            return Quote(tuple(map(_sayable, blocks)))
        case _:
            return block


@settings(max_examples=100)
@given(words.markdown)
def test_what_is_written_reads_as_the_same_document(text: str) -> None:
    document = parse(text)
    assert sayable(parse(render(document).text)) == sayable(document)


def test_what_is_no_markup_is_escaped_only_where_it_would_be() -> None:
    for text in ("snake_case 2 < 3 & so on!", "a|b ~5 #1 1.5 x-y + z", "C:\\dir"):
        assert render(Document((Paragraph((Span(text),)),))).text == text.replace("\\", "\\\\")
    assert render(
        Document((Paragraph((Span("# a\n1. b\n- c\n> d\n---\n|-|\n*e* [f](g) <h> &amp;"),)),))
    ).text == ("\\# a\n1\\. b\n\\- c\n\\> d\n\\---\n|\\-|\n\\*e\\* \\[f\\](g) \\<h> \\&amp;")


def test_a_fence_is_longer_than_those_within() -> None:
    inner = "```\nx\n```\n"
    assert render(Document((Code(inner, "md"),))).text == f"````md\n{inner}````"


def test_what_was_cut_reads_as_the_parts_it_was_cut_into() -> None:
    text = "1. one\n2. " + "**two** words " * 30 + "\n3. three\n\n| a | b |\n|---|---|\n" + "| x | y |\n" * 30
    parts = split(parse(text), 200, lambda document: len(render(document).text))
    written = [render(part).text for part in parts]

    assert all(len(text) <= 200 for text in written)
    assert written[1].startswith("words **two**")  # no bullet before the rest of an item
    assert sum(text.count("3. three") for text in written) == 1
    tables = [block for text in written for block in parse(text).blocks if isinstance(block, Table)]
    assert sum(any(cell for cell in row) for table in tables for row in table.rows) == 31


def test_an_exclamation_mark_before_a_link_makes_no_picture() -> None:
    document = parse("Look\\![here](https://e.example)")
    assert not any(span.image for span in document.blocks[0].spans)  # type: ignore[union-attr]
    assert parse(render(document).text) == document


def test_lists_side_by_side_stay_two() -> None:
    for text in ("- a\n\n* b\n\n- c", "1. a\n\n1) b", "- a\n\n1. b"):
        document = parse(text)
        assert len(document.blocks) == text.count("\n\n") + 1
        assert parse(render(document).text) == document
