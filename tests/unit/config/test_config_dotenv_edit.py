"""One variable of a .env is written, and no other line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.config.dotenv import read_environment
from hermes.config.dotenv_edit import set_variable

TEXT = "# mine\n\nexport A=1 # one\nB='two'\n\n# last\nA=3\n"


@pytest.mark.parametrize(
    ("before", "name", "value", "after"),
    [
        (TEXT, "B", "5", "# mine\n\nexport A=1 # one\nB=5\n\n# last\nA=3\n"),
        (TEXT, "A", "5", "# mine\nB='two'\n\n# last\nA=5\n"),
        (TEXT, "A", None, "# mine\nB='two'\n\n# last\n"),
        (TEXT, "C", None, TEXT),
        ("A=1", "B", "2", "A=1\nB=2\n"),
        ("\nexport A=1\n", "A", "2", "\nexport A=2\n"),
        ("", "A", "it's $x # no", "A='it\\'s $x # no'\n"),
    ],
)
def test_other_lines_stay_as_they_are(before, name, value, after):
    assert set_variable(before, name, value) == after


@settings(max_examples=100)
@given(
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=12),
    st.sampled_from(["", TEXT, "x y z\n"]),
)
def test_what_was_written_is_what_is_read(tmp_path_factory, value, before):
    after = set_variable(before, "NAME", value)

    read = read_environment(tmp_path_factory.getbasetemp() / ".env", after, {})
    assert read["NAME"] == value


def test_below_an_open_quote_nothing_is_written():
    with pytest.raises(ValueError, match="quote"):
        set_variable("A='\n", "NAME", "{'")


def test_a_line_that_nobody_understands_stays():
    before = "not a line at all !\nA=1\n"

    assert set_variable(before, "A", "2") == "not a line at all !\nA=2\n"
