"""What becomes of a message that finds its conversation at work: by the mode of the conversation, or by the command it came
with (/queue, /steer). Pure.

interrupt   the running turn begins again at once, with the message among its own
queue       it waits for a turn of its own, in the order of arrival
steer       the running turn's agent is handed it when it next asks; until then it waits
collect     all that has come meanwhile is answered together, in the next turn
"""

from collections.abc import Sequence
from itertools import takewhile

from hermes.config.model import Display
from hermes.types.records import BusyMode, InboxRow

QUEUE, STEER = "command:queue", "command:steer"
QUICK = "command:quick:"
"""Rules by which a command has put a row into its session; the last is followed by the quick command's name."""

_ASKED: dict[str, BusyMode] = {QUEUE: "queue", STEER: "steer"}

MOST_TOGETHER = 100
"""How many messages may share a turn; what comes beyond that waits for the next one, in every mode."""


def mode_for(display: Display, platform: str, own: BusyMode | None) -> BusyMode:
    """The mode of a conversation: its own, else that of its platform, else the general one."""
    if own is not None:
        return own
    there = display.platforms.get(platform)
    return (there and there.busy_input_mode) or display.busy_input_mode


def mode_of(display: Display, row: InboxRow, own: BusyMode | None) -> BusyMode:
    """The mode that one message goes by: the one it was sent with, else that of its conversation."""
    return _ASKED.get(row.rule) or mode_for(display, row.event.origin.platform, own)


def is_quick(row: InboxRow) -> bool:
    """True if it is for the program of a quick command, and not for the agent."""
    return row.rule.startswith(QUICK)


def next_batch(mode: BusyMode, waiting: Sequence[InboxRow]) -> tuple[InboxRow, ...]:
    """What the next turn answers, of the rows that wait for one (at least one, oldest first)."""
    first = waiting[0]
    if mode in ("interrupt", "collect"):
        return tuple(takewhile(lambda row: row.rule not in _ASKED, joining(first, waiting)))
    # An album comes as one message a picture.
    album = tuple(takewhile(lambda row: row.event.attachments, joining(first, waiting)))
    return album or (first,)


def is_alone(mode: BusyMode, row: InboxRow) -> bool:
    """True if a turn that begins with ``row``, which waits, answers nothing besides, whatever comes behind it."""
    return mode == "queue" and row.turn_id is None and not row.event.attachments


def joining(running: InboxRow, waiting: Sequence[InboxRow]) -> tuple[InboxRow, ...]:
    """The oldest of ``waiting`` that may share a turn with ``running``: one answer has one place to go to (AC-31)."""
    return tuple(takewhile(lambda row: _place(row) == _place(running), waiting))


def _place(row: InboxRow) -> tuple[str, str | None, str | None, int | None]:
    """A conversation that began anew knows nothing of the last one; and a program answers nobody else's message."""
    origin = row.event.origin
    return origin.lane, origin.thread_id, row.session_id, row.row_id if is_quick(row) else None
