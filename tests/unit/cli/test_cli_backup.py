"""``hermes backup`` and ``hermes restore``: whole homes, broken ones, and archives that somebody has made."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from hermes.cli import main
from hermes.ops import archive, restoring
from hermes.ops.archive import MANIFEST
from hermes.ops.lock import HomeLock
from hermes.store.schema import SCHEMA_VERSION, open_writer
from hermes.types.errors import GatewayError
from hermes.types.ids import BootId


def run(capsys, *arguments):
    code = main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def content(directory: Path) -> dict[str, bytes]:
    """What stands in the files that a backup has; databases by what they hold."""
    kept, _ = archive.members(directory, quick=False)
    return {name: _read(directory / name) for name in kept}


def _read(path: Path) -> bytes:
    if path.suffix != ".db":
        return path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        return "\n".join(database.iterdump()).encode()


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "my home"
    for name, text in {
        "config.yaml": "model: {default: big}  # mine\n",
        ".env": "TELEGRAM_BOT_TOKEN=1:abc\n",
        "platforms/pairing/telegram-approved.json": '{"111": {}}',
        "cron/jobs.json": '{"jobs": []}',
        "memories/Grüße.md": "hello",
        "hooks/one/run.sh": "#!/bin/sh\n",
        "cache/images/one.png": "png",
        "logs/gateway.log": "a line",
        "gateway_state.json": "{}",
        "processes.json": "{}",
        "profiles/other/.env": "not this one",
    }.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (made / "hooks/one/run.sh").chmod(0o755)
    os.utime(made / "config.yaml", (1_700_000_000.5, 1_700_000_000.5))
    with closing(open_writer(made / "gateway.db")) as database:
        database.execute("CREATE TABLE mine (said TEXT)")
        database.execute("INSERT INTO mine VALUES ('before')")
    return made


def saved(capsys, home, tmp_path, *options):
    file = tmp_path / "saved.zip"
    code, _, err = run(capsys, "backup", file, "--home", home, *options)
    assert code == 0, err
    return file


def test_a_home_comes_back_as_it_was(capsys, home, tmp_path):
    before = content(home)
    with closing(
        open_writer(home / "gateway.db")
    ) as database:  # a gateway that writes: its -wal holds what is newest
        database.execute("INSERT INTO mine VALUES ('newest')")
        before["gateway.db"] = _read(home / "gateway.db")
        file = saved(capsys, home, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    code, out, err = run(capsys, "restore", file, "--home", tmp_path / "other")

    other = tmp_path / "other"
    assert (code, err) == (0, "")
    assert f"hermes run --home {other}" in out
    assert "before" not in out, "there was nothing"
    assert not list((other / "backups").iterdir())
    assert content(other) == before
    assert b"newest" in content(other)["gateway.db"]
    assert not {"logs", "gateway_state.json", "processes.json", "profiles", "gateway.db-wal"} & {
        path.name for path in other.iterdir()
    }
    assert (other / "config.yaml").stat().st_mtime == 1_700_000_000.5
    modes = {
        name: stat.S_IMODE((other / name).stat().st_mode) for name in (".env", "hooks/one/run.sh", "cron")
    }
    assert modes == {".env": 0o600, "hooks/one/run.sh": 0o700, "cron": 0o700}


def test_a_quick_one_has_no_cache_and_a_restore_of_it_leaves_the_cache_there(capsys, home, tmp_path):
    file = saved(capsys, home, tmp_path, "--quick")
    (home / "memories/later.md").write_text("later")

    code, _, err = run(capsys, "restore", file, "--force", "--home", home)

    assert code == 0, err
    assert (home / "cache/images/one.png").read_text() == "png"
    assert not (home / "memories/later.md").exists()
    (aside,) = (home / "backups").iterdir()
    assert (aside / "memories/later.md").read_text() == "later"
    assert (home / "profiles/other/.env").exists()


def test_without_a_file_it_goes_to_the_backups_of_the_home_and_the_next_one_does_not_hold_it(capsys, home):
    first = json.loads(run(capsys, "backup", "--home", home, "--json")[1])

    assert Path(first["file"]).parent == home / "backups"
    assert not any("backups" in name for name in archive.members(home, quick=False)[0])
    assert run(capsys, "backup", home / "here.zip", "--home", home)[0] == 0
    code, _, err = run(capsys, "backup", home / "here.zip", "--home", home)
    assert code == 1
    assert "is there already" in err
    assert [path.name for path in home.glob(".here*")] == []


def test_what_is_no_file_is_named_and_left_out(capsys, home, tmp_path):
    (home / "link").symlink_to("/etc/passwd")
    (home / "far").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(home / "pipe")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(os.path.relpath(home / "sock"))
        document = json.loads(run(capsys, "backup", "--home", home, "--json")[1])

    assert document["left_out"] == ["far", "link", "pipe", "sock"]


def test_a_damaged_database_is_saved_as_it_is_and_named(capsys, home, tmp_path):
    damaged = b"SQLite format 3\0" + b"\xff" * 5_000
    (home / "state.db").write_bytes(damaged)
    file = tmp_path / "saved.zip"

    code, _, err = run(capsys, "backup", file, "--home", home)

    assert (code, err) == (0, "damaged, and saved as it is: state.db\n")
    with zipfile.ZipFile(file) as packed:
        assert packed.read("state.db") == damaged


def test_a_home_that_is_not_there_or_cannot_be_read(capsys, home, tmp_path):
    assert run(capsys, "backup", "--home", tmp_path / "none")[2].endswith(f"no home at {tmp_path}/none\n")
    assert not (tmp_path / "none").exists()
    code, _, err = run(capsys, "restore", tmp_path / "none.zip", "--home", home)
    assert code == 1
    assert "none.zip" in err


def test_a_running_home_and_one_with_something_in_it_are_refused(capsys, home, tmp_path):
    file = saved(capsys, home, tmp_path)
    before = content(home)
    with HomeLock.acquire(home, BootId("b")):
        assert "is held by process" in run(capsys, "restore", file, "--force", "--home", home)[2]
    code, _, err = run(capsys, "restore", file, "--home", home)

    assert (code, "--force" in err) == (1, True)
    assert content(home) == before
    assert not (home / "backups").exists()


class Killed(BaseException):
    """The process is no more."""


def test_a_restore_that_is_killed_at_any_move_is_finished_by_the_next_one(
    capsys, home, tmp_path, monkeypatch
):
    file = saved(capsys, home, tmp_path)
    wanted = content(home)
    kills, rename = 0, Path.rename
    for kill_at in range(100):
        (home / "config.yaml").write_text(f"later: {kill_at}\n")
        (home / "extra").write_text("extra")
        moves = iter(range(100))

        def move(path, target, moves=moves, kill_at=kill_at):
            if next(moves) == kill_at:
                raise Killed
            return rename(path, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", move)
            try:
                main(["restore", str(file), "--force", "--home", str(home)])
            except Killed:
                kills += 1
        if next(moves) <= kill_at:
            break
        with pytest.raises(GatewayError, match="was broken off") as refused:
            HomeLock.acquire(home, BootId("b"))
        assert refused.value.failure.code == "home_unusable"
        code, out, err = run(capsys, "restore", "--home", home, "--json")

        assert code == 0, err
        assert content(home) == wanted
        aside = Path(json.loads(out)["before"])
        assert (aside / "config.yaml").read_text() == f"later: {kill_at}\n"
        assert (aside / "extra").exists()
    assert kills > 10, "every old and every new name is a move"


def test_a_restore_that_is_killed_while_it_unpacks_has_changed_nothing(capsys, home, tmp_path, monkeypatch):
    file = saved(capsys, home, tmp_path)
    before = content(home)

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "commit", killed)
        patched.setattr(restoring, "drop", lambda _home: None)
        with pytest.raises(Killed):
            main(["restore", str(file), "--force", "--home", str(home)])
    assert (home / "backups/restoring/new/.env").exists()
    assert content(home) == before
    assert "Missing argument" in run(capsys, "restore", "--home", home)[2]

    assert run(capsys, "restore", file, "--force", "--home", home)[0] == 0
    assert not (home / "backups/restoring").exists()


def test_a_backup_that_fails_leaves_nothing(capsys, home, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_add", full)
    code, _, err = run(capsys, "backup", tmp_path / "saved.zip", "--home", home)

    assert (code, "No space left" in err) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["my home"]


def made(path: Path, files: dict[str, bytes], **changed) -> Path:
    """An archive as somebody else would make it; ``changed`` are keys of the manifest, or of each file's entry in it."""
    import hashlib

    held = {
        name: {
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "mtime": 0.0,
            "executable": False,
        }
        | changed.get("held", {})
        for name, data in files.items()
    }
    said = {"format": 1, "version": "x", "made_at": "x", "quick": False, "files": held} | changed.get(
        "said", {}
    )
    with zipfile.ZipFile(path, "w", changed.get("compression", zipfile.ZIP_DEFLATED)) as packed:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = changed.get("mode", stat.S_IFREG | 0o600) << 16
            packed.writestr(entry, data, changed.get("compression", zipfile.ZIP_DEFLATED))
        packed.writestr(MANIFEST, json.dumps(said))
    return path


