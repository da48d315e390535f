"""Thoughts are shown to nobody: whole, unclosed, nested, and while they are written (S49)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.render.thoughts import NAMES, strip, strip_partial


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>hm</think>Yes.", "Yes."),
        ("<think>hm</think>\n\nYes.", "Yes."),
        ("A.\n\n<thinking>hm</thinking>\n\nB.", "A.\n\nB."),
        ("A <REASONING>hm</Reasoning> B", "A B"),
        ("<think>a<think>b</think>c</think>Yes.", "Yes."),
        ("<think>I use the <think> tag</think>Yes.", "Yes."),
        ("Yes. <think>and on", "Yes."),
        ("<think>and on", ""),
        ("<think></think>", ""),
        ("begun elsewhere\n</think>\n\nYes.", "Yes."),
        ("<reasoning>\n```\ncode</reasoning>\nYes.", "Yes."),
        ("<think>a</think>x<think>b</think>y", "xy"),
        ("Write `<think>` so.", "Write `<think>` so."),
        ("```\n<think>a</think>\n```\n", "```\n<think>a</think>\n```\n"),
        ("a </think> b", "a </think> b"),
        ("I <thinker> that", "I <thinker> that"),
        ("", ""),
    ],
)
def test_S49_thoughts_are_taken_out(text: str, left: str) -> None:
    assert strip(text) == left


@pytest.mark.parametrize("name", NAMES)
def test_S49_no_beginning_of_an_answer_shows_a_thought(name: str) -> None:
    text = f"Yes. <{name}>secret</{name}> No."

    shown = [strip_partial(text[:n]) for n in range(len(text) + 1)]
    assert not [one for one in shown if "secret" in one or "<" in one]
    assert shown[-1] == "Yes. No."


def test_a_tag_that_is_none_is_shown_once_that_is_clear() -> None:
    assert [strip_partial(text) for text in ("a <t", "a <ta", "a < ")] == ["a", "a <ta", "a < "]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "`", "```\n", "\n", "a "]),
        max_size=12,
    )
)
def test_every_text_has_a_reading_and_that_is_final(pieces: list[str]) -> None:
    left = strip("".join(pieces))

    assert left.count("a") <= pieces.count("a ")
    strip_partial("".join(pieces))


@pytest.mark.parametrize("thought", ["<think>`</think>", "<think>\n~~~x\n</think>\n"])
def test_S49_no_text_takes_minutes(thought: str) -> None:
    """A look at all that follows, for each of so many, would."""
    left = strip(f"`<think>` {'a' * 100} {20_000 * thought}b")

    assert left.split() == ["`<think>`", "a" * 100, "b"]
