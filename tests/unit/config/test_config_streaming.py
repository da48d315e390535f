"""``streaming:`` as people write it, with the original's short forms."""

from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.config.model import Streaming
from hermes.types.errors import GatewayError


def read(home: Path, text: str) -> Streaming:
    (home / "config.yaml").write_text(text)
    return load(home, {}).config.streaming


def test_it_is_off_as_in_the_original() -> None:
    assert Streaming() == Streaming(False, "auto", 0.8, 24, " ▉", 2.0)


@pytest.mark.parametrize(
    ("text", "enabled", "transport"),
    [
        ("streaming:", False, "auto"),
        ("streaming: {}", False, "auto"),
        ("streaming: false", False, "off"),
        ("streaming: off", False, "off"),
        ("streaming: true", True, "auto"),
        ("streaming: edit", True, "edit"),
        ("streaming: {mode: auto}", True, "auto"),
        ("streaming: {mode: AUTO}", True, "auto"),
        ("streaming: {mode: true}", True, "auto"),
        ("streaming: {mode: off}", False, "off"),
        ("streaming: {mode: 'off'}", False, "off"),
        ("streaming: {mode: 'false'}", False, "off"),
        ("streaming: {mode: draft}", True, "draft"),
        ("streaming: {transport: draft}", False, "draft"),
        ("streaming: {transport: off}", False, "off"),
        ("streaming: {enabled: true, transport: edit}", True, "edit"),
        ("streaming: {enabled: true, mode: off}", True, "auto"),
        ("streaming: {enabled: false, mode: auto}", False, "auto"),
        ("streaming: {mode: auto, transport: edit}", True, "edit"),
    ],
)
def test_the_short_forms(tmp_path: Path, text: str, enabled: bool, transport: str) -> None:
    found = read(tmp_path, text)
    assert (found.enabled, found.transport) == (enabled, transport)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "mode: edti",
            "streaming.mode: expected one of auto, edit, draft, off, true or false, not 'edti'; did you mean edit?",
        ),
        ("mode: 3", "streaming.mode: expected one of auto, edit, draft, off, true or false, not 3"),
        ("mode: [auto]", "streaming.mode: expected one of auto, edit, draft, off, true or false, not a list"),
        (
            "transport: drat",
            "streaming.transport: expected one of auto, edit, draft, off, not 'drat'; did you mean draft?",
        ),
        (
            "edit_interval: .nan",
            "streaming.edit_interval: expected a number above 0 and up to 3,600, not nan",
        ),
        ("edit_interval: -1", "streaming.edit_interval: expected a number above 0 and up to 3,600, not -1"),
        ("after_s: -1", "streaming.after_s: expected a number from 0 to 3,600, not -1"),
        (
            "buffer_threshold: 0",
            "streaming.buffer_threshold: expected a whole number from 1 to 100,000, not 0",
        ),
        (
            "cursor: 12345678901234567",
            "streaming.cursor: expected a text of at most 16 characters, not 12345678901234567",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(tmp_path, f"web: {{}}\nstreaming:\n  {text}\n")
    assert caught.value.failure.detail == f"{tmp_path / 'config.yaml'}, line 3: {fault}"


def test_what_is_no_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match="streaming: expected keys and values, not a list"):
        read(tmp_path, "streaming: [auto]")


def test_a_bare_word_that_says_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        GatewayError,
        match="line 1: streaming: expected one of auto, edit, draft, off, true or false, not 'edti'",
    ):
        read(tmp_path, "streaming: edti")
