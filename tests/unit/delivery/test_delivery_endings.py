"""What becomes of what an agent returns."""

import pytest

from hermes.delivery import endings
from hermes.delivery.endings import End, in_words, of, with_refusals
from hermes.types import errors, texts
from hermes.types.agent import Failed, Final, Usage
from hermes.types.content import Media
from hermes.types.errors import Failure

PICTURE = Media("image", "/a.png")


@pytest.mark.parametrize(
    "text",
    [
        "[SILENT]",
        "SILENT",
        "NO_REPLY",
        "NO REPLY",
        "no reply",
        ".NO_REPLY",
        "*NO_REPLY*",
        "(no_reply)",
        " [silent].\n",
        "silent",
    ],
)
def test_a_marker_of_silence_ends_an_answered_message_with_nothing(text: str) -> None:
    end = of(Final(text))

    assert (end.state, end.rule, end.is_silent) == ("answered", "silent", True)
    assert end.text == text


@pytest.mark.parametrize(
    "text",
    ["[SILENT", "NO_REPLY because", "Silence is golden", "NO_REPLY" + "." * 64, "no response", "🔇", "."],
)
def test_what_is_no_marker_is_said(text: str) -> None:
    assert of(Final(text)) == End("answered", "answered", text)


@pytest.mark.parametrize(
    "text", ["", " \n", "(empty)", "<think>hm</think>", "<think>hm", " <think>hm</think>\n(empty)"]
)
def test_an_answer_of_nothing_is_told_in_our_words(text: str) -> None:
    assert of(Final(text)) == End("answered", "empty_answer", texts.AGENT_EMPTY)


def test_S49_thoughts_are_neither_said_nor_kept() -> None:
    assert of(Final("<think>the user is rude</think>\nHello!")).text == "Hello!"


def test_silence_after_a_thought_is_silence() -> None:
    assert of(Final("<think>nothing to add</think>NO_REPLY")).is_silent


@pytest.mark.parametrize("text", ["", "(empty)", "NO_REPLY"])
def test_files_without_words_are_an_answer(text: str) -> None:
    assert of(Final(text, media=(PICTURE,))) == End("answered", "answered", "", media=(PICTURE,))


def test_what_it_has_cost_is_kept_however_it_ends() -> None:
    usage = Usage(1, 2)

    assert [of(Final(text, usage)).usage for text in ("hi", "", "SILENT")] == [usage] * 3


CODES = [
    errors.MODEL_UNREACHABLE,
    errors.MODEL_REFUSED_KEY,
    errors.MODEL_BUSY,
    errors.MODEL_NOT_FOUND,
    errors.MODEL_FILTERED,
    errors.MODEL_ERROR,
    errors.CONTEXT_TOO_LONG,
    errors.AGENT_CRASHED,
]


def test_every_failure_has_a_sentence_of_its_own() -> None:
    assert len({in_words(Failure(code)) for code in CODES}) == len(CODES)
    assert set(endings.FAILURES) | {errors.MODEL_BUSY} == set(CODES)


@pytest.mark.parametrize("code", [*CODES, "invented_by_a_plug_in"])
def test_S50_no_detail_of_a_failure_is_told(code: str) -> None:
    end = of(Failed(Failure(code, detail="/root/.hermes/key at 10.0.0.7: sk-123", retry_after=5)))

    assert (end.state, end.rule) == ("failed", code)
    assert not any(secret in end.text for secret in ("/root", "10.0.0.7", "sk-", "{"))


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        (None, "a few minutes"),
        (0.0, "2 seconds"),
        (7.2, "8 seconds"),
        (89.0, "89 seconds"),
        (600.0, "10 minutes"),
    ],
)
def test_a_busy_model_says_when(retry_after: float | None, wait: str) -> None:
    assert in_words(Failure(errors.MODEL_BUSY, retry_after=retry_after)).endswith(f"try again in {wait}.")


def test_S39_that_files_do_not_go_is_said_without_their_paths() -> None:
    assert with_refusals("Here.", ("denied",), 1) == f"Here.\n\n{texts.FILE_NOT_SENT}"
    assert with_refusals("", ("denied", "denied"), 1) == "(2 files could not be sent.)"
    assert with_refusals("", ("too_large", "denied"), 2_500_000) == (
        f"{texts.FILE_NOT_SENT}\n\n(A file is too large to be sent here: at most 2.5 MB.)"
    )
    assert with_refusals("Hi.", ("unsupported", "unsupported"), 1) == f"Hi.\n\n{texts.FILES_UNSUPPORTED}"
    assert with_refusals("Hi.", (), 1) == "Hi."
