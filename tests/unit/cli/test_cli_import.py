"""``hermes import``: a home of the original looked at and taken over, twice, broken off, held by another program."""

import errno
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from old_kit import ANN, FIRST, GOLDEN, SECOND, entry, message, mirror, prints, session, state, transcript

from hermes.cli import main
from hermes.ops.proc import process
from hermes.store import direct, imports

BIG = 450


def run(capsys, *arguments):
    code = main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys, *arguments):
    code, out, err = run(capsys, *arguments, "--json")
    return code, json.loads(out or err)


def found(capsys, home, text):
    return [
        hit["excerpt"]
        for hit in document(capsys, "sessions", "search", text, "--home", home, "-n", 2_000)[1]["hits"]
    ]


def private(home):
    for path in (home, *home.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return home


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "old home"
    state(
        made,
        [session(FIRST, session_key=ANN, ended_at=1_500.0), session(SECOND, 2_000.0, session_key=ANN)],
        [
            message(SECOND, "user" if one % 2 else "assistant", f"word{one} all", 2_000.0 + one)
            for one in range(BIG)
        ],
        routes=[(str(made / "sessions"), ANN, entry(SECOND))],
    )
    transcript(made, FIRST, {"role": "user", "content": "from a file"})
    mirror(made, {"_README": "a note", ANN: entry(SECOND)})
    return private(made)


@pytest.mark.skipif(not GOLDEN.exists(), reason="the golden homes are not here")
@pytest.mark.parametrize("generation", ["0_13", "0_19"])
def test_golden_homes_are_understood_taken_over_and_left_as_they_are(capsys, tmp_path, generation):
    home = private(Path(shutil.copytree(GOLDEN / f"golden_home_{generation}", tmp_path / "home")))
    before = prints(home)

    code, checked = document(capsys, "import", "--check", home)
    assert (code, checked["ok"], checked["held_by"]) == (0, True, None)
    assert checked["version"].startswith(generation.replace("_", "."))
    assert {row["verdict"] for row in checked["rows"]} == {"understood"}
    assert sorted(path.name for path in home.iterdir()) == sorted({Path(name).parts[0] for name in before})

    code, done = document(capsys, "import", home)
    assert (code, done["new_lines"], done["new_stretches"]) == (0, 2, {"0_13": 1, "0_19": 3}[generation])
    assert found(capsys, home, "hello") == ["[hello]"]
    shown = document(capsys, "sessions", "show", "telegram:dm:111", "--home", home)[1]
    assert (shown["title"], shown["history"][0]["lines"]) == ("Alice", 2)
    _, again = document(capsys, "import", home)
    assert (again["new_lines"], again["new_stretches"], again["backup"]) == (0, 0, None)
    assert prints(home) == before


def test_the_home_is_saved_before_anything_is_written(capsys, home):
    code, done = document(capsys, "import", home)

    assert (code, done["new_lines"]) == (0, BIG + 1)
    (backup,) = (home / "backups").iterdir()
    assert done["backup"] == str(backup)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    names = zipfile.ZipFile(backup).namelist()
    assert {"state.db", "sessions/sessions.json", f"sessions/{FIRST}.jsonl"} <= set(names)
    assert "gateway.db" not in names
    assert found(capsys, home, "file") == ["from a [file]"]
    assert run(capsys, "restore", backup, "--home", home.with_name("back"))[0] == 0


def test_a_second_one_adds_only_what_is_new(capsys, home):
    run(capsys, "import", home)
    state(home, messages=[message(SECOND, "user", "newest", 9_000.0)])

    code, done = document(capsys, "import", home)

    assert (code, done["new_lines"], done["new_stretches"]) == (0, 1, 0)
    assert found(capsys, home, "newest") == ["[newest]"]
    assert len(found(capsys, home, "all")) == BIG
    assert "Nothing is new" in run(capsys, "import", home)[1]


@pytest.mark.parametrize("steps", range(1, 5))
def test_one_that_was_broken_off_is_gone_on_with(capsys, home, monkeypatch, steps):
    written, left = direct.write, [steps]

    def write(database, op):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return written(database, op)

    monkeypatch.setattr(direct, "write", write)
    with suppress(KeyboardInterrupt):
        run(capsys, "import", home)
    monkeypatch.undo()

    code, done = document(capsys, "import", home)

    assert (code, done["backup"]) == (0, None), "or a run that is killed again and again fills the disk"
    assert len([*(home / "backups").iterdir()]) == 1
    assert len(found(capsys, home, "all")) == BIG
    assert len(found(capsys, home, "file")) == 1


def test_resuming_an_old_stretch_by_hand(capsys, home):
    run(capsys, "import", home)

    assert document(capsys, "sessions", "resume", ANN, FIRST, "--home", home)[1]["session_id"] == FIRST


def test_forget_takes_along_what_is_known_of_somebody_whose_chat_is_not(capsys, tmp_path):
    mine, nobodys = session(FIRST, user_id="99"), session(SECOND, session_key="agent:", user_id="99")
    state(tmp_path, [mine, nobodys], [message(FIRST, "user", "a word")], schema=11)
    run(capsys, "import", tmp_path)
    assert found(capsys, tmp_path, "word") == ["a [word]"]

    code, erased = document(capsys, "forget", "telegram:99", "--yes", "--home", tmp_path)

    assert (code, erased["sessions"], erased["lines"]) == (0, 1, 1)
    assert found(capsys, tmp_path, "word") == []


def test_a_check_says_what_is_unsafe_and_changes_nothing(capsys, home):
    (home / ".env").write_text("TELEGRAM_BOT_TOKEN=1:x\n")
    (home / ".env").chmod(0o644)
    mirror(home, {ANN: entry("../../etc/passwd")})
    (home / "sessions/sessions.json").chmod(0o600)
    (home / "auth.json").write_text("{}")
    (home / "auth.json").chmod(0o640)
    (home / "kanban.db").write_text("x")
    (home / "mine.txt").write_text("x")
    home.chmod(0o755)
    before = sorted(home.rglob("*"))

    code, checked = document(capsys, "import", "--check", home)

    rows = {row["path"]: row for row in checked["rows"]}
    assert (code, checked["ok"]) == (1, False)
    assert "chmod 600" in rows[".env"]["unsafe"][0]
    assert "would lead out" in rows["sessions/sessions.json"]["unsafe"][0]
    assert "chmod 600" in rows["auth.json"]["unsafe"][0]
    assert (rows["kanban.db"]["words"], rows["mine.txt"]["verdict"]) == ("never touched", "ignored")
    assert rows["state.db"]["unsafe"] == []
    assert sorted(home.rglob("*")) == before
    assert "unsafe: " in run(capsys, "import", "--check", home)[1]


def test_what_cannot_be_read_is_named_and_the_rest_is_taken_over(capsys, home):
    (home / "sessions/sessions.json").write_text("{")
    (home / "platforms/pairing").mkdir(parents=True)
    (home / "platforms/pairing/telegram-approved.json").write_text("{")
    (home / "cron").mkdir()
    (home / "cron/jobs.json").write_text('{"jobs": 7}')
    (home / "config.yaml").write_text("model: {default: [}\n")

    code, checked = document(capsys, "import", "--check", private(home))
    unreadable = {row["path"] for row in checked["rows"] if row["verdict"] == "unreadable"}
    assert code == 1
    assert unreadable == {"config.yaml", "cron/jobs.json", "platforms/pairing", "sessions/sessions.json"}

    code, done = document(capsys, "import", home)
    assert (code, done["new_lines"]) == (1, BIG + 1)
    assert done["findings"][0]["file"] == str(home / "sessions/sessions.json")
    with direct.reading(home / "gateway.db") as reader:
        assert imports.is_due(reader)


@pytest.fixture
def other(home):
    """Another program that owns the home: by the lock, and by its pid file."""
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX);"
        " print('held', flush=True); time.sleep(60)"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", code, home / "gateway.lock"], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "held\n"
    yield started
    started.kill()
    started.wait()
    started.stdout.close()


