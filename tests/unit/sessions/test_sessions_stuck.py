"""A message that kills whoever takes it: told by its row, whatever way the process died."""

from dataclasses import replace

import pytest

from hermes.sessions.stuck import Verdict, judge
from hermes.types.events import InboundEvent
from hermes.types.ids import BootId, TraceId
from hermes.types.origin import Origin
from hermes.types.records import InboxRow

EVENT = InboundEvent("e", Origin("p", "c"), "hi", 0.0, TraceId("t"))
NOW, BEFORE = BootId("now"), BootId("before")


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (InboxRow(1, "routed", EVENT), "take"),
        (InboxRow(1, "routed", EVENT, boot_id=NOW, crashes=9, boots=9), "take"),  # a drain gave it back
        (InboxRow(1, "in_turn", EVENT, boot_id=NOW), "take"),
        (InboxRow(1, "in_turn", EVENT, boot_id=NOW, crashes=1), "set_aside"),
        (InboxRow(1, "in_turn", EVENT, boot_id=NOW, boots=2), "take"),
        (InboxRow(1, "in_turn", EVENT, boot_id=BEFORE), "take"),
        (InboxRow(1, "in_turn", EVENT, boot_id=BEFORE, boots=1), "take"),
        (InboxRow(1, "in_turn", EVENT, boot_id=BEFORE, boots=2), "suspend"),
        (
            InboxRow(1, "in_turn", EVENT, boot_id=BEFORE, crashes=1),
            "take",
        ),  # an older boot's deaths are its own
    ],
)
def test_verdicts(row: InboxRow, verdict: Verdict) -> None:
    assert judge(row, NOW) == verdict


def boots_until_suspended(killed_after_a_step: set[int]) -> int | None:
    """Boot after boot is killed while it works on the row; the rows change as the store changes them."""
    row = InboxRow(1, "routed", EVENT)
    for boot in range(1, 10):
        if judge(row, BootId(str(boot))) == "suspend":
            return boot
        found = row.state == "in_turn"
        row = replace(row, state="in_turn", boot_id=BootId(str(boot)), boots=row.boots + found)
        if boot in killed_after_a_step:
            row = replace(row, boots=0)
    return None


def test_three_boots_that_find_it_without_progress_are_enough() -> None:
    assert boots_until_suspended(set()) == 4  # the first one took it; the second, third and fourth found it


def test_a_step_in_between_counts_afresh() -> None:
    assert boots_until_suspended({3}) == 6
    assert boots_until_suspended(set(range(10))) is None
