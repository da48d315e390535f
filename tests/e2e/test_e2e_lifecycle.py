"""Taken over, restarted, and run inside another program. Fifty races and twenty restarts: `just proof`."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from harness import CLI_DEADLINE_S, Gateway, _environment
from replace_races import races
from self_restarts import restarts
from start_storms import storms

from hermes.ops import starts

ROOT = Path(__file__).resolve().parents[2]


async def test_AC_11_of_two_that_replace_one_gateway_one_does_and_nobody_notices(tmp_path: Path) -> None:
    report = await races(tmp_path / "home", 2)

    assert report.violations == []
    assert (report.races, report.ends.total()) == (2, 2)
    assert report.messages > 0


async def test_AC_39_a_restart_from_chat_is_answered_and_comes_back_as_the_same_process(
    tmp_path: Path,
) -> None:
    report = await restarts(tmp_path / "home", 2)

    assert report.violations == []
    assert (report.back, report.replied, report.told_back) == (2, 2, 1)  # AC-58: coalesced


async def test_AC_10_starts_that_are_killed_hold_platforms_back_and_nobody_else(
    tmp_path: Path,
) -> None:
    report = await storms(tmp_path / "home", 1, before=starts.FREE - 1, orders=False)

    assert report.violations == []


async def test_hermes_restart_waits_for_the_new_run_of_the_same_process(gateway: Gateway) -> None:
    await gateway.start()
    before = await gateway.status()

    back = await gateway.json("restart")

    assert (back["pid"], back["old_boot_id"]) == (gateway.pid, before["boot_id"])
    assert (await gateway.status())["boot_id"] == back["boot_id"] != before["boot_id"]
    command = Path(f"/proc/{gateway.pid}/cmdline").read_bytes()
    assert str(gateway.home).encode() in command, "with the same options"
    second = await gateway.ask("run", "--port", "0")
    assert second.code == 1, "the home was held all the while"
    assert await gateway.stop() == 0
    assert json.loads((gateway.home / "gateway_state.json").read_text())["exit_reason"] == "hermes stop"


def test_the_example_of_a_gateway_inside_another_program_runs(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "running.md").read_text(), re.DOTALL)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.yaml").write_text("web: {port: 0}\n")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env=_environment(HERMES_HOME=str(home)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=CLI_DEADLINE_S,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "the gateway is ready\n", "")
    state = json.loads((home / "gateway_state.json").read_text())
    assert (state["gateway_state"], state["exit_reason"]) == ("stopped", "the program that it is part of")
    assert "gateway.pid" not in os.listdir(home)
    assert json.loads((home / "gateway.lock").read_text())["kind"] == "hermes-embedded", "not to be replaced"
