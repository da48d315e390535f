"""Schedules: what people may write, and the instants it names on ordinary days and in the nights in which clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hermes.cron.misfire import due, grace
from hermes.cron.schedule import (
    BadSchedule,
    Cron,
    Interval,
    Once,
    duration,
    first,
    following,
    from_json,
    iso,
    parse,
    to_json,
    zone_named,
)

NOW = datetime(2026, 3, 4, 10, 20, 30, tzinfo=UTC).timestamp()
NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


@pytest.mark.parametrize(
    ("text", "minutes", "display"),
    [
        ("30m", 30, "once in 30m"),
        ("2h", 120, "once in 2h"),
        ("1d", 1440, "once in 1d"),
        ("1 D", 1440, "once in 1D"),
    ],
)
def test_a_duration_is_once_that_far_from_now(text, minutes, display):
    assert parse(text, NOW, UTC) == Once(NOW + 60 * minutes, display)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("every 30m", 30), ("every 2h", 120), ("Every 1 day", 1440), ("every  90m", 90), ("EVERY 5 mins", 5)],
)
def test_every_is_an_interval(text, minutes):
    assert parse(text, NOW, UTC) == Interval(minutes, f"every {minutes}m")


@pytest.mark.parametrize(
    "text",
    [
        "0 9 * * *",
        "*/5 * * * *",
        "0 9 * * 1-5",
        "0 9 1,15 * *",
        "0 9 * * * *",
        "0 9 * * MON-FRI",
        "0 9 1 jan *",
        "@daily",
    ],
)
def test_cron_expressions(text):
    assert parse(text, NOW, UTC) == Cron(text, text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("0 9 * * * 2027", "second"),
        ("60 9 * * *", "minute"),
        ("0 9 L * *", "no schedule"),
        ("0 9 * * FRI#1", "no schedule"),
        ("0 9 * * FOO", "no schedule"),
        ("0 9 * * ٣", "no schedule"),
        ("@reboot", "@daily"),
        ("0 9 * *", "no schedule"),
        ("tomorrow", "no schedule"),
        ("", "no schedule is given"),
        ("every", "every what"),
        ("every monday", "no duration"),
        ("every 0m", "never stop"),
        ("every 0 days", "never stop"),
        ("every -5m", "no duration"),
        ("2026-13-03T14:00", "no time"),
        ("2026-02-30", "no time"),
        ("99999999999d", "fifty years"),
        ("0 0 30 2 *", "day"),
        ("0 " + "9" * 5000 + " * * *", "no cron expression"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(text, word):
    with pytest.raises(BadSchedule) as refused:
        parse(text, NOW, UTC)
    assert word in refused.value.failure.detail
    assert len(refused.value.failure.detail) < 400


@pytest.mark.parametrize("text", ["1w", "30s", "-5m", "1.5h", "", "h", "٥m"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(BadSchedule):
        duration(text)


@pytest.mark.parametrize(
    ("text", "minutes"), [("1 d", 1440), (" 5M ", 5), ("0m", 0), ("3 hours", 180), ("2hrs", 120)]
)
def test_durations(text, minutes):
    assert duration(text) == minutes


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-02-03T14:00:00Z", "2026-02-03T14:00:00+00:00"),
        ("2026-05-03", "2026-05-03T00:00:00-04:00"),
        ("2026-05-03 14:00", "2026-05-03T14:00:00-04:00"),
        ("2026-11-01T01:30", "2026-11-01T01:30:00-04:00"),
        ("2026-11-01T01:30-05:00", "2026-11-01T01:30:00-05:00"),
    ],
)
def test_times_without_a_zone_are_those_of_the_job_and_the_first_of_two(text, meant):
    schedule = parse(text, NOW, NEW_YORK)
    assert isinstance(schedule, Once)
    assert schedule.at == datetime.fromisoformat(meant).timestamp()


def test_a_time_that_is_over_is_read_and_then_refused():
    schedule = parse("2026-02-03T14:00", NOW, UTC)
    with pytest.raises(BadSchedule, match="is over"):
        first(schedule, NOW, UTC)
    assert first(Once(NOW - 119, ""), NOW, UTC) == NOW - 119


def test_zones_that_there_are_not_are_refused():
    for name in ("Mars/Olympus", "../../etc/passwd", "", "Europe"):
        with pytest.raises(BadSchedule):
            zone_named(name)


@pytest.mark.parametrize("text", ["30m", "every 90m", "0 9 * * 1-5", "2026-05-03 14:00"])
def test_the_file_gives_back_what_it_was_given(text):
    schedule = parse(text, NOW, NEW_YORK)
    assert from_json(to_json(schedule, NEW_YORK), NEW_YORK) == schedule


@pytest.mark.parametrize(
    "written",
    [
        None,
        {},
        {"kind": "interval", "minutes": 0},
        {"kind": "interval", "minutes": True},
        {"kind": "cron", "expr": "x"},
    ],
)
def test_a_schedule_in_the_file_that_is_none_is_refused(written):
    with pytest.raises(BadSchedule):
        from_json(written, UTC)


def test_the_next_run_of_an_interval_is_counted_from_the_last():
    job = Interval(30, "")
    assert first(job, NOW, UTC) == NOW + 1800
    assert following(job, NOW, UTC) == NOW + 1800
    assert following(Once(NOW, ""), NOW, UTC) is None


# --- the nights ---------------------------------------------------------------------------------------------------------------


def instants(expression: str, start: str, until: str, zone: ZoneInfo = NEW_YORK) -> list[str]:
    at = datetime.fromisoformat(start).replace(tzinfo=zone).timestamp()
    end = datetime.fromisoformat(until).replace(tzinfo=zone).timestamp()
    found = []
    while (at := following(Cron(expression, ""), at, zone)) <= end:
        found.append(iso(at, zone)[5:])
    return found


@pytest.mark.parametrize(
    ("expression", "night", "expected"),
    [
        ("30 2 * * *", "2026-03-08", ["03-08T03:00:00-04:00"]),
        ("0 * * * *", "2026-03-08", ["03-08T01:00:00-05:00", "03-08T03:00:00-04:00", "03-08T04:00:00-04:00"]),
        ("30 1 * * *", "2026-11-01", ["11-01T01:30:00-04:00"]),
        (
            "15 1-3 * * *",
            "2026-11-01",
            ["11-01T01:15:00-04:00", "11-01T02:15:00-05:00", "11-01T03:15:00-05:00"],
        ),
        (
            "*/30 1 * * *",
            "2026-11-01",
            ["11-01T01:00:00-04:00", "11-01T01:30:00-04:00", "11-01T01:00:00-05:00", "11-01T01:30:00-05:00"],
        ),
        ("*/30 2 * * *", "2026-03-08", []),
        ("30 2,3 * * *", "2026-03-08", ["03-08T03:00:00-04:00", "03-08T03:30:00-04:00"]),
        ("0,30 2 * * *", "2026-03-08", ["03-08T03:00:00-04:00"]),
    ],
)
def test_AC35_the_nights_in_which_the_clocks_change(expression, night, expected):
    assert instants(expression, f"{night}T00:30", f"{night}T04:00") == expected


def test_AC35_half_an_hour_of_change_is_one_too():
    assert instants("45 1 * * *", "2026-04-05T00:00", "2026-04-06T00:00", LORD_HOWE) == [
        "04-05T01:45:00+11:00"
    ]
    assert instants("15 2 * * *", "2026-10-04T00:00", "2026-10-05T00:00", LORD_HOWE) == [
        "10-04T02:30:00+11:00"
    ]


@given(
    st.sampled_from(
        [
            "30 1 * * *",
            "50 1 * * *",
            "*/7 * * * *",
            "15 1-3 * * *",
            "0 0 29 2 *",
            "30 2 * * SUN",
            "* * * * * */9",
        ]
    ),
    st.floats(0, 86_400),
    st.sampled_from(["2026-03-08", "2026-11-01", "2026-06-01"]),
)
@settings(max_examples=100, deadline=None)
def test_the_next_instant_is_always_later(expression, offset, day):
    after = datetime.fromisoformat(day).replace(tzinfo=NEW_YORK).timestamp() + offset
    assert following(Cron(expression, ""), after, NEW_YORK) > after


def test_in_the_second_pass_what_came_in_the_first_does_not_come_again():
    second = datetime(2026, 11, 1, 1, 20, fold=1, tzinfo=NEW_YORK).timestamp()
    assert iso(following(Cron("30 1 * * *", ""), second, NEW_YORK), NEW_YORK) == "2026-11-02T01:30:00-05:00"


def test_of_two_restricted_days_one_is_enough_and_a_starred_step_restricts():
    both = Cron("0 0 13 * FRI", "")
    step = Cron("0 0 */10 * 1", "")
    start = datetime(2026, 3, 1, tzinfo=UTC).timestamp() - 1
    found = [start := following(both, start, UTC) for _ in range(3)]
    assert [datetime.fromtimestamp(at, UTC).day for at in found] == [6, 13, 20]
    start = datetime(2026, 3, 1, tzinfo=UTC).timestamp() - 1
    found = [start := following(step, start, UTC) for _ in range(5)]
    assert [datetime.fromtimestamp(at, UTC).day for at in found] == [1, 2, 9, 11, 16]


def test_a_sixth_field_is_seconds():
    at = following(Cron("0 9 * * * 15", ""), NOW, UTC)
    assert datetime.fromtimestamp(at, UTC).strftime("%d %H:%M:%S") == "05 09:00:15"


# --- after a gap ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "expected"), [(1, 120), (5, 150), (60, 1800), (24 * 60, 7200)])
def test_grace_is_half_the_period_within_bounds(minutes, expected):
    assert grace(Interval(minutes, ""), NOW, UTC) == expected


def test_before_its_time_nothing_is_due():
    assert due(Interval(30, ""), NOW + 1, NOW, UTC, "once").run == ()


@pytest.mark.parametrize(
    ("policy", "late_s", "run", "missed"),
    [
        ("once", 0, [3600], 2),
        ("once", 1700, [3600], 2),
        ("skip", 0, [3600], 2),
        ("skip", 1700, [], 3),
        ("all", 1700, [0, 1800, 3600], 0),
    ],
)
def test_AC35_misfire_policies(policy, late_s, run, missed):
    found = due(Interval(30, ""), NOW, NOW + 3600 + late_s, UTC, policy)
    assert ([at - NOW for at in found.run], found.missed, found.next) == (run, missed, NOW + 5400)


def test_a_long_row_of_missed_instants_is_bounded_and_quick():
    found = due(Interval(1, ""), NOW, NOW + 60 * 1_000_000, UTC, "all")
    assert (len(found.run), found.missed, found.run[-1]) == (100, 999_901, NOW + 60 * 1_000_000)
    assert due(Interval(1, ""), NOW, NOW + 60 * 1_000_000, UTC, "once").missed == 1_000_000


def test_a_reminder_that_was_missed_comes_late():
    found = due(Once(NOW, ""), NOW, NOW + 86_400, UTC, "once")
    assert (found.run, found.next) == ((NOW,), None)
    assert due(Once(NOW, ""), NOW, NOW + 86_400, UTC, "skip").run == ()


def test_AC49_a_jump_of_the_clock_is_a_gap_like_any_other():
    zone, at = NEW_YORK, datetime(2026, 3, 7, 9, tzinfo=NEW_YORK)
    later = (at + timedelta(days=3)).timestamp()
    found = due(Cron("0 9 * * *", ""), at.timestamp(), later, zone, "once")
    assert (len(found.run), found.missed, found.run[0]) == (1, 3, later)
