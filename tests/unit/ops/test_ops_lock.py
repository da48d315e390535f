"""One gateway a home."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hermes.ops.lock import COMMAND, EMBEDDED, GATEWAY, LOCK_NAME, RESTORE, HomeLock, prepare_home
from hermes.types.errors import HOME_HELD, HOME_UNUSABLE, GatewayError

HOLDER = """
import pathlib, signal, sys
from hermes.ops.lock import HomeLock
lock = HomeLock.acquire(pathlib.Path(sys.argv[1]), "boot-1")
print("held", flush=True)
signal.pause()
"""


@pytest.fixture
def home(tmp_path) -> Path:
    prepare_home(tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def holder(home):
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(home)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_held_home_names_its_holder_and_the_way_out(home, holder):
    with pytest.raises(GatewayError) as held:
        HomeLock.acquire(home, "boot-2")

    failure = held.value.failure
    assert (failure.code, failure.severity) == (HOME_HELD, "fatal")
    for word in (str(home), f"process {holder.pid}", "hermes stop", "--home"):
        assert word in failure.detail
    assert holder.poll() is None


@pytest.mark.parametrize(
    ("holds", "wants", "may"),
    [
        (GATEWAY, GATEWAY, True),
        (EMBEDDED, GATEWAY, False),
        (GATEWAY, COMMAND, False),
        (GATEWAY, RESTORE, False),
    ],
)
def test_a_gateway_may_take_the_place_of_a_gateway_and_nobody_else_of_anybody(home, holds, wants, may):
    with HomeLock.acquire(home, "boot-1", holds), pytest.raises(GatewayError) as held:
        HomeLock.acquire(home, "boot-2", wants)

    assert ("--replace" in held.value.failure.detail) is may


def test_AC_40_after_kill_9_the_home_is_free_at_once(home, holder):
    holder.kill()
    holder.wait()

    HomeLock.acquire(home, "boot-2").release()


def test_AC_40_a_lock_text_that_names_a_live_foreign_process_is_ignored(home):
    (home / LOCK_NAME).write_text(json.dumps({"pid": os.getppid()}))

    with HomeLock.acquire(home, "boot-2"):
        assert json.loads((home / LOCK_NAME).read_text())["pid"] == os.getpid()


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"[]", b'{"pid": "x"}', b"[" * 5000])
def test_a_damaged_lock_text_costs_only_the_name(home, holder, text):
    (home / LOCK_NAME).write_bytes(text)

    with pytest.raises(GatewayError, match="another process"):
        HomeLock.acquire(home, "boot-2")


def test_the_lock_tells_people_who_holds_it(home):
    with HomeLock.acquire(home, "boot-7"):
        note = json.loads((home / LOCK_NAME).read_text())

    own_stat = Path("/proc/self/stat").read_text()
    assert note["boot_id"] == "boot-7"
    assert note["pid"] == os.getpid()
    assert note["argv"] == sys.argv
    assert f" {note['start_time']} " in own_stat


def test_a_child_does_not_keep_the_lock(home):
    lock = HomeLock.acquire(home, "boot-1")
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.release()
        HomeLock.acquire(home, "boot-2").release()
        child.kill()


def test_S41_everything_is_private_under_umask_000(tmp_path):
    before = os.umask(0)
    try:
        prepare_home(tmp_path / "above" / "home")
        with HomeLock.acquire(tmp_path / "above" / "home", "boot"):
            pass
    finally:
        os.umask(before)

    home = tmp_path / "above" / "home"
    assert mode(home / LOCK_NAME) == 0o600
    assert {mode(home / name) for name in (".", "run", "logs")} == {0o700}
    assert mode(home.parent) == 0o755


def test_a_wide_lock_file_is_narrowed(home):
    (home / LOCK_NAME).touch(0o666)
    HomeLock.acquire(home, "boot").release()

    assert mode(home / LOCK_NAME) == 0o600


def test_only_run_is_narrowed_in_a_home_that_exists(tmp_path):
    for name in ("home", "home/run", "home/logs"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o755)
    prepare_home(tmp_path / "home")

    assert [mode(tmp_path / name) for name in ("home", "home/run", "home/logs")] == [0o755, 0o700, 0o755]


@pytest.mark.parametrize("plant", [lambda lock: lock.symlink_to("/tmp/x"), Path.mkdir, os.mkfifo])
def test_S44_what_is_planted_at_the_lock_is_refused(home, plant):
    plant(home / LOCK_NAME)

    with pytest.raises(GatewayError) as refused:
        HomeLock.acquire(home, "boot")
    assert refused.value.failure.code == HOME_UNUSABLE
    assert str(home / LOCK_NAME) in refused.value.failure.detail


def test_S44_a_run_directory_that_is_a_symlink_is_refused(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home" / "run").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(GatewayError) as refused:
        prepare_home(tmp_path / "home")
    assert str(tmp_path / "home" / "run") in refused.value.failure.detail


def test_a_home_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(GatewayError) as unusable:
        prepare_home(tmp_path / "file" / "home")
    assert (unusable.value.failure.code, unusable.value.failure.severity) == (HOME_UNUSABLE, "fatal")
    assert str(tmp_path / "file" / "home") in unusable.value.failure.detail


def test_a_home_without_a_directory_is_named(tmp_path):
    with pytest.raises(GatewayError) as unusable:
        HomeLock.acquire(tmp_path / "nowhere", "boot")
    assert str(tmp_path / "nowhere") in unusable.value.failure.detail


def test_a_home_that_stays_where_it_is_stays_ours(home):
    with HomeLock.acquire(home, "boot-1") as lock:
        (home / LOCK_NAME).touch()
        lock.check()


@pytest.mark.parametrize("there", ["nothing", "another home", "another lock", "a file"])
def test_a_home_that_was_moved_removed_or_replaced_is_lost(home, there):
    with HomeLock.acquire(home, "boot-1") as lock:
        if there == "another lock":
            (home / LOCK_NAME).unlink()
        else:
            home.rename(home.with_name("elsewhere"))
        if there == "a file":
            home.touch()
        elif there != "nothing":
            prepare_home(home)
            (home / LOCK_NAME).touch()

        with pytest.raises(GatewayError) as caught:
            lock.check()

    assert (caught.value.failure.code, caught.value.failure.severity) == (HOME_UNUSABLE, "fatal")
    assert str(home) in caught.value.failure.detail


def test_a_disk_that_does_not_answer_takes_nobodys_home_away(home, monkeypatch):
    def ill(path):
        raise OSError(errno.EIO, "Input/output error")

    with HomeLock.acquire(home, "boot-1") as lock:
        monkeypatch.setattr(os, "lstat", ill)
        lock.check()
