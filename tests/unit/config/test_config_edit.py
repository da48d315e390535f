"""One key is set or unset, and everything else in the file stays as it was written."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.config.edit import as_yaml, set_key, unset_key
from hermes.types.errors import GatewayError

FILE = Path("config.yaml")


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        ("", "a", "1", "a: 1\n"),
        ("# all\n", "a.b", "x", "# all\na:\n  b: x\n"),
        ("a: 1 # one\nb: 2", "a", "3", "a: 3 # one\nb: 2"),
        ("a:\n  b: 1\n  # last\n\nc: 2\n", "a.d", "4", "a:\n  b: 1\n  d: 4\n  # last\n\nc: 2\n"),
        ("a:\nc: 2\n", "a.d", "4", "a:\n  d: 4\nc: 2\n"),
        ("a: # about a\n  # b: 1\nc: 2\n", "a.b", "4", "a: # about a\n  b: 4\n  # b: 1\nc: 2\n"),
        ("a: null\n", "a.b", "1", "a: \n  b: 1\n"),
        ("a:\n", "a", "5", "a: 5\n"),
        ("a: {b: 1} # x\n", "a.c", "[1, 2]", "a: {b: 1, c: [1, 2]} # x\n"),
        ("a: {}\n", "a.c.d", "1", "a: {c: {d: 1}}\n"),
        ("a: # x\n  - 1\n  - 2\n# y\nb: 1\n", "a", "[3]", "a: [3] # x\n# y\nb: 1\n"),
        ("a: |\n  one\n  two\n\nb: 1\n", "a", "1", "a: 1\n\nb: 1\n"),
        ("a: 'it''s'\n", "a", "1", "a: 1\n"),
        ("a: 1\r\nb: 2\r\n", "c", "3", "a: 1\r\nb: 2\r\nc: 3\n"),
        ("é: ü\nb: 1\n", "b", "2", "é: ü\nb: 2\n"),
        ("a:\n    b:\n        c: 1\n", "a.b.d", "2", "a:\n    b:\n        c: 1\n        d: 2\n"),
        ("platforms: {x: 1}\n", "platforms.yes", "1", 'platforms: {x: 1, "yes": 1}\n'),
    ],
)
def test_a_key_is_set_where_it_stands_or_at_the_end_of_its_section(before, key, value, after):
    assert set_key(FILE, before, tuple(key.split(".")), value) == after


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        ("# one\na: 1 # x\n# two\nb: 2\n", "a", "# one\n# two\nb: 2\n"),
        ("a:\n  b: 1\n  c: 2\n", "a.b", "a:\n  c: 2\n"),
        ("a:\n  b: 1\n", "a.b", "a:\n"),
        ("a:\n  - 1\n  - 2\n# y\nb: 1\n", "a", "# y\nb: 1\n"),
        ("a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", "a.c", "a: {b: 1}\n"),
        ("a: {b: 1}\n", "a.b", "a: {}\n"),
        ("a: 1\n", "b.c", "a: 1\n"),
    ],
)
def test_a_key_is_unset_with_all_below_it(before, key, after):
    assert unset_key(FILE, before, tuple(key.split("."))) == after


@pytest.mark.parametrize(
    ("before", "key"),
    [("a: &x 1\nb: *x\n", "a"), ("a: &x {c: 1}\nb: *x\n", "b.c"), ("a: text\n", "a.b"), ("a: [1\n", "a")],
)
def test_what_would_change_something_else_is_refused(before, key):
    with pytest.raises(GatewayError):
        set_key(FILE, before, tuple(key.split(".")), "2")


@pytest.mark.parametrize(
    ("given", "text", "written"),
    [
        ("5", False, "5"),
        ("5", True, '"5"'),
        ("queue", True, "queue"),
        ("yes", True, '"yes"'),
        ("true", False, "true"),
        ("[a, b]", False, "[a, b]"),
        ("a: b", True, '"a: b"'),
        ("a #b", True, '"a #b"'),
        ("a, b", True, '"a, b"'),
        ("", True, '""'),
        ("two\nlines", True, '"two\\nlines"'),
    ],
)
def test_a_value_is_quoted_where_it_would_be_read_as_something_else(given, text, written):
    assert as_yaml(given, text=text) == written


names = st.sampled_from(["a", "b", "c", "long_name", "0", "yes"])
trees = st.recursive(
    st.one_of(
        st.integers(0, 9),
        st.booleans(),
        st.text("ab é:#'\n", max_size=5),
        st.lists(st.integers(0, 9), max_size=3),
    ),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100)
@given(st.dictionaries(names, trees, max_size=4), st.lists(names, min_size=1, max_size=3), st.booleans())
def test_nothing_but_the_key_is_another_afterwards(tree, key, flow):
    before = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True) if tree else ""
    try:
        after = yaml.safe_load(set_key(FILE, before, tuple(key), "7"))
    except GatewayError as wrong:
        if "no keys" in wrong.failure.detail:
            return
        raise
    inside, wanted = tree, tree
    for name in key[:-1]:
        inner = dict(inside.get(name) or {})
        inside[name] = inner
        inside = inner
    inside[key[-1]] = 7
    assert after == wanted
