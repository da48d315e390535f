"""A turn's deadlines, beside what may move them in the same tick."""

import trio

from actors.deadlines import Deadlines
from actors.lease import Lease


async def test_AC47_who_begins_to_wait_in_the_tick_of_a_halt_does_not_undo_it(autojump_clock):
    """One store batch answers both: the approval whose time is up, and the one that is asked for beside it."""
    deadlines = Deadlines(Lease(trio.CapacityLimiter(1), lambda: None), 3600.0, 600.0)
    with trio.fail_after(30), deadlines.limit:
        deadlines.halt()
        with deadlines.still():
            await trio.sleep_forever()
    assert deadlines.halted
    assert deadlines.limit.cancelled_caught
