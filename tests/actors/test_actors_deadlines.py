"""A turn's deadlines, beside what may move them in the same tick."""

import trio

from actors.deadlines import SLACK, Deadlines
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


def deadlines_of(turn_timeout_s, no_progress_s):
    return Deadlines(Lease(trio.CapacityLimiter(1), lambda: None), turn_timeout_s, no_progress_s)


async def test_silence_is_counted_from_the_last_sign_of_life_and_never_ends_early(autojump_clock):
    deadlines, no_progress_s = deadlines_of(3600.0, 100.0), 100.0
    with deadlines.limit:
        for _ in range(50):
            await trio.sleep(0.07)
            deadlines.alive()
            assert deadlines.limit.deadline - trio.current_time() >= no_progress_s
        silent_since = trio.current_time()
        await trio.sleep_forever()

    assert no_progress_s <= trio.current_time() - silent_since <= no_progress_s * (1 + SLACK)
    assert not deadlines.whole_passed


async def test_signs_of_life_do_not_lengthen_the_whole_turn(autojump_clock):
    deadlines = deadlines_of(20.0, 5.0)
    began = trio.current_time()
    with deadlines.limit:
        while True:
            await trio.sleep(1)
            deadlines.alive()

    assert trio.current_time() - began == 20.0
    assert deadlines.whole_passed


async def test_neither_runs_while_a_person_is_waited_for(autojump_clock):
    deadlines = deadlines_of(20.0, 5.0)
    began = trio.current_time()
    with deadlines.limit:
        await trio.sleep(4)
        with deadlines.still():
            await trio.sleep(1000)
            deadlines.alive()
        for _ in range(100):
            await trio.sleep(1)
            deadlines.alive()

    assert trio.current_time() - began == 1020.0
    assert deadlines.whole_passed
