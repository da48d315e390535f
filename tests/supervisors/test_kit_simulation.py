"""The simulation over many seeds; a failing one prints how to run it alone."""

import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import trio
from kit_simulation import DETERMINISTIC, REPRO, check, simulate

ROOT = Path(__file__).resolve().parents[2]
SEEDS = int(os.environ.get("KIT_SEEDS", "2000"))
BLOCKS = 16
SEEDS_TWICE = 50

RENAMED = (
    f"trio._core._run.{DETERMINISTIC} no longer makes Trio's scheduler deterministic. Look for where unrolled_run in "
    "trio/_core/_run.py sorts and shuffles the batch of tasks that can run, and for what pytest-trio sets; then correct "
    "kit_simulation.DETERMINISTIC and how simulate() seeds it. Until then no seed can be repeated (law R1)."
)

OFTEN = {
    *(f"decision: {what}" for what in ("restart", "stop", "disable", "escalate", "remove")),
    *(f"cancelled {what}" for what in ("tell", "ask", "start_child", "terminate_child")),
    *(f"cancelled {what}" for what in ("restart_child", "disable_child", "enable_child")),
    *("stuck", "network", "SystemExit", "not ready", "no progress", "crash of a supervisor", "hurry"),
    *("taken along by a sibling", "ended too often", "LinkDownError", "linked child", "Down", "timer"),
    *("redelivered", "poisoned", "dropped_in_flight", "overflowed", "parked"),
    *("answered", "TooSlowError", "ActorDownError", "RestartingError", "MailboxFullError", "DeadlockError"),
}
SELDOM = {"ended by itself", "start_child: TooManyChildrenError"}
"""What has to happen in every tenth seed, at least, and in every fiftieth; less is a plan that is too tame."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of planned crashes are no news."""
    caplog.set_level(logging.CRITICAL, logger="supervisors")


@pytest.mark.parametrize("block", range(BLOCKS))
def test_laws_A1_A2_C7_M1_M2_M3_M4_N1_N3_N4_N6_O1_Q1_Q3_S2_X1_X5_hold_in_simulation(block: int) -> None:
    kinds: Counter[str] = Counter()
    seeds = range(block * SEEDS // BLOCKS, (block + 1) * SEEDS // BLOCKS)
    for seed in seeds:
        kinds += check(seed).kinds

    assert {kind for kind in OFTEN if kinds[kind] * 10 < len(seeds)} == set()
    assert {kind for kind in SELDOM if kinds[kind] * 50 < len(seeds)} == set()


def test_law_R1_the_same_seed_gives_the_same_story_byte_for_byte() -> None:
    stories = [story(seed) for seed in range(SEEDS_TWICE)]

    for seed, before in enumerate(stories):
        assert story(seed) == before, f"{REPRO} {seed} --story"
    assert len(set(stories)) == SEEDS_TWICE


def test_law_R1_the_story_is_the_same_in_a_process_that_hashes_otherwise() -> None:
    """An order that comes from a set of strings holds within one process only."""
    told = [run(f"{REPRO} 5 --story", PYTHONHASHSEED=str(n)).stdout for n in (1, 2)]

    assert told[0] == told[1]
    assert told[0].rstrip("\n").encode() == story(5)


def test_law_R2_a_failing_seed_prints_the_one_line_that_fails_in_the_same_way() -> None:
    with pytest.raises(AssertionError) as failure:
        check(7, lossy=True)
    line = str(failure.value)
    command, _, what = line.removeprefix("repro: ").partition("  # ")
    again = run(command)

    assert "\n" not in line
    assert what.startswith("M1: ")
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1] == f"AssertionError: {line}"
    assert check(7).kinds, "the same seed is sound without what was planted"


def test_trio_schedules_as_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag is private to Trio; the determinism above rests on it."""
    scheduler = vars(trio._core._run)
    assert DETERMINISTIC in scheduler, RENAMED

    monkeypatch.setitem(scheduler, DETERMINISTIC, True)
    seeded = turns(1)
    assert turns(1) == seeded, RENAMED
    assert turns(2) != seeded, RENAMED
    monkeypatch.setitem(scheduler, DETERMINISTIC, False)
    assert turns(1) != seeded, RENAMED


def story(seed: int) -> bytes:
    return "\n".join(simulate(seed).story).encode()


def run(command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """``command`` as somebody types it who stands in the project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, **environment}
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=50
    )


def turns(seed: int) -> list[int]:
    """Who has his turn when, of many tasks that can all run."""
    order: list[int] = []

    async def take_turns(name: int) -> None:
        for _ in range(20):
            await trio.lowlevel.checkpoint()
            order.append(name)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name in range(20):
                nursery.start_soon(take_turns, name)

    trio._core._run._r.seed(seed)
    trio.run(main)
    return order
