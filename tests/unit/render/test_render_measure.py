"""Lengths in each unit, and where a text may be taken apart."""

import pytest
import render_words as words

from hermes.render.measure import boundary, first_cluster, length
from hermes.types.content import LengthUnit


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("", "bytes", 0),
        ("abc", "utf16", 3),
        ("ä😀", "characters", 2),
        ("ä😀", "utf16", 3),
        ("ä😀", "bytes", 6),
        ("\ud83d", "utf16", 1),
        ("\ud83d", "bytes", 3),
    ],
)
def test_a_length_is_counted_in_the_platforms_unit(text: str, unit: LengthUnit, expected: int) -> None:
    assert length(text, unit) == expected


@pytest.mark.parametrize(
    "cluster",
    [
        *words.CLUSTERS,
        "\r\n",
        "\u0e01\u0e47",
        "g\u0308",
        "\u1100\uac01\u11a8",
        "\uac00\u11a8",
        "\u0600\u0663",
    ],
)
def test_AC23_what_is_seen_as_one_character_is_one(cluster: str) -> None:
    text = f"x{cluster}x"
    assert first_cluster(cluster + "x") == len(cluster)
    assert {boundary(text, at) for at in range(1, 1 + len(cluster))} == {1}
    assert boundary(text, len(text) - 1) == len(text) - 1


def test_flags_are_pairs_counted_from_the_first() -> None:
    flags = "🇩🇪🇫🇷🇮🇹"
    assert [boundary(flags, at) for at in range(7)] == [0, 0, 2, 2, 4, 4, 6]


@pytest.mark.parametrize(
    "text", ["ab", "a b", "\uac01\uac01", "\uac01\u1161", "😀😀", "a\n\u0301", "你好", "שם"]
)
def test_what_is_two_may_be_taken_apart(text: str) -> None:
    assert boundary(text, 1) == 1


def test_nothing_has_no_cluster() -> None:
    assert (first_cluster(""), boundary("", 0), boundary("a", 1)) == (0, 0, 1)
