"""Laws X3 and C4 as pure functions: groups become reasons, streaks become delays, windows become budgets, reasons codes."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisors import backoff
from supervisors.escalation import ExitTable
from supervisors.intensity import Window
from supervisors.reasons import (
    Cancelled,
    Crash,
    Exit,
    ExitReason,
    Failed,
    IntensityExceeded,
    Normal,
    Shutdown,
    StartFailed,
    Stuck,
    crash,
    describe,
    exception_of,
    flatten,
    leaves,
    path_of,
    reason_for,
    through,
)
from supervisors.spec import Backoff, Intensity

BOOM = ValueError("boom")


class Cut(BaseException):
    """Stands for Trio's Cancelled."""


class NamedError(Exception):
    """What the application has a name for."""


def classify(exc: BaseException) -> ExitReason:
    if isinstance(exc, NamedError):
        return Failed("named", exc.args[0], exc=exc)
    return crash(exc)


def group(*excs: BaseException) -> BaseExceptionGroup[BaseException]:
    return BaseExceptionGroup("group", excs)


def test_law_X3_one_failure_in_any_nesting_is_that_failure() -> None:
    assert flatten(BOOM, Cut) is BOOM
    assert flatten(group(group(BOOM)), Cut) is BOOM
    assert flatten(group(Cut(), group(Cut(), BOOM)), Cut) is BOOM
    assert flatten(group(Cut(), group(Cut())), Cut) is None
    assert flatten(Cut(), Cut) is None


def test_law_X3_several_failures_are_all_kept() -> None:
    other = KeyError("x")
    failure = flatten(group(BOOM, Cut(), group(other)), Cut)

    assert failure is not None
    assert list(leaves(failure)) == [BOOM, other]
    assert reason_for(failure, classify) == Crash(failure)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["backoff"], "backoff"),
        (["backoff", "disable"], "disable"),
        (["disable", "escalate", "backoff"], "escalate"),
    ],
)
def test_law_X3_the_gravest_verdict_wins_and_beats_a_crash(verdicts: list[str], expected: str) -> None:
    failure = group(BOOM, *(NamedError(verdict) for verdict in verdicts))
    reason = reason_for(failure, classify)

    assert isinstance(reason, Failed)
    assert reason.verdict == expected
    assert reason.exc is failure


def test_an_exit_is_exactly_its_reason() -> None:
    assert reason_for(Exit(Stuck(("a",))), classify) == Stuck(("a",))


def test_law_X4_a_chain_of_supervisors_keeps_path_and_exception() -> None:
    deep = IntensityExceeded("c", (Normal(), Crash(BOOM)))
    chain = StartFailed("a", IntensityExceeded("b", (deep,)))

    assert path_of(chain) == ("a", "b", "c")
    assert exception_of(chain) is BOOM
    assert path_of(through("a", through("b", Failed("x", "escalate")))) == ("a", "b")
    assert through("a", Normal()) == Normal()


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (Normal(), "returned"),
        (Shutdown("why"), "stopped (why)"),
        (Failed("net", "backoff", detail="refused", path=("a", "b")), "net in a/b: refused"),
        (Crash(ValueError("one\ntwo")), "ValueError: one"),
        (Crash(ValueError()), "ValueError"),
        (StartFailed("a", Normal()), "a did not start: returned"),
        (IntensityExceeded("a", (Normal(),)), "a ended too often (1 times, last: returned)"),
        (Stuck(("a",)), "a is stuck"),
        (Cancelled("x"), "cancelled with x"),
    ],
)
def test_describe_is_one_line_for_people(reason: ExitReason, text: str) -> None:
    assert describe(reason) == text


# --- backoff and budget ------------------------------------------------------------------------------------------------


policies = st.builds(
    lambda low, span, factor: Backoff(low, low + span, factor),
    st.just(0.0) | st.floats(1e-6, 10),
    st.floats(0, 1000),
    st.floats(1, 10),
)


@settings(derandomize=True, database=None, deadline=None)
@given(policy=policies, streak=st.integers(0, 10_000), seed=st.integers(0, 100))
def test_law_C4_every_delay_lies_within_its_bounds(policy: Backoff, streak: int, seed: int) -> None:
    drawn = backoff.delay(policy, streak, random.Random(seed))
    top = backoff.bound(policy, streak)

    assert policy.min <= drawn <= top * (1 + 1e-12)
    assert top <= policy.max
    assert top <= backoff.bound(policy, streak + 1)
    assert drawn == backoff.delay(policy, streak, random.Random(seed))


def test_law_C4_doubles_up_to_the_maximum() -> None:
    policy = Backoff(1, 30, 2)

    assert [backoff.bound(policy, n) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    spread = {round(backoff.delay(policy, 4, random.Random(n))) for n in range(200)}
    assert min(spread) <= 2
    assert max(spread) >= 15


def test_law_C4_a_peers_wait_is_a_lower_bound_spread_upwards_alone() -> None:
    policy = Backoff(1, 30, 2)

    for wait, least in ((35.0, 35.0), (0.0, 1.0), (0.2, 1.0)):
        spread = [backoff.named_delay(policy, wait, random.Random(n)) for n in range(200)]
        assert least <= min(spread) < least * 1.01
        assert least * 1.19 < max(spread) <= least * 1.2


@pytest.mark.parametrize("wrong", [{"min": -1}, {"min": 9, "max": 1}, {"max": math.inf}, {"factor": 0.5}])
def test_a_backoff_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="backoff needs"):
        Backoff(**wrong)


def test_law_C1_the_budget_itself_does_not_trip_one_more_does_and_time_gives_it_back() -> None:
    policy = Intensity(2, per=10)
    window = Window()

    assert [window.spend(policy, at) for at in (0, 1, 2)] == [True, True, False]
    assert window.count(policy, 10) == 3
    assert window.count(policy, 10.001) == 2
    assert window.count(policy, 13) == 0


def test_escalation_first_match_wins_and_the_rest_gives_up() -> None:
    table = ExitTable((("config*", 78), ("*held", 1), ("config_x", 2)))

    assert table.code(Failed("config_x", "escalate")) == 78
    assert table.code(StartFailed("a", Failed("home_held", "escalate"))) == 1
    assert [table.code(r) for r in (Failed("x", "escalate"), Crash(BOOM), Stuck())] == [70] * 3
    assert [table.code(r) for r in (Normal(), Shutdown(), Cancelled("x"))] == [0] * 3
