"""What people write after /remind: understood where there is one meaning, and answered in words where there is not."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.cron.schedule import BadSchedule, first, parse
from hermes.cron.spoken import Add, Cancel, Show, often, read
from hermes.types.errors import GatewayError
from hermes.types.texts import REMIND_EXAMPLES

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 4, 10, 20, 30, tzinfo=BERLIN).timestamp()  # a Wednesday


@pytest.mark.parametrize(
    ("text", "schedule", "said"),
    [
        ("in 20m call Ana", "20m", "call Ana"),
        ("20m call Ana", "20m", "call Ana"),
        ("me in 20 minutes to call Ana", "20m", "call Ana"),
        ("In 1h30m: tea", "90m", "tea"),
        ("in 1 hour and 30 minutes tea", "90m", "tea"),
        ("in 1h 5 minutes of silence", "60m", "5 minutes of silence"),
        ("in half an hour, tea", "30m", "tea"),
        ("in a week pay", "10080m", "pay"),
        ("2 days rest", "2880m", "rest"),
        ("tomorrow 9:00 plants\nand the cat", "2026-03-05T09:00:00+01:00", "plants\nand the cat"),
        ("tomorrow at 9am plants", "2026-03-05T09:00:00+01:00", "plants"),
        ("at 9:00 tomorrow plants", "2026-03-05T09:00:00+01:00", "plants"),
        ("today 17:30 go", "2026-03-04T17:30:00+01:00", "go"),
        ("17:30 go", "2026-03-04T17:30:00+01:00", "go"),
        ("9:00 go", "2026-03-05T09:00:00+01:00", "go"),
        ("noon eat", "2026-03-04T12:00:00+01:00", "eat"),
        ("12am sleep", "2026-03-05T00:00:00+01:00", "sleep"),
        ("on friday 18:30 football", "2026-03-06T18:30:00+01:00", "football"),
        ("wed 9:00 late", "2026-03-11T09:00:00+01:00", "late"),
        ("wed 11:00 soon", "2026-03-04T11:00:00+01:00", "soon"),
        ("2026-12-24 17:00 tree", "2026-12-24T17:00:00+01:00", "tree"),
        ("2026-12-24T17:00Z tree", "2026-12-24T17:00Z", "tree"),
        ("2026-03-29 2:30 the night", "2026-03-29T03:30:00+02:00", "the night"),
        ("every day 9:00 stand-up", "0 9 * * *", "stand-up"),
        ("daily at 9:05 stand-up", "5 9 * * *", "stand-up"),
        ("every weekday 9:00 stand-up", "0 9 * * MON-FRI", "stand-up"),
        ("every mon, Thursday and sat at 7:30 run", "30 7 * * MON,THU,SAT", "run"),
        ("every 2h drink", "every 120m", "drink"),
        ("every hour drink", "every 60m", "drink"),
        ("0 9 * * MON-FRI stand-up", "0 9 * * MON-FRI", "stand-up"),
        ("@daily stand-up", "@daily", "stand-up"),
    ],
)
def test_what_has_one_meaning(text, schedule, said):
    assert read(text, NOW, BERLIN) == Add(schedule, said)
    assert first(parse(schedule, NOW, BERLIN), NOW, BERLIN) > NOW


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", Show()),
        ("list", Show()),
        ("LIST ALL", Show(everybody=True)),
        ("cancel 3", Cancel("3")),
        ("delete #3", Cancel("#3")),
    ],
)
def test_what_there_is_and_what_shall_be_no_more(text, said):
    assert read(text, NOW, UTC) == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("call Ana", "I cannot tell when that is: “call Ana”"),
        ("9 call Ana", "“9 call Ana”"),
        ("next friday 9:00 x", "“next friday"),
        ("1 2 3 4 5 go", "“1 2 3 4 5 go”"),
        ("in 30s x", "“in 30s” is too short"),
        ("in 0m x", "no time at all"),
        ("every 0m x", "no time at all"),
        ("every month x", "“every month x”"),
        ("tomorrow call Ana", "At what time? Write it after “tomorrow”"),
        ("every day stand-up", "after “every day”"),
        ("25:00 x", "“25:00” is no time of day"),
        ("13pm x", "“13pm” is no time of day"),
        ("today 9:00 x", "is over"),
        ("2026-02-30 9:00 x", "“2026-02-30” is no day"),
        ("0001-01-01 0:00 x", "is over"),
        ("9999-12-31 23:59 x", "too far away"),
        ("in 99999d x", "“99999d” is too far away"),
        ("every 99999 days x", "“99999 days” is too far away"),
        ("in 20m", "nothing after “in 20m”"),
        ("cancel", "Which one?"),
    ],
)
def test_what_is_not_understood_is_named_and_examples_follow(text, words):
    with pytest.raises(BadSchedule) as unclear:
        read(text, NOW, BERLIN)
    assert words in unclear.value.failure.detail
    assert unclear.value.failure.detail.endswith(REMIND_EXAMPLES)


def test_fields_that_cannot_be_are_refused_in_the_words_of_schedules():
    with pytest.raises(BadSchedule, match="61"):
        read("61 9 * * * x", NOW, BERLIN)


@pytest.mark.parametrize(
    "text",
    [
        "every day 9:00",
        "every weekday 17:05",
        "every mon, thu 7:30",
        "every 120m",
        "0 9 1 * *",
        "@daily",
        "*/5 9 * * *",
    ],
)
def test_how_often_is_said_as_it_could_be_written(text):
    assert often(read(f"{text} x", NOW, BERLIN).schedule) == text


@given(
    st.text(max_size=60)
    | st.from_regex(r"(in|every|on|at)? ?[0-9:]{1,6} ?(am|m|day|fri|tomorrow)? ?x?", fullmatch=True)
)
def test_S16_whatever_is_written_it_is_understood_or_refused(text):
    try:
        said = read(text, NOW, BERLIN)
    except GatewayError:
        return
    assert not isinstance(said, Add) or said.text
