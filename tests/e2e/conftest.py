"""A gateway for each test, as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """Not started yet; gone with the test, whatever state it is in."""
    gateway = Gateway(tmp_path / "home")
    yield gateway
    gateway.close()
