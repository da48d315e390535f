"""Whose a home of the original is: its gateway's while the kernel says so, ours whatever its files say of the past."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.cli import main
from hermes.ops.instance import instance
from hermes.ops.lock import LOCK_NAME
from hermes.ops.pidfile import NAME as PID_FILE
from hermes.ops.proc import process
from hermes.types.errors import GatewayError
from hermes.types.ids import BootId

GOLDEN = Path(__file__).parents[4] / "shared/reference"

ORIGINAL = """
import fcntl, json, os, sys
home, start_time = sys.argv[1], int(open("/proc/self/stat").read().rpartition(")")[2].split()[19])
record = {"pid": os.getpid(), "kind": "hermes-gateway", "argv": ["/opt/hermes", "gateway", "run"], "start_time": start_time}
lock = open(home + "/gateway.lock", "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
json.dump(record, lock)
lock.flush()
json.dump(record, open(home + "/gateway.pid", "w"))
print("up", flush=True)
sys.stdin.read()
"""
"""As both generations keep a home: the lock, with the record that the pid file has, too."""

pytestmark = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden homes are not here")


@pytest.fixture(params=["golden_home_0_13", "golden_home_0_19"])
def home(request, tmp_path):
    home = Path(shutil.copytree(GOLDEN / request.param, tmp_path / "home"))
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return home


def test_one_that_knows_of_no_lock_is_refused_by_its_pid_file(home):
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "gateway", "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as original:
        assert original.stdout is not None
        original.stdout.readline()
        alive = process(original.pid)
        assert alive is not None
        record = {"pid": alive.pid, "kind": "hermes-gateway", "argv": ["/opt/hermes", "gateway", "run"]}
        (home / PID_FILE).write_text(json.dumps(record | {"start_time": alive.start_time}))
        with (
            pytest.raises(GatewayError, match=f"process {alive.pid}.*not of this program"),
            instance(home, BootId("boot"), ()),
        ):
            pass
        original.kill()

    with instance(home, BootId("boot"), ()):
        pass


def files(home):
    return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_while_the_originals_gateway_runs_its_home_is_refused_by_name_and_left_alone(home, capsys):
    command = [sys.executable, "-c", ORIGINAL, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as original:
        assert original.stdout is not None
        original.stdout.readline()
        before = files(home)
        code = main(["run", "--home", str(home), "--port", "0"])
        original.kill()

    said = capsys.readouterr().err
    assert code == 1
    assert f"process {original.pid}" in said
    assert "not of this program" in said
    assert files(home) == before


def test_AC_40_the_files_of_one_that_was_killed_keep_nobody_out_whoever_has_its_pid_by_now(home):
    stranger = process(1)
    assert stranger is not None
    argv = ["/opt/hermes", "gateway", "run"]
    record = {"pid": 1, "kind": "hermes-gateway", "argv": argv, "start_time": stranger.start_time}
    for name in (LOCK_NAME, PID_FILE):
        (home / name).write_text(json.dumps(record))

    with instance(home, BootId("boot"), ()):
        assert json.loads((home / PID_FILE).read_text())["pid"] == os.getpid()
