"""Reading logs: newest first over rotated files, then following them; whatever stands in them."""

import os
import shutil

import pytest

from actors import tree
from hermes.ops import logread
from hermes.ops.logfile import LogFile
from hermes.ops.logline import Entry, json_line, text_lines
from hermes.ops.logread import LogReader, Question, actors_at, session_at

ALL = Question()


def entry(n, level="INFO", actor="root/gateway", exc=None):
    return Entry(f"message {n}", float(n), level, "actors.x", actor, 1 if actor else None, exc)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "gateway.log"


@pytest.fixture
def log(path):
    file = LogFile(path, max_bytes=1_000, backups=3, complain=pytest.fail)
    yield file
    file.close()


def write(log, numbers, line=text_lines, **facts):
    for n in numbers:
        log.write(line(entry(n, **facts)))


def numbers(entries):
    return [int(found.message.removeprefix("message ")) for found in entries]


def read(path, question=ALL, most=None):
    with LogReader(path) as reader:
        return reader.newest(question, most)


def test_the_newest_come_oldest_first_over_rotated_files_in_both_shapes(log, path):
    write(log, range(15))
    write(log, range(15, 30), json_line, exc="Traceback\n  more")
    files = [file.name for file in path.parent.iterdir()]
    found = read(path)

    assert len(files) == 4
    assert numbers(found) == list(range(int(found[0].at), 30))
    assert len(found) > 10
    assert found[-1] == entry(29, exc="Traceback\n  more")
    assert numbers(read(path, most=3)) == [27, 28, 29]
    assert read(path, most=0) == []


def test_entries_of_many_lines_stay_whole_whatever_the_size_of_a_chunk(log, path, monkeypatch):
    trace = "\n".join(f"line {n}" for n in range(5))
    write(log, range(5), exc=trace)
    expected = read(path)
    for size in (1, 2, 7, 64):
        monkeypatch.setattr(logread, "CHUNK_BYTES", size)
        assert read(path) == expected
    assert expected[-1].exc == trace


def test_a_question_picks(log, path):
    write(log, [1], level="DEBUG")
    write(log, [2], level="WARNING", actor="root/store")
    write(log, [3], level="CRITICAL", actor=None)
    log.write("nobody's line")

    assert numbers(read(path, Question(level="WARNING"))) == [2, 3]
    assert numbers(read(path, Question(since=2.0))) == [2, 3]
    assert numbers(read(path, Question(actors=(actors_at("root/*"),)))) == [1, 2]
    assert numbers(read(path, Question(actors=(actors_at("root/*"), actors_at("**/store"))))) == [2]


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("root/gateway", "root/gateway", True),
        ("root/gateway", "root/gateway/web", True),
        ("root/gateway/", "root/gateway", True),
        ("root/gateway", "root/gateways", False),
        ("root/*", "root/gateway/web", True),
        ("root/gateway/sessions/*", "root/gateway/sessions/a:b/turn", True),
        ("root/gateway/sessions/*", "root/gateway/sessions", False),
        ("root/*/web", "root/gateway/x/web", False),
        ("root/**/web", "root/gateway/x/web", True),
        ("**/telegram:*", "root/gateway/adapters/telegram:work", True),
        ("**", "root", True),
        ("root/a.c[d]", "root/a.c[d]", True),
        ("root/a.c", "root/abc", False),
        ("(", "root/(", False),
    ],
)
def test_globs_name_actors_and_what_is_below_them(glob, path, matches):
    assert actors_at(glob)(path) == matches


def test_a_session_is_itself_and_its_turns_and_no_pattern():
    assert session_at("a:*")("root/gateway/sessions/a:*/turn")
    assert not session_at("a:*")("root/gateway/sessions/a:b")
    assert logread.SESSIONS == tree.SESSIONS


HOSTILE = [
    b"\xff\xfe not UTF-8",
    b'{"at": "2026',
    b"{" * 10_000,
    b"\x00" * 100,
    b"    indented, with nothing above",
    b"a line\rwith a return",
    b"",
    b"x" * 200_000,
]


def test_broken_lines_are_shown_and_spoil_no_other(path):
    lines = [text_lines(entry(1)).encode(), *HOSTILE, json_line(entry(2)).encode()]
    path.write_bytes(b"\n".join(lines) + b"\n")
    found = read(path)

    assert (found[0], found[-1]) == (entry(1), entry(2))
    assert "�� not UTF-8" in found[1].message
    assert numbers(read(path, Question(level="DEBUG"))) == [1, 2]
    os.truncate(path, 0)
    with LogReader(path) as reader:
        path.write_bytes(b"\n".join(lines) + b"\n")
        assert follow(reader) == found


