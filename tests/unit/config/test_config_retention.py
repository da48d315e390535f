"""For how long what is over is kept."""

from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.config.retention import Retention
from hermes.types.errors import GatewayError

DAY_S = 86_400.0
NOW = 100 * DAY_S


def test_transcripts_are_kept_for_ever_unless_somebody_says_otherwise() -> None:
    assert Retention().before("transcripts", NOW) == 0.0
    assert Retention(transcripts=10).before("transcripts", NOW) == 90 * DAY_S


@pytest.mark.parametrize(
    "name", ["messages", "deliveries", "dead_letters", "approvals", "audit", "transcripts"]
)
def test_what_a_platform_may_deliver_again_is_known_for_eight_days(name: str) -> None:
    assert Retention(**{name: 1}).before(name, NOW) == 92 * DAY_S
    assert Retention(**{name: 0}).before(name, NOW) == 0.0


def test_files_may_go_after_a_day() -> None:
    assert Retention(files=1).before("files", NOW) == 99 * DAY_S


def test_it_is_read_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("retention: {messages: 14, files_max_mb: 100}\n")
    assert load(tmp_path, {}).config.retention == Retention(messages=14, files_max_mb=100)
    (tmp_path / "config.yaml").write_text("retention: {messages: -1}\n")
    with pytest.raises(GatewayError, match="messages"):
        load(tmp_path, {})
