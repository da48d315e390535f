"""When somebody should hear that the disk fills up."""

import pytest

from hermes.ops.disk import MB, Level, Space, level


@pytest.mark.parametrize(
    ("free_mb", "total_mb", "before", "now"),
    [
        (50_000, 100_000, "ok", "ok"),
        (1_001, 100_000, "ok", "ok"),
        (1_000, 100_000, "ok", "low"),
        (1_200, 100_000, "low", "low"),
        (1_251, 100_000, "low", "ok"),
        (200, 100_000, "low", "critical"),
        (200, 100_000, "ok", "critical"),
        (240, 100_000, "critical", "critical"),
        (260, 100_000, "critical", "low"),
        (600, 2_000, "ok", "ok"),  # a small disk: a share of it
        (200, 2_000, "ok", "low"),
        (40, 2_000, "low", "critical"),
    ],
)
def test_levels(free_mb: int, total_mb: int, before: Level, now: Level) -> None:
    assert level(Space(free_mb * MB, total_mb * MB), before) == now
