"""Who a process is, and who holds a lock, by what the kernel says."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.ops.lock import GATEWAY, LOCK_NAME, HomeLock, prepare_home
from hermes.ops.proc import Process, holder_of, inherited, process
from hermes.types.errors import GatewayError

HOLDER = """
import pathlib, signal, sys
from hermes.ops.lock import HomeLock
lock = HomeLock.acquire(pathlib.Path(sys.argv[1]), "boot-1")
print("held", flush=True)
signal.pause()
"""

AGAIN = """
import os, pathlib, sys
from hermes.ops.lock import HomeLock
home, lives = pathlib.Path(sys.argv[1]), int(sys.argv[2])
lock = HomeLock.acquire(home, f"boot-{lives}")
print(os.getpid(), len([name for name in os.listdir("/proc/self/fd")]), os.get_inheritable(lock._descriptor), flush=True)
if lives:
    lock.hand_on()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:-1], str(lives - 1)])
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    prepare_home(tmp_path / "home")
    return tmp_path / "home"


def test_a_process_is_its_pid_and_its_start():
    we = process()

    assert we == process(os.getpid())
    assert we is not None
    assert we.pid == os.getpid()
    assert process(os.getppid()) not in (None, we)


def test_a_zombie_is_no_process_any_more():
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert process(child.pid) is None
    assert process(child.pid) is None


def test_the_holder_is_the_kernels_whatever_the_text_says(home: Path):
    assert holder_of(home / LOCK_NAME) is None
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        (home / LOCK_NAME).write_text(json.dumps({"pid": os.getpid(), "kind": GATEWAY}))
        reader = os.open(home / LOCK_NAME, os.O_RDWR)  # an open file is no lock

        assert holder_of(home / LOCK_NAME) == process(child.pid)
        os.close(reader)
        child.kill()
        child.wait()
    assert holder_of(home / LOCK_NAME) is None


def test_a_child_that_has_the_descriptor_from_a_fork_is_not_the_holder(home: Path):
    lock = os.open(home / LOCK_NAME, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with subprocess.Popen(["sleep", "60"], pass_fds=[lock]) as child:
        assert holder_of(home / LOCK_NAME) == process()
        os.close(lock)
        assert holder_of(home / LOCK_NAME) in (None, Process(os.getpid(), 0))
        child.kill()


def test_a_lock_goes_on_to_the_next_program_of_the_same_process_and_no_further(home: Path):
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(home), "5"], capture_output=True, text=True, timeout=60, check=True
    )
    lives = [line.split() for line in done.stdout.splitlines()]

    assert len(lives) == 6
    assert len({pid for pid, _, _ in lives}) == 1
    assert len({descriptors for _, descriptors, _ in lives}) == 1, "none is left over"
    assert {inheritable for _, _, inheritable in lives} == {"False"}
    HomeLock.acquire(home, "after").release()


def test_what_this_process_holds_already_is_not_had_twice(home: Path):
    with HomeLock.acquire(home, "boot-1"):
        assert inherited(home / LOCK_NAME) is None
        with pytest.raises(GatewayError, match="held by process"):
            HomeLock.acquire(home, "boot-2")


def test_another_program_that_holds_the_home_is_not_told_to_be_stopped_by_us(home: Path):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        (home / LOCK_NAME).write_text(json.dumps({"pid": child.pid, "kind": GATEWAY, "argv": ["gateway"]}))
        with pytest.raises(GatewayError) as refused:
            HomeLock.acquire(home, "boot-2", GATEWAY)
        child.kill()

    assert "not of this program" in refused.value.failure.detail
    assert "hermes stop" not in refused.value.failure.detail
    assert "--replace" in refused.value.failure.detail
