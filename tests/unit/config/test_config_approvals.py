from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.config.model import Approvals
from hermes.types.errors import GatewayError


def test_the_original_s_section_is_read_and_what_is_not_ours_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "approvals: {mode: smart, timeout: 60, cron_mode: deny, deny: ['rm -rf']}\n"
    )
    assert load(tmp_path, {}).config.approvals == Approvals(timeout=60)


@pytest.mark.parametrize("value", ["0", "-1", ".inf", "1e9", "soon"])
def test_a_timeout_that_is_none_is_refused_with_its_place(tmp_path: Path, value: str) -> None:
    (tmp_path / "config.yaml").write_text(f"approvals:\n  timeout: {value}\n")
    with pytest.raises(GatewayError, match=r"config\.yaml, line 2: approvals\.timeout: "):
        load(tmp_path, {})
