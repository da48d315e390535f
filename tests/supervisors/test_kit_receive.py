"""``receive(by=…)``: mail until a given time, and the time before the mail."""

from typing import Any

import trio
from kit_house import house
from trio.testing import MockClock, wait_all_tasks_blocked

from supervisors.cell import Stop
from supervisors.context import Context
from supervisors.spec import ChildSpec

Log = list[tuple[float, Any]]


async def reader(ctx: Context[Any], log: Log, *, every_s: float) -> None:
    """Writes down what comes and when, and None whenever ``every_s`` have passed without anything."""
    began = trio.current_time()
    ctx.ready()
    while True:
        message = await ctx.receive(by=trio.current_time() + every_s)
        log.append((trio.current_time() - began, message))
        if isinstance(message, Stop):
            return


async def ticker(ctx: Context[Any], log: Log) -> None:
    """Has something to do each second, whatever comes; and something came before each."""
    began, due_at = trio.current_time(), trio.current_time()
    ctx.ready()
    while not isinstance(message := await ctx.receive(by=due_at), Stop):
        if message is None:
            log.append((trio.current_time() - began, None))
            due_at = trio.current_time() + 1
        else:
            ctx.me.tell_nowait("again")
            await trio.sleep(0.3)


async def test_nothing_comes_and_the_time_does(autojump_clock: MockClock) -> None:
    log: Log = []
    async with house(ChildSpec("a", lambda ctx: reader(ctx, log, every_s=2))) as it:
        await trio.sleep(5)
        it.ref("root/a").tell_nowait("one")
        await trio.sleep(2.5)

        assert log == [(2, None), (4, None), (5, "one"), (7, None)]


async def test_mail_without_end_does_not_hold_up_the_time(autojump_clock: MockClock) -> None:
    log: Log = []
    async with house(ChildSpec("a", lambda ctx: ticker(ctx, log))) as it:
        it.ref("root/a").tell_nowait("again")
        await trio.sleep(6)

        assert len(log) >= 5
        assert all(message is None for _, message in log)


async def test_what_came_too_late_is_the_next_ones(autojump_clock: MockClock) -> None:
    heard: list[Any] = []

    async def late(ctx: Context[Any]) -> None:
        ctx.ready()
        await trio.sleep(1)
        heard.append(await ctx.receive(by=trio.current_time()))
        heard.append(await ctx.receive(by=trio.current_time() - 1))
        heard.append(await ctx.receive())
        await ctx.stopping()

    async with house(ChildSpec("a", late)) as it:
        it.ref("root/a").tell_nowait("waits")
        await trio.sleep(2)

    assert heard == [None, None, "waits"]


async def test_who_asks_for_a_time_that_has_passed_lets_others_run(autojump_clock: MockClock) -> None:
    turns = 0

    async def spins(ctx: Context[Any]) -> None:
        nonlocal turns
        ctx.ready()
        while turns < 1_000:
            turns += 1
            await ctx.receive(by=0.0)
        await ctx.stopping()

    async with house(ChildSpec("a", spins)):
        with trio.fail_after(1):
            await trio.testing.wait_all_tasks_blocked()
    assert turns == 1_000


async def test_timers_come_in_between(autojump_clock: MockClock) -> None:
    log: Log = []

    async def timed(ctx: Context[Any]) -> None:
        ctx.send_after(1, "a")
        ctx.send_after(2, "b")
        await reader(ctx, log, every_s=1.5)

    async with house(ChildSpec("a", timed)):
        await trio.sleep(4)

    assert log[:3] == [(1, "a"), (2, "b"), (3.5, None)]


async def test_cancelled_it_has_taken_nothing(autojump_clock: MockClock) -> None:
    heard: list[Any] = []

    async def gives_up(ctx: Context[Any]) -> None:
        ctx.ready()
        with trio.move_on_after(1):
            await ctx.receive(by=trio.current_time() + 5)
            heard.append("too early")
        await trio.sleep(1)
        heard.append(await ctx.receive(by=trio.current_time() + 5))
        await ctx.stopping()

    async with house(ChildSpec("a", gives_up)) as it:
        await trio.sleep(1.5)
        it.ref("root/a").tell_nowait("one")
        await wait_all_tasks_blocked()
        await trio.sleep(1)

    assert heard == ["one"]
