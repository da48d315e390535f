"""Running is who shows progress: beats, and what happens to an actor that owes one."""

from typing import Any

import pytest
import trio
from kit_house import Book, Run, house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.context import Context
from supervisors.spec import Backoff, ChildSpec, Intensity

AT_ONCE = Backoff(0.0, 0.0)


async def poller(ctx: Context[Any], period_s: float, beats: int) -> None:
    """Gets an answer every ``period_s``, then none any more, for all that its task lives on."""
    ctx.ready()
    for _ in range(beats):
        await trio.sleep(period_s)
        ctx.beat()
    await trio.sleep_forever()


async def test_law_K3_who_shows_no_progress_is_ended_and_started_again_by_the_policy(
    autojump_clock: MockClock,
) -> None:
    spec = ChildSpec("poller", poller, (20.0, 3), stall_s=30.0, backoff=Backoff(5.0, 5.0))
    async with house(spec) as it:
        await trio.sleep(89.0)
        assert it.state("root/poller") == "running"
        await trio.sleep(2.0)
        assert it.state("root/poller") == "backoff"
        assert it.exits("root/poller") == [("TimeoutError: no progress within 30 s", "restart")]
        await trio.sleep(5.0)
        assert it.ref("root/poller").incarnation == 2


async def test_law_K3_who_beats_in_time_is_left_alone(autojump_clock: MockClock) -> None:
    async with house(ChildSpec("poller", poller, (29.0, 100), stall_s=30.0)) as it:
        await trio.sleep(2_000.0)
        assert it.ref("root/poller").incarnation == 1
        assert it.exits("root/poller") == []


async def test_law_K3_messages_are_no_progress_and_a_helper_task_may_beat(autojump_clock: MockClock) -> None:
    book = Book()

    async def beating(ctx: Context[Any]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(poller, ctx, 10.0, 1_000)
            await book.worker(ctx)

    lazy, busy = book.spec("lazy", stall_s=30.0), ChildSpec("busy", beating, stall_s=30.0)
    async with house(lazy, busy) as it:
        for _ in range(6):
            await trio.sleep(6.0)
            await it.ref("root/lazy").tell("work")
        assert it.exits("root/lazy")[0][0] == "TimeoutError: no progress within 30 s"
        assert it.ref("root/busy").incarnation == 1


async def test_law_K3_a_stall_costs_budget_as_any_crash(autojump_clock: MockClock) -> None:
    spec = ChildSpec("poller", poller, (1.0, 0), stall_s=10.0, backoff=AT_ONCE, intensity=Intensity(2, 60.0))
    async with house(spec) as it:
        await trio.sleep(31.0)
        assert it.state("root/poller") == "disabled"
        assert [decision for _, decision in it.exits("root/poller")] == ["restart", "restart", "disable"]


async def test_law_K3_one_that_is_deaf_to_its_cancellation_is_given_up(autojump_clock: MockClock) -> None:
    async def deaf(ctx: Context[Any]) -> None:
        ctx.ready()
        with trio.CancelScope(shield=ctx.incarnation == 1):
            await trio.sleep(3_600.0)

    spec = ChildSpec("deaf", deaf, stall_s=10.0, grace=2.0, backoff=AT_ONCE)
    async with house(spec) as it:
        await trio.sleep(12.5)
        assert it.ref("root/deaf").incarnation == 2
        assert "stuck" in it.kinds("root/deaf")
        assert it.exits("root/deaf") == [("TimeoutError: no progress within 10 s", "restart")]


async def test_law_N4_a_linked_actor_that_is_deaf_to_the_end_of_the_other_is_given_up(
    autojump_clock: MockClock,
) -> None:
    book = Book()

    async def deaf(ctx: Context[Any]) -> None:
        ctx.ready()
        if ctx.incarnation == 1:
            ctx.link(ctx.system.registry.ref("root/other"))
            with trio.CancelScope(shield=True):
                await trio.sleep(3_600.0)
        await ctx.stopping()

    async with house(book.spec("other"), ChildSpec("deaf", deaf, grace=2.0, backoff=AT_ONCE)) as it:
        await it.ref("root/other").tell(Run(_fails))
        await trio.sleep(1.9)
        assert it.ref("root/deaf").incarnation == 1
        assert it.state("root/deaf") == "stopping"
        await trio.sleep(0.2)
        assert it.ref("root/deaf").incarnation == 2
        ((reason, decision),) = it.exits("root/deaf")
        assert reason.startswith("LinkDownError: root/other, linked with it, ended")
        assert decision == "restart"


async def _fails(ctx: Context[Any]) -> None:
    raise ValueError("boom")


def test_a_stall_is_a_positive_time() -> None:
    with pytest.raises(ValueError, match="stall_s is positive: poller"):
        ChildSpec("poller", poller, stall_s=0.0)


async def test_a_stopped_child_owes_no_progress(autojump_clock: MockClock) -> None:
    spec = ChildSpec("poller", poller, (1.0, 0), stall_s=10.0, shutdown=60.0)
    async with house(spec) as it:
        it.stop()
        await trio.sleep(50.0)
        assert it.state("root/poller") == "stopping"
        assert it.exits("root/poller") == []


async def test_a_new_spec_starts_the_time_anew(autojump_clock: MockClock) -> None:
    spec = ChildSpec("poller", poller, (1.0, 0))
    async with house(spec) as it:
        await trio.sleep(100.0)
        await it.commands("root").adjust_child(ChildSpec("poller", poller, stall_s=10.0), 1.0)
        await trio.sleep(9.0)
        assert it.ref("root/poller").incarnation == 1
        await trio.sleep(2.0)
        await wait_all_tasks_blocked()
        assert it.exits("root/poller")[0][0] == "TimeoutError: no progress within 10 s"


async def test_law_K1_who_ends_itself_is_not_held_up_by_a_task_that_is_deaf(
    autojump_clock: MockClock,
) -> None:
    async def deaf() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(3_600.0)

    async def found_out(ctx: Context[Any]) -> None:
        await trio.sleep(1.0)
        ctx.fail(ValueError("the line is dead"))

    async def actor(ctx: Context[Any]) -> None:
        ctx.ready()
        async with trio.open_nursery() as nursery:
            if ctx.incarnation == 1:
                nursery.start_soon(deaf)
                nursery.start_soon(found_out, ctx)
            await ctx.stopping()

    async with house(ChildSpec("actor", actor, grace=2.0, backoff=AT_ONCE)) as it:
        await trio.sleep(5.0)
        assert it.ref("root/actor").incarnation == 2
        assert "stuck" in it.kinds("root/actor")
        assert it.exits("root/actor") == [("ValueError: the line is dead", "restart")]
