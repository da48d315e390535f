"""One gateway takes the place of another; of two that want to, one does."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hermes.ops import takeover
from hermes.ops.lock import COMMAND, EMBEDDED, GATEWAY, LOCK_NAME, RESTORE, HomeLock, prepare_home
from hermes.ops.pidfile import NAME as PID_FILE
from hermes.ops.proc import Process, process
from hermes.ops.takeover import PLANNED_STOP, TAKEOVER, Claim, claim, planned, taken_over
from hermes.types.errors import HOME_HELD, GatewayError

GATEWAY_DOUBLE = """
import pathlib, signal, sys, time
from hermes.ops.lock import HomeLock
from hermes.ops.pidfile import pid_file
from hermes.ops.takeover import planned
home, kind, stubborn = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "stubborn"
def end(*_):
    if not stubborn:
        sys.exit(0 if planned(home) else 1)
signal.signal(signal.SIGTERM, end)
with HomeLock.acquire(home, "old", kind), pid_file(home):
    print("up", flush=True)
    while True:
        time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HERMES_GATEWAY_LOCK_DIR", str(tmp_path / "locks"))
    prepare_home(tmp_path / "home")
    return tmp_path / "home"


@contextmanager
def running(home: Path, kind: str = GATEWAY, how: str = "") -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-c", GATEWAY_DOUBLE, str(home), kind, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as old:
        assert old.stdout is not None
        old.stdout.readline()
        yield old
        old.kill()


def refusal(home: Path, claimed: Claim | None = None) -> str:
    with pytest.raises(GatewayError) as refused, taken_over(home, claimed or claim(home)):
        pytest.fail("it was taken")
    assert (refused.value.failure.code, refused.value.failure.severity) == (HOME_HELD, "fatal")
    return refused.value.failure.detail


def test_the_old_one_finds_the_note_and_ends_with_0_and_nothing_of_it_is_left(home: Path):
    with running(home) as old:
        assert json.loads((home / PID_FILE).read_text())["pid"] == old.pid
        with taken_over(home, claim(home)):
            HomeLock.acquire(home, "new").release()
        assert old.wait() == 0

    assert {one.name for one in home.iterdir()} == {LOCK_NAME, "run", "logs"}


def test_the_original_is_replaced_by_its_own_note(home: Path):
    """It takes the same lock and writes its record there; what it makes of the note is its own affair."""
    original = """
import fcntl, json, os, signal, sys
lock = open(sys.argv[1] + "/gateway.lock", "a+")
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(json.dumps({"pid": os.getpid(), "kind": "hermes-gateway", "argv": ["gateway", "run"]})); lock.flush()
def end(*_):
    print(open(sys.argv[1] + "/.gateway-takeover.json").read(), flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True: signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", original, str(home)], stdout=subprocess.PIPE) as old:
        assert old.stdout is not None
        old.stdout.readline()
        holder = process(old.pid)
        with taken_over(home, claim(home)), HomeLock.acquire(home, "new", GATEWAY):
            seen = json.loads(old.stdout.readline())

    assert holder is not None
    assert seen.keys() == {
        "target_pid",
        "target_start_time",
        "replacer_pid",
        "replacer_hermes_home",
        "written_at",
    }
    assert (seen["target_pid"], seen["target_start_time"]) == (holder.pid, holder.start_time)


def test_a_home_that_is_free_is_just_taken(home: Path):
    with taken_over(home, claim(home)):
        HomeLock.acquire(home, "new").release()


def test_what_was_handed_on_to_this_process_is_not_taken_from_it(home: Path):
    lock = HomeLock.acquire(home, "old", GATEWAY)
    lock.hand_on()  # as a run with --replace that runs itself again does

    with taken_over(home, claim(home)), HomeLock.acquire(home, "new", GATEWAY):
        assert not (home / TAKEOVER).exists()


def test_one_that_does_not_end_is_killed_and_tidied_up_after(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(takeover, "TERM_S", 0.2)
    with running(home, how="stubborn") as old:
        owner = process(old.pid)
        assert owner is not None
        (tmp_path / "locks").mkdir()
        theirs, others = tmp_path / "locks" / "telegram-x.lock", tmp_path / "locks" / "discord-y.lock"
        theirs.write_text(json.dumps({"pid": owner.pid, "start_time": owner.start_time, "scope": "telegram"}))
        others.write_text(json.dumps({"pid": owner.pid, "start_time": owner.start_time + 1}))

        with taken_over(home, claim(home)):
            assert old.wait() == -signal.SIGKILL
            assert not (home / PID_FILE).exists()
            assert theirs.read_text() == ""
            assert others.read_text() != ""

    assert not (home / TAKEOVER).exists()


def test_of_two_that_replace_the_second_is_refused_and_kills_nobody(home: Path):
    with taken_over(home, claim(home)), HomeLock.acquire(home, "new", GATEWAY):
        assert f"process {os.getpid()} is taking over" in refusal(home)


def test_a_holder_that_is_another_one_by_now_is_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch):
    with running(home):
        first = claim(home)
    with running(home) as second:
        assert "nobody was ended" in refusal(home, first)
        assert "nobody was ended" in refusal(home, Claim(None))
        reused = Process(second.pid, 1)  # a pid that was given away again
        monkeypatch.setattr(takeover, "holder_of", lambda _path: reused)
        assert "has just ended" in refusal(home, Claim(reused))
        assert second.poll() is None
        assert not (home / TAKEOVER).exists()


@pytest.mark.parametrize(
    ("kind", "words"),
    [(COMMAND, "when it is done"), (RESTORE, "when it is done"), (EMBEDDED, "stop it there")],
)
def test_what_is_no_gateway_of_its_own_is_not_ended_for_it(home: Path, kind: str, words: str):
    with running(home, kind) as other:
        assert words in refusal(home)
        assert other.poll() is None


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b'{"kind": 7}'])
def test_a_damaged_lock_text_changes_nothing(home: Path, text: bytes):
    with running(home) as old:
        (home / LOCK_NAME).write_bytes(text)
        with taken_over(home, claim(home)):
            assert old.wait() == 0


def note(**other: Any) -> str:
    we = process()
    assert we is not None
    ours = {"target_pid": we.pid, "target_start_time": we.start_time}
    return json.dumps({**ours, "written_at": datetime.now(UTC).isoformat(), **other})


@pytest.mark.parametrize("name", [TAKEOVER, PLANNED_STOP])
def test_a_note_counts_once(home: Path, name: str):
    (home / name).write_text(note())

    assert [planned(home), planned(home)] == [name, ""]


LONG_AGO = datetime.fromtimestamp(time.time() - 61, UTC).isoformat()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        note(target_pid=1),
        note(target_start_time=1),
        note(written_at=LONG_AGO),
        note(written_at="yesterday"),
        note(written_at=7),
        note(target_pid="x"),
    ],
    ids=range(9),
)
def test_a_note_for_another_process_an_old_or_a_broken_one_plans_nothing(home: Path, text: str):
    (home / TAKEOVER).write_text(text)

    assert planned(home) == ""
