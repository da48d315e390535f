"""When the operator hears of a backlog and of dead letters, and how often."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hermes.delivery.backlog import (
    EVERY_S,
    LATE_S,
    MOST_OPEN,
    GivenUp,
    Late,
    Over,
    Standing,
    Told,
    decide,
    is_late,
)

NOW = 10_000.0
QUIET = Standing("telegram", "default", 0, None, 0, 0)
WAITS = replace(QUIET, open=3, oldest_at=NOW - LATE_S - 1)


def test_late_is_what_waits_too_long_or_is_too_much() -> None:
    assert is_late(WAITS, NOW)
    assert not is_late(replace(WAITS, oldest_at=NOW - LATE_S), NOW)
    assert is_late(replace(QUIET, open=MOST_OPEN + 1, oldest_at=NOW), NOW)
    assert not is_late(replace(QUIET, open=MOST_OPEN, oldest_at=NOW), NOW)
    assert not is_late(QUIET, NOW)


def test_a_backlog_is_told_once_an_hour_and_once_when_it_is_over() -> None:
    told, news = decide(WAITS, None, NOW)
    assert news == (Late(3, LATE_S + 1),)
    told, news = decide(WAITS, told, NOW + EVERY_S - 1)
    assert news == ()
    told, news = decide(WAITS, told, NOW + EVERY_S)
    assert [type(one) for one in news] == [Late]
    told, news = decide(QUIET, told, NOW + EVERY_S + 30)
    assert news == (Over(),)
    assert decide(QUIET, told, NOW + EVERY_S + 60)[1] == ()


def test_one_that_comes_and_goes_is_still_told_once_an_hour() -> None:
    told = None
    heard = []
    for n in range(100):
        told, news = decide(WAITS if n % 2 == 0 else QUIET, told, NOW + 30 * n)
        heard += [type(one) for one in news]
    assert heard == [Late, Over]


def test_dead_letters_are_counted_from_the_last_time() -> None:
    first = replace(QUIET, dead=7, dead_lately=2)
    told, news = decide(first, None, NOW)
    assert news == (GivenUp(2),)
    told, news = decide(replace(first, dead=9), told, NOW + 60)
    assert news == ()
    told, news = decide(replace(first, dead=10), told, NOW + EVERY_S)
    assert news == (GivenUp(3),)


def test_those_that_the_operator_has_dealt_with_do_not_hide_new_ones() -> None:
    told, _ = decide(replace(QUIET, dead=5, dead_lately=5), None, NOW)
    told, news = decide(QUIET, told, NOW + 60)
    assert (told.dead, news) == (0, ())
    _, news = decide(replace(QUIET, dead=1), told, NOW + EVERY_S)
    assert news == (GivenUp(1),)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=80))
def test_no_news_of_a_kind_twice_within_an_hour_and_no_end_without_a_beginning(
    steps: list[tuple[int, bool]],
) -> None:
    told: Told | None = None
    now, dead, at = NOW, 0, {Late: [], GivenUp: [], Over: []}  # type: ignore[var-annotated]
    for more, late in steps:
        now += 300.0
        dead += more
        standing = replace(QUIET, open=late, oldest_at=now - LATE_S - 1 if late else None, dead=dead)
        told, news = decide(standing, told, now)
        for one in news:
            at[type(one)].append(now)
    for kind in (Late, GivenUp):
        assert all(second - first >= EVERY_S for first, second in zip(at[kind], at[kind][1:], strict=False))
    assert len(at[Over]) <= len(at[Late])
