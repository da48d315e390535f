"""What others see of a running gateway in its home, and of one that has ended."""

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.ops import starts
from hermes.ops.health_file import NAME, Health, HealthFile
from hermes.ops.instance import instance
from hermes.ops.pidfile import NAME as PID_FILE
from hermes.ops.proc import process
from hermes.ops.starts import APART_S, FREE, MOST_WAIT_S, STABLE_S, storm
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError
from hermes.types.ids import BootId

BOOT = BootId("boot")
NO_SECRETS: Sequence[str] = ()
GOLDEN = Path(__file__).parents[4] / "shared/reference/golden_home_0_19"


def adapter(state: str = "connected", code: str | None = None, account: str = "default") -> dict[str, Any]:
    failure = None if code is None else {"code": code, "detail": "why"}
    return {"platform": "telegram", "account": account, "state": state, "failure": failure}


def read(home: Path, name: str = NAME) -> Any:
    return json.loads((home / name).read_text())


def test_pid_and_state_come_and_go_with_the_instance(tmp_path: Path):
    home = tmp_path / "home"
    with instance(home, BOOT, NO_SECRETS) as held:
        we, pid = process(), read(home, PID_FILE)
        assert we is not None
        assert (pid["pid"], pid["kind"], pid["start_time"]) == (we.pid, "hermes-gateway", we.start_time)
        assert pid.keys() == {"pid", "kind", "argv", "start_time"}
        assert read(home)["gateway_state"] == "starting"
        assert (
            stat.S_IMODE((home / PID_FILE).stat().st_mode)
            == stat.S_IMODE((home / NAME).stat().st_mode)
            == 0o600
        )
        held.ended("hermes stop", meant=True, restart=False, was_ready=True)

    assert not (home / PID_FILE).exists()
    last = read(home)
    assert (last["gateway_state"], last["exit_reason"], last["restart_requested"]) == (
        "stopped",
        "hermes stop",
        False,
    )


