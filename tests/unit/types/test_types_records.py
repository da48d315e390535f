from typing import get_args

from hermes.types.content import OPEN_OUTBOX_STATES, OutboxState
from hermes.types.records import TERMINAL_INBOX_STATES, Counts, InboxState


def test_every_inbox_state_is_open_or_terminal() -> None:
    assert set(get_args(InboxState)) - set(TERMINAL_INBOX_STATES) == {"accepted", "routed", "in_turn"}


def test_every_outbox_state_is_open_or_terminal() -> None:
    assert set(get_args(OutboxState)) - set(OPEN_OUTBOX_STATES) == {"sent", "dead"}


def test_counts_have_a_field_for_every_terminal_state() -> None:
    for state in TERMINAL_INBOX_STATES:
        assert Counts(received=1, **{state: 1}).unaccounted == 0


def test_what_has_no_end_and_is_not_open_is_unaccounted() -> None:
    assert Counts(received=5, answered=2, pending=1).unaccounted == 2
