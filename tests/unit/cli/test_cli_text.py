"""Words and figures for a terminal."""

import pytest

from hermes.cli.text import duration, plain


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (90_000, "1 d"),
        (864_000, "10 d"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_nothing_a_terminal_acts_on_gets_through():
    assert plain("a\x1b[2Jb\r\nc\u202ed\x07") == "a�[2Jb��c�d�"
    assert plain("Grüße, 世界 – ok") == "Grüße, 世界 – ok"
