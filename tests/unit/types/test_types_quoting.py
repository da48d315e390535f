"""What others have written is data in our words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.types.quoting import block_quote, code_block, one_line, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ann", "`Ann`"),
        ("Ann\n# /stop", "`Ann # /stop`"),
        ("a`b``c", "`a'b''c`"),
        ("\x1b[31mred\x1b[0m", "`red`"),
        ("\x1b]0;title\x07x", "`x`"),
        ("\x9b31mred", "`red`"),
        ("a\u202eb\u200bc\ufeffd\x00e", "`abcde`"),
        ("x" * 100, f"`{'x' * 79}…`"),
        ("👩‍💻 Ann", "`👩💻 Ann`"),
        ("", "``` ```"),
        ("\n\x1b", "``` ```"),
    ],
)
def test_S23_a_name_is_one_piece_of_code(text: str, shown: str) -> None:
    assert quoted(text) == shown


@given(st.text())
def test_S23_whatever_a_name_holds_it_ends_nothing(text: str) -> None:
    shown = quoted(text)

    assert shown == "``` ```" or (shown[0] == shown[-1] == "`" and "`" not in shown[1:-1])
    assert shown.isprintable()
    assert len(shown) <= 82


@pytest.mark.parametrize(
    ("text", "shown"),
    [("  The trip\n to\tRome ", "The trip to Rome"), ("a" * 90, "a" * 80), ("\x1b[1m\n", "")],
)
def test_a_title_is_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


@given(st.text(alphabet="`a\n\r\x1b[0m"))
def test_what_a_program_writes_cannot_close_its_block(text: str) -> None:
    fence, *inside, end = code_block(text).split("\n")

    assert fence == end
    assert set(fence) == {"`"}
    assert len(fence) >= 3
    assert all(fence not in line for line in inside)
    assert "\x1b" not in code_block(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo", "> one\n> two"),
        ("one\r\n\r\n# two\rthree", "> one\n>\n> # two\n> three"),
        ("a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g", "> abcdefg"),
        ("\x1b[2Jhello\u202e", "> hello"),
        ("x" * 30, f"> {'x' * 19}…"),
        ("", ">"),
    ],
)
def test_S23_no_line_leaves_a_block_quote(text: str, shown: str) -> None:
    assert block_quote(text, 20) == shown


@given(st.text())
def test_S23_every_line_of_a_block_quote_is_marked(text: str) -> None:
    assert all(line.startswith(">") for line in block_quote(text, 20).splitlines())
