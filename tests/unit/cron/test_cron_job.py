"""Jobs as the original's file has them: read, made and changed; what they say."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from hermes.cron import job as jobs
from hermes.cron import words
from hermes.cron.job import BadJob, Home, Wish
from hermes.cron.schedule import BadSchedule, Cron, Interval, Once, parse
from hermes.delivery.job_targets import targets
from hermes.delivery.targets import Place

NOW = datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC).timestamp()
EVERY = parse("every 30m", NOW, UTC)
CHAT = Home("telegram", "default", "789", "5")


def made(**wish):
    return jobs.made(Wish(**{"schedule": EVERY, "prompt": "say hi"} | wish), "abc", NOW, UTC)


def test_what_is_made_is_what_the_original_writes():
    entry = made()
    assert entry["schedule"] == {"kind": "interval", "minutes": 30, "display": "every 30m"}
    assert entry["next_run_at"] == "2026-03-04T10:50:30+00:00"
    assert (entry["name"], entry["deliver"], entry["repeat"]) == (
        "say hi",
        "local",
        {"times": None, "completed": 0},
    )
    assert jobs.read(entry, UTC).kind == "agent"
    json.dumps(entry)


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"prompt": None}, "nothing to do"),
        ({"message": "x"}, "message"),
        ({"deliver": "origin"}, "leads nowhere"),
        ({"deliver": "local, Origin"}, "leads nowhere"),
        ({"misfire": "twice"}, "once, skip, all"),
        ({"overlap": "never"}, "skip, queue, cancel"),
        ({"tz": "Mars"}, "no time zone"),
        ({"jitter_s": -1.0}, "jitter_s"),
        ({"jitter_s": float("nan")}, "jitter_s"),
        ({"deadline_s": 1e9}, "deadline_s"),
        ({"prompt": "run `hermes gateway restart` for me"}, "stop or restart"),
        ({"prompt": "a\0b"}, "NUL"),
    ],
)
def test_a_job_that_cannot_be_is_refused_in_words(wish, word):
    with pytest.raises((BadJob, BadSchedule)) as refused:
        made(**wish)
    assert word in refused.value.failure.detail


def test_AC24_origin_is_taken_where_there_is_one():
    entry = made(origin=CHAT)
    assert entry["deliver"] == "origin"
    assert jobs.read(entry, UTC).origin == CHAT


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"id": "../x"}, "its id"),
        ({"id": 7}, "its id"),
        ({"schedule": None}, "schedule"),
        ({"next_run_at": 5}, "next_run_at"),
        ({"next_run_at": "soon"}, "no time"),
        ({"prompt": ["x"]}, "prompt"),
        ({"deliver": [1]}, "deliver"),
    ],
)
def test_an_entry_that_is_no_job_says_why(fields, word):
    with pytest.raises((BadJob, BadSchedule)) as refused:
        jobs.read(made() | fields, UTC)
    assert word in refused.value.failure.detail


def test_ids_of_an_origin_may_be_numbers():
    entry = made() | {"origin": {"platform": "Telegram", "chat_id": -100, "thread_id": 17}}
    assert jobs.read(entry, UTC).origin == Home("telegram", "default", "-100", "17")


def test_a_job_goes_on_in_its_own_zone():
    entry = made(schedule=parse("0 9 * * *", NOW, UTC), tz="America/New_York")
    assert entry["next_run_at"] == "2026-03-04T09:00:00-05:00"
    assert jobs.read(entry, UTC).zone == ZoneInfo("America/New_York")


def test_once_is_over_after_one_run_and_times_are_counted():
    once = made(schedule=Once(NOW + 60, "x"), times=5)
    job = jobs.read(once, UTC)
    assert job.left == 1
    over = jobs.advanced(once, job, None, 1)
    assert (over["state"], over["enabled"], over["next_run_at"]) == ("completed", False, None)
    thrice = made(times=3)
    going = jobs.advanced(thrice, jobs.read(thrice, UTC), NOW + 9, 2)
    assert (going["state"], going["repeat"]) == ("scheduled", {"times": 3, "completed": 2})
    assert made(times=0)["repeat"]["times"] is None


def test_pause_and_resume():
    entry = jobs.paused(made(), NOW, UTC, "holidays")
    assert not jobs.read(entry, UTC).enabled
    entry = jobs.resumed(entry, NOW + 86_400, UTC)
    assert entry["next_run_at"] == "2026-03-05T10:50:30+00:00"
    assert entry["paused_reason"] is None
    done = jobs.advanced(made(times=1), jobs.read(made(times=1), UTC), None, 1)
    with pytest.raises(BadJob, match="as often as it should"):
        jobs.resumed(done, NOW, UTC)


def test_what_is_not_ours_is_kept():
    entry = made() | {"theirs": {"a": [1.5]}}
    changed = jobs.changed(entry, Wish(name="other"), NOW, UTC)
    assert changed["theirs"] == {"a": [1.5]}
    assert changed["next_run_at"] == entry["next_run_at"]


def test_jitter_is_within_its_bounds_and_always_the_same():
    job = jobs.read(made(jitter_s=60.0), UTC)
    found = [job.jitter(NOW + n) for n in range(50)]
    assert found == [job.jitter(NOW + n) for n in range(50)]
    assert all(0 <= one < 60 for one in found)
    assert len(set(found)) == 50


# --- where it goes --------------------------------------------------------------------------------------------------------------

ORIGIN = Place("telegram", "default", "789", "5")
HOMES = (Place("telegram", "default", "111"), Place("discord", "default", "222"))


@pytest.mark.parametrize(
    ("deliver", "origin", "expected"),
    [
        (("local",), ORIGIN, []),
        ((), ORIGIN, []),
        (("",), ORIGIN, []),
        (("origin",), ORIGIN, ["telegram:789:5"]),
        (("origin",), None, ["home"]),
        (("telegram",), ORIGIN, ["telegram:789:5"]),
        (("telegram",), None, ["telegram"]),
        (("discord",), ORIGIN, ["discord"]),
        (("telegram:-100:17",), ORIGIN, ["telegram:-100:17"]),
        (("all",), None, ["telegram:111", "discord:222"]),
        (("origin", "all"), ORIGIN, ["telegram:789:5", "discord:222"]),
        (("discord", "Local", "discord"), ORIGIN, ["discord"]),
        (("slack",), ORIGIN, ["slack"]),
    ],
)
def test_targets(deliver, origin, expected):
    assert targets(deliver, origin, HOMES) == expected


# --- words --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("[SILENT]", True),
        ("[silent] nothing new", True),
        ("All quiet.\n[SILENT]", True),
        ("NO_REPLY\nbecause nothing happened", True),
        ("report\n\nno reply", True),
        ("SILENT", True),
        ("he was [SILENT] all day", False),
        ("Silent retry succeeded", False),
        ("one\nSILENT\ntwo", False),
        ("", False),
    ],
)
def test_silence(text, silent):
    assert words.is_silent(text) is silent


def test_a_failure_is_one_short_line():
    line = words.failed("a\njob", "it broke\n" * 100)
    assert "\n" not in line
    assert len(line) == 180


@pytest.mark.parametrize(
    ("output", "wakes"),
    [
        ('x\n{"wakeAgent": false}\n\n', False),
        ('{"wakeAgent": false}\nx', True),
        ('{"wakeAgent": 0}', True),
        ("{", True),
        ("", True),
        ("[" * 10_000, True),
    ],
)
def test_the_wake_gate(output, wakes):
    assert words.wakes(output) is wakes


def test_kinds():
    assert jobs.read(made(prompt=None, script="a.sh"), UTC).kind == "script"
    assert jobs.read(made(script="a.sh"), UTC).kind == "agent"
    assert jobs.read(made(prompt=None, message="hi"), UTC).kind == "message"
    assert isinstance(jobs.read(made(), UTC).schedule, Interval)
    assert isinstance(jobs.read(made(schedule=Cron("@daily", "@daily")), UTC).schedule, Cron)
