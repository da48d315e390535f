import pytest

from hermes.render import layout, plain
from hermes.render.ir import Document, Item, ListBlock, Paragraph, Span, Table
from hermes.render.markdown import parse


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("", 0),
        ("abc", 3),
        ("日本", 4),
        ("ﾊﾝｶｸ", 4),
        ("Ａ１", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("שלום", 4),
        ("zero\u200bwidth", 9),
        ("👍", 2),
        ("👍🏽", 2),
        ("❤\ufe0f", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("🧑🏿‍🚀!", 3),
        ("🇩🇪", 2),
        ("क्\u200dष", 2),
    ],
)
def test_width_in_cells(text: str, cells: int) -> None:
    assert layout.width(text) == cells


def table(text: str) -> Table:
    (block,) = parse(text).blocks
    assert isinstance(block, Table)
    return block


def test_columns_line_up() -> None:
    text = layout.columns(table("| a | 金 | c |\n|:-:|--:|---|\n| xyz | 1 | 👍🏽 |"))

    assert text == " a   金  c\n---  --  --\nxyz   1  👍🏽"
    assert len({layout.width(line.rstrip()) for line in text.split("\n")[1:]}) == 1


@pytest.mark.parametrize("cell", ["x" * 40, "[x](https://e.example)"])
def test_what_is_too_wide_or_leads_somewhere_is_no_columns(cell: str) -> None:
    assert layout.columns(table(f"| a | b |\n|--|--|\n| {cell} | |")) is None


def test_a_table_as_a_list_names_every_cell() -> None:
    assert plain.render(
        Document((layout.as_list(table("| a | b |\n|--|--|\n| 1 | 2 |\n| 3 | |")),))
    ).text == ("• a: 1\n  b: 2\n• a: 3\n  b:")


def test_the_rest_of_a_cut_item_has_no_marker_and_its_list_counts_on() -> None:
    items = (Item((Paragraph((Span("rest"),)),), continued=True), Item((Paragraph((Span("next"),)),)))

    assert list(layout.markers(ListBlock(items, start=4))) == ["", "5. "]
    assert list(layout.markers(ListBlock(items))) == ["", "• "]


def test_looks_within_looks() -> None:
    runs = ["a", "ab", "b", ""]

    assert list(layout.nested(runs, list, frozenset())) == [
        ("a", ["a", "ab"]),
        ("b", ["b"]),
        (None, [""]),
    ]
    assert list(layout.nested(["ab", "b"], list, frozenset())) == [("b", ["ab", "b"])]
    assert list(layout.nested(["ab"], list, frozenset("a"))) == [("b", ["ab"])]
