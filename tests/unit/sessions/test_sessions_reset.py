"""When a conversation begins anew: the table of the original, the clocks of real places, and who is told."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.config.model import Config, ResetPolicy
from hermes.sessions.reset import (
    RESUME_FRESH_S,
    Keep,
    Reason,
    Reset,
    cutoff,
    daily_boundary,
    due,
    due_at,
    next_state,
    policy_for,
)
from hermes.types import texts
from hermes.types.ids import SessionId, SessionKey
from hermes.types.origin import ChatType
from hermes.types.records import SessionRecord

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


def at(text: str, tz: ZoneInfo | None = BERLIN, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=tz, fold=fold).timestamp()


NOW = at("2026-03-04 10:00")
NONE, UNKNOWN = ResetPolicy(), ResetPolicy(mode="weekly")  # type: ignore[arg-type]
IDLE, IDLE_30 = ResetPolicy("idle"), ResetPolicy("idle", idle_minutes=30)
DAILY_4, DAILY_12 = ResetPolicy("daily"), ResetPolicy("daily", at_hour=12)
BOTH = ResetPolicy("both")

LAST_ACTIVE = (
    NOW - 30 * MINUTE,
    NOW - 31 * MINUTE,
    at("2026-03-04 04:00"),
    at("2026-03-04 03:59"),
    at("2026-03-03 12:00"),
    at("2026-03-03 11:59"),
    NOW - 1440 * MINUTE,
    NOW - 1441 * MINUTE,
)
TABLE = {
    "none": (NONE, "–  –  –  –  –  –  –  –"),
    "unknown": (UNKNOWN, "–  –  –  –  –  –  –  –"),
    "idle 1440": (IDLE, "–  –  –  –  –  –  –  idle"),
    "idle 30": (IDLE_30, "–  idle  idle  idle  idle  idle  idle  idle"),
    "daily at 4": (DAILY_4, "–  –  –  daily  daily  daily  daily  daily"),
    "daily at 12": (DAILY_12, "–  –  –  –  –  daily  daily  daily"),
    "both": (BOTH, "–  –  –  daily  daily  daily  daily  idle"),
}


@pytest.fixture(params=["a zone by name", "the machine's own"])
def tz(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo | None]:
    """Berlin, as a zone and as the local time of the process."""
    if request.param == "a zone by name":
        yield BERLIN
        return
    monkeypatch.setenv("TZ", BERLIN.key)
    time.tzset()
    yield None
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("row", TABLE)
def test_reset_table(row: str, tz: ZoneInfo | None) -> None:
    policy, expected = TABLE[row]

    found = [due(policy, last, NOW, tz) or "–" for last in LAST_ACTIVE]

    assert found == expected.split()


@pytest.mark.parametrize(
    ("now", "at_hour", "boundary"),
    [
        # Spring in Berlin: at 02:00 the clocks jump to 03:00, so 02:00 does not exist and 03:00 is its instant.
        ("2026-03-29 01:59", 2, "2026-03-28 02:00"),
        ("2026-03-29 03:00", 2, "2026-03-29 03:00"),
        ("2026-03-29 03:00", 3, "2026-03-29 03:00"),
        ("2026-03-29 12:00", 2, "2026-03-29 03:00"),
        ("2026-03-30 01:59", 2, "2026-03-29 03:00"),
        ("2026-03-30 02:00", 2, "2026-03-30 02:00"),
        # Midnight and the last hour of the day.
        ("2026-03-04 00:00", 0, "2026-03-04 00:00"),
        ("2026-03-04 22:59", 23, "2026-03-03 23:00"),
    ],
)
def test_the_daily_hour_in_spring(now: str, at_hour: int, boundary: str, tz: ZoneInfo | None) -> None:
    assert daily_boundary(at_hour, at(now), tz) == at(boundary)


@pytest.mark.parametrize(
    ("now", "fold", "boundary"),
    [
        ("2026-10-25 01:59", 0, "2026-10-24 02:00"),
        ("2026-10-25 02:00", 0, "2026-10-25 02:00"),
        ("2026-10-25 02:59", 0, "2026-10-25 02:00"),
        ("2026-10-25 02:00", 1, "2026-10-25 02:00"),  # the second 02:00 of that day resets nothing
        ("2026-10-25 03:00", 0, "2026-10-25 02:00"),
        ("2026-10-26 01:59", 0, "2026-10-25 02:00"),
    ],
)
def test_the_daily_hour_that_comes_twice_counts_once(
    now: str, fold: int, boundary: str, tz: ZoneInfo | None
) -> None:
    assert daily_boundary(2, at(now, fold=fold), tz) == at(boundary)


def test_a_conversation_of_the_repeated_hour_is_reset_once() -> None:
    first_pass, second_pass = at("2026-10-25 02:30"), at("2026-10-25 02:30", fold=1)
    daily = ResetPolicy("daily", at_hour=2)

    assert second_pass - first_pass == HOUR
    assert due(daily, at("2026-10-25 01:30"), first_pass, BERLIN) == "daily"
    assert due(daily, first_pass, second_pass, BERLIN) is None


def test_silence_is_measured_in_time_that_passed_not_on_the_wall() -> None:
    policy = ResetPolicy("idle", idle_minutes=60)

    assert due(policy, at("2026-03-29 01:30"), at("2026-03-29 03:30"), BERLIN) is None  # one hour
    assert due(policy, at("2026-10-25 02:30"), at("2026-10-25 02:31", fold=1), BERLIN) == "idle"


def test_where_a_whole_day_was_skipped_the_boundary_is_still_past() -> None:
    apia = ZoneInfo("Pacific/Apia")  # after 2011-12-29 came 2011-12-31
    now = at("2011-12-31 00:30", apia)

    assert daily_boundary(4, now, apia) == at("2011-12-29 04:00", apia)


INSTANTS = st.integers(int(at("2011-01-01 00:00")), int(at("2031-01-01 00:00"))).map(float)
ZONES = st.sampled_from(["Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns", "UTC"])


@given(INSTANTS, st.integers(0, 23), ZONES.map(ZoneInfo))
def test_the_boundary_is_at_its_hour_and_the_last_one(now: float, at_hour: int, zone: ZoneInfo) -> None:
    boundary = daily_boundary(at_hour, now, zone)
    local = datetime.fromtimestamp(boundary, zone)

    assert boundary <= now < boundary + 2 * DAY + HOUR
    assert daily_boundary(at_hour, boundary, zone) == boundary
    assert daily_boundary(at_hour, boundary - 1, zone) < boundary
    before = datetime.fromtimestamp(boundary - 1, zone)
    jumped = before.utcoffset() != local.utcoffset()
    assert (local.hour, local.minute, local.second) == (at_hour, 0, 0) or jumped


def test_a_clock_that_was_set_back_resets_nothing() -> None:
    assert due(BOTH, NOW + 5 * DAY, NOW, BERLIN) is None


# --- which policy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "chat_type", "mode"),
    [
        ("telegram", "dm", "daily"),  # the platform wins over the type
        ("telegram", "group", "daily"),
        ("discord", "dm", "idle"),
        ("discord", "thread", "none"),
        ("discord", "group", "both"),
        ("discord", "channel", "both"),
    ],
)
def test_platform_wins_over_type_over_default(platform: str, chat_type: ChatType, mode: str) -> None:
    config = Config(
        session_reset=ResetPolicy("both"),
        reset_by_type={"dm": ResetPolicy("idle"), "thread": ResetPolicy("none")},
        reset_by_platform={"telegram": ResetPolicy("daily")},
    )

    assert policy_for(config, platform, chat_type).mode == mode


@pytest.mark.parametrize("chat_type", get_args(ChatType))
def test_a_policy_of_its_own_for_each_kind_of_chat(chat_type: ChatType) -> None:
    config = Config(reset_by_type={chat_type: DAILY_12})

    assert policy_for(config, "p", chat_type) == DAILY_12


# --- the flow ----------------------------------------------------------------------------------------------------------

QUIET = SessionRecord(SessionKey("k"), SessionId("s"), 1, 1, NOW - DAY, NOW - 10 * MINUTE)
LONG_QUIET = replace(QUIET, last_active_at=NOW - 2 * DAY)


def interrupted(ago_s: float, record: SessionRecord = QUIET) -> SessionRecord:
    return replace(record, resume_reason="restart_interrupted", resume_marked_at=NOW - ago_s)


def reason_of(record: SessionRecord, policy: ResetPolicy) -> Reason | None:
    after = next_state(record, policy, NOW, BERLIN, platform="telegram", had_activity=True)
    return after.reason if isinstance(after, Reset) else None


@pytest.mark.parametrize(
    ("record", "policy", "reason"),
    [
        (QUIET, NONE, None),
        (QUIET, BOTH, None),
        (LONG_QUIET, NONE, None),
        (LONG_QUIET, BOTH, "idle"),
        (LONG_QUIET, DAILY_4, "daily"),
        # suspended always wins
        (replace(QUIET, suspended=True), NONE, "suspended"),
        (replace(LONG_QUIET, suspended=True), BOTH, "suspended"),
        (replace(interrupted(1.0), suspended=True), BOTH, "suspended"),
        (replace(interrupted(2 * HOUR), suspended=True), IDLE, "suspended"),
        # interrupted: the policy first, then freshness, which mode none does not know
        (interrupted(RESUME_FRESH_S), IDLE, None),
        (interrupted(RESUME_FRESH_S + 1), IDLE, "resume_pending_expired"),
        (interrupted(61 * MINUTE), DAILY_4, "resume_pending_expired"),
        (interrupted(61 * MINUTE), BOTH, "resume_pending_expired"),
        (interrupted(61 * MINUTE), NONE, None),
        (interrupted(61 * MINUTE), UNKNOWN, None),
        (interrupted(61 * MINUTE, LONG_QUIET), IDLE, "idle"),
        (interrupted(1.0, LONG_QUIET), IDLE, "idle"),
    ],
)
def test_flow(record: SessionRecord, policy: ResetPolicy, reason: Reason | None) -> None:
    assert reason_of(record, policy) == reason


GAPS = st.lists(st.integers(0, 3 * int(DAY)).map(float), min_size=1, max_size=12)
POLICIES = st.builds(
    ResetPolicy,
    st.sampled_from(["none", "idle", "daily", "both"]),
    at_hour=st.integers(0, 23),
    idle_minutes=st.integers(1, 3000),
)


@given(GAPS, POLICIES, st.data())
def test_AC46_restarts_in_between_change_no_reset(
    gaps: list[float], policy: ResetPolicy, data: st.DataObject
) -> None:
    """The same messages, once undisturbed, once with a restart that interrupts and resumes within the hour."""
    now, last = NOW, NOW
    for gap in gaps:
        last, now = now, now + gap
        plain = replace(QUIET, last_active_at=last)
        marked_at = data.draw(st.floats(max(last, now - RESUME_FRESH_S), now), label="interrupted at")
        disturbed = replace(plain, resume_marked_at=marked_at, resume_reason="restart_timeout")
        told = {"platform": "telegram", "had_activity": True}

        assert next_state(disturbed, policy, now, BERLIN, **told) == next_state(
            plain, policy, now, BERLIN, **told
        )


# --- who is told -------------------------------------------------------------------------------------------------------

QUIETLY = replace(IDLE, notify=False)


@pytest.mark.parametrize(
    ("record", "policy", "platform", "had_activity", "told"),
    [
        (LONG_QUIET, IDLE, "telegram", True, True),
        (LONG_QUIET, DAILY_4, "telegram", True, True),
        (LONG_QUIET, QUIETLY, "telegram", True, False),
        (LONG_QUIET, IDLE, "telegram", False, False),
        (LONG_QUIET, IDLE, "api_server", True, False),
        (LONG_QUIET, IDLE, "webhook", True, False),
        (LONG_QUIET, replace(IDLE, notify_exclude_platforms=("telegram",)), "telegram", True, False),
        (replace(QUIET, suspended=True), QUIETLY, "api_server", False, True),
        (interrupted(2 * HOUR), QUIETLY, "api_server", False, True),
    ],
)
def test_notice_table(
    record: SessionRecord, policy: ResetPolicy, platform: str, had_activity: bool, told: bool
) -> None:
    after = next_state(record, policy, NOW, BERLIN, platform=platform, had_activity=had_activity)

    assert isinstance(after, Reset)
    assert (after.notice is not None) is told


@pytest.mark.parametrize(
    ("record", "policy", "why"),
    [
        (LONG_QUIET, IDLE, texts.RESET_IDLE),
        (LONG_QUIET, DAILY_4, texts.RESET_DAILY),
        (replace(QUIET, suspended=True), NONE, texts.RESET_SUSPENDED),
        (interrupted(2 * HOUR), IDLE, texts.RESET_RESUME_EXPIRED),
    ],
)
def test_a_notice_says_why_and_what_becomes_of_the_past(
    record: SessionRecord, policy: ResetPolicy, why: str
) -> None:
    after = next_state(record, policy, NOW, BERLIN, platform="telegram", had_activity=True)

    assert isinstance(after, Reset)
    assert after.notice == f"{why} {texts.NEW_CONVERSATION}"


def test_what_is_kept_has_nothing_to_say() -> None:
    assert next_state(QUIET, BOTH, NOW, BERLIN, platform="telegram", had_activity=True) == Keep()


def test_the_agent_is_told_each_reason_in_other_words() -> None:
    reasons = get_args(Reason)
    notes = {Reset(reason, None).note for reason in reasons}
    assert len(notes) == len(reasons)
    assert all("begun anew" in note for note in notes)


@given(
    st.sampled_from(["none", "idle", "daily", "both"]),
    st.integers(1, 3_000),
    st.integers(0, 23),
    st.floats(0.0, 200_000.0),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)
def test_the_cutoff_and_the_next_time_say_what_due_says(mode, minutes, hour, quiet_s, zone):
    policy, tz = ResetPolicy(mode=mode, idle_minutes=minutes, at_hour=hour), ZoneInfo(zone)
    now = 1_774_800_000.0  # the night of 29 March 2026, in which Europe's clocks go forward, is just over
    last = float(round(now - quiet_s))
    before = cutoff(policy, now, tz)
    assert (due(policy, last, now, tz) is not None) == (before is not None and last < before)
    if due(policy, last, now, tz) is None:
        at = due_at(policy, last, now, tz)
        assert at >= now
        if at < math.inf:
            assert due(policy, last, at - 1.0, tz) is None
            assert due(policy, last, at + 1.0, tz) is not None
