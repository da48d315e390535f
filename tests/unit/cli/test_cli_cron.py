"""``hermes cron`` without a gateway: on the file alone."""

import json
import time

import pytest

from hermes.cli import main
from hermes.cli.cron import line


@pytest.fixture
def cron(tmp_path, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["cron", *arguments, "--home", str(tmp_path)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_job_from_its_making_to_its_end(cron, tmp_path):
    code, out, _ = cron(
        "create", "0 9 * * MON-FRI", "how are things?", "--name", "Morning", "--tz", "Europe/Berlin", "--json"
    )
    job = json.loads(out)["job"]
    assert (code, job["kind"], job["next_run_at"][10:19]) == (0, "agent", "T09:00:00")
    (entry,) = json.loads((tmp_path / "cron" / "jobs.json").read_text())["jobs"]
    assert entry["schedule"] == {"kind": "cron", "expr": "0 9 * * MON-FRI", "display": "0 9 * * MON-FRI"}
    assert (tmp_path / "cron" / "jobs.json").stat().st_mode & 0o777 == 0o600

    assert "paused" in cron("pause", "morning")[1]
    assert "scheduled" in cron("resume", job["id"])[1]
    assert "@daily" in cron("edit", "Morning", "--schedule", "@daily", "--repeat", "3")[1]
    assert "Morning" in cron()[1]
    assert cron("remove", "Morning")[0] == 0
    assert "no jobs" in cron("list")[1]


def test_what_of_a_job_is_kept_and_not_followed_is_said(cron, tmp_path):
    cron("create", "@daily", "x")
    path = tmp_path / "cron" / "jobs.json"
    document = json.loads(path.read_text())
    document["jobs"][0] |= {"model": "gpt-9", "workdir": "/srv/x", "skills": []}
    path.write_text(json.dumps(document))
    assert "kept, and not followed here: model gpt-9, workdir /srv/x" in cron("list")[1]


def test_before_anything_has_run_its_status_tells_of_the_jobs_in_the_terminals_own_time(cron, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        out = cron("create", "2199-05-03T14:00", "x", "--tz", "UTC")[1] + cron("status")[1]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert "next 2199-05-03 10:00:00\n" in out
    assert out.endswith("1 jobs, 1 of them enabled\nnext: x at 2199-05-03 10:00:00\n")


def test_a_moment_that_is_none_is_shown_as_it_is_written(cron, tmp_path):
    cron("create", "@daily", "x")
    path = tmp_path / "cron" / "jobs.json"
    document = json.loads(path.read_text())
    document["jobs"][0] |= {"last_run_at": "yesterday", "last_status": "ok"}
    path.write_text(json.dumps(document))
    assert "last ok yesterday" in cron("list")[1]


def test_what_somebody_else_has_written_is_shown_as_it_will_run(cron, tmp_path):
    (tmp_path / "cron").mkdir()
    jobs = [
        {"id": "a", "schedule": {"kind": "cron", "expr": "@daily"}, "prompt": "x"},
        {"id": "b", "schedule": {"kind": "never"}, "prompt": "x"},
    ]
    (tmp_path / "cron" / "jobs.json").write_text(json.dumps({"jobs": jobs}))
    first, second, why = cron("list")[1].splitlines()
    assert first.split()[:2] == ["a", "scheduled"]
    assert second.split() == ["b", "unusable", "?"]
    assert "its schedule is neither" in why
    assert cron("remove", "b")[1] == "b  is removed\n"


def test_a_run_says_why_its_words_wait():
    run = {
        "due_at": 0.0,
        "job_id": "a",
        "name": "a",
        "run_state": "ok",
        "delivery_state": "pending",
        "by_hand": False,
        "error": "",
        "delivery_error": "",
        "underway": [{"state": "retry", "failure": "rate_limited"}, {"state": "prepared", "failure": ""}],
    }
    assert line(run).endswith("a  a  ok, pending  retry: rate_limited")


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("create", "every 0m", "x"), 1, "never stop"),
        (("create", "1h"), 1, "nothing to do"),
        (("create", "1h", "x", "--misfire", "twice"), 2, "misfire"),
        (("create", "1h", "x", "--deliver", "origin"), 1, "leads nowhere"),
        (("pause", "nobody"), 1, "no job 'nobody'"),
        (("run", "x"), 3, "no gateway runs"),
        (("runs",), 1, "no database"),
    ],
)
def test_what_cannot_be_is_refused_in_words(cron, tmp_path, arguments, code, word):
    got, _, err = cron(*arguments)
    assert (got, word in err) == (code, True), err
    assert not (tmp_path / "cron" / "jobs.json").exists()


def test_errors_are_json_where_json_is_asked_for(cron):
    code, _, err = cron("create", "never", "x", "--json")
    assert (code, json.loads(err)["error"]["type"]) == (1, "bad_schedule")


def test_a_damaged_file_is_named_and_left(cron, tmp_path):
    (tmp_path / "cron").mkdir()
    (tmp_path / "cron" / "jobs.json").write_text("{")
    for arguments in (("list",), ("create", "1h", "x"), ("remove", "x")):
        code, _, err = cron(*arguments)
        assert code == 1
        assert "jobs.json" in err
    assert (tmp_path / "cron" / "jobs.json").read_text() == "{"


def test_a_script_that_is_missing_makes_no_job(cron, tmp_path):
    code, out, err = cron("create", "@daily", "--script", "disk.sh")
    assert (code, out) == (1, "")
    assert "no script 'disk.sh'" in err
    assert not (tmp_path / "cron" / "jobs.json").exists()
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "disk.sh").touch()
    assert cron("create", "@daily", "--script", "disk.sh", "--name", "d")[0] == 0
    assert "no script 'other.sh'" in cron("edit", "d", "--script", "other.sh")[2]


def test_what_a_deadline_comes_to_is_said(cron):
    assert "given up" not in cron("create", "@daily", "x", "--name", "d")[1]
    assert "a run is given up after 3,600 s\n" in cron("create", "@daily", "x", "--deadline", "0")[1]
    assert "a run is given up after 90 s\n" in cron("edit", "d", "--deadline", "90")[1]
    assert "a run is given up after 3,600 s\n" in cron("edit", "d", "--deadline", "0")[1]