NEWER = b"SQLite format 3\0" + b"\0" * 44 + (SCHEMA_VERSION + 1).to_bytes(4) + b"\0" * 100


@pytest.mark.parametrize(
    ("files", "changed", "words"),
    [
        ({"../evil": b"x"}, {}, "is no path in a home"),
        ({"a/../../evil": b"x"}, {}, "is no path in a home"),
        ({"/etc/evil": b"x"}, {}, "is no path in a home"),
        ({"a//b": b"x"}, {}, "is no path in a home"),
        ({"a\\..\\b": b"x"}, {}, "is no path in a home"),
        ({"a\x1b[31m": b"x"}, {}, "is no path in a home"),
        ({"run/control.sock": b"x"}, {}, "has no place in a backup"),
        ({"gateway.lock": b"x"}, {}, "has no place in a backup"),
        ({"backups/restoring/plan.json": b"x"}, {}, "has no place in a backup"),
        ({"link": b"/etc/passwd"}, {"mode": stat.S_IFLNK | 0o777}, "is no plain file"),
        ({"device": b""}, {"mode": stat.S_IFCHR | 0o666}, "is no plain file"),
        ({"a": b"x"}, {"held": {"size": 2}}, "not as long as"),
        ({"a": b"x"}, {"held": {"sha256": "0" * 64}}, "is not what was saved"),
        ({"a": b"x"}, {"held": {"mtime": float("nan")}}, "not to be understood"),
        ({"a": b"x"}, {"held": {"size": "many"}}, "not to be understood"),
        ({"a": b"x"}, {"said": {"format": 2}}, "a later program"),
        ({"a": b"x"}, {"said": {"files": {}}}, "holds other files"),
        ({"a": b"x"}, {"said": {"files": []}}, "not to be understood"),
        ({"a": b"x", "a/b": b"y"}, {}, "a"),
        ({"a": b"x"}, {"compression": zipfile.ZIP_LZMA}, "packed in a way"),
        ({"gateway.db": NEWER}, {}, "use a newer program"),
    ],
)
def test_an_archive_that_somebody_made_touches_nothing(capsys, home, tmp_path, files, changed, words):
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    file = made(tmp_path / "bad.zip", files, **changed)

    code, _, err = run(capsys, "restore", file, "--force", "--home", home)

    assert code == 1
    assert words in err
    file.unlink()
    for path in (home / "gateway.lock", home / "backups"):
        path.unlink() if path.is_file() else path.rmdir() if path.exists() else None
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_an_archive_that_would_fill_the_disk_is_refused(capsys, home, tmp_path, monkeypatch):
    file = made(tmp_path / "bomb.zip", {"a": b"\0" * 3_000_000})
    monkeypatch.setattr(archive, "BOMB_BYTES", 1_000_000)
    assert "that is no home" in run(capsys, "restore", file, "--force", "--home", home)[2]

    monkeypatch.setattr(archive, "BOMB_BYTES", 1 << 30)
    monkeypatch.setattr(archive.disk, "read", lambda _path: archive.disk.Space(1_000, 10_000))
    assert "has 1,000 left" in run(capsys, "restore", file, "--force", "--home", home)[2]
    assert not (home / "a").exists()


