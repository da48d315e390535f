"""When the service manager is told what."""

import logging
from dataclasses import dataclass, field

import pytest

from actors.pulse import LIMIT_S, Pulse

WITHIN_S = 10.0


class Manager:
    """Wants a sign of life every ``watchdog_s``, and remembers what it is told."""

    def __init__(self, watchdog_s: float | None = WITHIN_S) -> None:
        self.watchdog_s = watchdog_s
        self.told: list[str] = []

    def tell(self, state: str) -> None:
        self.told.append(state)


@dataclass
class Process:
    """How the process is."""

    ready: bool = False
    stopping: bool = False
    lag_s: float = 0.0
    stalled_s: float = 0.0
    now: float = 0.0
    stacks: list[str] = field(default_factory=list)


def pulse(manager: Manager, process: Process) -> Pulse:
    return Pulse(
        manager,  # type: ignore[arg-type]
        ready=lambda: process.ready,
        stopping=lambda: process.stopping,
        lag_s=lambda: process.lag_s,
        stalled_s=lambda: process.stalled_s,
        stacks=process.stacks.append,
        now=lambda: process.now,
    )


def test_ready_and_stopping_are_told_once() -> None:
    manager, process = Manager(None), Process()
    beats = pulse(manager, process)

    beats.beat()
    assert manager.told == []
    process.ready = True
    beats.beat()
    beats.beat()
    assert manager.told == ["READY=1"]
    process.stopping = True
    beats.beat()
    beats.end()

    assert manager.told == ["READY=1", "STOPPING=1"]


def test_a_life_that_never_was_ready_ends_with_stopping() -> None:
    manager = Manager()
    beats = pulse(manager, Process())

    beats.end()

    assert manager.told == ["STOPPING=1"]


def test_the_sign_of_life_comes_twice_as_often_as_wanted() -> None:
    manager, process = Manager(), Process()
    beats = pulse(manager, process)
    for _ in range(4 * int(WITHIN_S)):
        beats.beat()
        process.now += 0.5

    assert manager.told == ["WATCHDOG=1"] * 4


@pytest.mark.parametrize("silent", ["lag_s", "stalled_s"])
def test_while_the_loop_or_the_writer_hangs_no_sign_of_life_is_given(
    silent: str, caplog: pytest.LogCaptureFixture
) -> None:
    manager, process = Manager(), Process()
    beats = pulse(manager, process)
    beats.beat()
    manager.told.clear()
    caplog.set_level(logging.WARNING)

    setattr(process, silent, LIMIT_S)
    for _ in range(10):
        process.now += WITHIN_S
        beats.beat()
    assert manager.told == []
    assert caplog.text.count("has not answered for 4.0 s") == 1
    assert "stacks.log" in caplog.text
    assert len(process.stacks) == (silent == "stalled_s")  # the watchdog itself writes them for the loop

    setattr(process, silent, 0.0)
    beats.beat()
    assert manager.told == ["WATCHDOG=1"]
    assert caplog.text.count("answers again") == 1


def test_a_reload_begins_and_ends() -> None:
    manager = Manager()
    beats = pulse(manager, Process())

    beats.reloading(True)
    beats.reloading(False)

    assert manager.told[0].startswith("RELOADING=1\n")
    assert manager.told[1] == "READY=1"
