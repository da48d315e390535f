"""What a configuration of the original's says under other names."""

from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.config.original import NO_LIMIT
from hermes.types.errors import GatewayError


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("", 134_217_728),
        ("gateway:\n  max_inbound_media_bytes: 1000\n", 1_000),
        ("gateway:\n  max_inbound_media_bytes: 0\n", NO_LIMIT),
        ("gateway:\n  max_inbound_media_bytes: 1000\nmedia:\n  max_inbound_bytes: 2000\n", 2_000),
        ("gateway:\n  max_inbound_media_bytes: 1000\nmedia:\n  max_inbound_bytes: 0\n", 0),
        ("gateway:\n  max_inbound_media_bytes:\n", 134_217_728),
        ("gateway: something\n", 134_217_728),
    ],
)
def test_the_largest_file(tmp_path: Path, text: str, bytes_: int) -> None:
    (tmp_path / "config.yaml").write_text(text)

    assert load(tmp_path, {}).config.media.max_inbound_bytes == bytes_


@pytest.mark.parametrize("value", ["-1", "lots", "false", "[1]", "1e99"])
def test_a_wrong_value_is_named_with_its_line(tmp_path: Path, value: str) -> None:
    (tmp_path / "config.yaml").write_text(f"web:\n  port: 1\ngateway:\n  max_inbound_media_bytes: {value}\n")

    with pytest.raises(
        GatewayError, match=r"config.yaml, line 4: media.max_inbound_bytes: expected a whole number"
    ):
        load(tmp_path, {})


def test_a_section_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("media: 3\ngateway:\n  max_inbound_media_bytes: 1\n")

    with pytest.raises(GatewayError, match="line 1: media: expected keys and values"):
        load(tmp_path, {})


def test_what_may_be_sent(tmp_path: Path) -> None:
    text = "gateway:\n  media_delivery_allow_dirs: [/srv/out]\n  trust_recent_files: true\n  trust_recent_files_seconds: 60\n"
    (tmp_path / "config.yaml").write_text(text)
    media = load(tmp_path, {}).config.media

    assert media.allow_dirs == ("/srv/out",)
    assert (media.trust_recent_files, media.trust_recent_files_seconds) == (True, 60.0)


def test_no_recent_file_is_trusted_unless_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("gateway:\n  strict: false\n")

    assert not load(tmp_path, {}).config.media.trust_recent_files
