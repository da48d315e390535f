"""A world for each test, ended with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from world import World

from actors import delivery, inbound
from hermes.store import queries
from hermes.types import faults

OpenWorld = Callable[..., Awaitable[World]]


@pytest.fixture
def seldom_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """For days in virtual time where nothing waits for a sweep: else most of what they cost is sweeps."""
    for swept in (inbound, delivery):
        monkeypatch.setattr(swept, "SWEEP_S", 600.0)


@pytest.fixture
async def open_world(nursery: trio.Nursery, tmp_path: Path) -> AsyncIterator[OpenWorld]:
    """Make a ``World`` and wait until it is up; every message in it must be accounted for at the end.

    The test itself has to ask for ``autojump_clock``: pytest-trio takes the clock from its arguments alone.
    """
    assert isinstance(trio.lowlevel.current_clock(), MockClock)
    worlds = []

    async def start(*args: Any, wait: bool = True, **kwargs: Any) -> World:
        world = World(*args, home=tmp_path, **kwargs)
        worlds.append(world)
        nursery.start_soon(world.keep)
        if wait:
            await world.up()
        return world

    yield start
    faults.arm(None)
    for world in worlds:
        assert world.counts.unaccounted == 0


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each look at the open ones has brought, also beside a write."""
    counts, look = list[int](), queries.open_work

    def counted(*args, **kwargs):
        rows, own = look(*args, **kwargs)
        counts.append(len(rows))
        return rows, own

    monkeypatch.setattr(queries, "open_work", counted)
    return counts
