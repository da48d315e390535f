"""Short forms of ``tests/e2e/deliveries.py`` (the long ones: ``just proof``), against a platform that is a process of its own."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import deliveries
import pytest
from harness import Gateway


@pytest.mark.parametrize("point", ["after_turn_commit", "after_send_before_receipt"])
async def test_AC13_a_kill_on_an_answers_way_out_leaves_never_zero_copies(tmp_path: Path, point: str) -> None:
    report = await deliveries.points(tmp_path / "home", where=(point,), kinds=(False,))

    assert report.kills == 1
    assert report.violations == []


async def test_AC26_restarts_and_kills_under_faults_show_each_message_once_or_marked(tmp_path: Path) -> None:
    report = await deliveries.restarts(tmp_path / "home", count=3, kills=2, messages=40, seed=7)

    assert (report.restarts, report.kills) == (3, 2)
    assert report.violations == []


async def test_a_plug_that_is_pulled_holds_up_no_other_platform(tmp_path: Path) -> None:
    report = await deliveries.plug(tmp_path / "home", seconds=1.0)

    assert report.violations == []


async def test_each_life_of_the_process_leaves_how_it_ended(gateway: Gateway) -> None:
    await gateway.start()
    await gateway.stop()
    await gateway.start()
    await gateway.kill9()
    await gateway.start()
    gateway.signal(signal.SIGUSR1)
    await gateway.ended(30.0)
    with closing(sqlite3.connect(f"file:{gateway.home}/gateway.db?mode=ro", uri=True)) as database:
        ended = [row[0] for row in database.execute("SELECT ended FROM boots ORDER BY n")]

    assert ended == ["stop", "", "restart"]
