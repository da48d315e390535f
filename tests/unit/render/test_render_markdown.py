"""What is read from Markdown; how it looks is in the golden files."""

import re

import pytest
import render_words as words
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.render import markdown
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
from hermes.render.syntax import MAX_LEVEL

BOLD, ITALIC, STRIKE = (frozenset({mark}) for mark in ("bold", "italic", "strike"))
CODE, SPOILER = (frozenset({mark}) for mark in ("code", "spoiler"))
E = "https://e.example"


def only(text: str) -> Block:
    (block,) = parse(text).blocks
    return block


def spans(text: str) -> tuple[Span, ...]:
    block = only(text)
    assert isinstance(block, Paragraph)
    return block.spans


def said(text: str) -> Paragraph:
    return Paragraph((Span(text),))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo  \nthree\\\nfour", [Span("one\ntwo\nthree\nfour")]),
        ("__b__*i* ~~s~~`c`", [Span("b", BOLD), Span("i", ITALIC), Span(" "), Span("s", STRIKE), Span("c", CODE)]),
        ("**a *b***", [Span("a ", BOLD), Span("b", BOLD | ITALIC)]),
        ("**`x`**", [Span("x", BOLD | CODE)]),
        ("&amp; &copy; &#x1F600;", [Span("& © 😀")]),
        ("<b>bold</b> <!-- x -->", [Span("<b>bold</b> <!-- x -->")]),
        ("\\*a\\* \\[b](c)", [Span("*a* [b](c)")]),
        ("[ ] open", [Span("[ ] open")]),
        (f"[a](<{E}/(b)?x=1> 'title')", [Span("a", link=f"{E}/(b)?x=1")]),
        (f"<{E}/a_b_c>", [Span(f"{E}/a_b_c", link=f"{E}/a_b_c")]),
        ("<x@e.example>", [Span("x@e.example", link="mailto:x@e.example")]),
        (f"![]({E}/a)![b]({E}/a)", [Span("image", link=f"{E}/a", image=True), Span("b", link=f"{E}/a", image=True)]),
        (f"[![ci]({E}/badge.svg)]({E}/run)", [Span("ci", link=f"{E}/run")]),
        (f"[a]({E})[]({E}) []({E})", [Span(f"a{E}", link=E), Span(" "), Span(E, link=E)]),
        ("||a||, ||*b* c||", [Span("a", SPOILER), Span(", "), Span("b", SPOILER | ITALIC), Span(" c", SPOILER)]),
        ("\ud83d half \udc00", [Span("\ufffd half \ufffd")]),
    ],
)  # fmt: skip
def test_running_text(text: str, expected: list[Span]) -> None:
    assert spans(text) == tuple(expected)


@pytest.mark.parametrize(
    "text",
    [
        "a || b || c",
        "a||b||c",
        "a||b|| c",
        "a ||b||c",
        "if (x||y) {",
        "||",
        "||||",
        "|| a||",
        "||a ||",
        "||a|||",
    ],
)
def test_bars_of_a_program_hide_nothing(text: str) -> None:
    assert spans(text) == (Span(text),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("## *T* x ##", Heading(2, (Span("T", ITALIC), Span(" x")))),
        ("```c++ title\nx < 1\n\n```", Code("x < 1\n\n", "c++")),
        ("~~~\nx", Code("x\n")),
        ('```"><b>\nx\n```', Code("x\n")),
        ("***", Rule()),
        ("- a\n- b", ListBlock((Item((said("a"),)), Item((said("b"),))))),
        ("0. a\n\n1. b", ListBlock((Item((said("a"),)), Item((said("b"),))), start=0, tight=False)),
        ("7) a\n   - b", ListBlock((Item((said("a"), ListBlock((Item((said("b"),)),)))),), start=7)),
        ("> a\nlazy\n> > b", Quote((said("a\nlazy"), Quote((said("b"),))))),
        (
            "| a | b | c |\n|:-:|--:|---|\n| 1 | a\\|b |",
            Table(
                (((Span("a"),), (Span("b"),), (Span("c"),)), ((Span("1"),), (Span("a|b"),), ())),
                ("center", "right", ""),
            ),
        ),
    ],
)
def test_blocks(text: str, expected: Block) -> None:
    assert only(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "**bol",
        "`x",
        "[a](http",
        f"![a]({E}",
        "~~a",
        "||a",
        "| a | b |\n|--",
        "<http",
        "&am",
        ">",
        "#",
        "```",
        "[a]:",
    ],
)
def test_unfinished_markdown_is_text(text: str) -> None:
    assert only(text) == said(text)


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u00a0", "\r\n"])
def test_nothing_says_nothing(text: str) -> None:
    assert parse(text) == Document()


