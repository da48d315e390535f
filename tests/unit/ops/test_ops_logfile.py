"""The file of a log: private, rotating, and calm about whatever happens to it."""

import os
import resource
import shutil
import stat

import pytest

from hermes.ops.logfile import LogFile


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def file(tmp_path, complaints):
    log = LogFile(tmp_path / "logs" / "a.log", max_bytes=20, backups=2, complain=complaints.append)
    yield log
    log.close()


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "logs"


def contents(logs):
    return {path.name: path.read_text() for path in sorted(logs.iterdir())}


def test_lines_are_appended(file, logs):
    file.write("one")
    file.write("two")

    assert contents(logs) == {"a.log": "one\ntwo\n"}


def test_a_file_that_would_grow_too_long_is_set_aside_and_the_oldest_goes(file, logs, complaints):
    for n in range(5):
        file.write(f"{n}" * 12)

    assert contents(logs) == {
        "a.log": "4" * 12 + "\n",
        "a.log.1": "3" * 12 + "\n",
        "a.log.2": "2" * 12 + "\n",
    }
    assert complaints == []


def test_one_line_longer_than_a_file_may_be_has_one_of_its_own(file, logs):
    file.write("short")
    file.write("x" * 50)
    file.write("y")

    assert contents(logs) == {"a.log": "y\n", "a.log.1": "x" * 50 + "\n", "a.log.2": "short\n"}


def test_an_empty_file_is_not_set_aside_for_a_long_line(file, logs):
    file.write("x" * 50)

    assert contents(logs) == {"a.log": "x" * 50 + "\n"}


def test_S41_it_is_private_under_umask_000_also_after_a_rotation(tmp_path, complaints):
    before = os.umask(0)
    try:
        log = LogFile(tmp_path / "logs" / "a.log", max_bytes=20, backups=2, complain=complaints.append)
        for _ in range(4):
            log.write("x" * 15)
        log.close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "logs").iterdir()}

    assert modes == dict.fromkeys(["a.log", "a.log.1", "a.log.2"], 0o600)
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_S44_a_symbolic_link_is_not_followed(tmp_path, complaints):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "a.log").symlink_to(victim)

    with pytest.raises(OSError, match="symbolic links"):
        LogFile(tmp_path / "a.log", max_bytes=20, backups=2, complain=complaints.append)
    assert victim.read_text() == "precious"


def test_S44_a_symbolic_link_put_there_later_is_not_followed_either(file, logs, tmp_path, complaints):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    file.write("one")
    (logs / "a.log").unlink()
    (logs / "a.log").symlink_to(victim)
    (logs / "a.log.1").symlink_to(victim)
    for _ in range(3):
        file.write("x" * 15)

    assert victim.read_text() == "precious"
    assert [complaint.partition(": ")[0].rpartition("/")[2] for complaint in complaints] == [
        "a.log was taken away; a new one begins",
        "a.log cannot be written",
    ]


def test_a_directory_that_was_deleted_is_made_again_and_that_is_said_once(file, logs, complaints):
    for n in range(3):
        file.write(f"before {n}")
        shutil.rmtree(logs)
        file.write(f"after {n}")

    assert contents(logs) == {"a.log": "after 2\n"}
    assert complaints == [f"log file {logs / 'a.log'} was taken away; a new one begins"]


def test_a_file_that_another_program_has_moved_is_begun_anew(file, logs):
    file.write("one")
    (logs / "a.log").rename(logs / "moved")
    file.write("two")

    assert contents(logs) == {"a.log": "two\n", "moved": "one\n"}


def test_a_disk_that_refuses_is_complained_of_once_and_lines_come_again_when_it_takes_them(
    file, logs, complaints
):
    """The limit on the size of files stands in for the disk: both cut a write short, then fail it."""
    file.write("one")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6, limit[1]))
        file.write("lost")
        file.write("also")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    file.write("three")

    assert contents(logs) == {"a.log": "one\nlo\nthree\n"}
    assert len(complaints) == 1
    assert complaints[0].startswith(f"log file {logs / 'a.log'} cannot be written: File too large")


def test_a_file_that_cannot_be_set_aside_grows_no_further(file, logs, complaints):
    file.write("x" * 15)
    (logs / "a.log.1").mkdir()
    (logs / "a.log.1" / "full").touch()
    (logs / "a.log.2").mkdir()
    (logs / "a.log.2" / "full").touch()
    file.write("y" * 15)
    file.write("z" * 15)

    assert (logs / "a.log").read_text() == "x" * 15 + "\n"
    assert len(complaints) == 1


def test_half_a_line_that_a_crash_has_left_does_not_spoil_the_next_one(tmp_path, complaints):
    (tmp_path / "a.log").write_text("half a li")
    log = LogFile(tmp_path / "a.log", max_bytes=100, backups=1, complain=complaints.append)
    log.write("whole")
    log.close()

    assert (tmp_path / "a.log").read_text() == "half a li\nwhole\n"


def test_text_that_is_no_unicode_is_written_all_the_same(file, logs):
    file.write("a\udc80b")

    assert contents(logs) == {"a.log": "a\\udc80b\n"}


def test_lines_that_come_together_are_split_between_files_as_if_each_came_alone(file, logs, complaints):
    file.write(*(f"{n}" * 8 for n in range(5)))

    assert contents(logs) == {
        "a.log": "4" * 8 + "\n",
        "a.log.1": "2" * 8 + "\n" + "3" * 8 + "\n",
        "a.log.2": "0" * 8 + "\n" + "1" * 8 + "\n",
    }
    assert complaints == []


def test_no_lines_are_no_line(file, logs):
    file.write()

    assert contents(logs) == {"a.log": ""}
