"""Words that say nothing: the table of the original, and what only looks like them."""

import pytest

from hermes.delivery.silence import is_silence, may_become_silence


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


@pytest.mark.parametrize("text", ["*(silent)*", "No  Reply.", "( silence )", "*...*", "no response"])
def test_what_may_become_silence_is_held_back_from_its_first_letter_on(text: str) -> None:
    assert all(may_become_silence(text[:n]) for n in range(len(text) + 1))


@pytest.mark.parametrize("text", ["Silence is", "Nob", "no reply f", "ok", ".5", "**No**,", "…and"])
def test_what_can_only_be_a_message_is_shown(text: str) -> None:
    assert not may_become_silence(text)
