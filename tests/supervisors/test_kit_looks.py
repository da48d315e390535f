"""The watchdog's thread looks on, whatever the loop does."""

import os
import threading
from pathlib import Path

import trio

from supervisors.watchdog import Watchdog

PATIENCE_S = 20.0
LAG_S = 0.3


class Looks:
    """Counts looks, and lets the loop's thread wait for them: a frozen loop without a sleep."""

    def __init__(self) -> None:
        self._more = threading.Condition()
        self.threads: list[str] = []

    def look(self) -> None:
        with self._more:
            self.threads.append(threading.current_thread().name)
            self._more.notify_all()

    def freeze(self, count: int) -> None:
        """Hold up the thread until there have been ``count`` more looks."""
        with self._more:
            enough = len(self.threads) + count
            assert self._more.wait_for(lambda: len(self.threads) >= enough, PATIENCE_S)


async def test_it_looks_while_the_loop_is_frozen_and_remembers_the_worst_lag(tmp_path: Path) -> None:
    looks = Looks()
    with (
        (tmp_path / "stacks").open("w") as stacks,
        Watchdog(lag_limit_s=LAG_S, stacks=stacks) as watchdog,
    ):
        watchdog.on_look = looks.look
        looks.freeze(5)
        with trio.fail_after(PATIENCE_S):
            while watchdog.worst_lag_s < LAG_S or watchdog.lag_s >= LAG_S:
                await trio.sleep(0.01)

        assert watchdog.worst_lag_s >= LAG_S

    assert set(looks.threads) == {"watchdog"}
    assert "has not answered for" in (tmp_path / "stacks").read_text()


async def test_a_process_that_is_somebody_elses_is_not_ended(tmp_path: Path) -> None:
    looks = Looks()
    with (tmp_path / "stacks").open("w") as stacks, Watchdog(stacks=stacks, ends_process=False) as watchdog:
        watchdog.on_look = looks.look
        watchdog.arm_exit(0.0, 70)
        looks.freeze(3)

    assert (tmp_path / "stacks").read_text() == ""


async def test_a_stack_file_that_takes_nothing_does_not_end_the_watch() -> None:
    looks = Looks()
    full = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
    with full, Watchdog(lag_limit_s=LAG_S, stacks=full) as watchdog:
        watchdog.on_look = looks.look
        looks.freeze(5)
        watchdog.dump("asked for")
        looks.freeze(2)