def test_a_line_without_any_end_is_cut_and_the_rest_is_read(path, monkeypatch):
    monkeypatch.setattr(logread, "LINE_BYTES", 100)
    monkeypatch.setattr(logread, "CHUNK_BYTES", 10)
    path.write_text(text_lines(entry(1)) + "\n" + "x" * 1_000 + "\n" + text_lines(entry(2)) + "\n")
    found = read(path)

    assert (found[0], found[-1]) == (entry(1), entry(2))
    assert "".join(part.message for part in found[1:-1]) == "x" * 1_000


def test_a_line_that_is_being_written_is_left_for_later(path):
    path.write_text(text_lines(entry(1)) + "\n" + text_lines(entry(2))[:20])

    with LogReader(path) as reader:
        assert numbers(reader.newest(ALL, None)) == [1]
        assert reader.poll() == []
        with path.open("a") as file:
            file.write(text_lines(entry(2))[20:] + "\n")
        assert numbers(reader.poll() + reader.poll()) == [2]


def follow(reader):
    """Everything there is by now."""
    return reader.poll() + reader.poll()


def test_following_gives_what_comes_each_once(log, path):
    write(log, [1, 2])
    with LogReader(path) as reader:
        assert numbers(reader.newest(ALL, 1)) == [2]
        assert follow(reader) == []
        write(log, [3, 4], exc="Traceback\n  more")
        assert numbers(follow(reader)) == [3, 4]
        assert follow(reader) == []


def test_following_waits_for_the_rest_of_an_entry(log, path):
    write(log, [1])
    with LogReader(path) as reader:
        log.write(text_lines(entry(2)))
        assert reader.poll() == []
        log.write("  | Traceback")
        assert reader.poll() == []
        assert reader.poll() == [entry(2, exc="Traceback")]


@pytest.mark.parametrize("at_once", [1, 7, 25])
def test_following_goes_on_over_rotations_without_a_gap(path, at_once):
    """25 entries at once are two rotations between two looks."""
    log = LogFile(path, max_bytes=1_000, backups=5, complain=pytest.fail)
    write(log, [0])
    found = []
    with LogReader(path) as reader:
        for start in range(1, 100, at_once):
            write(log, range(start, min(start + at_once, 100)))
            found += reader.poll()
        found += follow(reader)
    log.close()

    assert numbers(found) == list(range(1, 100))
    assert (path.parent / "gateway.log.3").exists()


def test_following_begins_with_the_first_log(path):
    with LogReader(path) as reader:
        assert not reader.exists
        assert reader.newest(ALL, None) == []
        assert follow(reader) == []
        log = LogFile(path, max_bytes=1_000, backups=3, complain=pytest.fail)
        write(log, [1])
        log.close()
        assert numbers(follow(reader)) == [1]


def test_following_outlives_a_directory_that_is_deleted(tmp_path):
    path = tmp_path / "logs" / "gateway.log"
    said = []
    log = LogFile(path, max_bytes=300, backups=3, complain=said.append)
    write(log, range(8))
    with LogReader(path) as reader:
        shutil.rmtree(path.parent)
        assert follow(reader) == []
        write(log, [8, 9])
        found = follow(reader)
    log.close()

    assert numbers(found) == [8, 9]


def test_following_does_not_go_back_to_older_files_when_its_own_is_gone(log, path):
    write(log, range(30))
    with LogReader(path) as reader:
        path.unlink()
        path.write_text(text_lines(entry(31)) + "\n")
        assert numbers(follow(reader)) == [31]


def test_following_notices_a_file_that_was_emptied(log, path):
    write(log, range(5))
    with LogReader(path) as reader:
        os.truncate(path, 0)
        write(log, [7])
        assert numbers(follow(reader)) == [7]


def test_half_a_line_at_the_end_of_a_file_that_was_set_aside_is_shown(path):
    path.write_text("half a li")
    with LogReader(path) as reader:
        path.rename(f"{path}.1")
        path.write_text(text_lines(entry(1)) + "\n")
        assert follow(reader) == [Entry("half a li"), entry(1)]


def test_a_file_twice_in_a_rotation_is_read_once(path):
    path.write_text(text_lines(entry(1)) + "\n")
    os.link(path, f"{path}.1")

    assert numbers(read(path)) == [1]


def test_files_last_written_before_are_not_even_read(log, path, monkeypatch):
    write(log, range(30))
    for file in path.parent.glob("*.log.*"):
        os.utime(file, (5, 5))
    parsed = []
    monkeypatch.setattr(logread, "parse", lambda block: parsed.append(block) or Entry("x"))
    read(path, Question(since=10.0))

    assert len(parsed) == len(path.read_text().splitlines())


def test_what_may_not_be_read_raises(tmp_path):
    with pytest.raises(IsADirectoryError):
        LogReader(tmp_path)