def test_a_reference_is_shown_only_where_nothing_refers_to_it() -> None:
    """Else ``[note]: https://…`` as a whole answer would be an empty one."""
    assert parse(f"[a] b\n\n[A]: {E}").blocks == (Paragraph((Span("a", link=E), Span(" b"))),)
    assert spans(f"[note]: {E}/n") == (Span("note: "), Span(f"{E}/n", link=f"{E}/n"))


@pytest.mark.parametrize("opening", [">", "> ", "- ", "1. ", "> - "])
def test_what_is_nested_too_deep_is_text_and_not_lost(opening: str) -> None:
    document = parse(opening * 1000 + "last\nmore\n\nand more")

    def depth(blocks: tuple[Block, ...]) -> int:
        inner = [item.blocks for block in blocks if isinstance(block, ListBlock) for item in block.items]
        inner += [block.blocks for block in blocks if isinstance(block, Quote)]
        return 1 + max(map(depth, inner), default=0)

    text = "\n".join(leaves(document.blocks))
    assert "last" in text
    assert "more" in text
    assert "and more" in text
    assert depth(document.blocks) <= MAX_LEVEL + 1


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "![" * 2000,
        "[a](" * 3000,
        "*a **b " * 2000,
        "||a " * 3000,
        "`" * 3000,
        "|" * 2000 + "\n" + "|-" * 2000,
    ],
)
def test_any_nesting_is_read(text: str) -> None:
    letters = "".join(re.findall("[ab]", text))

    assert re.findall("[ab]", "".join(leaves(parse(text).blocks))) == list(letters)


@pytest.mark.parametrize(
    "text",
    [
        "Yes.",
        "It's 12:30 (or 3 < 4 & 5 > 4), e.g. 1.5 km — see #general!",
        "One.\n\nTwo,\nthree.",
        "你好。 שלום",
    ],
)
def test_a_plain_message_does_not_wake_the_parser(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "PARSER", None)

    assert "\n\n".join(leaves(parse(text).blocks)) == text


ALMOST_PLAIN = [
    *"ab1 .,:;!?()'\"/%-+=#>&<\n",
    "\n\n",
    "    ",
    "\u00a0",
    "\u2028",
    "\x0c",
    "\x85",
    "\x1c",
    "1. ",
    "é",
    "&a",
    "<a",
]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(ALMOST_PLAIN), max_size=40).map("".join))
def test_a_plain_text_is_read_as_the_parser_reads_it(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markdown, "_MAYBE_MARKUP", re.compile(""))
        slowly = parse(text)

    assert parse(text) == slowly


SIGNS = [*"<>\"'&[]()!`*_~#|:-/\\ \n\tahtps=1.+", "||", "```", "[x]: http://e.c"]


@settings(max_examples=100)
@given(
    st.one_of(
        words.markdown,
        st.text(),
        st.lists(st.sampled_from(SIGNS)).map("".join),
    )
)
def test_any_text_is_a_document(text: str) -> None:
    document = parse(text)

    assert (
        bool(document.blocks) == bool(text.strip(" \n\t\r\x0b\x0c\u2028\u2029\u00a0")) or not text.isascii()
    )
    assert all(
        span.link is None or re.match(r"(?i)https?://|mailto:", span.link)
        for span in _all_spans(document.blocks)
    )


def _all_spans(blocks: tuple[Block, ...]) -> list[Span]:
    found: list[Span] = []
    for block in blocks:
        match block:
            case Paragraph(inner) | Heading(_, inner):
                found += inner
            case ListBlock(items):
                found += [span for item in items for span in _all_spans(item.blocks)]
            case Quote(inner_blocks):
                found += _all_spans(inner_blocks)
            case Table(rows):
                found += [span for row in rows for cell in row for span in cell]
            case _:
                pass
    return found
