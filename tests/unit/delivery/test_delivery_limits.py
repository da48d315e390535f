"""Rates and flood windows, against a plain count of the calls they let through."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.delivery.limits import Limiter, bot_scope, chat_scope
from hermes.types.content import Capabilities, Rate
from hermes.types.origin import lane_key

ANN = lane_key("telegram", "default", "ann")
BOB = lane_key("telegram", "default", "bob")
OTHER_BOT = lane_key("telegram", "work", "ann")
MATRIX = lane_key("matrix", "default", "!r:server.org")

FREE = Capabilities()
SLOW = Capabilities(bot_rate=Rate(5, 0.5), chat_rate=Rate(2, 1.0))


def test_the_scopes_of_a_lane() -> None:
    assert str(bot_scope(MATRIX)) == "matrix:default"
    assert str(chat_scope(MATRIX)) == str(MATRIX)


def test_without_rates_and_windows_nothing_is_held_back() -> None:
    limiter = Limiter()
    for _ in range(100):
        assert limiter.ready_at(ANN, FREE) == 0.0
        limiter.called(ANN, FREE, 10.0)


def test_a_burst_goes_at_once_and_then_one_each_interval() -> None:
    limiter = Limiter()
    for _ in range(2):
        assert limiter.ready_at(ANN, SLOW) <= 10.0
        limiter.called(ANN, SLOW, 10.0)
    assert limiter.ready_at(ANN, SLOW) == 11.0
    assert limiter.ready_at(BOB, SLOW) <= 10.0
    limiter.called(ANN, SLOW, 11.0)
    assert limiter.ready_at(ANN, SLOW) == 12.0


def test_the_bot_has_a_rate_over_all_its_chats() -> None:
    limiter = Limiter()
    for n in range(5):
        lane = lane_key("telegram", "default", str(n))
        assert limiter.ready_at(lane, SLOW) <= 10.0
        limiter.called(lane, SLOW, 10.0)
    assert limiter.ready_at(BOB, SLOW) == 10.5
    assert limiter.ready_at(OTHER_BOT, SLOW) <= 10.0


def test_what_may_be_lost_leaves_room_for_a_message() -> None:
    limiter = Limiter()
    assert limiter.may_show(ANN, SLOW, 10.0)
    limiter.called(ANN, SLOW, 10.0)
    assert not limiter.may_show(ANN, SLOW, 10.0)
    assert limiter.ready_at(ANN, SLOW) <= 10.0
    assert limiter.may_show(ANN, SLOW, 11.0)


def test_AC43_a_window_holds_for_its_scope_alone_and_is_never_shortened() -> None:
    limiter = Limiter()
    limiter.leave_alone(chat_scope(ANN), 40.0)
    limiter.leave_alone(chat_scope(ANN), 30.0)
    assert limiter.ready_at(ANN, FREE) == limiter.window(ANN) == 40.0
    assert not limiter.may_show(ANN, FREE, 39.9)
    assert limiter.may_show(ANN, FREE, 40.0)
    assert limiter.ready_at(BOB, FREE) == 0.0
    limiter.leave_alone(bot_scope(ANN), 50.0)
    assert limiter.ready_at(ANN, FREE) == limiter.ready_at(BOB, FREE) == 50.0
    assert limiter.ready_at(OTHER_BOT, FREE) == 0.0


def test_AC43_windows_of_an_earlier_boot_go_on_and_are_forgotten_when_over() -> None:
    limiter = Limiter()
    limiter.adopt({bot_scope(ANN): 50.0, chat_scope(OTHER_BOT): 20.0})
    limiter.forget(30.0)
    assert limiter.window(ANN) == 50.0
    assert limiter.window(OTHER_BOT) == 0.0


@given(
    burst=st.integers(1, 6),
    interval_s=st.sampled_from([0.25, 0.5, 1.0, 3.0]),
    waits=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 10.0]), min_size=1, max_size=60),
)
def test_no_span_of_time_sees_more_than_the_rate_allows(
    burst: int, interval_s: float, waits: list[float]
) -> None:
    limiter, capabilities = Limiter(), Capabilities(chat_rate=Rate(burst, interval_s))
    now, calls = 100.0, []
    for wait in waits:
        now = max(now + wait, limiter.ready_at(ANN, capabilities))
        limiter.called(ANN, capabilities, now)
        calls.append(now)
    for first, at in enumerate(calls):
        for last in range(first, len(calls)):
            allowed = burst + (calls[last] - at) / interval_s
            assert last - first + 1 <= allowed + 1e-6
