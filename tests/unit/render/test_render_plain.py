import pytest
import render_words as words
from hypothesis import given, settings

from hermes.render import plain
from hermes.render.ir import leaves
from hermes.render.markdown import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**a** `b` ~~c~~ ||d||", "a b c d"),
        ("[a **b**](https://e.example/x)!", "a b (https://e.example/x)!"),
        ("<https://e.example/ä> <a@e.example>", "https://e.example/ä a@e.example"),
        ("[Ann](mailto:a@e.example)", "Ann (a@e.example)"),
        ("![cat](https://e.example/c.png)", "cat (https://e.example/c.png)"),
        ("```py\n\n  x\n```\ny", "  x\n\ny"),
        ("> a\n>\n> b", "> a\n>\n> b"),
    ],
)
def test_it_reads_without_markup(text: str, expected: str) -> None:
    assert plain.render(parse(text)).text == expected


@settings(max_examples=100)
@given(words.markdown)
def test_all_text_is_there(text: str) -> None:
    document = parse(text)
    shown = "".join(plain.render(document).text.replace(" (https://e.example/a_(b)?x=1&y=2)", "").split())

    for leaf in leaves(document.blocks):
        for line in leaf.split("\n"):
            assert "".join(line.split()) in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\nb\n\nc", True), ("", True), ("*a*", False), ("# a", False), ("<http://a>", False)],
)
def test_what_needs_no_other_dialect(text: str, expected: bool) -> None:
    assert plain.is_plain(parse(text)) is expected
