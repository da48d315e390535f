from hermes.types.backoff import Backoff, delay

POLICY = Backoff(min=1.0, max=300.0)


def test_full_jitter_under_a_ceiling_that_doubles():
    assert [delay(POLICY, attempts, lambda: 1.0) for attempts in (0, 1, 2, 8, 9, 10_000)] == [
        1,
        2,
        4,
        256,
        300,
        300,
    ]
    assert delay(POLICY, 5, lambda: 0.0) == 1.0
    assert delay(POLICY, 2, lambda: 0.5) == 2.5


def test_the_other_sides_wish_is_a_lower_bound():
    assert delay(POLICY, 0, lambda: 0.0, at_least=7.0) == 7.0
    assert delay(POLICY, 9, lambda: 1.0, at_least=7.0) == 300.0
