"""The jobs' file: shared with the original, never lost, never written over when it cannot be read."""

import fcntl
import json
import os
from datetime import UTC
from pathlib import Path

import pytest

from hermes.cron.job import BadJob, paused, read
from hermes.ops import cron_files
from hermes.ops.cron_files import Kept, change, drop_outputs, entry_of, keep_output, last_answer, look

GOLDEN = Path(__file__).parents[3].parent / "shared" / "reference"
JOB = {
    "id": "a1",
    "name": "a",
    "prompt": "x",
    "schedule": {"kind": "interval", "minutes": 5},
    "their own": {"é": [1, 2.5]},
}


@pytest.fixture
def home(tmp_path):
    (tmp_path / "cron").mkdir()
    return tmp_path


def put(home: Path, document: object, lead: bytes = b"") -> Path:
    path = home / "cron" / "jobs.json"
    path.write_bytes(lead + json.dumps(document).encode())
    return path


def pause(entries):
    place = entry_of(entries, "a1")
    entries[place] = paused(entries[place], 0.0, UTC)


def test_a_home_without_jobs_has_none(tmp_path):
    assert look(tmp_path, UTC).jobs == {}


@pytest.mark.parametrize("document", [{"jobs": [JOB], "theirs": 1}, [JOB]])
@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf"])
def test_what_is_not_ours_is_kept(home, document, lead):
    path = put(home, document, lead)
    change(home, UTC, 0.0, pause)
    after = json.loads(path.read_text())
    entries = after["jobs"] if isinstance(document, dict) else after
    assert entries[0]["their own"] == {"é": [1, 2.5]}
    assert entries[0]["state"] == "paused"
    assert list(entries[0])[:5] == list(JOB)
    assert not isinstance(document, dict) or after["theirs"] == 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_unchanged_file_is_not_written_and_not_read_again(home):
    path = put(home, {"jobs": [JOB]})
    book = look(home, UTC)
    change(home, UTC, 0.0, lambda entries: None)
    assert path.stat().st_ino == book.stamp[0]
    assert look(home, UTC, book) is None


def test_what_is_known_of_the_file_is_used_and_what_others_write_meanwhile_is_seen(home, monkeypatch):
    """The bytes are those of ``json.dumps``, and of an entry that stays nothing is read again."""
    other = JOB | {"id": "b", "name": 'line\u2028end\n"x"'}
    path = put(home, {"top": [], "jobs": [JOB, other], "deep": {"x": [1]}})
    book = look(home, UTC)
    read_again = []
    monkeypatch.setattr(
        cron_files, "read", lambda entry, zone: read_again.append(entry["id"]) or read(entry, zone)
    )
    _, book = change(home, UTC, 0.0, pause, book)
    assert read_again == ["a1"]
    assert path.read_text() == json.dumps(json.loads(path.read_text()), indent=2, ensure_ascii=False)

    put(home, [other])
    _, book = change(home, UTC, 0.0, lambda entries: entries.clear(), book)
    assert (read_again, book.jobs, path.read_text()) == (["a1", "b"], {}, "[]")


def test_entries_that_are_no_jobs_stay_and_say_why(home):
    path = put(home, {"jobs": [JOB, "nonsense", {"id": "b"}, dict(JOB)]})
    book = look(home, UTC)
    assert list(book.jobs) == ["a1"]
    assert len(book.faults) == 3
    change(home, UTC, 0.0, pause)
    assert json.loads(path.read_text())["jobs"][1:3] == ["nonsense", {"id": "b"}]


@pytest.mark.parametrize("data", [b"{", b"[1", b"\xff\xfe", b'{"jobs": 5}', b"7", b"[" * 100_000])
def test_a_damaged_file_is_left_as_it_is(home, data):
    path = home / "cron" / "jobs.json"
    path.write_bytes(data)
    assert look(home, UTC).unreadable.startswith(str(path))
    with pytest.raises(BadJob, match="left as it is"):
        change(home, UTC, 0.0, pause)
    assert path.read_bytes() == data


def test_an_edit_that_fails_changes_nothing(home):
    path = put(home, {"jobs": [JOB]})
    before = path.read_bytes()
    with pytest.raises(BadJob, match="there is no job"):
        change(home, UTC, 0.0, lambda entries: entry_of(entries, "nobody"))
    assert path.read_bytes() == before


def test_whoever_holds_the_lock_is_waited_for_and_then_named(home, monkeypatch):
    put(home, {"jobs": [JOB]})
    monkeypatch.setattr(cron_files, "LOCK_WAIT_S", 0.05)
    with open(home / "cron" / ".jobs.lock", "w") as theirs:
        fcntl.flock(theirs, fcntl.LOCK_EX)
        with pytest.raises(BadJob, match="locked"):
            change(home, UTC, 0.0, pause)
    change(home, UTC, 0.0, pause)


def test_a_crash_while_writing_leaves_the_old_file(home, monkeypatch):
    path = put(home, {"jobs": [JOB]})
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        change(home, UTC, 0.0, pause)
    assert path.read_bytes() == before


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden homes are not here")
@pytest.mark.parametrize("version", ["golden_home_0_13", "golden_home_0_19"])
def test_the_original_homes_keep_their_jobs(home, version):
    source = GOLDEN / version / "cron" / "jobs.json"
    path = home / "cron" / "jobs.json"
    path.write_bytes(source.read_bytes())
    before = json.loads(source.read_text("utf-8-sig"))
    book = look(home, UTC)
    entries = before["jobs"] if isinstance(before, dict) else before
    assert (len(book.jobs), book.faults) == (len(entries), ())

    def touch(found):
        found[0] = {**found[0], "name": "other"}

    change(home, UTC, 0.0, touch)
    after = json.loads(path.read_text())
    assert (after["jobs"] if isinstance(after, dict) else after)[1:] == entries[1:]


def test_answers_are_kept_and_the_oldest_go(home, monkeypatch):
    monkeypatch.setattr(cron_files, "OUTPUTS_KEPT", 3)
    job = read(JOB, UTC)
    paths = [keep_output(home, job, Kept(n, 60.0 * n, "ok"), f"answer\n---\n{n}") for n in range(5)]
    kept = sorted(one.name for one in (home / "cron" / "output" / "a1").iterdir())
    assert kept == [Path(one).name for one in paths[2:]]
    assert paths[4].endswith("/cron/output/a1/1970-01-01_00-04-00.md")
    assert last_answer(home, paths[4], 100) == "answer\n---\n4"
    assert last_answer(home, "/etc/passwd", 100) == ""
    assert last_answer(home, paths[0], 100) == ""
    assert Path(paths[4]).stat().st_mode & 0o777 == 0o600


def test_what_a_job_has_said_goes_and_nothing_of_those_whose_names_begin_alike(home):
    output = home / "cron" / "output"
    gone = ["a/2026-05-03_09-00-00.md", "a_20260503_090000.txt", "a_20260503_090000_2.txt"]
    kept = ["ab/2026-05-03_09-00-00.md", "a_b_20260503_090000.txt", "ab_20260503_090000.txt", "misc/a.md"]
    for name in (*gone, *kept):
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).touch()

    drop_outputs(home, ["a", "never ran"])

    left = sorted(str(one.relative_to(output)) for one in output.rglob("*") if one.is_file())
    assert left == sorted(kept)
    assert not (output / "a").exists()
