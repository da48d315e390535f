from typing import get_args

from hermes.types.records import Counts, InboxState

OPEN = {"accepted", "routed", "in_turn"}


def test_counts_have_a_field_for_every_terminal_state() -> None:
    for state in set(get_args(InboxState)) - OPEN:
        assert Counts(received=1, **{state: 1}).unaccounted == 0


def test_what_has_no_end_and_is_not_open_is_unaccounted() -> None:
    assert Counts(received=5, answered=2, pending=1).unaccounted == 2