def test_AC_40_a_pid_file_of_old_is_replaced_and_one_of_somebody_else_is_not_removed(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    (home / PID_FILE).write_text('{"pid": 1, "start_time": 1}')
    with instance(home, BOOT, NO_SECRETS):
        assert read(home, PID_FILE)["pid"] == os.getpid()
        (home / PID_FILE).write_text('{"pid": 1, "start_time": 1}')

    assert read(home, PID_FILE)["pid"] == 1


def test_S44_a_symlink_planted_at_the_pid_file_is_not_followed(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "target").write_text("mine")
    (home / PID_FILE).symlink_to(tmp_path / "target")
    with instance(home, BOOT, NO_SECRETS):
        assert not (home / PID_FILE).is_symlink()

    assert (tmp_path / "target").read_text() == "mine"


def test_a_start_that_fails_says_so(tmp_path: Path):
    with pytest.raises(GatewayError), instance(tmp_path / "home", BOOT, NO_SECRETS):
        raise GatewayError(Failure(CONFIG_INVALID, detail="line 7"))

    last = read(tmp_path / "home")
    assert (last["gateway_state"], "line 7" in last["exit_reason"]) == ("startup_failed", True)


def test_a_start_that_fails_says_no_secret(tmp_path: Path):
    home = tmp_path / "home"
    with pytest.raises(GatewayError), instance(home, BOOT, ["opensesame"]):
        raise GatewayError(Failure(CONFIG_INVALID, detail="opensesame is no port"))

    assert read(home)["exit_reason"] == "config_invalid: [redacted] is no port"


def test_AC_02_what_a_killed_one_has_left_is_written_over_before_anything_starts(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    stale = {"gateway_state": "running", "platforms": {"telegram": {"state": "connected"}}}
    (home / NAME).write_text(json.dumps(stale))

    with instance(home, BOOT, NO_SECRETS):
        now = read(home)

    assert (now["gateway_state"], now["platforms"], now["boot_id"]) == ("starting", {}, "boot")


@pytest.mark.skipif(not GOLDEN.exists(), reason="the golden homes are not here")
def test_the_schema_is_the_originals(tmp_path: Path):
    file = HealthFile(tmp_path, "boot")
    file.write(Health("running", 1, (adapter(), adapter("disabled", "bad_token", "work"))), 0.0)
    theirs, ours = json.loads((GOLDEN / NAME).read_text()), read(tmp_path)

    assert theirs.keys() - ours.keys() == set()
    fatal, other = theirs["platforms"]["discord"], ours["platforms"]["telegram@work"]
    assert fatal.keys() == other.keys()
    assert (other["state"], other["error_code"]) == ("fatal", "bad_token")
    assert ours["platforms"]["telegram"]["state"] == "connected"


def test_the_file_is_written_on_a_change_alone_and_each_platform_says_since_when(tmp_path: Path):
    file = HealthFile(tmp_path, "boot")
    assert file.write(Health("running", 0, (adapter(), adapter("backoff", "dns", "b"))), 0.0)
    written = (tmp_path / NAME).stat().st_mtime_ns
    assert not file.write(Health("running", 0, (adapter("listening"), adapter("stale", "dns", "b"))), 60.0)
    assert (tmp_path / NAME).stat().st_mtime_ns == written
    assert file.write(
        Health("running", 0, (adapter("backoff", "dns"), adapter("backoff", "dns", "b"))), 120.0
    )

    platforms = read(tmp_path)["platforms"]
    assert platforms["telegram"]["updated_at"] == "1970-01-01T00:02:00+00:00"
    assert platforms["telegram@b"]["updated_at"] == "1970-01-01T00:00:00+00:00"


def test_a_disk_that_takes_no_file_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = HealthFile(tmp_path / "nowhere", "boot")

    assert file.write(Health("running"), 0.0)
    assert "could not be written" in caplog.text


# --- starts that do not last ------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, STABLE_S - 1), st.floats(0, 59)), min_size=1, max_size=40))
def test_AC_10_while_no_start_lasts_the_waits_never_get_shorter(lives: list[tuple[float, float]]):
    now, begun, waits = 1e9, [], []
    for up_s, down_s in lives:
        waits.append(storm(begun, now).wait_s)
        begun.append(now)
        now += waits[-1] + up_s + down_s

    assert waits == sorted(waits)
    assert waits[:FREE] == [0.0] * len(waits[:FREE])
    assert all(wait > 0 for wait in waits[FREE:])
    assert max(waits) <= MOST_WAIT_S


def test_starts_that_are_far_apart_or_of_a_wrong_clock_are_no_storm():
    assert storm([n * (APART_S + 1) for n in range(50)], 50 * (APART_S + 1)).wait_s == 0
    assert storm([1e9 + n for n in range(50)], 1e6).wait_s == 0
    assert storm([float("nan")] * 50, 1e6).wait_s == 0


def test_AC_10_starts_are_remembered_by_the_home_until_one_lasts_or_is_ended_on_purpose(tmp_path: Path):
    waits = []
    for _ in range(FREE + 3):
        with instance(tmp_path, BOOT, NO_SECRETS) as held:
            waits.append(held.storm.wait_s)
    assert waits == [0.0] * FREE + [5.0, 10.0, 20.0]

    with instance(tmp_path, BOOT, NO_SECRETS) as held:
        held.ended("SIGINT", meant=True, restart=False, was_ready=False)
    with instance(tmp_path, BOOT, NO_SECRETS) as held:
        assert held.storm.wait_s == 0.0


@pytest.mark.parametrize(
    "text", ["", "[]", '{"starts": ["x"]}', '{"starts": 7}', f'{{"starts": [1{"0" * 400}]}}', "\xff"]
)
def test_a_list_of_starts_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / starts.NAME).write_text(text, "latin-1")

    assert starts.begun(tmp_path).wait_s == 0.0
    assert len(json.loads((tmp_path / "run" / starts.NAME).read_text())["starts"]) == 1
