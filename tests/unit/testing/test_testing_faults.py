import os
import subprocess
import sys
import time

import pytest

from hermes.testing.run_with_faults import Fault, InjectedFault, parse_plan, strike
from hermes.types import faults


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("", ()),
        ("after_take:raise", (Fault("after_take", "raise"),)),
        ("after_take:kill9:3", (Fault("after_take", "kill9", 3),)),
        (
            "before_send:delay=0.5:2, after_step:raise",
            (Fault("before_send", "delay", 2, 0.5), Fault("after_step", "raise")),
        ),
    ],
)
def test_plan(text: str, plan: tuple[Fault, ...]) -> None:
    assert parse_plan(text) == plan


@pytest.mark.parametrize(
    "text",
    [
        "nowhere:raise",
        "after_take",
        "after_take:explode",
        "after_take:raise=1",
        "after_take:delay",
        "after_take:raise:x",
    ],
)
def test_what_is_not_understood_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition(":")[0]):
        parse_plan(text)


def test_a_fault_strikes_once_at_its_time() -> None:
    at = strike(parse_plan("after_take:raise:2"))
    at("after_take")
    at("after_step")
    with pytest.raises(InjectedFault, match="after_take"):
        at("after_take")
    at("after_take")


def test_delay_blocks() -> None:
    began = time.monotonic()
    strike(parse_plan("after_take:delay=0.02"))("after_take")
    assert time.monotonic() - began >= 0.02


def test_points_do_nothing_unless_armed() -> None:
    passed: list[str] = []
    faults.point("after_take")
    faults.arm(passed.append)
    try:
        faults.point("after_take")
    finally:
        faults.arm(None)
    faults.point("after_take")
    assert passed == ["after_take"]


def run(plan: str, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HERMES_FAULTS": plan},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_kill9_is_a_kill() -> None:
    program = (
        "import os; from hermes.testing import run_with_faults as r; from hermes.types import faults;"
        "faults.arm(r.strike(r.parse_plan(os.environ[r.VARIABLE]))); faults.point('after_take')"
    )
    assert run("after_take:kill9", program).returncode == -9


def test_a_bad_plan_ends_the_program_in_words() -> None:
    ended = run("nowhere:raise", "from hermes.testing.run_with_faults import main; main()")
    assert ended.returncode == 1
    assert "'nowhere:raise'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_rest_of_the_command_line_is_that_of_hermes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hermes.testing.run_with_faults", "run", "--help"],
        env={**os.environ, "HERMES_FAULTS": "after_take:raise"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert "--home" in done.stdout
