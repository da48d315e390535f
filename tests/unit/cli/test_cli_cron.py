"""``hermes cron`` without a gateway: on the file alone."""

import json

import pytest

from hermes.cli import main


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
