"""Laws A5, S5 and X2 with a real process and real signals: what blocks it is named, and it ends in time all the same."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PATIENCE_S = 20.0


@contextmanager
def process(behaviour: str) -> Iterator[subprocess.Popen[str]]:
    """``kit_process.py``, past its start; killed by its own pid if it outlives the test."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "kit_process.py"), behaviour],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
    ) as child:
        try:
            wait_for(child, "ready")
            yield child
        finally:
            child.kill()


def wait_for(child: subprocess.Popen[str], word: str) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == word:
            return
    pytest.fail(f"the process ended before it said {word!r}")


@pytest.mark.parametrize(
    ("behaviour", "number", "expected"),
    [
        ("busy", signal.SIGINT, 70),
        ("busy", signal.SIGTERM, 1),
        ("busy_now", signal.SIGINT, 70),
        ("shield", signal.SIGINT, 70),
        ("log_lock", signal.SIGINT, 70),
    ],
)
def test_law_S5_the_process_ends_within_its_deadline_with_its_stacks_on_stderr(
    behaviour: str, number: int, expected: int
) -> None:
    with process(behaviour) as child:
        began = time.monotonic()
        child.send_signal(number)
        _, errors = child.communicate(timeout=PATIENCE_S)
        took = time.monotonic() - began

    assert child.returncode == expected
    assert took < PATIENCE_S / 2
    assert "ending the process hard" in errors
    assert "most recent call first" in errors
    assert ("spin_for_ever" in errors) == (behaviour != "shield")


@pytest.mark.parametrize(
    ("behaviour", "culprit"), [("busy_now", "spin_for_ever"), ("asleep_now", "take_a_nap")]
)
def test_law_A5_an_actor_that_blocks_the_loop_is_named_while_it_does(behaviour: str, culprit: str) -> None:
    """By function and file, on stderr, by a process that can do nothing else any more."""
    with process(behaviour) as child:
        assert child.stderr is not None
        told = list(itertools.takewhile(lambda line: "in child" not in line, child.stderr))
        assert child.poll() is None

    assert "the loop has not answered for" in told[0]
    assert any(line.endswith(f"in {culprit}\n") and "kit_process.py" in line for line in told)


def test_law_S5_a_zombie_cannot_hold_up_the_end_of_the_process() -> None:
    """Given up by the second signal's cancellation, it would still sit in the root nursery."""
    with process("shield") as child:
        child.send_signal(signal.SIGINT)
        wait_for(child, "asked")
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=PATIENCE_S)

    assert child.returncode != 0
    assert "most recent call first" in errors


def test_law_X2_one_sigint_is_an_ordered_stop() -> None:
    with process("obeys") as child:
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=PATIENCE_S)

    assert child.returncode == 0
    assert output.split("\n")[:3] == ["asked", "gone", "sibling gone"]


def test_law_X2_one_sigterm_ends_with_its_own_code() -> None:
    with process("obeys") as child:
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=PATIENCE_S)

    assert child.returncode == 1


def test_law_X2_the_second_sigint_cancels_now() -> None:
    with process("slow") as child:
        child.send_signal(signal.SIGINT)
        wait_for(child, "asked")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=PATIENCE_S)

    assert child.returncode == 130
    assert "gone" not in output
    assert "ended after" in output


def test_law_X2_the_third_sigint_ends_the_process_from_the_handler() -> None:
    with process("busy_now") as child:
        while child.poll() is None:  # signals that arrive together are one, so it takes three or more
            child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.05)
        output, _ = child.communicate(timeout=PATIENCE_S)

    assert child.returncode == 130
    assert "ended after" not in output