def test_a_home_that_the_original_runs_on_is_refused_and_a_check_says_so(capsys, home, other):
    code, checked = document(capsys, "import", "--check", home)
    assert (code, checked["held_by"]) == (1, {"pid": other.pid, "ours": False})
    assert (
        f"the original's gateway runs on it (process {other.pid})"
        in run(capsys, "import", "--check", home)[1]
    )

    code, refused = document(capsys, "import", home)
    assert (code, refused["error"]["type"]) == (1, "home_held")
    assert not (home / "gateway.db").exists()
    assert not (home / "backups").exists()


def test_a_gateway_that_only_its_pid_file_tells_of_is_refused_too(capsys, home, other):
    (home / "gateway.lock").unlink()
    named = process(other.pid)
    argv = [str(word) for word in other.args]
    record = {"pid": named.pid, "kind": "hermes-gateway", "argv": argv, "start_time": named.start_time}
    (home / "gateway.pid").write_text(json.dumps(record))

    assert document(capsys, "import", "--check", home)[1]["held_by"]["pid"] == other.pid
    for command in ("import", "run"):
        code, _, err = run(capsys, command, "--home", home)
        assert code == 1
        assert f"held by process {other.pid}" in err
    assert not (home / "gateway.db").exists()
    assert os.path.exists(home / "gateway.pid")


def test_a_home_without_conversations_and_none_at_all(capsys, tmp_path):
    assert "Nothing is new" in run(capsys, "import", tmp_path)[1]
    assert not (tmp_path / "gateway.db").exists()
    code, wrong = document(capsys, "import", tmp_path / "nowhere")
    assert (code, wrong["error"]["type"]) == (1, "no_home")


def test_a_file_that_others_may_read_is_safe_where_they_do_not_get_in(capsys, home):
    (home / "state.db").chmod(0o644)

    assert document(capsys, "import", "--check", home)[0] == 0
    home.chmod(0o711)
    assert "chmod 600" in run(capsys, "import", "--check", home)[1]


def test_nothing_is_taken_over_from_a_home_that_cannot_be_saved(capsys, home):
    (home / "backups").write_text("no directory")

    code, refused = document(capsys, "import", home)

    assert (code, refused["error"]["type"]) == (1, "not_saved")
    assert refused["error"]["message"].endswith(f"nothing is taken over: {home}/backups: File exists")
    assert not (home / "gateway.db").exists()


def test_a_copy_that_the_disk_has_no_room_for_is_no_fault_of_the_database(capsys, home, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hermes.store.copies.shutil.copyfileobj", full)

    code, checked = document(capsys, "import", "--check", home)

    (row,) = (row for row in checked["rows"] if row["path"] == "state.db")
    assert (code, row["verdict"]) == (1, "unreadable")
    assert row["words"] == f"{tempfile.gettempdir()} has no room for a copy of it; TMPDIR names another place"


def test_a_full_disk_is_named_and_a_later_run_does_the_rest(capsys, home, monkeypatch):
    def full(*_):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(direct, "write", full)
    assert f"{home / 'gateway.db'}: database or disk is full" in run(capsys, "import", home)[2]
    monkeypatch.undo()

    assert document(capsys, "import", home)[1]["new_lines"] == BIG + 1
