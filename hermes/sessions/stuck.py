"""Which message keeps killing whoever works on it: counted in rows, so that ``kill -9`` counts like any other death."""

from typing import Literal

from hermes.types.ids import BootId
from hermes.types.records import InboxRow

MAX_CRASHES = 2
"""Deaths of its turn or session within one boot after which a message is set aside."""

MAX_BOOTS = 3
"""Boots in a row that find a message in its turn, with no new step, after which its conversation is suspended too."""

Verdict = Literal["take", "set_aside", "suspend"]


def judge(row: InboxRow, boot_id: BootId) -> Verdict:
    """What to do with a session's oldest open row, in boot ``boot_id``, before it is taken (again).

    ``set_aside``: the message ends, the conversation goes on. ``suspend``: the message ends, and the next one begins a
    new conversation, because what stops the whole process may lie in its history. Taking the row counts this find;
    a new step, or a stop that was told to it, counts as nobody's death.
    """
    if row.state != "in_turn":
        return "take"
    if row.boot_id == boot_id:
        return "set_aside" if row.crashes + 1 >= MAX_CRASHES else "take"
    return "suspend" if row.boots + 1 >= MAX_BOOTS else "take"
