"""Words that say nothing: the table of the original, and what only looks like them."""

import pytest

from hermes.delivery.silence import is_silence


@pytest.mark.parametrize(
    "text",
    [
        *(
            "*(silent)*",
            "_silent_",
            "(silent)",
            "Silence.",
            "no response",
            "no reply.",
            "🔇",
            ".",
            "…",
            "...",
        ),
        *("*Silence.*", " *(silent)* ", "`silent`", "~silent~", "No  Reply.", "( silence )", "*...*"),
    ],
)
def test_narration(text: str) -> None:
    assert is_silence(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "Silence is golden", "No Response!", "silent silent", "silently", "ok", "👍"),
        *("Silent install completed", "no response from the server", "." * 65, "***"),
    ],
)
def test_everything_else_is_said(text: str) -> None:
    assert not is_silence(text)
