"""``platforms.<p>.gateway_restart_notification``: who is told that the gateway is back."""

from pathlib import Path

import pytest

from hermes.config.load import load
from hermes.types.errors import GatewayError


def wanted(tmp_path: Path, text: str, platform: str = "telegram", account: str = "default") -> bool:
    (tmp_path / "config.yaml").write_text(text)
    return load(tmp_path, {}).restart_notices.wanted(platform, account)


def test_who_says_nothing_is_told(tmp_path: Path) -> None:
    assert wanted(tmp_path, "")
    assert wanted(tmp_path, "platforms: {telegram: {home_channel: '5'}}")


@pytest.mark.parametrize("word", ["false", "no", "off", '"false"', "0"])
def test_a_platform_that_does_not_want_to_know(tmp_path: Path, word: str) -> None:
    text = f"platforms: {{telegram: {{gateway_restart_notification: {word}}}}}"
    assert not wanted(tmp_path, text)
    assert not wanted(tmp_path, text, account="work")
    assert wanted(tmp_path, text, "discord")


def test_an_account_may_say_otherwise(tmp_path: Path) -> None:
    text = (
        "platforms: {telegram: {gateway_restart_notification: false,"
        " accounts: {work: {gateway_restart_notification: true}}}}"
    )
    assert not wanted(tmp_path, text)
    assert wanted(tmp_path, text, account="work")


def test_the_originals_other_places(tmp_path: Path) -> None:
    assert not wanted(tmp_path, "telegram: {extra: {gateway_restart_notification: false}}")
    assert not wanted(tmp_path, "gateway: {platforms: {telegram: {gateway_restart_notification: false}}}")


def test_what_is_neither_true_nor_false_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(GatewayError, match=r"line 3.*gateway_restart_notification.*true or false"):
        wanted(tmp_path, "platforms:\n  telegram:\n    gateway_restart_notification: perhaps\n")
