"""Text without half surrogates, wherever it stands."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.types.events import Earlier, InboundEvent
from hermes.types.ids import TraceId
from hermes.types.origin import Origin
from hermes.types.whole import whole, whole_so_far

HIGH, LOW = "\ud83d", "\ude00"
EVENT = InboundEvent("e", Origin("p", "c", user_name="ünï"), "hällo 😀", 0.0, TraceId("t"), extra={"a": "b"})


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("", ""),
        ("a", "a"),
        ("é😀", "é😀"),
        (HIGH, "�"),
        (f"a{LOW}b", "a�b"),
        (HIGH + LOW, "😀"),
        (LOW + HIGH, "��"),
    ],
)
def test_a_half_is_replaced_and_two_that_belong_together_are_one(text: str, made: str) -> None:
    assert whole(text) == made


def test_what_is_whole_is_the_same_object() -> None:
    assert whole(EVENT) is EVENT
    value = [("a", {"b": "ü"}, 7, None, b"\xff")]
    assert whole(value) is value


def test_however_deep_it_stands() -> None:
    event = replace(
        EVENT,
        text=HIGH,
        origin=replace(EVENT.origin, chat_name=f"x{LOW}"),
        extra={f"k{LOW}": HIGH},
        earlier=(Earlier("user", HIGH),),
    )
    made = whole(event)
    assert (made.text, made.origin.chat_name, made.extra) == ("�", "x�", {"k�": "�"})
    assert made.earlier == (Earlier("user", "�"),)
    assert made.origin.user_name == "ünï"


@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_everything_that_was_made_whole_can_be_encoded(text: str) -> None:
    assert whole(text).encode().decode() == whole(text)


@given(st.text(st.sampled_from(["a", HIGH, LOW, "é"]), max_size=12), st.integers(0, 12))
def test_in_pieces_it_is_what_it_is_at_once(text: str, at: int) -> None:
    first, half = whole_so_far(text[:at])
    second, rest = whole_so_far(half + text[at:])
    assert first + second + whole(rest) == whole(text)
