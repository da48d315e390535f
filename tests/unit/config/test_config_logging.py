"""The section ``logging``, whose names and values an original home may hold already."""

from typing import Any

import pytest

from hermes.config.load import load as read
from hermes.config.model import Config, Logging
from hermes.types.errors import GatewayError


def load(*args: Any, **flags: Any) -> Config:
    return read(*args, **flags).config


@pytest.mark.parametrize("level", ["INFO", "info", "Debug", "CRITICAL"])
def test_a_level_is_a_level_in_any_case(tmp_path, level):
    (tmp_path / "config.yaml").write_text(f"logging: {{level: {level}}}")

    assert load(tmp_path, {}).logging == Logging(level=level)


def test_the_section_of_an_original_home_is_read(tmp_path):
    (tmp_path / "config.yaml").write_text("logging:\n  level: INFO\n  max_size_mb: 5\n  backup_count: 3\n")

    assert load(tmp_path, {}).logging == Logging()


@pytest.mark.parametrize(
    "line", ["level: loud", "level: info,debug", "format: xml", "backup_count: 0", "max_size_mb: 0"]
)
def test_a_value_that_is_none_names_its_line(tmp_path, line):
    (tmp_path / "config.yaml").write_text(f"logging:\n  {line}\n")

    with pytest.raises(GatewayError, match=rf"config\.yaml, line 2: logging\.{line.partition(':')[0]}: "):
        load(tmp_path, {})
