"""Kill -9 loses nothing and doubles nothing: what ``just proof`` does at length with load_kill9.py and faultpoints.py."""

from pathlib import Path

import pytest
import trio
from faultpoints import strike
from load_kill9 import Report, campaign

from hermes.types.faults import Point
from hermes.types.records import BusyMode

POINTS: tuple[Point, ...] = (
    "after_inbox_commit",
    "after_take",
    "after_step",
    "before_turn_commit",
    "after_send_before_receipt",
)
"""One for each commit that a message may be caught behind; ``just proof`` strikes at all eleven."""

AT_ONCE = 3

SHARING: tuple[BusyMode, ...] = ("interrupt", "steer", "collect")
"""The busy modes in which messages may be answered together."""


async def test_AC_45_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    report = await campaign(tmp_path / "home", clients=4, messages=40, kills=5, seed=1)

    assert report.violations == ()
    assert (report.answered, report.kills) == (40, 5)
    assert report.reconnects > 5


@pytest.mark.long
async def test_AC_45_kills_lose_and_double_nothing_where_messages_share_answers(tmp_path: Path) -> None:
    """Each message is named by exactly one answer, and notes are taken once."""
    found: dict[BusyMode, Report] = {}

    async def one(mode: BusyMode) -> None:
        found[mode] = await campaign(tmp_path / mode, clients=3, messages=24, kills=2, seed=1, mode=mode)

    async with trio.open_nursery() as nursery:
        for mode in SHARING:
            nursery.start_soon(one, mode)

    for report in found.values():
        assert report.violations == ()
        assert report.answered == 24
        assert report.together > 0
    assert len(found) == len(SHARING)


async def test_AC_14_a_kill_at_a_fault_point_loses_and_doubles_nothing(tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    slots = trio.CapacityLimiter(AT_ONCE)

    async def one(point: Point) -> None:
        async with slots:
            found[point] = await strike(tmp_path / point, point, nth=2, seed=1)

    async with trio.open_nursery() as nursery:
        for point in POINTS:
            nursery.start_soon(one, point)

    assert found == {point: [] for point in POINTS}
