"""A gateway for each test, as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Gateway

HANG_S = 300.0
"""When a test counts as hanging: beside others, on few cores, one that takes 15 s by itself has its minute used up."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes may take their time; every wait has a deadline of its own. They begin first, beside tests that compute."""
    ours = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in ours:
        item.add_marker(pytest.mark.timeout(HANG_S))
    items[:] = ours + [item for item in items if item.path.parent != Path(__file__).parent]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Not started yet; gone with the test, whatever state it is in."""
    gateway = Gateway(tmp_path / "home")
    yield gateway
    gateway.close()