@pytest.mark.parametrize("cut", [0, 10, 200, 600])
def test_a_damaged_archive_is_refused(capsys, home, tmp_path, cut):
    file = saved(capsys, home, tmp_path)
    data = bytearray(file.read_bytes())
    if cut == 200:
        data[cut] ^= 0xFF
        file.write_bytes(data)
    else:
        file.write_bytes(data[:cut])
    before = content(home)
    code, _, err = run(capsys, "restore", file, "--force", "--home", home)

    assert (code, str(file) in err or "is not what was saved" in err) == (1, True), err
    assert content(home) == before


def test_restoring_twice_in_a_second_keeps_both_homes(capsys, home, tmp_path, monkeypatch):
    file = saved(capsys, home, tmp_path)
    now = time.localtime(1_700_000_000)
    monkeypatch.setattr("time.localtime", lambda *_: now)
    for _ in range(2):
        assert run(capsys, "restore", file, "--force", "--home", home)[0] == 0

    assert len(list((home / "backups").iterdir())) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from hermes.cli import main

moves, rename = iter(range(100)), Path.rename

def move(path, target):
    if next(moves) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

Path.rename = move
main(sys.argv[1:])
"""


def test_after_a_kill_in_the_middle_no_gateway_starts_until_it_is_finished(capsys, home, tmp_path):
    file = saved(capsys, home, tmp_path)
    wanted = content(home)
    restore = [sys.executable, "-c", KILLED, "restore", str(file), "--force", "--home", str(home)]
    assert subprocess.run(restore, check=False, timeout=60).returncode == -signal.SIGKILL

    code, _, err = run(capsys, "run", "--home", home)
    assert code == 78
    assert f"hermes restore --home '{home}'" in err
    assert run(capsys, "restore", "--home", home)[0] == 0
    assert content(home) == wanted


@pytest.mark.parametrize("generation", ["0_13", "0_19"])
def test_a_home_of_the_original_is_saved_untouched_and_comes_back(capsys, tmp_path, generation):
    golden = Path(__file__).parents[4] / f"shared/reference/golden_home_{generation}"
    if not golden.exists():
        pytest.skip("the golden homes are not on this machine")
    home = shutil.copytree(golden, tmp_path / "home")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    file = saved(capsys, home, tmp_path)

    assert {path: path.read_bytes() for path in before} == before
    assert run(capsys, "restore", file, "--home", tmp_path / "other")[0] == 0
    assert content(tmp_path / "other") == content(home)


def test_what_a_killed_backup_has_left_goes_with_a_later_one(capsys, home):
    for name, age_s in (("old", 2 * 3_600), ("new", 60)):
        (home / f"backups/.copies-{name}/resting").mkdir(parents=True)
        (home / f"backups/.{name}.zip.part").write_text("tokens")
        for left in (home / f"backups/.copies-{name}", home / f"backups/.{name}.zip.part"):
            os.utime(left, (time.time() - age_s,) * 2)

    assert run(capsys, "backup", "--home", home)[0] == 0

    names = {path.name for path in (home / "backups").iterdir() if path.suffix != ".zip"}
    assert names == {".copies-new", ".new.zip.part"}, "somebody may be making these"


def test_every_directory_that_comes_back_is_private(capsys, home, tmp_path):
    (home / "platforms/pairing/deep").mkdir(parents=True)
    (home / "platforms/pairing/deep/one.json").write_text("{}")
    run(capsys, "backup", tmp_path / "one.zip", "--home", home)

    assert run(capsys, "restore", tmp_path / "one.zip", "--home", tmp_path / "back")[0] == 0

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "back").rglob("*") if path.is_dir()}
    assert modes == {0o700}
