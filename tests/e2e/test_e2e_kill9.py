"""Kill -9 loses nothing and doubles nothing: what ``just proof`` does at length with load_kill9.py and faultpoints.py."""

import signal
from pathlib import Path

from harness import Gateway
from harness_fleet import Fleet, check_store
from load_kill9 import campaign

from hermes.types.faults import POINTS

STRIKE_DEADLINE_S = 20.0


async def test_AC_45_ten_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    report = await campaign(tmp_path / "home", clients=4, messages=60, kills=10, seed=1)

    assert report.violations == ()
    assert (report.answered, report.kills) == (60, 10)
    assert report.reconnects > 10


async def test_AC_14_a_kill_at_every_fault_point_loses_and_doubles_nothing(gateway: Gateway) -> None:
    messages = 8 * len(POINTS)
    await gateway.start()
    fleet = Fleet(gateway, await gateway.log_in(), clients=4, messages=messages, seed=1, notes=True)
    await gateway.kill9()
    async with fleet.talking():
        for point in POINTS:
            gateway.launch(f"{point}:kill9:2")
            assert await gateway.ended(STRIKE_DEADLINE_S) == -signal.SIGKILL, point
        assert fleet.answered < messages, "every strike was under load"
        await gateway.start()
        await fleet.until_answered(messages)
        assert await fleet.violations() == []
    assert await gateway.stop() == 0
    assert check_store(gateway.home, messages) == []
